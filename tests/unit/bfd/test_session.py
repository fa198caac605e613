"""One session: its states as RFC 5880 section 6.8.6 has them, and what it says."""

import pytest
from msgspec.structs import replace

from speakerd.bfd.effects import CONTROL_PORT, MULTIHOP_PORT, Changed, Effect, Path, Send
from speakerd.bfd.packet import Diagnostic, Packet, State, decode
from speakerd.bfd.session import Session
from speakerd.peering import BfdProfile
from tests.unit.bfd.line import FAST, PATHS

ADMIN_DOWN, DOWN, INIT, UP = State
US, THEM = 0x11111111, 0x22222222

# RFC 5880 section 6.8.6, every pair of (ours, theirs).
NEXT = {
    ADMIN_DOWN: {ADMIN_DOWN: ADMIN_DOWN, DOWN: ADMIN_DOWN, INIT: ADMIN_DOWN, UP: ADMIN_DOWN},
    DOWN: {ADMIN_DOWN: DOWN, DOWN: INIT, INIT: UP, UP: DOWN},
    INIT: {ADMIN_DOWN: DOWN, DOWN: INIT, INIT: UP, UP: UP},
    UP: {ADMIN_DOWN: DOWN, DOWN: DOWN, INIT: UP, UP: UP},
}
LEADS_TO = {DOWN: [], INIT: [DOWN], UP: [DOWN, INIT]}
"""What the neighbour says to bring a session there."""


def says(state: State, *, poll: bool = False, final: bool = False, demand: bool = False) -> Packet:
    return Packet(state, THEM, US, 3, 50_000, 50_000, poll=poll, final=final, demand=demand)


def session(state: State = DOWN, profile: BfdProfile = FAST, path: Path = PATHS[0]) -> Session:
    """One that is in `state` at 0 s, and has said so."""
    found = Session(path, profile, US, lambda: 0.5, 0.0)
    found.wake(0.0)
    for said in LEADS_TO.get(state, []):
        found.receive(says(said), 0.0)
    if state is ADMIN_DOWN:
        found.receive(says(DOWN), 0.0)
        found.stop(0.0)
    assert found.state is state
    return found


def packets(effects: list[Effect]) -> list[Packet]:
    return [decode(effect.data) for effect in effects if isinstance(effect, Send)]


def changes(effects: list[Effect]) -> list[Changed]:
    return [effect for effect in effects if isinstance(effect, Changed)]


@pytest.mark.parametrize("theirs", State)
@pytest.mark.parametrize("ours", State)
def test_every_state_heard_in_every_state_leads_where_the_rfc_says(ours: State, theirs: State) -> None:
    core = session(ours)
    found = core.receive(says(theirs), 1.0)
    after = NEXT[ours][theirs]
    assert core.state is after
    assert [(each.state, each.since) for each in changes(found)] == ([(after, 1.0)] if after != ours else [])
    for each in changes(found):
        failed = each.state is DOWN
        assert each.diagnostic == (Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN if failed else Diagnostic.NO_DIAGNOSTIC)
        assert each.remote is theirs


@pytest.mark.parametrize("theirs", State)
@pytest.mark.parametrize("ours", [DOWN, INIT, UP])
def test_a_change_of_state_is_told_at_once_and_nothing_else_is(ours: State, theirs: State) -> None:
    core = session(ours)
    found = core.receive(says(theirs), 0.001)
    told = [each.state for each in packets(found)]
    first_word = ours is DOWN
    assert told == ([core.state] if core.state is not ours or first_word else [])


@pytest.mark.parametrize("ours", [DOWN, INIT, UP])
def test_a_poll_is_answered_at_once_in_every_state_by_one_packet(ours: State) -> None:
    for theirs in State:
        core = session(ours)
        (answer,) = packets(core.receive(says(theirs, poll=True), 0.001))
        assert (answer.final, answer.poll, answer.state) == (True, False, core.state)


@pytest.mark.parametrize("theirs", State)
def test_who_is_stopped_answers_nothing(theirs: State) -> None:
    assert session(ADMIN_DOWN).receive(says(theirs, poll=True), 0.001) == []


def test_answers_do_not_put_off_our_own_poll() -> None:
    core = session(INIT)
    found: list[Effect] = []
    for milliseconds in range(51):
        now = milliseconds / 1000
        found += core.receive(says(UP, poll=True), now)
        found += core.wake(now) if (core.deadline() or 9.0) <= now else []
    assert any(each.poll for each in packets(found))


