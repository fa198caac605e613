"""The events of RFC 4271 section 8.1 by their numbers, each in every state; and walks of any length over them.

`test_fsm` has what our caller can do; here is what the RFC has happen, timers and errors apart, written after section
8.2.2 without the optional attributes that we do not have. A session that is called from outside follows another path.
"""

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from speakerd.bgp.connection import State
from speakerd.bgp.effects import Close, Dial, Down, Effect, Failed, Received, Send, Up
from speakerd.bgp.error import Cease
from speakerd.bgp.frame import Kind
from speakerd.bgp.fsm import Session
from speakerd.bgp.message import KEEPALIVE
from speakerd.bgp.terms import Terms
from tests.unit.bgp.golden import OTHERS, whole
from tests.unit.bgp.pipe import LEFT
from tests.unit.bgp.single import (
    ACTIVE,
    BYE,
    CONNECT,
    ESTABLISHED,
    IDLE,
    OPEN,
    OPEN_CONFIRM,
    OPEN_SENT,
    REFRESH,
    RUBBISH,
    UPDATE,
    closes,
    sends,
    session,
)

BAD_OPEN = OPEN[:19] + b"\x04" + OPEN[20:24] + bytes(4) + OPEN[28:]
"""Whose identifier is nobody's."""
NEWER = OPEN[:19] + b"\x05" + OPEN[20:]
LOST = whole("02", "0000 0005 40010100")
"""An UPDATE whose lengths lie."""
HIGHER = replace(LEFT, identifier=bytes((200, 0, 0, 1)))
OTHER_VERSION = whole("03", "02 01 0004")

EVENTS: dict[str, Callable[[Session], list[Effect]]] = {
    "1 ManualStart": lambda core: core.start(1.0),
    "2 ManualStop": lambda core: core.stop(1.0),
    "9 ConnectRetryTimer": lambda core: core.wake(12.0),
    "10 HoldTimer": lambda core: core.wake(500.0),
    "11 KeepaliveTimer": lambda core: core.wake(30.0),
    "16 TcpCRAcked": lambda core: core.connected(1, 1.0),
    "17 TcpConnectionConfirmed": lambda core: core.accepted(9, 1.0),
    "18 TcpConnectionFails": lambda core: core.closed(1, "connection reset", 1.0),
    "19 BGPOpen": lambda core: core.receive(1, OPEN, 1.0),
    "21 BGPHeaderErr": lambda core: core.receive(1, RUBBISH, 1.0),
    "22 BGPOpenMsgErr": lambda core: core.receive(1, BAD_OPEN, 1.0),
    "22 BGPOpenMsgErr, version": lambda core: core.receive(1, NEWER, 1.0),
    "24 NotifMsgVerErr": lambda core: core.receive(1, OTHER_VERSION, 1.0),
    "25 NotifMsg": lambda core: core.receive(1, OTHERS["notification"], 1.0),
    "26 KeepAliveMsg": lambda core: core.receive(1, KEEPALIVE, 1.0),
    "27 UpdateMsg": lambda core: core.receive(1, UPDATE, 1.0),
    "28 UpdateMsgErr": lambda core: core.receive(1, LOST, 1.0),
}
OPENED = (OPEN_SENT, OPEN_CONFIRM, ESTABLISHED)
NOTHING = dict.fromkeys(State, "stays")
FSM_ERRORS = {OPEN_SENT: "Active, says 5/1", OPEN_CONFIRM: "Active, says 5/2", ESTABLISHED: "Active, says 5/3"}
SPOKEN = {Kind.OPEN: "OPEN", Kind.KEEPALIVE: "KEEPALIVE", Kind.UPDATE: "UPDATE"}


def said(text: str) -> dict[State, str]:
    return dict.fromkeys(OPENED, f"Active, says {text}")


