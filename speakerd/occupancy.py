"""Who has each place: by the statuses of Services, by Leases, and by what a pass of the allocator has chosen so far."""

from collections.abc import Iterator, Mapping
from itertools import compress, count
from operator import is_not
from typing import TypeVar

from speakerd.model import IP, Release, Reservation, Service, ServiceRef
from speakerd.search import place
from speakerd.sharing import Shared
from speakerd.terms import Constancy, constancy, holder

K = TypeVar("K")
V = TypeVar("V")

Ledger = Mapping[IP, Reservation]
"""Every address' Lease. One that has changed is another object, and has what is new in it last."""

SCATTERED = 64
"""Differences after which the rest is taken to differ too: past that, to look for each costs more than it saves."""

NOBODY = ServiceRef("", "")
"""Whom a Lease names whose annotation names no Service."""


class Occupancy:
    """Who has what: `shown` are the Services whose status names a place, `chosen` those that are given it.

    `named`: the places whose Leases name a Service, by its key. `services`: all, kept up to date by the caller.
    """

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._shared = Shared()
        self.ledger: Ledger = {}
        self.reservations: dict[int, Reservation] = {}
        self.named: dict[str, tuple[int, ...]] = {}
        self.shown: dict[int, tuple[str, ...]] = {}
        self.chosen: dict[int, tuple[str, ...]] = {}
        self._listed: list[Reservation] = []

    def take_ledger(self, ledger: Ledger) -> tuple[set[int], set[int]]:
        """Replace the reservations; the places where that changed anything, and those that a Service has left."""
        if ledger is self.ledger:
            return set(), set()
        listed = list(ledger.values())
        gone, new = unlike(self._listed, listed)
        self.ledger, self._listed = ledger, listed
        touched, left = set(), dict[int, Reservation]()
        for each in gone:
            touched.add(at := place(each.ip))
            left[at] = self.reservations.pop(at)
            for ref in each.services or (NOBODY,):
                strike(self.named, ref.key, at)
        for each in new:
            touched.add(at := place(each.ip))
            self.reservations[at] = each
            if at in left and set(left[at].services) <= set(each.services) and not left[at].stranger:
                del left[at]
            for ref in each.services or (NOBODY,):
                enter(self.named, ref.key, at)
        return touched, set(left)

    def show(self, at: int, service: Service) -> None:
        """The Service's status names it."""
        self._enter(self.shown, at, service)

    def hide(self, at: int, service: Service) -> None:
        """It does no longer; `service` as it was when it did."""
        self._strike(self.shown, at, service)

    def choose(self, at: int, service: Service) -> None:
        """The Service is given it."""
        self._enter(self.chosen, at, service)

    def give_up(self, at: int, service: Service) -> None:
        """It is not; `service` as it was then."""
        self._strike(self.chosen, at, service)

    def _enter(self, table: dict[int, tuple[str, ...]], at: int, service: Service) -> None:
        enter(table, at, service.key)
        if service.sharing and service.ours:
            self._shared.enter(at, service.sharing)

    def _strike(self, table: dict[int, tuple[str, ...]], at: int, service: Service) -> None:
        strike(table, at, service.key)
        if service.sharing and service.ours:
            self._shared.leave(at, service.sharing)

    def taken(self, at: int) -> bool:
        """Whether a status names it or a Lease reserves it."""
        return at in self.shown or at in self.reservations

    def in_use(self, at: int) -> bool:
        """Whether anybody has it."""
        return at in self.shown or at in self.reservations or at in self.chosen

    def open_to(self, at: int, service: Service) -> bool:
        """Whether it is free, or all that have it share it with `service`, and no stranger has it."""
        return not self.stranger(at) and not any(True for _ in self.rivals(at, service))

    def stands(self, at: int, service: Service) -> bool:
        """Whether one that chose it would be given it anew: a Lease that names others alone is not looked for."""
        reservation = self.reservations.get(at)
        named = reservation is None or ServiceRef(service.key, service.uid) in reservation.services
        return named and self.open_to(at, service)

    def joins(self, service: Service) -> list[int]:
        """Places that others have and that it may have as well, the lowest first."""
        return [at for at in self._shared.open(service.sharing) if self.open_to(at, service)] if service.sharing else []

    def rivals(self, at: int, service: Service) -> Iterator[ServiceRef]:
        """Those that have a place and do not share it with `service`; whom a Lease names wrongly has it, too."""
        for key in (*self.shown.get(at, ()), *self.chosen.get(at, ())):
            if key != service.key and not service.shares_with(self._services.get(key)):
                yield ServiceRef(key, "")
        yield from self._named_against(at, service)

    def _named_against(self, at: int, service: Service) -> Iterator[ServiceRef]:
        """Those whom its Lease names and that do not share it with `service`."""
        reservation = self.reservations.get(at)
        for ref in (reservation.services or (NOBODY,)) if reservation else ():
            alike = _lives(ref, self._services) and service.shares_with(self._services[ref.key])
            if not alike and ref != ServiceRef(service.key, service.uid):
                yield ref

    def lacks(self, at: int, service: Service) -> bool:
        """Whether no Lease reserves it for the Service by the terms it has now, and one can."""
        reservation = self.reservations.get(at)
        if reservation is None:
            return True
        if reservation.stranger or reservation.says(holder(service)):
            return False
        return not any(True for _ in self._named_against(at, service))

    def constancy(self, service: Service) -> Constancy:
        """Whether a Service has changed its terms since it joined; one address' Lease that says so will do."""
        found = (constancy(service, self.reservations.get(place(ip))) for ip in service.ips)
        return max(found, default=Constancy.UNKNOWN)

    def stranger(self, at: int) -> str:
        """MAC of the host that has it already, where it was set aside for that."""
        reservation = self.reservations.get(at)
        return reservation.stranger if reservation else ""

    def own(self, service: Service) -> Iterator[int]:
        """Places that this Service's status or Leases name and that it may have, the lowest first."""
        places = {*self.named.get(service.key, ()), *map(place, service.ips)}
        return (at for at in sorted(places) if self.open_to(at, service))

    def interested(self, at: int) -> tuple[str, ...]:
        """Services whose status or Lease names it."""
        reservation = self.reservations.get(at)
        reserved = (each.key for each in reservation.services) if reservation else ()
        return (*self.shown.get(at, ()), *reserved)

    def release(self, at: int) -> Release | None:
        """What is to go of its Lease: the Services that have it no longer: gone, others of that name, or elsewhere.

        One that is set aside is kept for those that live.
        """
        reservation = self.reservations.get(at)
        if reservation is None:
            return None
        having = {*self.shown.get(at, ()), *self.chosen.get(at, ())}
        left = tuple(
            ref
            for ref in reservation.services
            if _lives(ref, self._services) and (reservation.stranger or ref.key in having)
        )
        return None if left and left == reservation.services else Release(reservation, left)


def _lives(ref: ServiceRef, services: Mapping[str, Service]) -> bool:
    service = services.get(ref.key)
    return service is not None and service.uid == ref.uid


def unlike(before: list[V], after: list[V]) -> tuple[list[V], list[V]]:
    """What has gone and what is new, by identity: an address hashes too slowly to look up ten thousand.

    Quick where `after` is `before` with a few left out and others appended; what has moved counts as gone and new.
    """
    gone: list[V] = []
    old, new = 0, 0
    while len(gone) < SCATTERED:
        step = next(compress(count(), map(is_not, before[old:], after[new:])), None)
        if step is None:
            both = min(len(before) - old, len(after) - new)
            return [*gone, *before[old + both :]], after[new + both :]
        gone.append(before[old + step])
        old, new = old + step + 1, new + step
    return [*gone, *before[old:]], after[new:]


def enter(table: dict[K, tuple[V, ...]], key: K, value: V) -> None:
    """Add `value` to those under `key`."""
    table[key] = (*table.get(key, ()), value)


def strike(table: dict[K, tuple[V, ...]], key: K, value: V) -> None:
    """Take `value` from those under `key`; a key without values goes."""
    left = tuple(each for each in table.pop(key, ()) if each != value)
    if left:
        table[key] = left
