"""Who has each place: by the statuses of Services, by Leases, and by what a pass of the allocator has chosen so far."""

from collections.abc import Iterator, Mapping
from itertools import compress, count
from operator import is_not
from typing import TypeVar

from speakerd.model import IP, Reservation, Service, ServiceRef
from speakerd.search import place

K = TypeVar("K")
V = TypeVar("V")

Ledger = Mapping[IP, Reservation]
"""Every address' Lease. One that has changed is another object, and has what is new in it last."""

SCATTERED = 64
"""Differences after which the rest is taken to differ too: past that, to look for each costs more than it saves."""

NOBODY = ServiceRef("", "")
"""Whom a Lease names whose annotation names no Service."""


class Occupancy:
    """Who has what: `shown` are the Services whose status names a place, `chosen` the one that is given it.

    `named`: the places whose Leases name a Service, by its key.
    """

    def __init__(self) -> None:
        self.ledger: Ledger = {}
        self.reservations: dict[int, Reservation] = {}
        self.named: dict[str, tuple[int, ...]] = {}
        self.shown: dict[int, tuple[str, ...]] = {}
        self.chosen: dict[int, str] = {}
        self._listed: list[Reservation] = []

    def take_ledger(self, ledger: Ledger) -> set[int]:
        """Replace the reservations; the places where that changed anything."""
        if ledger is self.ledger:
            return set()
        listed = list(ledger.values())
        gone, new = unlike(self._listed, listed)
        self.ledger, self._listed = ledger, listed
        touched = set()
        for each in gone:
            touched.add(at := place(each.ip))
            del self.reservations[at]
            for ref in each.services or (NOBODY,):
                strike(self.named, ref.key, at)
        for each in new:
            touched.add(at := place(each.ip))
            self.reservations[at] = each
            for ref in each.services or (NOBODY,):
                enter(self.named, ref.key, at)
        return touched

    def taken(self, at: int) -> bool:
        """Whether a status names it or a Lease reserves it."""
        return at in self.shown or at in self.reservations

    def in_use(self, at: int) -> bool:
        """Whether anybody has it."""
        return at in self.shown or at in self.reservations or at in self.chosen

    def open_to(self, at: int, service: Service) -> bool:
        """Whether no status and no Lease of others has it, and no stranger."""
        if any(key != service.key for key in self.shown.get(at, ())):
            return False
        reservation = self.reservations.get(at)
        if reservation is None:
            return True
        return ServiceRef(service.key, service.uid) in reservation.services and not reservation.stranger

    def stranger(self, at: int) -> str:
        """MAC of the host that has it already, where it was set aside for that."""
        reservation = self.reservations.get(at)
        return reservation.stranger if reservation else ""

    def own(self, service: Service) -> Iterator[int]:
        """Places that this Service's status or Leases name and nobody else has, the lowest first."""
        places = {*self.named.get(service.key, ()), *map(place, service.ips)}
        return (at for at in sorted(places) if self.open_to(at, service) and at not in self.chosen)

    def interested(self, at: int) -> tuple[str, ...]:
        """Services whose status or Lease names it."""
        reservation = self.reservations.get(at)
        reserved = (each.key for each in reservation.services) if reservation else ()
        return (*self.shown.get(at, ()), *reserved)

    def holder(self, at: int, service: Service) -> str:
        """Who has a place that `service` cannot have."""
        shown = sorted(key for key in self.shown.get(at, ()) if key != service.key)
        reservation = self.reservations.get(at)
        reserved = (each.key for each in reservation.services) if reservation else ()
        chosen = filter(None, [self.chosen.get(at)])
        return next(iter([*shown, *reserved, *chosen]), "a Lease that names no Service")

    def idle(self, at: int, services: Mapping[str, Service]) -> bool:
        """Whether a Lease reserves it for Services of which none has it: gone, another of that name, or elsewhere.

        One that is set aside stays so while one of them lives.
        """
        reservation = self.reservations.get(at)
        if reservation is None:
            return False
        living = (ref.key for ref in reservation.services if _lives(ref, services))
        if reservation.stranger:
            return next(living, None) is None
        return not any(key in self.shown.get(at, ()) or self.chosen.get(at) == key for key in living)


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
