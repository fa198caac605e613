"""One TCP connection to a peer, from its OPEN on: which message may come when, and two timers (RFC 4271 section 8)."""

from collections import Counter
from collections.abc import Callable
from enum import IntEnum

from msgspec.structs import replace

from speakerd.bgp import message, negotiation
from speakerd.bgp.error import Code, Fault, FsmError
from speakerd.bgp.family import Family, Negotiated
from speakerd.bgp.frame import MOST_EXTENDED, Frames, Kind
from speakerd.bgp.message import Message
from speakerd.bgp.negotiation import Agreement
from speakerd.bgp.retry import jitter
from speakerd.bgp.terms import Terms
from speakerd.bgp.update import Update
from speakerd.deadlines import soonest

DIAL_PATIENCE = 15.0
"""Seconds for a connection to come about: four SYNs of Linux."""
LARGE_HOLD = 240.0
"""Seconds that a peer has to say its first words (RFC 4271 section 8.2.2)."""
WONDER = 10.0
"""Seconds after which it is told that the peer has not said its first words; no reason yet to hang up."""
COLLISION_PATIENCE = 10.0
"""Seconds for which a connection waits for another that goes before it: an OPEN takes a round trip."""
SHORTEST_PACE = 1.0
"""Seconds that lie between KEEPALIVEs at least (RFC 4271 section 4.4)."""


class State(IntEnum):
    """RFC 4271 section 8.2.2, numbered as RFC 4273 has them; of a connection: Connect, and those from OpenSent on."""

    IDLE = 1
    CONNECT = 2
    ACTIVE = 3
    OPEN_SENT = 4
    OPEN_CONFIRM = 5
    ESTABLISHED = 6


NEXT = {
    (State.OPEN_SENT, Kind.OPEN): State.OPEN_CONFIRM,
    (State.OPEN_CONFIRM, Kind.KEEPALIVE): State.ESTABLISHED,
    (State.ESTABLISHED, Kind.KEEPALIVE): State.ESTABLISHED,
    (State.ESTABLISHED, Kind.UPDATE): State.ESTABLISHED,
    (State.ESTABLISHED, Kind.ROUTE_REFRESH): State.ESTABLISHED,
}
"""(State, what comes) -> state next. A NOTIFICATION may come in each; a pair that is not here is an FSM error."""
UNEXPECTED = {
    State.OPEN_SENT: FsmError.OPEN_SENT,
    State.OPEN_CONFIRM: FsmError.OPEN_CONFIRM,
    State.ESTABLISHED: FsmError.ESTABLISHED,
}


