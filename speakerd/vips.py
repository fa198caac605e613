"""The VIPs the announcer should serve, brought up to date by what changed; rows that stay the same stay one object."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from speakerd import advertise
from speakerd.advertise import Announcement, Reach
from speakerd.decision import Snapshot
from speakerd.difference import Difference, Draft, difference, put_or_drop
from speakerd.exchange import Candidate, Member, Vip
from speakerd.holders import Holders
from speakerd.model import IP, Config, Endpoints, Node, Reason, Record, Service, packed

SPARE_SETS = 64
"""Candidate sets out of use that are kept, so that numbers stay what they are while endpoints come and go."""
NO_HINT = Record()


class Vips:
    """What one turn leaves for the next; handed over, never shared.

    `rows` by packed address; `refused`: why nobody announces an address, per (Service key, address). `shared`: the keys
    of all Services an address is announced for, where they are several. Candidate sets keep their numbers and new ones
    are appended, until too many are out of use.
    """

    def __init__(self) -> None:
        self.rows: Mapping[bytes, Vip] = {}
        self.refused: Mapping[tuple[str, IP], Reason] = {}
        self.shared: Mapping[bytes, tuple[str, ...]] = {}
        self.candidate_sets: tuple[tuple[Candidate, ...], ...] = ()
        self._rows: Draft[bytes, Vip] = Draft()
        self._refused: Draft[tuple[str, IP], Reason] = Draft()
        self._shared: Draft[bytes, tuple[str, ...]] = Draft()
        self._numbers: dict[tuple[Candidate, ...], int] = {}
        self._limit = SPARE_SETS
        self._holders = Holders()
        self._announce = True
        self._config = Config()
        self._nodes: Mapping[str, Node] = {}
        self._members: Mapping[str, Member] = {}
        self._endpoints: Mapping[str, Endpoints] = {}
        self._reach = Reach(self._config, self._nodes, self._members, "")

    def turn(self, snapshot: Snapshot, services: Difference[str, Service]) -> None:
        """Take what changed since the last turn (`services`: what of the Services) and bring everything up to date."""
        endpoints = difference(self._endpoints, snapshot.endpoints)
        self._endpoints = snapshot.endpoints
        concerned = {*services, *(key for key in endpoints if key in self._holders)}
        if self._conditions(snapshot):
            concerned |= snapshot.services.keys()
        touched = {ip for key in concerned for ip in self._list(key, snapshot)}
        for ip in touched:
            self._show(ip, snapshot)
        if len(self.candidate_sets) > self._limit:
            self._renumber()
        self.rows, self.refused, self.shared = self._rows.publish(), self._refused.publish(), self._shared.publish()

    def _conditions(self, snapshot: Snapshot) -> bool:
        """Whether what concerns every address has changed."""
        changed = self._announce != snapshot.announce
        self._announce = snapshot.announce
        seen = snapshot.config, snapshot.nodes, snapshot.members
        known = self._config, self._nodes, self._members
        if all(new is old for new, old in zip(seen, known, strict=True)):
            return changed
        self._config, self._nodes, self._members = seen
        pools, before = known[0].pools != snapshot.config.pools, self._reach
        self._reach = Reach(*seen, snapshot.me)
        return not self._reach.agrees(before) or pools or changed

    def _list(self, key: str, snapshot: Snapshot) -> Iterable[IP]:
        """Note which addresses a Service has now; these and those it had before."""
        before, now = self._holders.note(key, snapshot.services.get(key) if snapshot.announce else None)
        for ip in before:
            self._refused.drop((key, ip))
        return {*before, *now}

    def _show(self, ip: IP, snapshot: Snapshot) -> None:
        """Write the row of one address: of the oldest Service whose status names it, and those that may share it."""
        keys = self._holders.of(ip)
        match keys:
            case ():
                self._drop(packed(ip))
            case (key,):
                service = snapshot.services[key]
                self._take(ip, service, keys, self._own(service, ip, snapshot), snapshot)
            case _:
                self._show_shared(ip, sorted(map(snapshot.services.__getitem__, keys), key=advertise.age), snapshot)

    def _show_shared(self, ip: IP, holders: list[Service], snapshot: Snapshot) -> None:
        """Write the row of an address that several statuses name, the oldest Service first."""
        found: dict[str, Announcement] = {}
        sharing = advertise.sharing(holders)
        for each in holders:
            match self._own(each, ip, snapshot) if each in sharing else Reason.ADDRESS_HELD:
                case Announcement() as announcement:
                    found[each.key] = announcement
                case reason:
                    self._refuse(each.key, ip, reason)
        if found:
            self._take(ip, holders[0], tuple(found), advertise.united(tuple(found.values())), snapshot)
        else:
            self._drop(packed(ip))

    def _own(self, service: Service, ip: IP, snapshot: Snapshot) -> Announcement | Reason:
        """How an address is announced as far as one Service is concerned."""
        endpoints = snapshot.endpoints.get(service.key, advertise.NOWHERE)
        return advertise.layer2(service, ip, endpoints, self._reach)

    def _take(
        self, ip: IP, oldest: Service, keys: tuple[str, ...], found: Announcement | Reason, snapshot: Snapshot
    ) -> None:
        """Write down how an address is announced for the Services `keys`, or why it is not."""
        for key in keys:
            self._refuse(key, ip, found if isinstance(found, Reason) else Reason.NONE)
        if isinstance(found, Announcement):
            self._write(ip, packed(oldest.ips[0]), keys, found, snapshot)
        else:
            self._drop(packed(ip))

    def _refuse(self, key: str, ip: IP, reason: Reason) -> None:
        """Note why nobody answers for an address; that nobody is to, since routers alone are told, is no refusal."""
        put_or_drop(self._refused, (key, ip), None if reason in (Reason.NONE, Reason.BY_BGP) else reason)

    def _drop(self, raw: bytes) -> None:
        self._rows.drop(raw)
        self._shared.drop(raw)

    def _write(
        self, ip: IP, rank_by: bytes, keys: tuple[str, ...], announcement: Announcement, snapshot: Snapshot
    ) -> None:
        """Write a row, unless it says so already: its version is of the time it last changed.

        What a Lease said of the owner is a hint of the start: a row goes on saying so, whatever has become of it.
        """
        raw, number, version = packed(ip), self._number(announcement.candidates), snapshot.row_version
        put_or_drop(self._shared, raw, keys if len(keys) > 1 else None)
        hint = snapshot.hints.get(raw, NO_HINT)
        row = Vip(raw, keys[0], rank_by, number, announcement.interfaces, version, hint.epoch, owner=hint.owner)
        before = self._rows.get(raw)
        if before is None or replace(before, row_version=version) != row:
            self._rows.put(raw, row)

    def _number(self, candidates: tuple[Candidate, ...]) -> int:
        number = self._numbers.setdefault(candidates, len(self.candidate_sets))
        if number == len(self.candidate_sets):
            self.candidate_sets = (*self.candidate_sets, candidates)
        return number

    def _renumber(self) -> None:
        """Drop the candidate sets that no row uses any more."""
        rows = self._rows.publish()
        used = sorted({row.candidates for row in rows.values()})
        self.candidate_sets = tuple(self.candidate_sets[number] for number in used)
        self._numbers = {candidates: number for number, candidates in enumerate(self.candidate_sets)}
        number_of = {before: now for now, before in enumerate(used)}
        for raw, row in rows.items():
            self._rows.put(raw, replace(row, candidates=number_of[row.candidates]))
        self._limit = 2 * len(used) + SPARE_SETS
