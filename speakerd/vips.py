"""The VIPs the announcer should serve, brought up to date by what changed; rows that stay the same stay one object."""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from speakerd import advertise
from speakerd.advertise import Announcement, Eligible, Reach
from speakerd.difference import Difference, Draft, difference
from speakerd.model import IP, Candidate, Config, Endpoints, Member, Node, Reason, Service, Snapshot, Vip, packed

SPARE_SETS = 64
"""Candidate sets out of use that are kept, so that numbers stay what they are while endpoints come and go."""

NOWHERE = Endpoints()


class Vips:
    """What one turn leaves for the next; handed over, never shared.

    `rows` by packed address; `refused`: why nobody announces an address, per (Service key, address). Candidate sets
    keep their numbers and new ones are appended, until too many are out of use.
    """

    def __init__(self) -> None:
        self.rows: Mapping[bytes, Vip] = {}
        self.refused: Mapping[tuple[str, IP], Reason] = {}
        self.candidate_sets: tuple[tuple[Candidate, ...], ...] = ()
        self._rows: Draft[bytes, Vip] = Draft()
        self._refused: Draft[tuple[str, IP], Reason] = Draft()
        self._numbers: dict[tuple[Candidate, ...], int] = {}
        self._limit = SPARE_SETS
        self._shown: dict[IP, tuple[str, ...]] = {}
        self._ips: dict[str, tuple[IP, ...]] = {}
        self._announce = True
        self._config = Config()
        self._reach = Reach(self._config)
        self._nodes: Mapping[str, Node] = {}
        self._members: Mapping[str, Member] = {}
        self._endpoints: Mapping[str, Endpoints] = {}
        self._eligible = Eligible()

    def turn(self, snapshot: Snapshot, services: Difference[str, Service]) -> None:
        """Take what changed since the last turn (`services`: what of the Services) and bring everything up to date."""
        endpoints = difference(self._endpoints, snapshot.endpoints)
        self._endpoints = snapshot.endpoints
        concerned = {*services, *(key for key in endpoints if key in self._ips)}
        if self._conditions(snapshot):
            concerned |= snapshot.services.keys()
        touched = {ip for key in concerned for ip in self._list(key, snapshot)}
        for ip in touched:
            self._show(ip, snapshot)
        if len(self.candidate_sets) > self._limit:
            self._renumber()
        self.rows, self.refused = self._rows.publish(), self._refused.publish()

    def _conditions(self, snapshot: Snapshot) -> bool:
        """Whether what concerns every address has changed."""
        changed = self._announce != snapshot.announce
        self._announce = snapshot.announce
        if self._config is not snapshot.config and self._config != snapshot.config:
            self._reach = Reach(snapshot.config)
            changed = True
        self._config = snapshot.config
        if self._nodes is not snapshot.nodes or self._members is not snapshot.members:
            self._nodes, self._members = snapshot.nodes, snapshot.members
            before, self._eligible = self._eligible, advertise.eligible(snapshot.nodes, snapshot.members)
            changed |= before != self._eligible
        return changed

    def _list(self, key: str, snapshot: Snapshot) -> Iterable[IP]:
        """Note which addresses a Service has now; these and those it had before."""
        service = snapshot.services.get(key)
        before = self._ips.pop(key, ())
        now = tuple(dict.fromkeys(service.ips)) if service and service.ours and snapshot.announce else ()
        if now:
            self._ips[key] = now
        for ip in before:
            self._refused.drop((key, ip))
            if ip not in now:
                self._shown[ip] = tuple(each for each in self._shown[ip] if each != key)
        for ip in now:
            if ip not in before:
                self._shown[ip] = (*self._shown.get(ip, ()), key)
        return {*before, *now}

    def _show(self, ip: IP, snapshot: Snapshot) -> None:
        """Write the row of one address: of the oldest Service whose status names it."""
        holders = sorted(map(snapshot.services.__getitem__, self._shown[ip]), key=lambda each: (each.created, each.key))
        if not holders:
            del self._shown[ip]
            self._rows.drop(packed(ip))
            return
        oldest, *others = holders
        for other in others:
            self._refused.put((other.key, ip), Reason.ADDRESS_HELD)
        endpoints = snapshot.endpoints.get(oldest.key, NOWHERE)
        match advertise.layer2(oldest, ip, endpoints, self._eligible, self._reach):
            case Announcement() as announcement:
                self._refused.drop((oldest.key, ip))
                self._write(ip, oldest, announcement, snapshot.row_version)
            case reason:
                self._refused.put((oldest.key, ip), reason)
                self._rows.drop(packed(ip))

    def _write(self, ip: IP, service: Service, announcement: Announcement, version: int) -> None:
        """Write a row, unless it says so already: its version is of the time it last changed."""
        raw, rank_by = packed(ip), packed(service.ips[0])
        number = self._number(announcement.candidates)
        row = Vip(raw, service.key, rank_by, number, announcement.interfaces, version)
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
