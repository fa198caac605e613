"""BGP as the announcer holds it: its neighbours, what each is told, where they may connect, what is seen of them."""

import socket
from collections import Counter, deque
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address

from msgspec.structs import replace

from speakerd.bgp import nexthop, origination, terms
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.discovery import Discovery
from speakerd.bgp.error import Cease
from speakerd.bgp.listening import Listener, Place
from speakerd.bgp.news import Tell
from speakerd.bgp.origination import Side
from speakerd.bgp.partner import Partner
from speakerd.bgp.reach import Ends
from speakerd.bgp.terms import Terms
from speakerd.bgp.transport import Wire
from speakerd.deadlines import soonest
from speakerd.digest import sha256
from speakerd.model import Interface
from speakerd.peering import BgpSettings, Neighbour, Prefix, SessionSeen, Wording

PARTING = 1.0
"""Seconds for which peers are given time to take that our routes are withdrawn, before a planned stop ends anyway."""
FIRST_BFD = 0.2
"""Seconds for which a process that has just started lets BFD speak before BGP, to peers that have both.

From BFD they learn that the old session is over. Were the new one up by then, they would end that (RFC 5882 section
4.3: BFD comes first).
"""
WORDINGS = 4096
"""Different things to say that are remembered; a cluster has a few."""


