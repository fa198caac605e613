"""Two cores over a line: both come up, a cut is noticed as promised, and nothing else is."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from speakerd.bfd.packet import Diagnostic, Packet, State
from speakerd.peering import BfdProfile
from tests.unit.bfd.line import COMES_UP, FAST, Line, up

UP, DOWN, INIT, ADMIN_DOWN = State.UP, State.DOWN, State.INIT, State.ADMIN_DOWN
SLOW = BfdProfile("slow", receive_interval=400, transmit_interval=400)
PASSIVE = replace(FAST, passive_mode=True)
NONE, OURS, THEIRS, BOTH = map(frozenset, ([], [0], [1], [0, 1]))
"""Whose packets a line loses."""
UNHURRIED = replace(FAST, detect_multiplier=250)
"""Of whom the neighbour bears long silence."""
DETECTION = 0.15
"""Of FAST at both ends."""


def intervals(line: Line, end: int, since: float) -> list[float]:
    """Seconds between an end's packets after `since`."""
    times = [at for at, _ in line.sent[end] if at > since]
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("seed", range(5))
def test_both_ends_come_up_and_say_so_once(seed: int) -> None:
    line = Line(seed=seed)
    line.run(COMES_UP)
    for changes in line.changes:
        assert [each.state for each in changes] in ([INIT, UP], [UP])
        assert changes[-1].diagnostic is Diagnostic.NO_DIAGNOSTIC


@pytest.mark.parametrize("seed", range(10))
def test_both_ends_come_up_on_a_line_that_loses_a_third_and_reorders(seed: int) -> None:
    line = Line(SLOW, SLOW, seed=seed, loss=0.33, wander=0.3)
    line.run(30.0)
    assert all(UP in [each.state for each in changes] for changes in line.changes)


@pytest.mark.parametrize("seed", range(5))
def test_reordering_and_little_loss_never_make_a_session_that_is_up_fail(seed: int) -> None:
    patient = replace(FAST, detect_multiplier=5)
    line = up(patient, patient, seed=seed)
    before = [len(changes) for changes in line.changes]
    line.loss, line.wander = 0.01, 0.08
    line.run(30.0)
    assert [len(changes) for changes in line.changes] == before


def test_packets_go_once_a_second_until_up_and_as_agreed_from_then_on() -> None:
    line = Line(cut=BOTH)
    line.run(10.0)
    assert all(0.75 <= each <= 1.0 for end in range(2) for each in intervals(line, end, 0.0))
    line.cut = NONE
    line.run(5.0)
    settled = line.now
    line.run(5.0)
    spent = [each for end in range(2) for each in intervals(line, end, settled)]
    assert min(spent) >= 0.75 * 0.05 - 1e-9
    assert max(spent) <= 0.05 + 1e-9
    assert max(spent) - min(spent) > 0.01


def test_who_sends_more_slowly_or_hears_more_slowly_sets_the_interval() -> None:
    line = up(replace(FAST, receive_interval=200), replace(FAST, transmit_interval=80))
    since = line.now
    line.run(5.0)
    assert 0.75 * 0.05 - 1e-9 <= min(intervals(line, 0, since)) <= max(intervals(line, 0, since)) <= 0.05 + 1e-9
    assert 0.75 * 0.2 - 1e-9 <= min(intervals(line, 1, since)) <= max(intervals(line, 1, since)) <= 0.2 + 1e-9


def test_with_a_multiplier_of_one_packets_go_a_tenth_early_at_least() -> None:
    line = up(replace(FAST, detect_multiplier=1), FAST)
    since = line.now
    line.run(10.0)
    spent = intervals(line, 0, since)
    assert 0.75 * 0.05 - 1e-9 <= min(spent) <= max(spent) <= 0.9 * 0.05 + 1e-9
    assert line.states() == (UP, UP)


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_line_is_noticed_within_the_detection_time_and_never_earlier(seed: int) -> None:
    line = up(seed=seed)
    line.run(0.01 * seed)
    line.cut, at = BOTH, line.now
    line.run(1.0)
    for end, changes in enumerate(line.changes):
        heard = max(sent for sent, _ in line.sent[1 - end] if sent <= at) + line.delay
        assert (changes[-1].state, changes[-1].diagnostic) == (DOWN, Diagnostic.CONTROL_DETECTION_TIME_EXPIRED)
        assert changes[-1].since == pytest.approx(heard + DETECTION)
        assert changes[-1].since <= at + DETECTION + 0.05


