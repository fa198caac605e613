"""One session against the RFC's table, state by input; what stops it, what changes it, and anything at all."""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.bgp import message, opening, update
from speakerd.bgp.connection import State
from speakerd.bgp.effects import Close, Dial, Down, Effect, Received, Up
from speakerd.bgp.error import Cease, farewell
from speakerd.bgp.family import IPV4, IPV6
from speakerd.bgp.frame import Kind
from speakerd.bgp.fsm import Session
from speakerd.bgp.message import KEEPALIVE
from speakerd.bgp.terms import Terms
from tests.unit.bgp.golden import REACH_SIX, UPDATES, block, frame, whole
from tests.unit.bgp.pipe import LEFT, RIGHT
from tests.unit.bgp.single import (
    ACTIVE,
    BYE,
    CONNECT,
    ESTABLISHED,
    IDLE,
    LATE,
    OPEN,
    OPEN_CONFIRM,
    OPEN_SENT,
    REFRESH,
    RUBBISH,
    UPDATE,
    closes,
    kinds,
    notifications,
    sends,
    session,
    told,
)

INPUTS: dict[str, Callable[[Session], list[Effect]]] = {
    "start": lambda core: core.start(1.0),
    "stop": lambda core: core.stop(1.0),
    "reset": lambda core: core.reset(1.0),
    "accepted": lambda core: core.accepted(99, 1.0),
    "connected": lambda core: core.connected(1, 1.0),
    "closed": lambda core: core.closed(1, "connection reset", 1.0),
    "stuck": lambda core: core.stuck(1, 1.0),
    "open": lambda core: core.receive(1, OPEN, 1.0),
    "update": lambda core: core.receive(1, UPDATE, 1.0),
    "notification": lambda core: core.receive(1, BYE, 1.0),
    "keepalive": lambda core: core.receive(1, KEEPALIVE, 1.0),
    "refresh": lambda core: core.receive(1, REFRESH, 1.0),
    "rubbish": lambda core: core.receive(1, RUBBISH, 1.0),
    "late": lambda core: core.wake(LATE),
}
Row = dict[State, tuple[State, tuple[int, int] | None]]
SAME: Row = {state: (state, None) for state in State}
OPENED = (OPEN_SENT, OPEN_CONFIRM, ESTABLISHED)
# RFC 4271 section 8.2.2 without delayed opening, RFC 6608, RFC 9687: input -> state -> state next, what is notified.
TABLE: dict[str, Row] = {
    "start": SAME | {IDLE: (CONNECT, None)},
    "stop": {state: (IDLE, (6, 2) if state >= OPEN_SENT else None) for state in State},
    "reset": {state: (ACTIVE, (6, 4) if state >= OPEN_SENT else None) for state in State} | {IDLE: (IDLE, None)},
    "accepted": SAME | {CONNECT: (OPEN_SENT, None), ACTIVE: (OPEN_SENT, None)},
    "connected": SAME | {CONNECT: (OPEN_SENT, None)},
    "closed": SAME | dict.fromkeys((CONNECT, *OPENED), (ACTIVE, None)),
    "stuck": SAME | dict.fromkeys(OPENED, (ACTIVE, (8, 0))),
    "open": SAME | {OPEN_SENT: (OPEN_CONFIRM, None), OPEN_CONFIRM: (ACTIVE, (5, 2)), ESTABLISHED: (ACTIVE, (5, 3))},
    "update": SAME | {OPEN_SENT: (ACTIVE, (5, 1)), OPEN_CONFIRM: (ACTIVE, (5, 2))},
    "notification": SAME | dict.fromkeys(OPENED, (ACTIVE, None)),
    "keepalive": SAME | {OPEN_SENT: (ACTIVE, (5, 1)), OPEN_CONFIRM: (ESTABLISHED, None)},
    "refresh": SAME | {OPEN_SENT: (ACTIVE, (5, 1)), OPEN_CONFIRM: (ACTIVE, (5, 2))},
    "rubbish": SAME | dict.fromkeys(OPENED, (ACTIVE, (1, 1))),
    "late": SAME | {CONNECT: (ACTIVE, None), ACTIVE: (CONNECT, None)} | dict.fromkeys(OPENED, (ACTIVE, (4, 0))),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", INPUTS)
def test_every_input_in_every_state_leads_where_the_rfc_says(name: str, state: State) -> None:
    core = session(state)
    found = INPUTS[name](core)
    after, notified = TABLE[name][state]
    assert (core.state, notifications(found)) == (after, [notified] if notified else [])
    assert (core.since != 0.0) == (after is not state)
    left = state >= OPEN_SENT and after < OPEN_SENT
    assert (1 in closes(found)) == (left or (state is CONNECT and after in {IDLE, ACTIVE}) or _unknown(name, state))
    assert any(isinstance(each, Down) for each in found) == (state is ESTABLISHED and left)
    assert bool(core.last_error) == (left or state is ACTIVE or (state is CONNECT and name in {"closed", "late"}))


def _unknown(name: str, state: State) -> bool:
    """Whether a connection is reported that nobody asked for."""
    return name == "connected" and state in {IDLE, ACTIVE}


def test_an_unexpected_message_is_named_as_rfc_6608_has_it() -> None:
    (data,) = sends(session(OPEN_SENT).receive(1, UPDATE, 1.0))
    assert data[19:] == bytes((5, 1, Kind.UPDATE))


def test_the_peers_open_in_pieces_is_answered_once_it_is_whole() -> None:
    core = session(OPEN_SENT)
    found = [core.receive(1, OPEN[at : at + 1], 1.0) for at in range(len(OPEN))]
    assert [kinds(each) for each in found[:-1]] == [[]] * (len(OPEN) - 1)
    assert kinds(found[-1]) == [Kind.KEEPALIVE]


def test_all_that_comes_in_one_piece_counts_and_is_told_in_its_order() -> None:
    core = session(OPEN_SENT)
    found = core.receive(1, OPEN + KEEPALIVE + UPDATE + REFRESH + UPDATES["end of rib"], 1.0)
    assert [type(each) for each in told(found)] == [Up, Received, Received, Received]
    assert core.heard == {Kind.OPEN: 1, Kind.KEEPALIVE: 1, Kind.UPDATE: 2, Kind.ROUTE_REFRESH: 1}
    assert core.sent == {Kind.OPEN: 1, Kind.KEEPALIVE: 1}
    assert core.ups == 1


def test_nothing_is_heard_of_what_stands_behind_the_end() -> None:
    found = session(ESTABLISHED).receive(1, BYE + UPDATE + RUBBISH, 1.0)
    assert [type(each) for each in told(found)] == [Down]
    assert sends(found) == []


def test_a_route_refresh_of_a_family_that_is_not_ours_or_of_another_subtype_asks_nothing() -> None:
    core = session(ESTABLISHED)
    assert core.receive(1, message.route_refresh(IPV6), 1.0) == []
    assert core.receive(1, whole("05", "0001 01 01"), 1.0) == []
    assert core.state is ESTABLISHED


def test_a_family_that_an_error_disabled_is_not_listened_to_any_more() -> None:
    both = (IPV4, IPV6)
    core = session(OPEN_SENT, replace(LEFT, families=both))
    core.receive(1, opening.encode(replace(RIGHT, families=both).open) + KEEPALIVE, 0.0)
    broken = block(REACH_SIX.replace(" 01 10 ", " 01 11 "), "40 01 01 00", "40 02 06 02 01 0000fde8")
    (first,) = told(core.receive(1, whole("02", broken.hex()), 1.0))
    assert isinstance(first, Received)
    assert isinstance(first.said, update.Update)
    assert first.said.disabled == {IPV6}
    (then,) = told(core.receive(1, UPDATES["announce six"], 1.0))
    assert isinstance(then, Received)
    assert isinstance(then.said, update.Update)
    assert then.said.announced == ()
    assert core.state is ESTABLISHED


# -- stopping and changing


def test_a_stop_tells_the_peer_once_with_the_operators_words_and_closes() -> None:
    core = session(ESTABLISHED)
    found = core.stop(1.0, Cease.SHUTDOWN, "new router, ticket 7")
    (data,) = sends(found)
    read = frame(data)
    assert read is not None
    assert read.body == bytes((6, 2, 20)) + b"new router, ticket 7"
    assert closes(found) == [1]
    assert core.last_error == "sent Cease/Administrative Shutdown: new router, ticket 7"
    assert core.stop(2.0) == []
    assert core.deadline() is None


def test_why_the_peer_ended_the_session_is_not_hidden_by_calls_that_fail_until_it_is_up_again() -> None:
    core = session(ESTABLISHED)
    core.receive(1, message.notification(farewell(Cease.SHUTDOWN, "maintenance at noon")), 1.0)
    said = "received Cease/Administrative Shutdown: maintenance at noon"
    assert core.last_error == said
    for number in (2, 3):
        core.wake(LATE * number)
        core.closed(number, "connection refused", LATE * number)
        assert core.last_error == f"connection refused; before that: {said}"
    core.wake(LATE * 4)
    core.connected(4, LATE * 4)
    core.receive(4, OPEN + KEEPALIVE, LATE * 4)
    core.closed(4, "connection reset by peer", LATE * 4 + 1)
    assert core.last_error == "connection reset by peer"


@pytest.mark.parametrize("why", [Cease.DECONFIGURED, Cease.PREFIXES, Cease.BFD_DOWN, Cease.RESET, Cease.COLLISION])
def test_every_reason_to_stop_goes_out_in_the_words_of_the_rfc(why: Cease) -> None:
    core = session(ESTABLISHED)
    assert notifications(core.stop(1.0, why)) == [(6, why)]
    assert core.last_error == f"sent Cease/{why.words}"


def test_a_session_that_bfd_ends_is_dialled_again() -> None:
    core = session(ESTABLISHED)
    (down,) = told(core.reset(10.0, Cease.BFD_DOWN))
    assert isinstance(down, Down)
    assert not down.graceful
    due = core.deadline()
    assert due is not None
    assert 10.75 <= due <= 11.0
    assert [type(each) for each in core.wake(due)] == [Dial]


def test_a_stop_with_two_connections_brings_neither_up() -> None:
    core = session(OPEN_SENT, replace(LEFT, identifier=bytes((200, 0, 0, 1))))
    core.accepted(99, 0.0)
    core.receive(99, OPEN + KEEPALIVE, 0.0)
    found = core.stop(1.0)
    assert not any(isinstance(each, Up) for each in found)
    assert notifications(found) == [(6, 2), (6, 2)]
    assert sorted(closes(found)) == [1, 99]


@pytest.mark.parametrize(
    "change",
    [{"keepalive_time": 5}, {"connect_time": 5}, {"dials": False}, {"accepts": False}, {"restarted": True}, {}],
)
def test_what_no_open_says_resets_nothing(change: dict[str, int]) -> None:
    core = session(ESTABLISHED)
    assert core.apply(replace(LEFT, **change), 1.0) == []
    assert core.state is ESTABLISHED


@pytest.mark.parametrize(
    "change", [{"hold_time": 30}, {"asn": 65009}, {"peer_asn": 1}, {"way": ("198.51.100.1",)}, {"families": (IPV6,)}]
)
def test_what_the_open_or_the_way_depends_on_begins_anew_within_a_second(change: dict[str, object]) -> None:
    core = session(ESTABLISHED)
    found = core.apply(replace(LEFT, **change), 1.0)
    assert notifications(found) == [(6, 6)]
    due = core.deadline()
    assert due is not None
    assert due <= 2.0


def test_terms_change_nothing_of_a_session_that_is_not_wanted() -> None:
    core = session(IDLE)
    assert core.apply(replace(LEFT, hold_time=30), 1.0) == []
    assert (core.state, core.deadline()) == (IDLE, None)


def test_who_becomes_passive_gives_up_its_call_and_who_no_longer_is_calls() -> None:
    core = session(CONNECT)
    assert core.apply(replace(LEFT, dials=False), 1.0) == [Close(1)]
    assert (core.state, core.deadline()) == (ACTIVE, None)
    core.apply(LEFT, 2.0)
    assert core.wake(3.0) == [Dial(2)]


# -- anything


def driven(core: Session, name: str, number: int, data: bytes, now: float) -> list[Effect]:
    """What one input of some name does."""
    match name:
        case "start" | "stop" | "reset" | "wake":
            plain: Callable[[float], list[Effect]] = getattr(core, name)
            return plain(now)
        case "accepted" | "connected" | "stuck":
            numbered: Callable[[int, float], list[Effect]] = getattr(core, name)
            return numbered(number, now)
        case "closed":
            return core.closed(number, "connection reset", now)
        case "receive":
            return core.receive(number, data, now)
        case "apply":
            return core.apply(replace(LEFT, connect_time=len(data) % 3, hold_time=30 * (1 + len(data) % 2)), now)
    return core.say([UPDATE], now)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("start stop reset accepted connected closed stuck receive wake apply say".split()),
            st.integers(0, 3),
            st.sampled_from([OPEN, KEEPALIVE, UPDATE, REFRESH, BYE, RUBBISH, OPEN + KEEPALIVE, OPEN[:20]])
            | st.binary(max_size=40),
            st.sampled_from([0.0, 0.1, 3.0, 31.0, 300.0]),
        ),
        max_size=40,
    ),
    st.sampled_from([LEFT, replace(LEFT, identifier=bytes((200, 0, 0, 1))), replace(LEFT, hold_time=0)]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_raises_nothing_and_leaves_one_connection_once_established(
    steps: list[tuple[str, int, bytes, float]], terms: Terms
) -> None:
    numbers = count(1)
    core = Session(terms, lambda: next(numbers), lambda: 0.5, 0.0)
    opened: list[int] = []
    now, ups = 0.0, 0
    for name, which, data, later in steps:
        now += later
        number = opened[-1 - which] if which < len(opened) else 0
        if name == "accepted":
            number = next(numbers)
            opened.append(number)
        for effect in driven(core, name, number, data, now):
            match effect:
                case Dial():
                    opened.append(effect.connection)
                case Close():
                    opened = [each for each in opened if each != effect.connection]
                case Up():
                    ups += 1
                case Down():
                    ups -= 1
        assert ups == (core.state is ESTABLISHED)
        assert len(opened) <= (1 if ups else 2)
        assert core.state is IDLE or core.deadline() is not None or terms.hold_time == 0