class Bgp:
    """A part. `register`, `unregister` and `await_writable` are the engine's; `random` gives numbers from 0 to 1.

    `tell` is told what happens to sessions, as it does: word, peer, detail.
    """

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        await_writable: Callable[[int, Callable[[float], None] | None], None],
        random: Callable[[], float],
        tell: Tell = lambda *_: None,
    ) -> None:
        self._wire = Wire(register, unregister, await_writable)
        self._listener = Listener(register, unregister, self._accepted)
        self._discovery = Discovery(register, unregister, self._learn)
        self._random, self._tell = random, tell
        self._settings = BgpSettings()
        self._partners: dict[str, Partner] = {}
        self._turns: deque[Partner] = deque()
        self._interfaces: tuple[Interface, ...] = ()
        self._prefixes: dict[bytes, Prefix] = {}
        self._sayings: dict[tuple[Wording, Side], Attributes | None] = {}
        self._draining = False
        self._withdraw_at: float | None = None
        self._left_by: float | None = None
        self._worked = 0.0
        self._neighbours: tuple[Neighbour, ...] = ()
        self._young = True
        self._grown_at: float | None = None

    # -- what is wanted

    def configure(self, neighbours: tuple[Neighbour, ...], settings: BgpSettings, now: float) -> None:
        """Have sessions with exactly these; one whose neighbour is equal to before goes on, whatever else changed.

        Who has no router ID, of its own or of this host, gets no session. The first time, all prefixes are to be known
        before: a peer that kept our routes through a restart forgets what is not among them (RFC 4724 section 4.2).
        """
        self._settings = settings
        self._neighbours = neighbours
        if self._young and self._grown_at is None:
            self._grown_at = now + terms.RESTART_TIME
        wanted = {each.peer.name: each for each in neighbours if each.peer.router_id or settings.router_id}
        for name in self._partners.keys() - wanted.keys():
            self._partners.pop(name).stop(now, Cease.DECONFIGURED)
        for name, neighbour in wanted.items():
            known = self._partners.get(name)
            if known is None:
                self._begin(neighbour, now)
            elif known.apply(neighbour, self._terms(neighbour), now):
                known.change(self._prefixes)
        for partner in self._partners.values():
            partner.most = settings.maximum_prefixes
        self._turns = deque(self._partners.values())
        self._listen(now)
        self._discover(now)

    def _begin(self, neighbour: Neighbour, now: float) -> None:
        made = Partner(neighbour, self._terms(neighbour), self._wire, self._attributes, self._tell, self._random, now)
        self._partners[made.name] = made
        made.see(self._interfaces, now)
        made.change(self._prefixes)
        if self._draining:
            # It has no route of ours that it would have to turn away from.
            made.withdraw()
        if self._left_by is None:
            made.start(now, FIRST_BFD if self._young and neighbour.bfd else 0.0)

    def _terms(self, neighbour: Neighbour) -> Terms:
        router_id = self._settings.router_id
        key = neighbour.password.octets if neighbour.password else b""
        made = terms.of_peer(
            neighbour.peer,
            IPv4Address(router_id).packed if router_id else b"",
            nexthop.families(neighbour.peer),
            sha256(key).digest().hex() if key else "",
        )
        return replace(made, accepts=self._settings.listen, restarted=self._young)

    def _listen(self, now: float) -> None:
        """Wherever there is a neighbour that may call."""
        wanted: dict[Place, dict[str, bytes]] = {}
        if self._settings.listen:
            for partner in self._partners.values():
                reach = partner.reach
                keys = wanted.setdefault((reach.version, reach.device), {})
                if reach.password is not None and reach.address:
                    keys[reach.address] = reach.password.octets
        self._listener.apply(self._settings.port, wanted, now)

    def interfaces(self, interfaces: tuple[Interface, ...], now: float) -> None:
        """These are the interfaces of this host, whence next hops are taken."""
        self._interfaces = interfaces
        for partner in self._partners.values():
            partner.see(interfaces, now)
        self._discover(now)

    def _discover(self, now: float) -> None:
        """Look for peers that have no address, on their interfaces."""
        names = {each.neighbour.peer.interface for each in self._partners.values()}
        self._discovery.apply(
            {each.index: (each.name, each.mac) for each in self._interfaces if each.name in names}, now
        )

    def change(self, prefixes: Mapping[bytes, Prefix | None], now: float) -> None:
        """Announce these (by their key) as they say, or no longer (None), when woken next: `deadline` wants it at once.

        Who changes many calls it often, and one message holds what several calls ask for.
        """
        concerned: dict[str, dict[bytes, Prefix | None]] = {}
        for key, prefix in prefixes.items():
            before = self._prefixes.pop(key, None)
            if prefix is not None:
                self._prefixes[key] = prefix
            for name in _names(before) | _names(prefix):
                concerned.setdefault(name, {})[key] = prefix
        for name, changes in concerned.items():
            if partner := self._partners.get(name):
                partner.change(changes)
        self._worked = now

    def drain(self, now: float, *, on: bool) -> None:
        """Tell routes as about to go (RFC 8326) for the time of the settings, then withdraw them; or serve again."""
        if on == self._draining:
            return
        self._draining = on
        self._withdraw_at = now + self._settings.drain if on else None
        for partner in self._partners.values():
            partner.drain(on=on)
        self._work(now)

    def leave(self, now: float, *, restart: bool = False) -> None:
        """End all sessions: `left` says when that is done.

        A planned stop withdraws everything first. For a `restart` peers with graceful restart are told nothing, and
        keep our routes meanwhile (RFC 4724 section 4.2).
        """
        if self._left_by is not None:
            return
        self._left_by = now + PARTING
        self._listener.close()
        for partner in self._partners.values():
            if restart and partner.neighbour.peer.graceful_restart:
                partner.stop(now, None)
            else:
                partner.leave(now)

    @property
    def left(self) -> bool:
        """Whether no session and no connection is left, after `leave`."""
        return self._left_by is not None and self._idle and not self._wire.parting

    @property
    def _idle(self) -> bool:
        return all(each.session.state == 1 for each in self._partners.values())

    def up_for(self, peer: str, now: float) -> float:
        """Seconds since the session with a peer, by its name, was established; 0 where there is none."""
        partner = self._partners.get(peer)
        return partner.up_for(now) if partner else 0.0

    def lost(self, peer: str, now: float) -> None:
        """The path to a peer, by its name, is dead (BFD): its session ends at once, before the hold time does."""
        if partner := self._partners.get(peer):
            partner.reset(Cease.BFD_DOWN, now)

    def _learn(self, interface: str, address: str, now: float) -> None:
        """A router on `interface` has shown its link-local address: an unnumbered peer's."""
        for partner in self._partners.values():
            if partner.neighbour.peer.interface == interface:
                partner.learn(address, now)
        self._listen(now)

    # -- what comes in

    def _accepted(self, end: socket.socket, place: Place, ends: Ends, now: float) -> bool:
        """Give a connection to the neighbour that it is from.

        Of several at one address the one whose source address was called has it, then one that has none yet.
        """
        if self._left_by is not None:
            return False
        fitting = [each for each in self._partners.values() if each.welcomes(ends, place[1])]
        if not fitting:
            return False
        partner = min(fitting, key=lambda each: (not each.owns(ends), each.session.state))
        number = self._wire.adopt(end, partner.reach.ttl, partner)
        partner.accepted(number, ends, now)
        return True

    # -- time

    def deadline(self) -> float | None:
        """At once while there is work in slices, else when a session, a port or a peer that was paused wants it."""
        timers = [each.deadline() for each in self._partners.values()]
        work = self._worked if any(each.busy for each in self._partners.values()) else None
        ends = self._left_by if self._left_by is not None and not self._idle else None
        own = soonest(work, ends, self._withdraw_at, self._grown_at)
        return soonest(own, self._wire.deadline(), self._listener.deadline(), self._discovery.deadline(), *timers)

    def wake(self, now: float) -> None:
        """Do what is due, and a slice of work for one neighbour."""
        self._wire.wake(now)
        self._listener.wake(now)
        self._discovery.wake(now)
        if self._grown_at is not None and self._grown_at <= now:
            self._young, self._grown_at = False, None
            self.configure(self._neighbours, self._settings, now)
        if self._withdraw_at is not None and self._withdraw_at <= now:
            self._withdraw_at = None
            for partner in self._partners.values():
                partner.withdraw()
        for partner in tuple(self._partners.values()):
            if self._left_by is not None and self._left_by <= now:
                partner.stop(now, Cease.SHUTDOWN)
            due = partner.deadline()
            if due is not None and due <= now:
                partner.wake(now)
        self._work(now)

    def _work(self, now: float) -> None:
        """A slice for the neighbour whose turn it is; all have theirs before one has its next."""
        self._worked = now
        for _ in range(len(self._turns)):
            partner = self._turns[0]
            self._turns.rotate(-1)
            if partner.busy:
                partner.work(now)
                return

    # -- what is said, and seen

    def _attributes(self, wording: Wording, side: Side) -> Attributes | None:
        """What is said to a peer, made once for all prefixes of which the same is; None where it makes no sense."""
        if (wording, side) not in self._sayings:
            if len(self._sayings) >= WORDINGS:
                self._sayings.clear()
            try:
                self._sayings[wording, side] = origination.attributes(wording, side)
            except ValueError as fault:
                self._sayings[wording, side] = None
                self._tell("bgp.route-refused", "", str(fault))
        return self._sayings[wording, side]

    @property
    def seen(self) -> tuple[SessionSeen, ...]:
        """All sessions, by name of the peer."""
        return tuple(self._partners[name].seen() for name in sorted(self._partners))

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where each peer is, "" where that is not known yet."""
        return {name: partner.address for name, partner in self._partners.items()}

    @property
    def problems(self) -> Mapping[str, str]:
        """Detail by word, of what stands now."""
        return {**self._listener.problems, **self._discovery.problems}

    @property
    def counters(self) -> Counter[str]:
        """Connections accepted and refused, by word."""
        return Counter({f"bgp-{word}": many for word, many in (self._listener.counters + self._wire.counters).items()})


def _names(prefix: Prefix | None) -> set[str]:
    """The peers that are told of it."""
    return {name for _, names in prefix.said for name in names} if prefix else set()