TABLE: dict[str, dict[State, str]] = {
    "1 ManualStart": NOTHING | {IDLE: "Connect, dials"},
    "2 ManualStop": dict.fromkeys(State, "Idle") | dict.fromkeys(OPENED, "Idle, says 6/2") | {IDLE: "stays"},
    "9 ConnectRetryTimer": NOTHING | {ACTIVE: "Connect, dials"},
    "10 HoldTimer": said("4/0") | {IDLE: "stays", CONNECT: "Active", ACTIVE: "Connect, dials"},
    "11 KeepaliveTimer": NOTHING
    | {CONNECT: "Active", ACTIVE: "Connect, dials"}
    | dict.fromkeys((OPEN_CONFIRM, ESTABLISHED), "stays, says KEEPALIVE"),
    "16 TcpCRAcked": NOTHING | {CONNECT: "OpenSent, says OPEN"},
    "17 TcpConnectionConfirmed": NOTHING
    | {CONNECT: "OpenSent, says OPEN", ACTIVE: "OpenSent, says OPEN", OPEN_SENT: "stays, says OPEN"},
    "18 TcpConnectionFails": NOTHING | dict.fromkeys((CONNECT, *OPENED), "Active"),
    "19 BGPOpen": NOTHING | FSM_ERRORS | {OPEN_SENT: "OpenConfirm, says KEEPALIVE"},
    "21 BGPHeaderErr": NOTHING | said("1/1"),
    "22 BGPOpenMsgErr": NOTHING | FSM_ERRORS | {OPEN_SENT: "Active, says 2/3"},
    "22 BGPOpenMsgErr, version": NOTHING | FSM_ERRORS | {OPEN_SENT: "Active, says 2/1"},
    "24 NotifMsgVerErr": NOTHING | dict.fromkeys(OPENED, "Active"),
    "25 NotifMsg": NOTHING | dict.fromkeys(OPENED, "Active"),
    "26 KeepAliveMsg": NOTHING | {OPEN_SENT: "Active, says 5/1", OPEN_CONFIRM: "Established"},
    "27 UpdateMsg": NOTHING | {OPEN_SENT: "Active, says 5/1", OPEN_CONFIRM: "Active, says 5/2"},
    "28 UpdateMsgErr": NOTHING
    | {OPEN_SENT: "Active, says 5/1", OPEN_CONFIRM: "Active, says 5/2", ESTABLISHED: "Active, says 3/1"},
}
"""Event -> state -> state next, and what is said or done. Where the RFC goes to Idle with automatic restart and a time
of rest, we are Active meanwhile: whoever calls us then is welcome."""


def followed(core: Session, state: State, effects: list[Effect]) -> str:
    """What came of an event, in the words of the table."""
    words = ["stays" if core.state is state else core.state.name.title().replace("_", "")]
    if any(isinstance(each, Dial) for each in effects):
        words.append("dials")
    for data in sends(effects):
        kind = Kind(data[18])
        words.append(f"says {SPOKEN[kind] if kind in SPOKEN else f'{data[19]}/{data[20]}'}")
    return ", ".join(words)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", EVENTS)
def test_every_event_of_the_rfc_in_every_state_leads_where_its_table_says(event: str, state: State) -> None:
    core = session(state)
    assert followed(core, state, EVENTS[event](core)) == TABLE[event][state]


@pytest.mark.parametrize("state", State)
def test_whatever_leaves_a_state_that_is_opened_closes_its_connection_once(state: State) -> None:
    for event, run in EVENTS.items():
        core = session(state)
        found = run(core)
        left = state in OPENED and core.state < OPEN_SENT
        assert closes(found).count(1) == left or state not in OPENED, event


