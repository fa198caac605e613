"""What is said and what is in force, and the Poll between (RFC 5880 section 6.8.3)."""

import pytest
from msgspec.structs import replace

from speakerd.bfd.pace import Pace, Poll, Terms
from speakerd.bfd.packet import Packet, State

OURS = Terms(3, 50_000, 50_000)
THEIRS = Packet(State.UP, 1, 2, 4, 50_000, 50_000)
FINAL = replace(THEIRS, final=True)


def pace(random: float = 0.0) -> Pace:
    """Of a session that is up, and has polled."""
    found = Pace(OURS, lambda: random)
    found.hear(THEIRS)
    found.want(OURS, up=True)
    return found


def settled(changed: Pace) -> Pace:
    assert changed.polled()
    changed.hear(FINAL)
    changed.hear(THEIRS)
    return changed


def test_packets_are_rarer_only_after_the_answer() -> None:
    core = pace()
    core.want(replace(OURS, desired_tx=400_000), up=True)
    assert (core.said.desired_tx, core.interval) == (400_000, 0.05)
    core.hear(FINAL)
    assert core.interval == 0.05, "no Poll had left that it could answer"
    assert core.polled()
    core.hear(THEIRS)
    assert core.interval == 0.05
    core.hear(FINAL)
    assert core.interval == 0.4


def test_packets_are_more_frequent_at_once() -> None:
    core = pace()
    core.want(replace(OURS, desired_tx=60_000), up=True)
    core.want(replace(OURS, desired_tx=20_000), up=True)
    settled(core)
    assert core.said.desired_tx == 20_000
    core.remote = replace(THEIRS, required_rx=10)
    assert core.interval == 0.02


def test_less_silence_is_borne_only_after_the_answer_and_more_at_once() -> None:
    core = pace()
    core.want(replace(OURS, required_rx=400_000), up=True)
    assert core.detection == pytest.approx(1.6)
    settled(core)
    core.want(replace(OURS, required_rx=100_000), up=True)
    assert core.detection == pytest.approx(1.6)
    assert core.polled()
    core.hear(FINAL)
    assert core.detection == pytest.approx(0.4)


def test_a_second_change_waits_for_the_first_to_be_answered_and_told_apart() -> None:
    core = pace()
    core.want(replace(OURS, desired_tx=100_000), up=True)
    core.polled()
    core.want(replace(OURS, desired_tx=200_000), up=True)
    assert core.said.desired_tx == 100_000
    core.hear(FINAL)
    core.hear(FINAL)
    assert (core.said.desired_tx, core.poll) == (100_000, Poll.SETTLING)
    core.hear(THEIRS)
    assert (core.said.desired_tx, core.poll, core.interval) == (200_000, Poll.DUE, 0.1)


@pytest.mark.parametrize("terms", [replace(OURS, desired_tx=1_000_000), replace(OURS, required_rx=10_000)])
def test_of_a_session_that_is_not_up_all_changes_count_at_once(terms: Terms) -> None:
    core = pace()
    core.remote = replace(THEIRS, desired_tx=0)
    core.want(terms, up=False)
    assert (core.interval, core.detection) == (max(terms.desired_tx, 50_000) / 1e6, 4 * terms.required_rx / 1e6)


def test_a_neighbour_that_was_never_heard_is_not_polled() -> None:
    core = Pace(OURS, lambda: 0.0)
    core.want(replace(OURS, desired_tx=1_000_000), up=False)
    assert core.poll is Poll.IDLE


def test_a_neighbour_that_fell_silent_is_not_polled_any_more() -> None:
    core = pace()
    core.want(replace(OURS, desired_tx=400_000), up=True)
    core.lose()
    assert not core.polled()


def test_what_is_the_same_is_not_polled_for() -> None:
    core = pace()
    core.want(OURS, up=True)
    assert core.poll is Poll.IDLE


@pytest.mark.parametrize(("random", "multiplier", "part"), [(0, 3, 1.0), (1, 3, 0.75), (0, 1, 0.9), (1, 1, 0.75)])
def test_jitter_takes_up_to_a_quarter_and_of_multiplier_one_at_least_a_tenth(
    random: float, multiplier: int, part: float
) -> None:
    core = Pace(replace(OURS, multiplier=multiplier), lambda: random)
    assert core.jitter() == pytest.approx(part)