def test_a_line_cut_one_way_takes_both_ends_down_and_the_deaf_one_says_why() -> None:
    line = up()
    line.cut, at = OURS, line.now
    line.run(0.5)
    deaf, other = line.changes[1][-1], line.changes[0][-1]
    assert (deaf.state, deaf.diagnostic) == (DOWN, Diagnostic.CONTROL_DETECTION_TIME_EXPIRED)
    assert (other.state, other.diagnostic) == (DOWN, Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN)
    assert at + DETECTION - 0.05 <= deaf.since < other.since <= at + DETECTION + 0.05
    line.run(10.0)
    assert UP not in line.states()
    line.cut = NONE
    line.run(COMES_UP)
    assert line.states() == (UP, UP)


def test_the_multiplier_and_the_interval_of_the_sender_count() -> None:
    line = up(BfdProfile("x", receive_interval=50, transmit_interval=100, detect_multiplier=10), FAST)
    line.cut, at = BOTH, line.now
    line.run(3.0)
    assert 10 * 0.1 - 0.1 <= line.changes[1][-1].since - at <= 10 * 0.1 + 0.1
    assert 3 * 0.05 - 0.05 <= line.changes[0][-1].since - at <= 3 * 0.05 + 0.05


@pytest.mark.parametrize("seed", range(10))
def test_changes_of_interval_never_make_a_session_fail(seed: int) -> None:
    line = up(seed=seed, delay=0.02)
    before = [len(changes) for changes in line.changes]
    for _ in range(30):
        interval = line.random.choice([20, 50, 100, 300, 1000, 2000])
        multiplier = line.random.choice([2, 3, 10])
        other = line.random.choice([20, 100, 1000])
        line.wish(line.random.randrange(2), BfdProfile("x", interval, other, multiplier))
        line.run(line.random.choice([0.001, 0.1, 3.0]))
    line.run(10.0)
    assert [len(changes) for changes in line.changes] == before


def test_longer_intervals_begin_once_the_neighbour_has_answered_the_poll() -> None:
    line = up(delay=0.02)
    at = line.now
    line.wish(0, SLOW)
    line.run(8.0)
    polls = [when for when, said in line.sent[0] if when >= at and said.poll]
    finals = [when for when, said in line.sent[1] if when >= at and said.final]
    assert polls[0] == at
    assert line.sent[0][-1][1].desired_tx == 400_000
    answered = finals[0] + line.delay
    assert max(polls) <= answered
    assert max(b - a for a, b in pairwise(polls)) <= 0.05 + 1e-9
    assert min(intervals(line, 0, answered)) >= 0.75 * 0.4 - 1e-9


def test_a_shorter_detection_begins_once_the_neighbour_has_answered_the_poll() -> None:
    line = up(SLOW, FAST)
    line.cut = OURS
    line.wish(0, FAST)
    at = line.now
    line.run(5.0)
    assert line.changes[0][-1].diagnostic is not Diagnostic.CONTROL_DETECTION_TIME_EXPIRED
    line = up(SLOW, FAST)
    line.wish(0, FAST)
    line.run(3.0)
    line.cut, at = THEIRS, line.now
    line.run(1.0)
    assert line.changes[0][-1].since - at <= DETECTION + line.delay


def test_a_planned_stop_is_told_as_one_and_then_there_is_silence() -> None:
    line = up()
    at = line.now
    line.wish(0, None)
    line.run(0.01)
    ours, theirs = line.changes[0][-1], line.changes[1][-1]
    assert (ours.state, ours.diagnostic) == (ADMIN_DOWN, Diagnostic.ADMINISTRATIVELY_DOWN)
    assert (theirs.state, theirs.remote) == (DOWN, ADMIN_DOWN)
    assert theirs.diagnostic is Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN
    assert line.ended == []
    line.run(5.0)
    said = [(when - at, each) for when, each in line.sent[0] if when >= at]
    assert {(each.state, each.diagnostic) for _, each in said} == {(ADMIN_DOWN, Diagnostic.ADMINISTRATIVELY_DOWN)}
    assert all(each.desired_tx >= 1_000_000 for _, each in said)
    assert DETECTION - 0.05 <= said[-1][0] <= DETECTION
    assert line.ended == [0]
    assert len(line.ends[0]) == 0


