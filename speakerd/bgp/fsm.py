"""The session with one peer (RFC 4271 section 8): inputs and `now` in, what is to be done out.

A core. Times are seconds of one monotonic clock, of which the caller promises that whatever has arrived is handed over
before `wake`: silence is judged nowhere else, so that a process that stood still finds its peers alive, though late.

Of two connections (RFC 4271 section 6.8) one survives, the same at both ends, by two rules. Once we have told the peer
with a KEEPALIVE that one is it, every other is closed. And that KEEPALIVE is withheld while another, which would win by
identifiers, is connected and only its OPEN is missing. So whoever has sent an OPEN on the winner cannot meanwhile come
to be Established on the loser, and whoever closes the loser has seen that OPEN: never are both closed.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from speakerd.bgp import message, negotiation, opening
from speakerd.bgp.connection import Connection, State
from speakerd.bgp.effects import (
    TIMED_OUT,
    Close,
    Dial,
    Down,
    Effect,
    Ending,
    Failed,
    Received,
    Send,
    Up,
    received,
    sent,
)
from speakerd.bgp.error import Cease, Code, Fault, Notification, farewell
from speakerd.bgp.frame import Kind
from speakerd.bgp.message import KEEPALIVE, Message, RouteRefresh
from speakerd.bgp.opening import Open
from speakerd.bgp.retry import STABLE, Retry
from speakerd.bgp.terms import Terms
from speakerd.bgp.update import Update
from speakerd.deadlines import soonest

KIND_AT = 18
"""Where a message says what it is."""
COLLISION = Notification(int(Code.CEASE), int(Cease.COLLISION))
SILENT = Ending("connected, but its OPEN does not come")
HOLD_EXPIRED = Notification(int(Code.HOLD_TIMER))
STUCK = Notification(int(Code.SEND_HOLD_TIMER))


class Session:
    """With one peer, Idle until `start`. `random` gives numbers from 0 to 1.

    `numbers` gives a number for each connection that was never given before; the caller takes the numbers of accepted
    connections from there too. One connection each way at most; others are closed when they come.
    `since`: when `state` was reached. `last_error`: the last thing that went wrong, however long ago; a connection that
    fails hides no NOTIFICATION since the session was last Established, for that has the reason. `sent`, `heard`:
    messages by kind. `ups`: how often it was Established. `missing_since`: when it last was Established for good, or
    was made; `flaps`: how often since then it was, though not for long.
    """

    def __init__(self, terms: Terms, numbers: Callable[[], int], random: Callable[[], float], now: float) -> None:
        self.state = State.IDLE
        self.since = now
        self.last_error = ""
        self._reason = ""
        self.sent: Counter[Kind] = Counter()
        self.heard: Counter[Kind] = Counter()
        self.ups = 0
        self.missing_since = now
        self.flaps = 0
        self._terms = terms
        self._numbers, self._random = numbers, random
        self._retry = Retry(random)
        self._started = False
        self._connections: dict[int, Connection] = {}
        self._dial_at: float | None = None
        self._found: list[Effect] = []

    # -- what is wanted of it

    def start(self, now: float) -> list[Effect]:
        """Have the session: dial at once, unless passive, and accept."""
        if not self._started:
            self._started = True
            self._retry.reset()
            self._dial_at = now if self._terms.dials else None
            self._dial(now)
        return self._settled(now)

    def stop(self, now: float, why: Cease | None = Cease.SHUTDOWN, text: str = "") -> list[Effect]:
        """Have no session until `start`, and tell the peer `why`; with `text` for its operator (RFC 9003).

        None: tell it nothing, so that a peer that agreed to graceful restart keeps our routes (RFC 4724 section 4.2).
        """
        self._started = False
        self._dial_at = None
        self._end_all(_cease(why, text), now)
        return self._settled(now)

    def reset(self, now: float, why: Cease = Cease.RESET, text: str = "") -> list[Effect]:
        """End what there is, for a reason such as BFD_DOWN, and begin anew after the usual wait."""
        self._end_all(_cease(why, text), now)
        return self._settled(now)

    def apply(self, terms: Terms, now: float) -> list[Effect]:
        """Go by other terms; a session that they do not concern goes on, another is ended and dialled anew."""
        before, self._terms = self._terms, terms
        if not before.outlived_by(terms):
            self._end_all(_cease(Cease.CHANGE), now)
            self._retry.reset()
            self._dial_at = None
        for connection in list(self._connections.values()):
            connection.repace(terms)
            if connection.state is State.CONNECT and not terms.dials:
                self._drop(connection)
        self._arm(now)
        return self._settled(now)

    def say(self, messages: Iterable[bytes], now: float) -> list[Effect]:
        """Send these, UPDATEs or ROUTE-REFRESHes, each one whole message, if the session is Established."""
        connection = self._established()
        if connection is not None:
            for data in messages:
                self._send(connection, data)
                if data[KIND_AT] == Kind.UPDATE:
                    connection.spoke(now)
        return self._settled(now)

    # -- what comes in

    def accepted(self, number: int, now: float) -> list[Effect]:
        """The peer has connected; Close follows where that is one too many.

        It may have restarted while we take the old session to be alive: then, if it told how it restarts, the new
        connection is the true one (RFC 4724 section 5). Else an Established session stands (RFC 4271 section 6.8).
        """
        old = self._established()
        if old is not None and self._terms.accepts and _restarted(old, now):
            self._end(old, Ending("the peer has restarted"), now)
        if not self._welcome():
            self._found.append(Close(number))
            return self._settled(now)
        connection = self._added(number, now)
        self._open(connection, now)
        return self._settled(now)

    def connected(self, number: int, now: float) -> list[Effect]:
        """What was dialled stands."""
        connection = self._connections.get(number)
        if connection is None:
            self._found.append(Close(number))
        elif connection.state is State.CONNECT:
            self._open(connection, now)
        return self._settled(now)

    def closed(self, number: int, why: str, now: float) -> list[Effect]:
        """A connection has ended without our doing, or never came about; `why` as the system calls it.

        Close follows none the less.
        """
        connection = self._connections.get(number)
        if connection is not None:
            self._end(connection, Ending(why), now)
        return self._settled(now)

    def stuck(self, number: int, now: float) -> list[Effect]:
        """For too long the peer has taken none of what we have to say (RFC 9687): as dead as one that is silent."""
        connection = self._connections.get(number)
        if connection is not None and connection.state is not State.CONNECT:
            self._end(connection, sent(STUCK), now)
        return self._settled(now)

    def receive(self, number: int, data: bytes, now: float) -> list[Effect]:
        """Octets came by a connection; of one that is no more they mean nothing."""
        connection = self._connections.get(number)
        if connection is not None and connection.state is not State.CONNECT:
            connection.feed(data)
            try:
                self._read(connection, now)
            except Fault as fault:
                self._end(connection, sent(fault.notification, fault.detail), now)
        return self._settled(now)

    def _read(self, connection: Connection, now: float) -> None:
        """All messages that are whole, for as long as there is a connection. Raises Fault."""
        while connection.number in self._connections:
            said = connection.take(now)
            if said is None:
                return
            self._hear(connection, said, now)

    def _hear(self, connection: Connection, said: Message, now: float) -> None:
        match said:
            case Notification():
                self._end(connection, received(said), now)
            case Open():
                self._meet(connection, said, now)
            case Update():
                self._found.append(Received(said))
            case RouteRefresh():
                # Another subtype belongs to what we never offered (RFC 7313 section 5), another family is not ours.
                if not said.subtype and connection.listens(said.family):
                    self._found.append(Received(said))
            case _:
                if connection.state is State.OPEN_CONFIRM and connection.settled:
                    self._establish(connection, now)

    # -- which connection it is to be

    def _meet(self, connection: Connection, said: Open, now: float) -> None:
        """The peer's OPEN came. Raises Fault."""
        connection.meet(self._terms, negotiation.agree(self._terms, said), now)
        wins = connection.outgoing == negotiation.outgoing_wins(self._terms, said)
        if wins or not any(other.silent for other in self._others(connection)):
            self._choose(connection, now)

    def _choose(self, connection: Connection, now: float) -> None:
        """This one it is: tell the peer, and close the other."""
        for other in self._others(connection):
            self._drop(other)
        self._dial_at = None
        confirmed = connection.settle(now)
        self._send(connection, KEEPALIVE)
        if confirmed:
            self._establish(connection, now)

    def _establish(self, connection: Connection, now: float) -> None:
        connection.establish(now)
        self.ups += 1
        self._reason = ""
        assert connection.agreement is not None
        self._found.append(Up(connection.number, connection.agreement))

    def _others(self, connection: Connection) -> list[Connection]:
        return [each for each in self._connections.values() if each is not connection]

    def _established(self) -> Connection | None:
        return next((each for each in self._connections.values() if each.state is State.ESTABLISHED), None)

    def _welcome(self) -> bool:
        """Whether the peer may open a connection: none of its own stands, and none has been chosen."""
        taken = any(each.settled or not each.outgoing for each in self._connections.values())
        return self._started and self._terms.accepts and not taken

    # -- how connections begin and end

    def _added(self, number: int, now: float) -> Connection:
        found = self._connections[number] = Connection(number, self.heard, self._random, now)
        return found

    def _open(self, connection: Connection, now: float) -> None:
        connection.opened(now)
        self._send(connection, opening.encode(self._terms.open))

    def _dial(self, now: float) -> None:
        if self._dial_at is not None and self._dial_at <= now:
            self._dial_at = None
            connection = self._added(self._numbers(), now)
            connection.outgoing = True
            self._found.append(Dial(connection.number))

    def _arm(self, now: float) -> None:
        """Dial after a while where we should have a connection of our own; the peer's silence does not count as one."""
        connections = self._connections.values()
        if not self._started or not self._terms.dials or any(each.outgoing or each.settled for each in connections):
            self._dial_at = None
        elif self._dial_at is None:
            self._dial_at = now + self._retry.wait(self._terms.connect_time)

    def _drop(self, connection: Connection) -> None:
        """Close one that is not needed: no error, and no word to whom we have said none."""
        if connection.state is not State.CONNECT:
            self._send(connection, message.notification(COLLISION))
        del self._connections[connection.number]
        self._found.append(Close(connection.number))

    def _end_all(self, why: Ending, now: float) -> None:
        """First the one that waits for the other to end, lest it take that for its turn."""
        for connection in sorted(self._connections.values(), key=lambda each: not each.withheld):
            if connection.state is State.CONNECT:
                self._drop(connection)
            else:
                self._end(connection, why, now)
        self._arm(now)

    def _end(self, connection: Connection, why: Ending, now: float) -> None:
        """Close a connection for a reason, and say what follows from it."""
        if self._connections.pop(connection.number, None) is None:
            return
        if why.sent and why.notification is not None:
            self._send(connection, message.notification(why.notification))
        self._found.append(Close(connection.number))
        if connection.state is State.ESTABLISHED:
            self._down(connection, why, now)
        else:
            self._failed(connection, why)
        self._arm(now)
        waiting = next((each for each in self._connections.values() if each.withheld), None)
        if waiting is not None:
            self._choose(waiting, now)

    def _down(self, connection: Connection, why: Ending, now: float) -> None:
        agreement = connection.agreement
        kept = agreement is not None and agreement.restart is not None and why.notification is None
        self._note(why)
        lasted = now - connection.up_since
        self._retry.ended(lasted)
        if lasted >= STABLE:
            self.missing_since, self.flaps = now, 0
        else:
            self.flaps += 1
        self._found.append(Down(why, kept))

    def _failed(self, connection: Connection, why: Ending) -> None:
        """What we dialled counts against the peer; what somebody dialled here must not slow us down.

        Nothing went wrong where it only gave way to another connection, as collisions end.
        """
        if connection.outgoing:
            self._retry.failed()
        other = any(each.state is not State.CONNECT for each in self._connections.values())
        if not other or why.notification not in {None, COLLISION}:
            self._note(why)
            self._found.append(Failed(why))

    def _note(self, why: Ending) -> None:
        """Remember what went wrong."""
        if why.notification is not None:
            self.last_error = self._reason = why.text
        else:
            self.last_error = f"{why.text}; before that: {self._reason}" if self._reason else why.text

    def _send(self, connection: Connection, data: bytes) -> None:
        self.sent[Kind(data[KIND_AT])] += 1
        self._found.append(Send(connection.number, data))

    # -- time

    def deadline(self) -> float | None:
        """When to wake it."""
        return soonest(self._dial_at, *(each.deadline() for each in self._connections.values()))

    def wake(self, now: float) -> list[Effect]:
        """Do what is due."""
        for connection in list(self._connections.values()):
            if connection.number in self._connections:
                self._judge(connection, now)
        self._dial(now)
        return self._settled(now)

    def _judge(self, connection: Connection, now: float) -> None:
        if connection.expired(now):
            dialled = connection.state is State.CONNECT
            self._end(connection, TIMED_OUT if dialled else sent(HOLD_EXPIRED), now)
        elif connection.wonders(now):
            if not any(each.state > State.OPEN_SENT for each in self._others(connection)):
                self.last_error = SILENT.text
                self._found.append(Failed(SILENT))
        elif connection.undecided(now):
            self._choose(connection, now)
        elif connection.speaks(now):
            self._send(connection, KEEPALIVE)
            connection.spoke(now)

    def _settled(self, now: float) -> list[Effect]:
        """What there is to do; the one place where the state changes."""
        furthest = max((each.state for each in self._connections.values()), default=State.ACTIVE)
        state = furthest if self._started else State.IDLE
        if state is not self.state:
            self.state, self.since = state, now
        found, self._found = self._found, []
        return found


def _restarted(connection: Connection, now: float) -> bool:
    """Whether a peer that opens another connection has restarted, which it must have told us of before.

    Not while the session is young: what the peer opened before it knew of this one may only now be accepted.
    """
    said = connection.agreement and connection.agreement.peer.capabilities.restart
    return bool(said and said.families) and now - connection.up_since >= STABLE


def _cease(why: Cease | None, text: str = "") -> Ending:
    """The end that an operator wants."""
    if why is None:
        return Ending("restarting")
    with_text = why in {Cease.SHUTDOWN, Cease.RESET} and text
    return sent(farewell(why, text) if with_text else Notification(int(Code.CEASE), int(why)))
