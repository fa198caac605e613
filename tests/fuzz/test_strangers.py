"""Whatever a stranger sends changes nothing and costs no memory."""

import pytest

from tests.fuzz.strangers import responder, run
from tests.unit.layer2.frames import solicitation, who_has


@pytest.mark.parametrize("seed", range(10))
def test_strange_frames_get_no_answer_and_leave_nothing_behind(seed: int) -> None:
    damage = run(20_000, seed)
    assert damage.answered == 0
    assert damage.blocks < 50


def test_the_responder_under_test_would_answer_good_frames() -> None:
    core = responder()
    assert core.receive_arp(2, who_has("10.0.0.1"))
    assert core.receive_ndp(2, solicitation("fd00::1"))
