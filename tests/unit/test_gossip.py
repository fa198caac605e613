"""Who has missed what was announced: members that were lost, and those whose segment was silent."""

import pytest

from speakerd.gossip import Gossip
from speakerd.membership.peer import FRAMES_EVERY

PACES = [0.075, 0.25, 1.0]
"""Seconds between heartbeats, of each preset."""


def announced_again(gossip: Gossip, *times: float, interval: float) -> list[bool]:
    """Whether what is ours has to be announced to a member, after each frame of it."""
    found = []
    for at in times:
        gossip.frame_came(1, "b", interval, at)
        found.append(gossip.compared("b"))
    return found


@pytest.mark.parametrize("interval", PACES)
def test_frames_that_come_when_they_are_due_tell_of_no_silence(interval: float) -> None:
    times = (FRAMES_EVERY * interval * number for number in range(5))
    assert announced_again(Gossip(), *times, interval=interval) == [True, False, False, False, False]


@pytest.mark.parametrize("interval", PACES)
def test_after_a_silent_segment_all_is_announced_once_more(interval: float) -> None:
    long = 100 * FRAMES_EVERY * interval
    assert announced_again(Gossip(), 0.0, long, long + 0.1, interval=interval) == [True, True, False]