def test_the_reason_of_a_failure_is_told_until_it_is_over() -> None:
    core = session(UP)
    (failed,) = changes(core.wake(0.15))
    assert failed == Changed(PATHS[0], DOWN, Diagnostic.CONTROL_DETECTION_TIME_EXPIRED, DOWN, 0.15)
    (init,) = packets(core.receive(says(DOWN), 0.2))
    assert (init.state, init.diagnostic) == (INIT, Diagnostic.CONTROL_DETECTION_TIME_EXPIRED)
    (up,) = packets(core.receive(says(INIT), 0.3))
    assert (up.state, up.diagnostic) == (UP, Diagnostic.NO_DIAGNOSTIC)


@pytest.mark.parametrize("state", [DOWN, INIT, UP])
def test_after_a_detection_time_of_silence_the_neighbours_discriminator_is_forgotten(state: State) -> None:
    core = session(state)
    core.receive(says(ADMIN_DOWN if state is DOWN else state), 0.0)
    (said,) = packets(core.wake(0.15))
    assert (said.state, said.yours) == (DOWN, 0)


def test_a_session_is_not_called_dead_a_moment_too_early() -> None:
    core = session(UP)
    assert changes(core.wake(0.1499)) == []
    assert changes(core.wake(0.15))


def test_a_neighbour_that_starts_anew_takes_the_session_down_and_up_again() -> None:
    core = session(UP)
    reborn = Packet(DOWN, 0x33333333, 0, 3, 1_000_000, 50_000)
    (said,) = packets(core.receive(reborn, 0.01))
    assert (said.state, said.yours) == (DOWN, 0x33333333)
    core.receive(reborn, 0.02)
    assert core.state is INIT


def test_demand_mode_counts_only_while_both_are_up() -> None:
    core = session(INIT)
    core.receive(replace(says(DOWN, demand=True), multiplier=255), 0.0)
    assert [each.state for each in packets(core.wake(1.0))] == [INIT]
    core = session(UP)
    core.receive(replace(says(INIT, demand=True), multiplier=255), 0.0)
    assert [each.state for each in packets(core.wake(0.1))] == [UP]


def test_the_silence_of_a_farewell_is_not_held_against_the_session_that_begins_anew() -> None:
    core = session(UP)
    core.stop(0.0)
    core.resume(FAST, 0.14)
    assert core.deadline() == pytest.approx(0.14 + 0.15)


@pytest.mark.parametrize(("ttl", "admitted"), [(255, True), (254, False), (1, False), (0, False)])
def test_over_one_hop_only_a_packet_that_met_no_router_is_admitted(ttl: int, admitted: bool) -> None:
    assert session().admits(ttl) is admitted


@pytest.mark.parametrize(("ttl", "admitted"), [(255, True), (250, True), (249, False)])
def test_over_several_hops_the_profile_says_how_many(ttl: int, admitted: bool) -> None:
    far = session(profile=replace(FAST, minimum_ttl=250), path=Path(b"\x0a\0\0\2", multihop=True))
    assert far.admits(ttl) is admitted


@pytest.mark.parametrize(("multihop", "port"), [(False, CONTROL_PORT), (True, MULTIHOP_PORT)])
def test_packets_go_to_the_port_of_their_kind(multihop: bool, port: int) -> None:
    core = Session(Path(b"\x0a\0\0\2", multihop=multihop), FAST, US, lambda: 0.5, 0.0)
    assert [effect.port for effect in core.wake(0.0) if isinstance(effect, Send)] == [port]


@pytest.mark.parametrize(
    ("state", "diagnostic", "anew"),
    [
        (DOWN, Diagnostic.NO_DIAGNOSTIC, True),
        (DOWN, Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN, True),
        (DOWN, Diagnostic.CONTROL_DETECTION_TIME_EXPIRED, False),
        (DOWN, Diagnostic.PATH_DOWN, False),
    ],
)
def test_a_neighbour_that_is_down_without_having_missed_us_began_anew(
    state: State, diagnostic: Diagnostic, anew: bool
) -> None:
    (change,) = changes(session(UP).receive(replace(says(state), diagnostic=diagnostic), 1.0))
    assert change.anew is anew


def test_silence_is_no_new_beginning() -> None:
    core = session(UP)
    (change,) = changes(core.wake(10.0))
    assert (change.state, change.anew) == (DOWN, False)
