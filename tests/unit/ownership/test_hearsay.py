"""Others tell of a rival: it lives where it rises again, and is not waited for once they insist."""

import pytest

from speakerd.exchange import Claim
from speakerd.ownership.hearsay import PATIENCE, Hearsay

IP, OTHER = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
INTERVAL = 0.1


def claim(epoch: int, owner: str = "b", boot: int = 1, ip: bytes = IP) -> Claim:
    return Claim(ip, epoch, owner, 0.0, "first", boot=boot)


@pytest.mark.parametrize(
    ("later", "lives"),
    [
        (claim(4), True),
        (claim(2), False),
        (claim(1), False),
        (claim(4, boot=2), False),
        (claim(4, owner="c"), False),
        (claim(4, ip=OTHER), False),
    ],
    ids=["higher", "the same", "lower", "another life", "another owner", "another VIP"],
)
def test_who_rises_above_ours_again_after_it_was_outdone_lives(later: Claim, lives: bool) -> None:
    hearsay = Hearsay({IP, OTHER})
    hearsay.outdone(claim(2), 0.0)
    assert hearsay.rose_again(later) == lives


def test_nobody_lives_who_was_never_outdone() -> None:
    assert not Hearsay({IP}).rose_again(claim(2))


def told(hearsay: Hearsay, since: float, until: float) -> bool:
    """Others tell of it each interval."""
    at, found = since, False
    while at <= until:
        found = hearsay.insists(claim(2), at, INTERVAL)
        at += INTERVAL
    return found


def test_others_insist_once_they_have_told_of_a_rival_for_some_intervals() -> None:
    assert not told(Hearsay({IP}), 0.0, PATIENCE * INTERVAL)
    assert told(Hearsay({IP}), 0.0, (PATIENCE + 2) * INTERVAL)


def test_what_was_told_long_ago_does_not_insist() -> None:
    hearsay = Hearsay({IP})
    assert told(hearsay, 0.0, 1.0)
    assert not hearsay.insists(claim(2), 9.0, INTERVAL)


def test_a_rival_that_spoke_for_itself_is_given_time_again() -> None:
    hearsay = Hearsay({IP})
    assert told(hearsay, 0.0, 1.0)
    hearsay.settled(IP)
    assert not hearsay.insists(claim(2), 1.1, INTERVAL)


def test_nothing_is_kept_of_vips_that_are_not_answered_here_any_more() -> None:
    serving = {IP, OTHER}
    hearsay = Hearsay(serving)
    hearsay.outdone(claim(2), 0.0)
    serving.discard(IP)
    hearsay.outdone(claim(2, ip=OTHER), 0.0)
    hearsay.outdone(claim(2, owner="c", ip=OTHER), 0.0)
    assert not hearsay.rose_again(claim(4))
