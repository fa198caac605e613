"""What this node claims and answers for, and the VIPs it may claim: the state that all of ownership works on.

A core. `mine` is true after every call, so that layer 2 never answers for what was given away.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from speakerd.exchange import Claim, Stake
from speakerd.ownership.agenda import Agenda
from speakerd.ownership.table import Table


class Place(Struct, frozen=True):
    """This node on the network: indexes of interfaces by name, its MACs, addresses bound here, and whether it may own.

    `answered`: those bound on an interface that may announce, so that the kernel answers for them there, too.
    `partly`: some interface that could be used must wait, so that those in use are named one by one.
    """

    ports: Mapping[str, int] = {}
    macs: frozenset[bytes] = frozenset()
    bound: frozenset[bytes] = frozenset()
    answered: frozenset[bytes] = frozenset()
    fit: bool = True
    partly: bool = False


class Holdings:
    """`serving`: VIPs this node claims; `mine`: those it answers for now -> names of the interfaces, () all usable.

    `stakes`: VIPs as they are wanted; `standby`: those this node is a candidate for; `agenda`: what to look at when.
    `revision` counts changes of `mine` and `standby`; `changed`: VIPs whose claims are others than before, or which are
    answered for otherwise.
    """

    def __init__(self, boot: int, remembered: Mapping[bytes, Claim]) -> None:
        self.boot = boot
        self.me = ""
        self.place = Place()
        self.leaving = False
        self.stakes: dict[bytes, Stake] = {}
        self.agenda: Agenda[bytes] = Agenda()
        self.table = Table()
        self.serving: set[bytes] = set()
        self.standby: set[bytes] = set()
        self.mine: dict[bytes, tuple[str, ...]] = {}
        self.revision = 0
        self.changed: set[bytes] = set()
        self.counters: Counter[str] = Counter()
        self._fresh: dict[bytes, Claim] = {}
        self._wanted_at: dict[bytes, float] = {}
        for claim in remembered.values():
            self.table.put(claim, claim.since)

    def call(self, me: str) -> None:
        """Take this node's name."""
        if me != self.me:
            self.me = me
            for ip, stake in self.stakes.items():
                self._stand_by(ip, named=self.named(stake))

    def stand(self, place: Place, now: float) -> None:
        """Take where this node stands on the network."""
        if place != self.place:
            self.place = place
            for ip in self.stakes:
                self._fit(ip)
            self.look(self.stakes, now)

    def want(self, changes: Mapping[bytes, Stake | None], now: float) -> None:
        """Take new, changed and gone (None) VIPs."""
        for ip, stake in changes.items():
            if stake is None:
                self.stakes.pop(ip, None)
                self._wanted_at.pop(ip, None)
            else:
                self.stakes[ip] = stake
                self._wanted_at[ip] = now
            self._stand_by(ip, named=stake is not None and self.named(stake))
            self._fit(ip)
            self.agenda.put(ip, now)

    def _stand_by(self, ip: bytes, *, named: bool) -> None:
        if named == (ip in self.standby):
            return
        self.revision += 1
        if named:
            self.standby.add(ip)
        else:
            self.standby.discard(ip)

    def look(self, ips: Iterable[bytes], now: float) -> None:
        """Have these VIPs looked at."""
        for ip in ips:
            self.agenda.put(ip, now)

    def look_at_all(self, now: float) -> None:
        """Have every VIP looked at."""
        self.look(self.stakes.keys() | self.serving, now)

    def named(self, stake: Stake) -> bool:
        """Whether this node is a candidate."""
        return any(each.node == self.me for each in stake.candidates)

    def indexes(self, stake: Stake) -> tuple[int, ...]:
        """Our interfaces that carry the VIP."""
        names, ports = stake.vip.interfaces, self.place.ports
        return tuple(ports[name] for name in names if name in ports) if names else tuple(ports.values())

    def able(self, ip: bytes) -> bool:
        """Whether this node may answer for it: a candidate, fit, with an interface for it."""
        stake = self.stakes.get(ip)
        if stake is None or not self.place.fit or self.leaving:
            return False
        return self.named(stake) and bool(self.indexes(stake))

    def claim(self, ip: bytes, cause: str, now: float, gap: float = 0.0) -> Claim:
        """Take a VIP: from this instant it is answered here. `gap`: seconds since its owner died."""
        before, stake = self.table.get(ip), self.stakes[ip]
        epoch = max(self.table.highest(ip), stake.vip.epoch) + 1
        previous = before.owner if before and before.owner != self.me else ""
        interfaces = stake.vip.interfaces
        claim = Claim(ip, epoch, self.me, now, cause, interfaces, boot=self.boot, previous=previous, gap=gap)
        self.put(claim, now)
        self.serve(claim)
        self.agenda.put(ip, now)
        return claim

    def withdraw(self, ip: bytes, cause: str, now: float) -> None:
        """Nobody answers for it from now on. A VIP that is wanted no more has no previous owner either."""
        claim = self.table.get(ip)
        self.fall_silent(ip)
        if claim and claim.owner == self.me:
            previous = self.me if ip in self.stakes else ""
            self.put(Claim(ip, self.table.highest(ip) + 1, "", now, cause, previous=previous), now)
        self.agenda.put(ip, now)

    def newly_wanted(self, claim: Claim) -> bool:
        """Whether what is wanted of a VIP is younger here than `claim`."""
        return self._wanted_at.get(claim.ip, 0.0) > claim.since

    def rise(self, ours: Claim, now: float, **changes: str) -> None:
        """Let a claim of ours be the highest again."""
        self.put(replace(ours, epoch=self.table.highest(ours.ip) + 1, version=0, **changes), now)

    def name_heir(self, ip: bytes, heir: str, now: float) -> None:
        """Note who takes over a VIP of ours."""
        claim = self.table.get(ip)
        if ip in self.serving and claim and claim.heir != heir:
            self.put(replace(claim, heir=heir, version=claim.version + 1), now)

    def put(self, claim: Claim, now: float) -> None:
        """Let a claim that this node makes count; it is told to others."""
        self.follow(claim, now)
        self._fresh[claim.ip] = claim

    def follow(self, claim: Claim, now: float) -> None:
        """Let a claim that another node makes count."""
        self.table.put(claim, now)
        self.changed.add(claim.ip)

    def take_fresh(self) -> list[Claim]:
        """Claims this node made since the last call."""
        fresh = list(self._fresh.values())
        self._fresh.clear()
        return fresh

    def serve(self, claim: Claim) -> None:
        """Answer for a VIP that is claimed."""
        self.serving.add(claim.ip)
        self._fit(claim.ip)

    def fall_silent(self, ip: bytes) -> None:
        """Answer for a VIP no more."""
        self.serving.discard(ip)
        self.changed.add(ip)
        self._fit(ip)

    def resume(self, now: float) -> None:
        """Answer again for what this life of this node claims and nobody has claimed since."""
        for claim in [claim for claim in self.table if (claim.owner, claim.boot) == (self.me, self.boot)]:
            if claim.ip in self.stakes and claim.ip not in self.serving:
                self.serve(claim)
        self.look_at_all(now)

    def _fit(self, ip: bytes) -> None:
        """Keep `mine` true for one VIP."""
        stake, ports = self.stakes.get(ip), self.place.ports
        if ip not in self.serving or stake is None or not self.indexes(stake):
            if self.mine.pop(ip, None) is not None:
                self.revision += 1
                self.changed.add(ip)
            return
        names = stake.vip.interfaces
        if self.place.partly:
            names = tuple(each for each in names or ports if each in ports)
        if self.mine.get(ip) != names:
            self.mine[ip] = names
            self.revision += 1
            self.changed.add(ip)
