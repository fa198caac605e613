"""Whatever a router says is understood or refused in the words of an RFC, and costs no memory."""

import pytest

from speakerd.bgp.error import SUBCODES, Notification
from tests.fuzz.routers import run
from tests.unit.bgp.golden import GOLDENS
from tests.unit.bgp.test_damage import judged

WORDS = {Notification(code, subcode).words for code, names in SUBCODES.items() for subcode in names}


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_router_says_is_sense_or_refused_in_the_words_of_an_rfc(seed: int) -> None:
    outcome = run(5_000, seed)
    assert outcome.understood > 1000
    assert outcome.words <= WORDS
    assert len(outcome.words) > 12
    assert outcome.blocks < 50


@pytest.mark.parametrize("name", GOLDENS)
def test_every_octet_of_a_good_message_may_be_any_other(name: str) -> None:
    data = GOLDENS[name]
    for at in range(len(data)):
        for value in range(256):
            judged(data[:at] + bytes((value,)) + data[at + 1 :])
