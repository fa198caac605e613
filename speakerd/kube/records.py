"""What this node has to write down of the VIPs it owns: their Leases, then ServiceL2Status, then the event; pure.

Only what changed is due, each once, the latest state alone: whoever carries the writes out asks for the next one when
there is time for it, and what has changed back meanwhile is never written.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from speakerd.decision import Plan
from speakerd.difference import difference
from speakerd.exchange import LIVING, Claim, Observed, Wanted
from speakerd.model import Assignment, Record, packed
from speakerd.occupancy import enter, strike

MOST_TRANSITIONS = (1 << 31) - 1
"""LeaseSpec.leaseTransitions is an int32."""
FIRST, LONGEST = 60.0, 3600.0
"""Seconds until a Lease that is missing is looked for again, doubled each time: the allocator may adopt the address."""


class Held(Struct, frozen=True, gc=False):
    """A VIP that this node owns: since which epoch, on which interfaces, for which Services."""

    epoch: int
    interfaces: tuple[str, ...]
    services: tuple[str, ...]
    since: float


class LeaseDue(Struct, frozen=True):
    """Let the Lease of `ip` name this node and `epoch`."""

    ip: bytes
    epoch: int


class StatusDue(Struct, frozen=True):
    """Let ServiceL2Status say where Service `key` is answered for: `here`, on `interfaces` (none: on all), or not here.

    `owners`: all nodes that own an address of it; what says that another does is out of date.
    """

    key: str
    here: bool
    interfaces: tuple[str, ...] = ()
    owners: frozenset[str] = frozenset()


class EventDue(Struct, frozen=True):
    """Tell on Service `key` that this node answers for it."""

    key: str


class FailureDue(Struct, frozen=True):
    """Tell on Service `key` that nobody answers for it: this node has none of `interfaces`, and is to speak of it."""

    key: str
    interfaces: tuple[str, ...]


Due = LeaseDue | StatusDue | EventDue | FailureDue


class Records:
    """`look` takes what is so, `next` says what to write, the verbs in the past tense what came of it.

    `started`: since when this process can tell (seconds of CLOCK_MONOTONIC, as claims have them).
    """

    def __init__(self, me: str, started: float) -> None:
        self._me = me
        self._started = started
        self._known: dict[bytes, Record] | None = None
        self._unsure: set[str] = set()
        self._claims: Mapping[bytes, Claim] = {}
        self._plan = Plan({}, Wanted("", {}))
        self._held: dict[bytes, Held] = {}
        self._here: dict[str, tuple[bytes, ...]] = {}
        self._leases: dict[bytes, None] = {}
        self._statuses: dict[str, None] = {}
        self._events: dict[str, None] = {}
        self._told: dict[str, float] = {}
        self._missing: dict[bytes, tuple[float, float]] = {}
        self._lacking: dict[str, tuple[str, ...]] = {}
        self._failures: dict[str, tuple[str, ...]] = {}

    # -- what is so

    def recall(self, leases: Mapping[bytes, Record], statuses: Iterable[str]) -> None:
        """What the API said at the start: Leases, and the Services that an object of this node says are here."""
        self._known, self._unsure = dict(leases), set(statuses)

    def look(self, plan: Plan, claims: Mapping[bytes, Claim]) -> bool:
        """Take the plan and the claims as they are now; whether there is something to write. Comes after `recall`."""
        assert self._known is not None
        before, self._plan = self._plan, plan
        changed = {*difference(self._claims, claims), *difference(before.wanted.vips, plan.wanted.vips)}
        changed.update(difference(before.shared, plan.shared))
        self._claims = claims
        for ip in changed:
            self._look_at(ip)
        for key in [key for key in self._unsure if self._sure(key)]:
            self._unsure.discard(key)
            self._statuses[key] = None
        if len(self._known) > len(self._held):
            self._known = {ip: record for ip, record in self._known.items() if ip in self._held}
        return bool(self._leases or self._statuses or self._events)

    def look_out(self, plan: Plan, observed: Observed) -> bool:
        """Notice what nobody answers for; to be called every few seconds. What holds twice is told, once.

        Whether there is something to write.
        """
        before, self._lacking = self._lacking, lacking(plan, observed)
        for key, names in self._lacking.items():
            if names == before.get(key) and key not in self._failures:
                self._failures[key] = names
        self._failures = {key: names for key, names in self._failures.items() if key in self._lacking}
        return any(self._failures.values())

    def _look_at(self, ip: bytes) -> None:
        claim, row, before = self._claims.get(ip), self._plan.wanted.vips.get(ip), self._held.get(ip)
        now = None
        if claim and row and claim.owner == self._me:
            services = self._plan.shared.get(ip, (row.service,))
            now = Held(min(claim.epoch, MOST_TRANSITIONS), claim.interfaces, services, claim.since)
        if now == before:
            return
        if before:
            self._let_go(ip, before)
        if now:
            self._held[ip], self._leases[ip] = now, None
            for key in now.services:
                enter(self._here, key, ip)
                self._statuses[key] = None

    def _let_go(self, ip: bytes, before: Held) -> None:
        del self._held[ip]
        self._leases.pop(ip, None)
        self._missing.pop(ip, None)
        for key in before.services:
            self._statuses[key] = None
            strike(self._here, key, ip)
            if key not in self._here:
                self._events.pop(key, None)

    def _sure(self, key: str) -> bool:
        """Whether it is clear who answers for a Service: somebody does, or nobody is to."""
        return bool(self._owners(key)) or not any(ip in self._plan.wanted.vips for ip in self._ips(key))

    def _ips(self, key: str) -> list[bytes]:
        return [packed(ip) for ip in self._plan.assignments.get(key, NOTHING).ips]

    def _owners(self, key: str) -> frozenset[str]:
        return frozenset(claim.owner for ip in self._ips(key) if (claim := self._claims.get(ip)) and claim.owner)

    # -- what to write

    def next(self, now: float, resting: Collection[type[Due]] = ()) -> Due | None:
        """What to write now, of the kinds that do not rest; it stays due until one of the verbs below takes it."""
        for ip in [ip for ip, (at, _) in self._missing.items() if at <= now]:
            self._leases[ip] = None
            self._missing[ip] = (now + LONGEST, self._missing[ip][1])
        if LeaseDue not in resting and (lease := self._next_lease()):
            return lease
        if StatusDue not in resting and self._statuses:
            return self._status(next(iter(self._statuses)))
        if EventDue not in resting and self._events:
            return EventDue(next(iter(self._events)))
        if FailureDue in resting:
            return None
        return next((FailureDue(key, names) for key, names in self._failures.items() if names), None)

    def deadline(self) -> float | None:
        """When a Lease that is missing is looked for again."""
        return min((at for at, _ in self._missing.values()), default=None)

    def known(self, ip: bytes) -> Record | None:
        """What the Lease of `ip` said last, as far as that is known."""
        return (self._known or {}).get(ip)

    def _next_lease(self) -> LeaseDue | None:
        for ip in list(self._leases):
            epoch, known = self._held[ip].epoch, self.known(ip)
            if not (known and says(known, self._me, epoch)):
                return LeaseDue(ip, epoch)
            del self._leases[ip]
        return None

    def _status(self, key: str) -> StatusDue:
        here = [self._held[ip].interfaces for ip in sorted(self._here.get(key, ()))]
        named = () if () in here else tuple(sorted({name for names in here for name in names}))
        return StatusDue(key, bool(here), named, self._owners(key))

    # -- what came of it

    def seen(self, ip: bytes, record: Record) -> None:
        """The Lease of `ip` says so now."""
        if self._known is not None and ip in self._held:
            self._known[ip] = record

    def patched(self, ip: bytes, record: Record, *, moved: bool) -> None:
        """The Lease of `ip` was written; `moved`: it named another node before."""
        self.seen(ip, record)
        self._leases.pop(ip, None)
        self._missing.pop(ip, None)
        if moved:
            self._announce(ip)

    def missing(self, ip: bytes, now: float) -> None:
        """There is no Lease of `ip`: only the allocator may create it."""
        self._leases.pop(ip, None)
        if held := self._held.get(ip):
            _, wait = self._missing.get(ip, (0.0, FIRST))
            self._missing[ip] = (now + wait, min(LONGEST, 2 * wait))
            if held.since > self._started:
                self._announce(ip)

    def dropped(self, due: Due) -> None:
        """It is written, or never can be."""
        match due:
            case LeaseDue(ip):
                self._leases.pop(ip, None)
            case StatusDue(key):
                if due == self._status(key):
                    self._statuses.pop(key, None)
            case EventDue(key):
                self._events.pop(key, None)
                if key in self._here:
                    self._told[key] = max(self._held[ip].since for ip in self._here[key])

            case FailureDue(key):
                self._failures[key] = TOLD

    def _announce(self, ip: bytes) -> None:
        """Tell of a VIP that moved here, once."""
        if held := self._held.get(ip):
            news = (key for key in held.services if self._told.get(key, float("-inf")) < held.since)
            self._events.update(dict.fromkeys(news))


NOTHING = Assignment()
TOLD: tuple[str, ...] = ()
"""Stands in place of the interfaces of a failure that was told already."""


def lacking(plan: Plan, observed: Observed) -> dict[str, tuple[str, ...]]:
    """Services with an address that nobody answers for and whose interfaces this node lacks, with their names.

    Of the candidates that live the first speaks for all: had one of them such an interface, it would answer.
    """
    me, names = plan.wanted.me, {each.name for each in observed.interfaces if each.usable}
    living = {me, *(each.name for each in observed.members if each.state in LIVING)}
    found: dict[str, tuple[str, ...]] = {}
    for ip, row in plan.wanted.vips.items():
        claim = observed.claims.get(ip)
        if not names or not row.interfaces or (claim and claim.owner) or not names.isdisjoint(row.interfaces):
            continue
        candidates = (each.node for each in plan.wanted.candidate_sets[row.candidates])
        if next(filter(living.__contains__, candidates), "") == me:
            found |= dict.fromkeys(plan.shared.get(ip, (row.service,)), row.interfaces)
    return found


def says(record: Record, me: str, epoch: int) -> bool:
    """Whether a Lease says already that `me` owns the VIP since `epoch`, or what is later: that is never lowered."""
    return record.epoch > epoch or (record.epoch == epoch and record.owner == me)
