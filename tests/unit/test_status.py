"""Nothing is written that the API says already, and nothing is told twice."""

from collections.abc import Iterable
from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd.decision import EventWrite, StatusWrite
from speakerd.model import IP, Assignment, Reason, Request, Reservation, Service
from speakerd.status import Statuses, notices, write


def ips(*texts: str) -> tuple[IP, ...]:
    return tuple(map(ip_address, texts))


WAITING = Service("ns/web", "uid", "1", "2026-01-01T00:00:00Z", ours=True)
HOLDER = replace(WAITING, ips=ips("10.0.0.1"), pool="p")
KEPT = Assignment(ips("10.0.0.1"), "p")
MOVED = Assignment(ips("10.0.0.2"), "p")
FULL = Assignment(reason=Reason.NO_FREE_ADDRESS, message="full")


def test_a_status_that_is_right_is_not_written() -> None:
    assert write(HOLDER, KEPT) is None
    assert write(WAITING, FULL) is None


def test_addresses_and_annotation_are_written_where_they_differ() -> None:
    assert write(WAITING, KEPT) == StatusWrite(WAITING, KEPT)
    assert write(HOLDER, replace(KEPT, pool="q")) == StatusWrite(HOLDER, replace(KEPT, pool="q"))
    assert write(HOLDER, FULL) == StatusWrite(HOLDER, FULL)


@pytest.mark.parametrize("left", [{"ips": ips("10.0.0.1")}, {"pool": "p"}])
def test_a_service_that_changed_its_type_is_cleared_to_the_last_trace(left: dict[str, object]) -> None:
    lapsed = replace(WAITING, ours=False, lapsed=True, **left)
    assert write(lapsed, None) == StatusWrite(lapsed, Assignment())


def test_what_is_not_ours_is_left_alone() -> None:
    assert write(replace(HOLDER, ours=False), None) is None


@pytest.mark.parametrize(
    ("service", "assignment", "expected"),
    [
        (HOLDER, KEPT, []),
        (WAITING, MOVED, []),
        (WAITING, FULL, [("Warning", "AllocationFailed")]),
        (HOLDER, MOVED, [("Normal", "ClearAssignment")]),
        (HOLDER, FULL, [("Normal", "ClearAssignment"), ("Warning", "AllocationFailed")]),
        (replace(HOLDER, request=Request(MOVED.ips)), MOVED, []),
        (replace(HOLDER, request=Request(pool="p")), MOVED, []),
        (WAITING, Assignment(reason=Reason.DUAL_STACK_REQUIRED), [("Warning", "NotEnoughClusterIPs")]),
        (
            replace(HOLDER, request=Request(reason=Reason.MALFORMED_ADDRESS)),
            replace(KEPT, reason=Reason.MALFORMED_ADDRESS, message="bad"),
            [("Warning", "LoadBalancerFailed")],
        ),
        (HOLDER, replace(KEPT, reason=Reason.ADDRESS_HELD, message="held"), [("Warning", "AllocationFailed")]),
        (HOLDER, replace(KEPT, message="no free IPv6"), [("Normal", "AdditionalAssignFailed")]),
    ],
)
def test_each_state_has_its_events(service: Service, assignment: Assignment, expected: list[tuple[str, str]]) -> None:
    assert [(kind, reason) for kind, reason, _ in notices(service, assignment)] == expected


def test_that_a_stranger_has_an_address_is_why_it_was_cleared() -> None:
    ledger = {ip: Reservation(ip, "lease", "uid", "1", (), stranger="02:ff:00:00:00:01") for ip in HOLDER.ips}
    ((_, _, message),) = notices(HOLDER, MOVED, ledger)
    assert message.endswith("already answered for by 02:ff:00:00:00:01")


def told(statuses: Statuses, service: Service | None, assignment: Assignment | None) -> list[tuple[str, str]]:
    services = {service.key: service} if service else {}
    assignments = {"ns/web": assignment} if assignment else {}
    return reasons(statuses.turn(services, assignments, {"ns/web"}))


def reasons(events: Iterable[EventWrite]) -> list[tuple[str, str]]:
    return [(event.reason, event.message) for event in events]


def test_a_failure_is_told_once_and_again_when_its_message_changes_or_it_comes_back() -> None:
    statuses, failed = Statuses(), ("AllocationFailed", 'Failed to allocate IP for "ns/web": full')
    assert told(statuses, WAITING, FULL) == [failed]
    assert told(statuses, replace(WAITING, resource_version="2"), FULL) == []
    assert told(statuses, WAITING, replace(FULL, message="fuller")) != []
    assert told(statuses, HOLDER, KEPT) == []
    assert told(statuses, WAITING, FULL) == [failed]


def test_a_service_made_anew_under_the_old_name_is_told_anew() -> None:
    statuses = Statuses()
    told(statuses, WAITING, FULL)
    assert told(statuses, replace(WAITING, uid="other"), FULL) != []
    assert told(statuses, None, None) == []
    assert told(statuses, WAITING, FULL) != []


def test_an_address_is_told_when_the_status_shows_it_and_only_by_who_gave_it() -> None:
    statuses = Statuses()
    assert told(statuses, WAITING, KEPT) == []
    assert told(statuses, HOLDER, KEPT) == [("IPAllocated", 'Assigned IP ["10.0.0.1"]')]
    assert told(statuses, HOLDER, KEPT) == []
    assert told(Statuses(), HOLDER, KEPT) == []


def test_annotations_of_the_old_spelling_are_told_of_with_each_write_and_not_in_between() -> None:
    statuses, old = Statuses(), ("metallb.universe.tf/address-pool",)
    waiting, holder = replace(WAITING, deprecated=old), replace(HOLDER, deprecated=old)
    (warning,) = told(statuses, waiting, KEPT)
    assert warning[0] == "deprecatedAnnotation"
    assert "metallb.universe.tf/address-pool" in warning[1]
    assert [reason for reason, _ in told(statuses, holder, KEPT)] == ["IPAllocated"]
    assert told(statuses, replace(holder, resource_version="2"), KEPT) == []
    assert [reason for reason, _ in told(statuses, holder, MOVED)] == ["ClearAssignment", "deprecatedAnnotation"]


def test_writes_are_due_until_the_api_shows_them() -> None:
    statuses = Statuses()
    told(statuses, WAITING, KEPT)
    assert list(statuses.writes.values()) == [StatusWrite(WAITING, KEPT)]
    told(statuses, HOLDER, KEPT)
    assert not statuses.writes