class Connection:
    """By number. `outgoing`: we opened it. `heard`: messages by kind, counted on.

    `withheld`: in OpenConfirm, another connection goes before it, and so the peer still waits for our KEEPALIVE: it
    cannot take this session for Established before we know which connection will be it.
    """

    def __init__(self, number: int, heard: Counter[Kind], random: Callable[[], float], now: float) -> None:
        self.number = number
        self.outgoing = False
        self.state = State.CONNECT
        self.withheld = False
        self.agreement: Agreement | None = None
        self.up_since = 0.0
        self._confirmed = False
        self._heard, self._random = heard, random
        self._frames = Frames()
        self._negotiated = Negotiated()
        self._expires: float | None = now + DIAL_PATIENCE
        self._pace: float | None = None
        self._speak_at: float | None = None
        self._decide_at: float | None = None
        self._wonder_at: float | None = None

    @property
    def settled(self) -> bool:
        """Whether the peer has been told that this connection is the one."""
        return self.state >= State.OPEN_CONFIRM and not self.withheld

    @property
    def silent(self) -> bool:
        """Whether its TCP stands, and the peer's OPEN is still missing."""
        return self.state is State.OPEN_SENT

    # -- what changes its state

    def opened(self, now: float) -> None:
        """TCP stands, and our OPEN, which offers long messages, goes out."""
        self.state = State.OPEN_SENT
        self._frames.longest = MOST_EXTENDED
        self._expires = now + LARGE_HOLD
        self._wonder_at = now + WONDER

    def meet(self, ours: Terms, agreement: Agreement, now: float) -> None:
        """The peer's OPEN is acceptable; whether it is told so is for `settle` to say."""
        self.agreement, self._negotiated = agreement, agreement.negotiated
        self.state = NEXT[self.state, Kind.OPEN]
        self.withheld = True
        self._wonder_at = None
        self.repace(ours)
        self._decide_at = now + min(COLLISION_PATIENCE, self._pace or COLLISION_PATIENCE)
        self._live(now)
        if not agreement.hold_time:
            # The RFC sets no timer then; but a peer whose KEEPALIVE never comes must not wait here for ever.
            self._expires = now + LARGE_HOLD

    def settle(self, now: float) -> bool:
        """This is the one, and a KEEPALIVE goes out to say so; whether the peer had said the same already."""
        self.withheld = False
        self._decide_at = None
        self.spoke(now)
        return self._confirmed

    def establish(self, now: float) -> None:
        """Both have said so."""
        self.state = NEXT[self.state, Kind.KEEPALIVE]
        self.up_since = now
        self._expires = None
        self._live(now)

    # -- what comes in

    def feed(self, data: bytes) -> None:
        """Take octets of the peer's."""
        self._frames.feed(data)

    def take(self, now: float) -> Message | None:
        """The next message, None before it is whole. Raises Fault: it is none, or not for this state (RFC 6608)."""
        frame = self._frames.take()
        if frame is None:
            return None
        self._heard[frame.kind] += 1
        if frame.kind is not Kind.NOTIFICATION and (self.state, frame.kind) not in NEXT:
            raise Fault(Code.FSM, UNEXPECTED[self.state], bytes((frame.kind,)))
        said = message.decode(frame, self._negotiated)
        if frame.kind is Kind.KEEPALIVE:
            self._confirmed = True
        if isinstance(said, Update) and said.disabled:
            self._negotiated = replace(self._negotiated, families=self._negotiated.families - said.disabled)
        if frame.kind in {Kind.KEEPALIVE, Kind.UPDATE}:
            self._live(now)
        return said

    def listens(self, family: Family) -> bool:
        """Whether both speak of a family, errors or not."""
        return self.agreement is not None and family in self.agreement.negotiated.families

    # -- time

    def repace(self, ours: Terms) -> None:
        """Go by the keepalive time of these terms, from the next KEEPALIVE on."""
        if self.agreement is not None:
            self._pace = negotiation.keepalive(ours, self.agreement)

    def spoke(self, now: float) -> None:
        """A KEEPALIVE or UPDATE was sent, and none is due for a while (RFC 4271 section 8.2.2)."""
        pace = self._pace
        self._speak_at = None if pace is None else now + max(SHORTEST_PACE, pace * jitter(self._random))

    def _live(self, now: float) -> None:
        """The peer lives: its hold time begins anew (RFC 4271 section 4.4)."""
        if self.agreement is not None and self.agreement.hold_time:
            self._expires = now + self.agreement.hold_time

    def deadline(self) -> float | None:
        """When it next has something to do."""
        return soonest(self._expires, self._speak_at, self._decide_at, self._wonder_at)

    def expired(self, now: float) -> bool:
        """Whether the peer has been silent for too long."""
        return self._expires is not None and self._expires <= now

    def wonders(self, now: float) -> bool:
        """Whether the peer has been silent for long enough to be told of; once."""
        if self._wonder_at is None or self._wonder_at > now:
            return False
        self._wonder_at = None
        return True

    def undecided(self, now: float) -> bool:
        """Whether it has waited long enough for the other."""
        return self._decide_at is not None and self._decide_at <= now

    def speaks(self, now: float) -> bool:
        """Whether a KEEPALIVE is due."""
        return self._speak_at is not None and self._speak_at <= now
