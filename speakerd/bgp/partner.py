"""One neighbour as the announcer holds it: its session, what it is to be told, what it told, and its connections.

Effects of the session are carried out here. Its routes go out in slices, and none is made while something waits to be
written: a peer that takes nothing costs nothing.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Protocol

from speakerd.bgp import negotiation
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.effects import TIMED_OUT, Close, Dial, Down, Effect, Failed, Received, Send, Up
from speakerd.bgp.error import Cease
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.frame import MOST_EXTENDED
from speakerd.bgp.fsm import Session
from speakerd.bgp.message import RouteRefresh
from speakerd.bgp.negotiation import Agreement
from speakerd.bgp.news import News, Tell
from speakerd.bgp.nexthop import next_hops
from speakerd.bgp.origination import Side
from speakerd.bgp.reach import Ends, Reach, plain, reach
from speakerd.bgp.rib import Rib
from speakerd.bgp.tally import Tally
from speakerd.bgp.terms import Terms
from speakerd.bgp.update import Update
from speakerd.deadlines import soonest
from speakerd.model import Interface
from speakerd.peering import Neighbour, Prefix, SessionSeen, Wording

CHANGED = 500
"""Prefixes whose change is worked out at a time."""
COUNTED = 2000
"""Prefixes heard that are counted at a time."""
PATIENCE, HOLDS = 480.0, 2
"""Seconds, or hold times if that is longer, for which a peer may take nothing that we say (RFC 9687 section 4)."""
PENANCE = 300.0
"""Seconds without a session after the peer told too many prefixes."""
FAMILIES = {4: IPV4, 6: IPV6}
NAMES = {IPV4: "ipv4", IPV6: "ipv6"}
WORDS = ("Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established")
"""States as RFC 4271 section 8.2.2 writes them, in their order."""

Say = Callable[[Wording, Side], Attributes | None]


class Carrier(Protocol):
    """What carries connections: `transport.Wire`."""

    def numbers(self) -> int:
        """A number that no connection ever had."""

    def dial(self, number: int, reach: Reach, taker: "Partner") -> str:
        """Connect; why that is impossible, or ""."""

    def send(self, number: int, data: bytes) -> None:
        """Have it written by the next `flush`."""

    def flush(self, now: float) -> None:
        """Write."""

    def close(self, number: int) -> None:
        """Write what can be, and close."""

    def ends(self, number: int) -> Ends | None:
        """Addresses of a connection."""

    def held_since(self, number: int) -> float | None:
        """Since when nothing of what waits was taken; None where nothing waits."""


class Partner:
    """A neighbour, Idle until `start`. `say` gives what is said to it; `tell` is told when its session comes and goes.

    `interfaces`: of this host, to be replaced by `see`. `most`: prefixes that it may tell, 0: any number.
    """

    def __init__(
        self,
        neighbour: Neighbour,
        terms: Terms,
        wire: Carrier,
        say: Say,
        tell: Tell,
        random: Callable[[], float],
        now: float,
    ) -> None:
        self.neighbour, self.terms = neighbour, terms
        self.most = 0
        self.session = Session(terms, wire.numbers, random, now)
        self.address = plain(neighbour.peer.address)
        self._wire, self._say = wire, say
        self._news = News(neighbour.peer.name, tell)
        self._interfaces: tuple[Interface, ...] = ()
        self._rib = Rib()
        self._dirty: dict[bytes, Prefix | None] = {}
        self._tally = Tally()
        self._up: int | None = None
        self._agreement: Agreement | None = None
        self._ends: Ends | None = None
        self._hops: Mapping[Family, bytes] = {}
        self._start_at: float | None = None
        self._leaving = False

    @property
    def name(self) -> str:
        """Of the peer."""
        return self.neighbour.peer.name

    @property
    def side(self) -> Side:
        """Who we are to it."""
        asn, peer = self.terms.asn, self.terms.peer_asn
        return Side(asn, peer != asn if peer else self.terms.dynamic != "internal")

    @property
    def reach(self) -> Reach:
        """How it is reached."""
        return reach(self.neighbour, external=self.side.external, address=self.address)

    # -- what is wanted

    def start(self, now: float, wait: float = 0.0) -> None:
        """Have the session, after so many seconds."""
        self._start_at = now + wait if wait else None
        if not wait:
            self._do(self.session.start(now), now)

    def apply(self, neighbour: Neighbour, terms: Terms, now: float) -> bool:
        """Take another configuration; whether all that it is told has to be worked out anew."""
        side, before = self.side, self.neighbour.peer
        moved = (before.address, before.interface) != (neighbour.peer.address, neighbour.peer.interface)
        self.neighbour, self.terms = neighbour, terms
        if moved:
            self.address = plain(neighbour.peer.address)
        self._do(self.session.apply(terms, now), now)
        return side != self.side

    def learn(self, address: str, now: float) -> None:
        """An unnumbered peer has shown itself: call it now, if it is not being talked to."""
        if address != self.address:
            self.address = address
            if self._start_at is None and not self._leaving and WORDS[self.session.state - 1] in {"Connect", "Active"}:
                self._do(self.session.stop(now, None), now)
                self._do(self.session.start(now), now)

    def see(self, interfaces: tuple[Interface, ...], now: float) -> None:
        """These are the interfaces of this host now; a family of which the next hop has changed is told anew."""
        self._interfaces = interfaces
        before, self._hops = self._hops, self._next_hops()
        for family in NAMES:
            if before.get(family) != self._hops.get(family):
                self._rib.next_hop(family, self._hops.get(family, b""))
        self._pump(now)

    def change(self, changes: Mapping[bytes, Prefix | None]) -> None:
        """What is announced of these prefixes (by their key) has changed; `work` will see to it."""
        self._dirty.update(changes)

    def drain(self, *, on: bool) -> None:
        """Tell routes as about to go (RFC 8326), or no longer."""
        if on:
            self._rib.drain()
        else:
            self._rib.serve()

    def withdraw(self) -> None:
        """Tell no routes any more, until `drain` says otherwise."""
        self._rib.withdraw_all()

    def leave(self, now: float) -> None:
        """Withdraw, then end the session: a planned stop."""
        self._leaving = True
        self._start_at = None
        self._rib.withdraw_all()
        self._pump(now)

    def stop(self, now: float, why: Cease | None) -> None:
        """End the session now, and tell `why`; None: nothing, so that a peer may keep our routes (RFC 4724)."""
        self._start_at = None
        self._do(self.session.stop(now, why), now)

    def reset(self, why: Cease, now: float) -> None:
        """End the session now, and begin anew."""
        self._do(self.session.reset(now, why), now)

    # -- what comes in

    def welcomes(self, ends: Ends, device: str) -> bool:
        """Whether a connection between these addresses may be its own."""
        peer = self.neighbour.peer
        if not self.terms.accepts or peer.vrf != device or plain(peer.source_address) not in ("", ends.local):
            return False
        if not peer.interface:
            return ends.peer == self.address
        names = {each.index: each.name for each in self._interfaces}
        return names.get(ends.interface) == peer.interface

    def owns(self, ends: Ends) -> bool:
        """Whether a connection came to the very address that its sessions are to have at our end."""
        return plain(self.neighbour.peer.source_address) == ends.local

    def accepted(self, number: int, ends: Ends, now: float) -> None:
        """It has connected."""
        if self.neighbour.peer.interface:
            self.address = ends.peer
        self._do(self.session.accepted(number, now), now)

    def connected(self, number: int, now: float) -> None:
        """What was dialled stands."""
        self._do(self.session.connected(number, now), now)

    def closed(self, number: int, why: str, now: float) -> None:
        """A connection ended, or never came about."""
        self._do([*self.session.closed(number, why, now), Close(number)], now)

    def received(self, number: int, data: bytes, now: float) -> None:
        """Octets came."""
        self._do(self.session.receive(number, data, now), now)

    def relieved(self, number: int, now: float) -> None:
        """All that waited has been written: the next slice."""
        if number == self._up:
            self._pump(now)

    # -- carrying it out

    def _do(self, effects: Iterable[Effect], now: float) -> None:
        todo = deque(effects)
        while todo:
            effect = todo.popleft()
            match effect:
                case Send(number, data):
                    self._wire.send(number, data)
                case Dial(number):
                    why = self._wire.dial(number, self.reach, self) if self.address else "the peer is not known yet"
                    if why:
                        todo.extend(self.session.closed(number, why, now))
                case Close(number):
                    self._wire.close(number)
                case Up() | Down() | Received():
                    todo.extend(self._hear(effect, now))
                case Failed(why_failed):
                    self._news.failed(self._clear(why_failed.text), now)
        self._wire.flush(now)

    def _hear(self, effect: Up | Down | Received, now: float) -> list[Effect]:
        match effect:
            case Up(number, agreement):
                self._up, self._agreement = number, agreement
                self._ends = self._wire.ends(number)
                self._tally = Tally()
                self._hops = self._next_hops()
                self._rib.up(agreement.negotiated, agreement.negotiated.families, self._hops, agreement.longest)
                self._news.up(self._ends.peer if self._ends else "", self.session.flaps, now)
                return self._slice(now)
            case Down(why):
                self._up = self._agreement = self._ends = None
                self._rib.down()
                self._news.down(why.text, self.session.flaps)
            case Received(Update() as said):
                self._tally.withdrawn(said.withdrawn)
                self._tally.announced(said.announced)
            case Received(RouteRefresh(family)):
                self._rib.refresh(family)
                return self._slice(now)
        return []

    def _clear(self, why: str) -> str:
        """An error as an operator needs it: who signs otherwise than agreed is not answered (RFC 2385 section 2.0)."""
        signed = self.neighbour.password is not None
        return f"{why} (so does a wrong password)" if signed and why == TIMED_OUT.words else why

    def _next_hops(self) -> Mapping[Family, bytes]:
        if self._ends is None or self._agreement is None:
            return {}
        peer = self.neighbour.peer
        near = bool(peer.interface) or (self.side.external and not peer.multihop)
        return next_hops(self._ends, self._interfaces, self._agreement.negotiated, near=near)

    def _pump(self, now: float) -> None:
        self._do(self._slice(now), now)

    def _slice(self, now: float) -> list[Effect]:
        """The next messages, unless older ones wait to be written; and the end, where all is said."""
        if self._up is None:
            return self.session.stop(now) if self._leaving else []
        if self._dirty or self._wire.held_since(self._up) is not None:
            # Before all that is wanted is known, nobody is to hear that this is all (RFC 4724).
            return []
        effects = self.session.say(self._rib.take(MOST_EXTENDED), now)
        if self._leaving and not self._rib.pending:
            effects += self.session.stop(now)
        return effects

    # -- time

    @property
    def busy(self) -> bool:
        """Whether there is work that could be done at once."""
        flows = self._up is not None and self._rib.pending and self._wire.held_since(self._up) is None
        return bool(self._dirty) or flows or self._tally.pending

    def deadline(self) -> float | None:
        """When the session, or a peer that takes nothing, is to be looked at."""
        return soonest(self.session.deadline(), self._start_at, self._stuck_at(), self._news.deadline())

    def _stuck_at(self) -> float | None:
        held = None if self._up is None else self._wire.held_since(self._up)
        hold_time = self._agreement.hold_time if self._agreement else 0
        return None if held is None else held + max(PATIENCE, HOLDS * hold_time)

    def wake(self, now: float) -> None:
        """Do what its timers say."""
        self._news.wake(now)
        stuck = self._stuck_at()
        if self._up is not None and stuck is not None and stuck <= now:
            self._do(self.session.stuck(self._up, now), now)
        if self._start_at is not None and self._start_at <= now:
            self.start(now)
        due = self.session.deadline()
        if due is not None and due <= now:
            self._do(self.session.wake(now), now)

    def work(self, now: float) -> None:
        """A slice of what is to be told, and of what was heard."""
        if self._dirty:
            self._change()
        self._pump(now)
        if self._tally.pending:
            self._tally.work(COUNTED)
            if self._up is not None and 0 < self.most < self._tally.count:
                self.stop(now, Cease.PREFIXES)
                self._start_at = now + PENANCE

    def _change(self) -> None:
        """Work out what is to be told of some prefixes."""
        changes: dict[Family, dict[bytes, Attributes | None]] = {family: {} for family in NAMES}
        # All at once: the front of a dict from which many were taken is far away.
        for key in list(islice(self._dirty, CHANGED)):
            prefix = self._dirty.pop(key)
            changes[FAMILIES[key[0]]][key[1:]] = self._said(prefix) if prefix else None
        for family, found in changes.items():
            self._rib.change(family, found)

    def _said(self, prefix: Prefix) -> Attributes | None:
        wording = next((wording for wording, names in prefix.said if self.name in names), None)
        return self._say(wording, self.side) if wording else None

    # -- what is shown

    def up_for(self, now: float) -> float:
        """Seconds since its session was established; 0 where it is not."""
        return 0.0 if self._up is None else now - self.session.since

    def seen(self) -> SessionSeen:
        """Its session as it is now."""
        session, agreement = self.session, self._agreement
        families = agreement.negotiated.families if agreement else ()
        return SessionSeen(
            self.name,
            WORDS[session.state - 1],
            session.since,
            self._ends.peer if self._ends else self.address,
            self._ends.local if self._ends else "",
            self._clear(session.last_error),
            sum(map(self._rib.sent, NAMES)),
            sum(map(self._rib.due, NAMES)) + len(self._dirty),
            self._tally.count if self._up is not None else 0,
            session.ups,
            agreement.hold_time if agreement else 0,
            (negotiation.keepalive(self.terms, agreement) or 0.0) if agreement else 0.0,
            tuple(sorted(NAMES[family] for family in families)),
            {kind.name.lower().replace("_", "-"): many for kind, many in session.sent.items()},
            {kind.name.lower().replace("_", "-"): many for kind, many in session.heard.items()},
            missing_since=session.missing_since,
            flaps=0 if self._news.lasts else session.flaps,
            unsent={
                NAMES[family]: {why.value: many for why, many in self._rib.unsent(family).items()}
                for family in families
            },
        )
