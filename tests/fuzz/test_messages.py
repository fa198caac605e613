"""Whatever comes by the membership port is a message or a word for why it is none, and costs no memory."""

import pytest

from speakerd.membership.message import Refusal
from tests.fuzz.messages import run


@pytest.mark.parametrize("seed", range(3))
def test_what_was_changed_after_it_was_signed_is_never_believed(seed: int) -> None:
    outcome = run(10_000, seed, right_key=False)
    assert outcome.believed == 0
    assert outcome.words == {*Refusal} - {Refusal.UNKNOWN_KIND}
    assert outcome.blocks < 50


@pytest.mark.parametrize("seed", range(3))
def test_nonsense_of_one_who_has_the_key_is_a_message_or_refused_in_a_word(seed: int) -> None:
    outcome = run(5_000, seed, right_key=True)
    assert outcome.believed > 0
    assert outcome.words <= {*Refusal}
    assert outcome.blocks < 50
