"""What the API should say about Services: statuses and events; nothing where it says so already."""

from collections.abc import Collection, Mapping
from typing import Literal

from speakerd.decision import EventWrite, StatusWrite
from speakerd.model import IP, Assignment, Reason, Service
from speakerd.occupancy import Ledger
from speakerd.wish import named

NO_LEDGER: Ledger = {}

Notice = tuple[Literal["Normal", "Warning"], str, str]
"""Type, reason and message of an event."""


def write(service: Service, assignment: Assignment | None) -> StatusWrite | None:
    """The status `service` lacks; one that is no longer a LoadBalancer is cleared, one that is not ours left alone."""
    wanted = Assignment() if service.lapsed else assignment
    if wanted is None or (service.ips, service.pool) == (wanted.ips, wanted.pool):
        return None
    return StatusWrite(service, wanted)


def notices(service: Service, assignment: Assignment, ledger: Ledger = NO_LEDGER) -> tuple[Notice, ...]:
    """What is worth telling about `service` for as long as it is so."""
    found: list[Notice] = []
    lost = tuple(ip for ip in service.ips if ip not in assignment.ips)
    had = next((held.stranger for ip in lost if (held := ledger.get(ip)) and held.stranger), "")
    if lost and (had or not _asked_for(service, assignment)):
        why = f"already answered for by {had}" if had else "no longer acceptable"
        found.append(("Normal", "ClearAssignment", f"Cleared IP {named(lost)}: {why}"))
    if assignment.reason is Reason.DUAL_STACK_REQUIRED:
        found.append(("Warning", "NotEnoughClusterIPs", assignment.message))
    elif assignment.reason and assignment.ips and service.request.reason:
        found.append(("Warning", "LoadBalancerFailed", assignment.message))
    elif assignment.reason:
        found.append(
            ("Warning", "AllocationFailed", f'Failed to allocate IP for "{service.key}": {assignment.message}')
        )
    elif assignment.message:
        found.append(("Normal", "AdditionalAssignFailed", f"Failed to assign a second address: {assignment.message}"))
    return tuple(found)


def _deprecated(service: Service) -> tuple[Notice, ...]:
    """That annotations are of the old spelling: told when the Service is written to, not of thousands at each start."""
    remedy = "write metallb.io/ in place of metallb.universe.tf/"
    said = f"{', '.join(service.deprecated)}: deprecated, {remedy}"
    return (("Warning", "deprecatedAnnotation", said),) if service.deprecated else ()


def _asked_for(service: Service, assignment: Assignment) -> bool:
    """Whether the assignment is what the Service's annotations request."""
    request = service.request
    if request.ips:
        return set(request.ips) == set(assignment.ips)
    return bool(request.pool) and request.pool == assignment.pool


class Statuses:
    """What one turn leaves for the next: the writes that are due, and what was told already (once per Service)."""

    def __init__(self) -> None:
        self.writes: dict[str, StatusWrite] = {}
        self._told: dict[str, tuple[str, tuple[Notice, ...]]] = {}
        self._promised: dict[str, tuple[str, tuple[IP, ...]]] = {}

    def turn(
        self,
        services: Mapping[str, Service],
        assignments: Mapping[str, Assignment],
        changed: Collection[str],
        ledger: Ledger = NO_LEDGER,
    ) -> tuple[EventWrite, ...]:
        """Bring `writes` up to date for the Services that changed; the events to write."""
        events: list[EventWrite] = []
        for key in sorted(changed):
            self.writes.pop(key, None)
            service, assignment = services.get(key), assignments.get(key)
            due = write(service, assignment) if service else None
            if due:
                self.writes[key] = due
            if service and assignment:
                now = notices(service, assignment, ledger)
                old = _deprecated(service) if due else ()
                news = (*self._given(service, assignment), *self._news(service, now), *old)
                events += [EventWrite(service, *notice) for notice in news]
            else:
                self._told.pop(key, None)
                self._promised.pop(key, None)
        return tuple(events)

    def _given(self, service: Service, assignment: Assignment) -> tuple[Notice, ...]:
        """That the addresses we gave stand in the status: told when the API shows them, for a write may fail."""
        promised = self._promised.pop(service.key, None)
        if assignment.ips and assignment.ips != service.ips:
            self._promised[service.key] = (service.uid, assignment.ips)
        elif promised == (service.uid, service.ips):
            return (("Normal", "IPAllocated", f"Assigned IP {named(service.ips)}"),)
        return ()

    def _news(self, service: Service, now: tuple[Notice, ...]) -> tuple[Notice, ...]:
        """Notices that were not told of this very Service when it was last looked at."""
        uid, told = self._told.pop(service.key, ("", ()))
        if now:
            self._told[service.key] = (service.uid, now)
        return tuple(each for each in now if uid != service.uid or each not in told)