@settings(max_examples=60, stateful_step_count=40, deadline=None)
class Walk(RuleBasedStateMachine):
    """A session, and a caller that does what callers may: connections come, stand, speak and end, and time goes by."""

    @initialize(
        terms=st.sampled_from([LEFT, replace(LEFT, dials=False), replace(LEFT, identifier=bytes((200, 0, 0, 1)))])
    )
    def begin(self, terms: Terms) -> None:
        self.numbers = count(1)
        self.terms = terms
        self.core = Session(terms, self.numbers.__next__, lambda: 0.5, 0.0)
        self.now = 0.0
        self.started = False
        self.dialled: set[int] = set()
        self.standing: set[int] = set()
        self.closed: set[int] = set()
        self.up: int | None = None

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Dial(number):
                    assert number not in self.dialled | self.standing | self.closed
                    self.dialled.add(number)
                case Close(number):
                    assert number in self.dialled | self.standing, "what is closed was there, and is closed once"
                    self.dialled.discard(number)
                    self.standing.discard(number)
                    self.closed.add(number)
                case Send(number, _):
                    assert number in self.standing, "nothing is said by what does not stand"
                case Up(number, _):
                    assert self.up is None
                    assert number in self.standing
                    self.up = number
                case Down():
                    assert self.up is not None
                    self.up = None
                case Received():
                    assert self.up is not None
                case Failed():
                    pass

    def some(self, numbers: set[int], which: int) -> int | None:
        return sorted(numbers)[which % len(numbers)] if numbers else None

    @rule(wait=st.sampled_from([0.01, 1.0, 5.0, 31.0, 300.0]))
    def time(self, wait: float) -> None:
        self.now += wait
        self.do(self.core.wake(self.now))

    @rule()
    def start(self) -> None:
        self.started = True
        self.do(self.core.start(self.now))

    @rule(why=st.sampled_from([Cease.SHUTDOWN, None]))
    def stop(self, why: Cease | None) -> None:
        self.started = False
        self.do(self.core.stop(self.now, why))
        assert not self.dialled | self.standing, "a stop leaves nothing"

    @rule()
    def reset(self) -> None:
        self.do(self.core.reset(self.now))

    @rule(hold=st.sampled_from([30, 90]), dials=st.booleans())
    def apply(self, hold: int, dials: bool) -> None:
        self.terms = replace(self.terms, hold_time=hold, dials=dials)
        self.do(self.core.apply(self.terms, self.now))

    @rule(which=st.integers(0, 3))
    def connected(self, which: int) -> None:
        number = self.some(self.dialled, which)
        if number is not None:
            self.dialled.discard(number)
            self.standing.add(number)
            self.do(self.core.connected(number, self.now))

    @rule()
    def accepted(self) -> None:
        number = next(self.numbers)
        self.standing.add(number)
        self.do(self.core.accepted(number, self.now))

    @rule(which=st.integers(0, 3))
    def ended(self, which: int) -> None:
        number = self.some(self.standing | self.dialled, which)
        if number is not None:
            self.do(self.core.closed(number, "connection reset", self.now))
            assert number in self.closed

    @rule(number=st.integers(1, 9), data=st.sampled_from([OPEN, KEEPALIVE, BYE]))
    def belated(self, number: int, data: bytes) -> None:
        if number in self.closed:
            assert self.core.receive(number, data, self.now) == []
            assert self.core.closed(number, "connection reset", self.now) == []
            assert self.core.stuck(number, self.now) == []

    @rule(
        which=st.integers(0, 3),
        data=st.sampled_from([OPEN, OPEN, OPEN, KEEPALIVE, KEEPALIVE, UPDATE, REFRESH, BYE, RUBBISH, OPEN + KEEPALIVE]),
    )
    def receive(self, which: int, data: bytes) -> None:
        number = self.some(self.standing, which)
        if number is not None:
            self.do(self.core.receive(number, data, self.now))

    @invariant()
    def one_connection_once_established(self) -> None:
        assert (self.up is not None) == (self.core.state is ESTABLISHED)
        assert self.up is None or self.dialled | self.standing == {self.up}
        assert len(self.dialled | self.standing) <= 2

    @invariant()
    def something_is_always_due_while_it_is_wanted(self) -> None:
        waits_for_a_call = self.core.state is ACTIVE and not self.terms.dials
        assert (self.core.deadline() is None) == (not self.started or waits_for_a_call)
        assert self.started or self.core.state is IDLE


TestWalk = Walk.TestCase
