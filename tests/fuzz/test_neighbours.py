"""Whatever comes by BFD's ports and is not the neighbour's changes nothing and costs no memory."""

import pytest

from speakerd.bfd.packet import Refusal
from tests.fuzz.neighbours import GOOD, NEAR, run, sessions


@pytest.mark.parametrize("seed", range(3))
def test_strange_packets_get_no_answer_a_word_each_and_leave_nothing_behind(seed: int) -> None:
    outcome = run(20_000, seed)
    assert outcome.effects == 0
    assert outcome.words == {*Refusal}
    assert outcome.blocks < 50


def test_the_sessions_under_test_would_answer_a_good_packet() -> None:
    assert sessions().receive(GOOD, NEAR, 255, 0.1)