@pytest.mark.parametrize("seed", range(10))
def test_a_planned_stop_is_no_failure_though_its_first_word_is_lost(seed: int) -> None:
    line = up(seed=seed)
    line.cut = OURS
    line.wish(0, None)
    line.run(0.06)
    line.cut = NONE
    line.run(0.5)
    assert line.changes[1][-1].remote is ADMIN_DOWN


def test_a_session_wanted_again_during_its_farewell_comes_up_again() -> None:
    line = up()
    line.wish(0, None)
    line.run(0.05)
    line.wish(0, FAST)
    line.run(5.0)
    assert line.states() == (UP, UP)
    assert line.ended == []


def test_an_end_that_was_stopped_and_starts_again_comes_up_again() -> None:
    line = up()
    line.wish(0, None)
    line.run(5.0)
    line.wish(0, FAST)
    line.run(5.0)
    assert line.states() == (UP, UP)


def test_a_passive_end_says_nothing_until_it_is_spoken_to() -> None:
    line = Line(PASSIVE, FAST, cut=THEIRS)
    line.run(10.0)
    assert line.sent[0] == []
    line.cut = NONE
    line.run(COMES_UP)
    assert line.states() == (UP, UP)
    line.cut = THEIRS
    line.run(10.0)
    silent = len(line.sent[0])
    line.run(10.0)
    assert len(line.sent[0]) == silent


def test_two_passive_ends_stay_silent() -> None:
    line = Line(PASSIVE, PASSIVE)
    line.run(10.0)
    assert line.sent == ([], [])
    assert [end.deadline() for end in line.ends] == [None, None]


def test_a_process_that_stood_still_finds_its_neighbour_alive() -> None:
    line = up()
    line.wish(1, replace(FAST, detect_multiplier=3, receive_interval=2000))
    line.wish(0, replace(FAST, transmit_interval=2000))
    line.run(10.0)
    before = len(line.changes[0])
    line.run(1.0, asleep=0)
    line.run(5.0)
    assert len(line.changes[0]) == before
    assert line.states() == (UP, UP)


def test_what_could_not_be_heard_while_the_host_stood_still_is_no_silence() -> None:
    line = up()
    line.cut = THEIRS
    line.run(0.14)
    line.cut = NONE
    line.ends[0].gap(line.now)
    line.run(1.0)
    assert line.states() == (UP, UP)


def test_to_a_neighbour_that_wants_nothing_nothing_periodic_is_sent() -> None:
    line = up(UNHURRIED)
    line.altered = lambda end, said: replace(said, required_rx=0) if end == 1 else said
    line.run(0.1)
    since = line.now
    line.run(0.1)
    assert [said for at, said in line.sent[0] if at > since] == []
    assert line.states() == (UP, UP)


def demanding(end: int, said: Packet) -> Packet:
    return replace(said, demand=end == 1 and said.state is UP)


def test_a_neighbour_in_demand_mode_is_left_alone_and_still_watched() -> None:
    line = up(UNHURRIED)
    line.altered = demanding
    line.run(0.1)
    since = line.now
    line.run(5.0)
    assert [said for at, said in line.sent[0] if at > since] == []
    line.cut, at = THEIRS, line.now
    line.run(0.2)
    assert line.changes[0][-1].diagnostic is Diagnostic.CONTROL_DETECTION_TIME_EXPIRED
    assert line.changes[0][-1].since <= at + DETECTION + line.delay
    assert line.sent[0][-1][1].state is DOWN


def test_a_neighbour_in_demand_mode_is_polled_when_our_intervals_change() -> None:
    line = up(UNHURRIED)
    line.altered = demanding
    line.run(0.1)
    at = line.now
    line.wish(0, SLOW)
    line.run(0.1)
    told = [said for when, said in line.sent[0] if when >= at]
    assert [(each.poll, each.desired_tx) for each in told] == [(True, 400_000)]


def test_we_never_ask_for_demand_mode_nor_for_echo_packets() -> None:
    line = up()
    said = [each for end in line.sent for _, each in end]
    assert not any(each.demand or each.required_echo_rx or (each.poll and each.final) for each in said)
