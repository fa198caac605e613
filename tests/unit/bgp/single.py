"""One session in whatever state, what may come to it, and what it answers, sorted."""

from itertools import count

from speakerd.bgp import message, opening
from speakerd.bgp.connection import State
from speakerd.bgp.effects import Close, Down, Effect, Failed, Received, Send, Up
from speakerd.bgp.error import Notification
from speakerd.bgp.family import IPV4
from speakerd.bgp.frame import Kind
from speakerd.bgp.fsm import Session
from speakerd.bgp.message import KEEPALIVE
from speakerd.bgp.terms import Terms
from tests.unit.bgp.golden import UPDATES
from tests.unit.bgp.pipe import LEFT, RIGHT

IDLE, CONNECT, ACTIVE, OPEN_SENT, OPEN_CONFIRM, ESTABLISHED = State
OPEN = opening.encode(RIGHT.open)
UPDATE, REFRESH = UPDATES["announce"], message.route_refresh(IPV4)
BYE = message.notification(Notification(6, 4))
RUBBISH = b"GET / HTTP/1.1\r\nHost: x"
LATE = 1000.0


def session(state: State, terms: Terms = LEFT) -> Session:
    """One that is in `state` at 0 s, by connection 1 that it dialled."""
    numbers = count(1)
    found = Session(terms, lambda: next(numbers), lambda: 0.5, 0.0)
    if state is not IDLE:
        found.start(0.0)
    if state is ACTIVE:
        found.closed(1, "connection refused", 0.0)
    if state >= OPEN_SENT:
        found.connected(1, 0.0)
    for data in (OPEN, KEEPALIVE)[: state - OPEN_SENT]:
        found.receive(1, data, 0.0)
    assert found.state is state
    return found


def sends(effects: list[Effect]) -> list[bytes]:
    return [each.data for each in effects if isinstance(each, Send)]


def notifications(effects: list[Effect]) -> list[tuple[int, int]]:
    return [(data[19], data[20]) for data in sends(effects) if data[18] == Kind.NOTIFICATION]


def kinds(effects: list[Effect]) -> list[int]:
    return [data[18] for data in sends(effects)]


def closes(effects: list[Effect]) -> list[int]:
    return [each.connection for each in effects if isinstance(each, Close)]


def told(effects: list[Effect]) -> list[Effect]:
    return [each for each in effects if isinstance(each, Up | Down | Failed | Received)]
