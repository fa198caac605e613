"""Two sessions in conversation: they come up once, by one connection, and find each other dead in time."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.bgp.effects import Close, Down, Ending, Failed, Send, Up
from speakerd.bgp.frame import Kind
from tests.unit.bgp.golden import UPDATES
from tests.unit.bgp.pipe import LEFT, RIGHT, Pipe

UP = ["ESTABLISHED", "ESTABLISHED"]
PASSIVE = replace(RIGHT, dials=False)
GRACEFUL = {"restart_time": 20}


def reason(pipe: Pipe, side: int) -> tuple[str, bool]:
    """Of the last end of a session there."""
    _, down = pipe.of(side, Down)[-1]
    assert isinstance(down, Down)
    return down.why.text, down.graceful


def keepalives(pipe: Pipe, side: int) -> list[float]:
    return [at for at, data in pipe.wrote[side] if data[18] == Kind.KEEPALIVE]


def test_two_that_call_each_other_come_up_once_within_a_few_round_trips() -> None:
    pipe = Pipe().start(0, 1).run(0.2)
    assert pipe.states == UP
    assert [len(pipe.of(side, Up)) for side in (0, 1)] == [1, 1]
    assert [session.last_error for session in pipe.sessions] == ["", ""]


def test_a_call_to_one_who_does_not_want_the_session_comes_to_nothing_but_is_repeated() -> None:
    pipe = Pipe().start(0).run(1.0)
    assert pipe.states[1] == "IDLE"
    assert pipe.of(0, Failed)
    pipe.start(1).run(3.0)
    assert pipe.states == UP


@given(st.integers(0, 10**9), st.booleans(), st.sampled_from([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_simultaneous_opening_ends_in_one_connection_at_the_first_attempt(
    seed: int, swapped: bool, later: float, graceful: bool
) -> None:
    random = Random(seed)
    change = GRACEFUL if graceful else {}
    left, right = replace(LEFT, **change), replace(RIGHT, **change)
    if swapped:
        left, right = replace(left, identifier=RIGHT.identifier), replace(right, identifier=LEFT.identifier)
    pipe = Pipe(left, right, lambda _: random.choice([0.001, 0.01, 0.02, 0.05])).start(0).run(later).start(1).run(20.0)
    assert pipe.states == UP
    # Whoever was called before it wanted the session may have refused; but nothing that was up went down again.
    assert [len(pipe.of(side, Up)) for side in (0, 1)] == [1, 1]
    assert [pipe.of(side, Down) for side in (0, 1)] == [[], []]


@given(st.integers(0, 10**9))
@settings(max_examples=100, deadline=None)
def test_two_that_start_together_never_lose_both_connections(seed: int) -> None:
    random = Random(seed)
    pipe = Pipe(delay=lambda _: random.uniform(0.001, 0.05)).start(0, 1).run(0.6)
    assert pipe.states == UP
    assert [session.last_error for session in pipe.sessions] == ["", ""]


def test_equal_identifiers_are_told_apart_by_as_number() -> None:
    pipe = Pipe(LEFT, replace(RIGHT, identifier=LEFT.identifier)).start(0, 1).run(0.2)
    assert pipe.states == UP


@pytest.mark.parametrize("hold", [3, 9, 90])
def test_a_cut_line_is_noticed_at_both_ends_within_the_hold_time_that_both_agreed_on(hold: int) -> None:
    pipe = Pipe(replace(LEFT, hold_time=hold), PASSIVE).start(0, 1).run(100.0)
    assert pipe.states == UP
    pipe.cut = True
    pipe.run(100.0 + hold + 0.1)
    for side in (0, 1):
        ((at, _),) = pipe.of(side, Down)
        assert 100.0 + hold * 2 / 3 - 0.1 <= at <= 100.0 + hold + 0.1
        assert reason(pipe, side) == ("sent Hold Timer Expired", False)


def test_the_end_that_hears_of_the_others_hold_timer_says_so() -> None:
    pipe = Pipe(LEFT, PASSIVE).start(0, 1).run(10.0)
    pipe.do(0, pipe.sessions[0].wake(100.5))
    pipe.run(101.0)
    assert reason(pipe, 1) == ("received Hold Timer Expired", False)


@pytest.mark.parametrize(("hold", "configured"), [(3, 0), (9, 0), (90, 0), (90, 10), (9, 60)])
def test_keepalives_come_at_least_thrice_a_hold_time_and_never_twice_a_second(hold: int, configured: int) -> None:
    pipe = Pipe(replace(LEFT, hold_time=hold, keepalive_time=configured), PASSIVE).start(0, 1).run(10.0 * hold)
    assert pipe.states == UP
    for side in (0, 1):
        times = keepalives(pipe, side)[1:]
        gaps = [after - before for before, after in pairwise(times)]
        wanted = min(configured or hold, hold / 3) if side == 0 else hold / 3
        assert gaps
        assert min(gaps) >= max(1.0, 0.75 * wanted) - 1e-9
        assert max(gaps) <= max(1.0, wanted) + 1e-9


def test_updates_count_as_signs_of_life_and_take_the_place_of_keepalives() -> None:
    pipe = Pipe(replace(LEFT, hold_time=9), PASSIVE).start(0, 1).run(1.0)
    before = len(keepalives(pipe, 0))
    for second in range(1, 60):
        pipe.do(0, pipe.sessions[0].say([UPDATES["announce"]], pipe.now))
        pipe.run(1.0 + second)
    assert pipe.states == UP
    assert len(keepalives(pipe, 0)) == before
    assert pipe.sessions[1].heard[Kind.UPDATE] == pipe.sessions[0].sent[Kind.UPDATE] == 59


def test_without_hold_time_silence_means_nothing() -> None:
    pipe = Pipe(replace(LEFT, hold_time=0), PASSIVE).start(0, 1).run(1.0)
    pipe.cut = True
    pipe.run(100_000.0)
    assert pipe.states == UP
    assert [len(keepalives(pipe, side)) for side in (0, 1)] == [1, 1]


def test_a_stop_is_heard_in_the_operators_words() -> None:
    pipe = Pipe(LEFT, PASSIVE).start(0, 1).run(1.0)
    pipe.do(0, pipe.sessions[0].stop(1.0, text="back at noon"))
    pipe.run(2.0)
    assert pipe.states == ["IDLE", "ACTIVE"]
    assert reason(pipe, 1) == ("received Cease/Administrative Shutdown: back at noon", False)


def test_wrong_as_numbers_never_come_up_and_both_ends_know_why() -> None:
    pipe = Pipe(replace(LEFT, peer_asn=65009)).start(0, 1).run(60.0)
    assert not pipe.of(0, Up) + pipe.of(1, Up)
    errors = {session.last_error for session in pipe.sessions}
    error = "OPEN Message Error/Bad Peer AS"
    assert errors == {f"sent {error}: it is AS 65002, not AS 65009", f"received {error}"}
    assert len(pipe.of(0, Failed)) < 20


def test_a_connection_that_breaks_without_a_word_is_graceful_only_where_both_offered_that() -> None:
    for left, right, graceful in ((GRACEFUL, GRACEFUL, True), (GRACEFUL, {}, False), ({}, GRACEFUL, False)):
        pipe = Pipe(replace(LEFT, **left), replace(PASSIVE, **right)).start(0, 1).run(10.0)
        pipe.do(1, pipe.sessions[1].stop(10.0, None))
        pipe.run(10.1)
        assert reason(pipe, 0) == ("connection closed", graceful)
        assert not [data for _, data in pipe.wrote[1] if data[18] == Kind.NOTIFICATION]


@pytest.mark.parametrize("stops", [0, 1])
def test_a_notification_from_either_end_is_not_graceful_though_both_offered_that(stops: int) -> None:
    pipe = Pipe(replace(LEFT, **GRACEFUL), replace(PASSIVE, **GRACEFUL)).start(0, 1).run(10.0)
    pipe.do(stops, pipe.sessions[stops].reset(10.0))
    pipe.run(10.1)
    assert [reason(pipe, side)[1] for side in (0, 1)] == [False, False]


def test_a_peer_that_restarted_unnoticed_takes_the_place_of_its_old_session() -> None:
    pipe = Pipe(replace(LEFT, **GRACEFUL), replace(PASSIVE, **GRACEFUL)).start(0, 1).run(10.0)
    found = pipe.sessions[0].accepted(999, 10.0)
    assert [type(each) for each in found] == [Close, Down, Send]
    assert Down(Ending("the peer has restarted"), graceful=True) in found
    assert pipe.states[0] == "OPEN_SENT"


def test_a_young_session_is_not_given_up_for_a_connection_that_was_on_its_way() -> None:
    pipe = Pipe(replace(LEFT, **GRACEFUL), replace(PASSIVE, **GRACEFUL)).start(0, 1).run(1.0)
    assert pipe.sessions[0].accepted(999, 1.0) == [Close(999)]


def test_without_graceful_restart_another_connection_is_closed_while_one_is_established() -> None:
    pipe = Pipe(LEFT, PASSIVE).start(0, 1).run(10.0)
    assert pipe.sessions[0].accepted(999, 10.0) == [Close(999)]
    assert pipe.states == UP
