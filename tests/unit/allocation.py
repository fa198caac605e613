"""Services, pools and Leases in a line, and what the allocator makes of them."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from msgspec.structs import replace

from speakerd import allocator
from speakerd.allocator import Book
from speakerd.difference import difference
from speakerd.model import (
    IP,
    Assignment,
    Config,
    Pool,
    Range,
    Reservation,
    Service,
    ServiceRef,
)
from speakerd.terms import holder


def assign(
    services: dict[str, Service], config: Config, ledger: dict[IP, Reservation], book: Book
) -> tuple[dict[str, Assignment], Book]:
    """A pass after the one that left `book`."""
    found, book = allocator.assign(services, difference(book.services, services), config, ledger, book)
    return dict(found), book


V4, V6 = ip_address("10.96.0.1"), ip_address("fd96::1")


def ips(*texts: str) -> tuple[IP, ...]:
    return tuple(map(ip_address, texts))


def pool(name: str, *blocks: str, **fields: object) -> Pool:
    networks = [ip_network(block) for block in blocks]
    ranges = tuple(Range(n.version, int(n[0]), int(n[-1])) for n in networks)
    return replace(Pool(name, ranges), **fields)


def service(name: str, held: Iterable[str] = (), **fields: object) -> Service:
    """A Service of namespace ns, as old as the number in its name says."""
    created = f"2026-01-01T00:00:{name.lstrip('abcdef') or 0:>02}Z"
    plain = Service(f"ns/{name}", f"uid-{name}", "1", created, ours=True, cluster_ips=(V4,), ips=ips(*held))
    return replace(plain, **fields)


def lease(ip: str, *names: str) -> Reservation:
    refs = tuple(ServiceRef(f"ns/{name}", f"uid-{name}") for name in names)
    return Reservation(ip_address(ip), f"speakerd-vip-{ip}", f"lease-{ip}", "1", refs)


def joined(ip: str, *services: Service) -> Reservation:
    """The Lease of an address that these Services have joined by the terms they have."""
    held = lease(ip)
    for each in services:
        held = held.joined(holder(each))
    return held


def outcome(services: Iterable[Service], *pools: Pool, leases: Iterable[Reservation] = ()) -> dict[str, Assignment]:
    found, _ = assign({s.key: s for s in services}, Config(pools), {each.ip: each for each in leases}, Book())
    return {key.removeprefix("ns/"): assignment for key, assignment in found.items()}


def given_ips(found: dict[str, Assignment]) -> dict[str, list[str]]:
    return {name: [str(ip) for ip in assignment.ips] for name, assignment in found.items()}


def pinned(name: str, *blocks: str, priority: int = 0, **fields: object) -> Pool:
    return pool(name, *blocks, pinned=True, priority=priority, **fields)
