"""Only an address that was just given is given up to a stranger, and only where there is a better one."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd.model import IP, Request, Reservation, Service, ServiceRef
from speakerd.strangers import MOST, set_aside

ONE, TWO, SIX = ip_address("10.0.0.1"), ip_address("10.0.0.2"), ip_address("fd00::1")
MAC = "02:ff:00:00:00:01"
REF = ServiceRef("ns/web", "uid")
WEB = Service("ns/web", "uid", "1", "2026-01-01T00:00:00Z", ours=True, ips=(ONE,))


def lease(ip: IP, *refs: ServiceRef, stranger: str = "") -> Reservation:
    return Reservation(ip, f"lease-{ip}", "u", "1", refs or (REF,), given=True, stranger=stranger)


def aside(
    *leases: Reservation, service: Service = WEB, strangers: dict[IP, str] | None = None, another: bool = True
) -> list[IP]:
    """The addresses set aside."""
    told, ledger = {ONE: MAC} if strangers is None else strangers, {each.ip: each for each in leases}
    return [held.ip for held, _ in set_aside(told, {service.key: service}, ledger, lambda _: another)]


def test_an_address_just_given_is_set_aside() -> None:
    assert aside(lease(ONE)) == [ONE]


@pytest.mark.parametrize(
    "held",
    [
        replace(lease(ONE), given=False),
        replace(lease(ONE), stranger=MAC),
        replace(lease(ONE), services=(REF, ServiceRef("ns/other", "gone"))),
        replace(lease(ONE), services=(ServiceRef("ns/web", "an older one"),)),
    ],
    ids=["found in a status", "set aside already", "also of a Service that is gone", "of a Service that is gone"],
)
def test_another_address_is_not(held: Reservation) -> None:
    assert aside(held) == []


@pytest.mark.parametrize(
    "service",
    [replace(WEB, ips=()), replace(WEB, request=Request((ONE,))), replace(WEB, ours=False)],
    ids=["not in its status", "asked for by name", "not ours"],
)
def test_nor_is_that_of_a_service_that_does_not_show_it_or_wants_no_other(service: Service) -> None:
    assert aside(lease(ONE), service=service) == []


def test_nor_where_no_other_is_left() -> None:
    assert aside(lease(ONE), another=False) == []


def test_a_service_is_moved_three_times_at_most() -> None:
    earlier = [lease(ip_address(f"10.0.1.{n}"), stranger=f"02:ff:00:00:01:0{n}") for n in range(MOST)]
    assert aside(lease(ONE), *earlier[1:]) == [ONE]
    assert aside(lease(ONE), *earlier) == []


def test_a_host_that_has_two_of_our_addresses_is_taken_for_a_proxy() -> None:
    both = {ONE: MAC, TWO: MAC}
    assert aside(lease(ONE), lease(TWO), service=replace(WEB, ips=(ONE, TWO)), strangers=both) == []
    assert aside(lease(ONE), lease(TWO, stranger=MAC)) == []
    assert aside(lease(ONE), strangers={ONE: MAC, SIX: MAC}) == [ONE]
