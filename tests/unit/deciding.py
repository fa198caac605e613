"""A small world to decide on, and what becomes of it once a plan is carried out."""

from collections.abc import Iterable
from ipaddress import ip_address

from msgspec.structs import replace

from speakerd.decision import Plan, Snapshot
from speakerd.exchange import Member
from speakerd.model import (
    IP,
    Advertisement,
    Config,
    Endpoints,
    Node,
    Pool,
    Range,
    Reservation,
    Service,
    ServiceRef,
)

FIRST = int(ip_address("10.0.0.0"))
CONFIG = Config((Pool("p", (Range(4, FIRST, FIRST + 3),)),), (Advertisement("all"),))
CLUSTER_IP = (ip_address("10.96.0.1"),)


def ips(*texts: str) -> tuple[IP, ...]:
    return tuple(map(ip_address, texts))


def service(name: str, *held: str, **fields: object) -> Service:
    """A Service of namespace ns that holds `held` of pool p."""
    created = f"2026-01-01T00:00:0{name[-1]}Z"
    plain = Service(f"ns/{name}", f"uid-{name}", "1", created, ours=True, cluster_ips=CLUSTER_IP)
    return replace(plain, ips=ips(*held), pool="p" if held else "", **fields)


def lease(ip: IP, *refs: ServiceRef) -> Reservation:
    return Reservation(ip, f"speakerd-vip-{ip}", f"lease-{ip}", "1", refs)


def world(services: Iterable[Service], ledger: Iterable[Reservation] = (), nodes: str = "ab") -> Snapshot:
    every = {each.key: each for each in services}
    return Snapshot(
        me="a",
        settled=True,
        services=every,
        endpoints={key: Endpoints(True, frozenset("a")) for key in every},
        nodes={name: Node(name) for name in nodes},
        members={name: Member(name) for name in nodes},
        config=CONFIG,
        ledger={each.ip: each for each in ledger},
    )


def carried_out(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """What the API shows once the plan is carried out: Leases and statuses as wanted."""
    ledger = dict(snapshot.ledger or {})
    services = dict(snapshot.services)
    for write in plan.writes:
        ref = ServiceRef(write.service.key, write.service.uid)
        ledger |= {ip: joined(ledger.get(ip, replace(lease(ip), given=True)), ref) for ip in write.assignment.ips}
        version = str(int(write.service.resource_version) + 1)
        written = replace(write.service, ips=write.assignment.ips, pool=write.assignment.pool, resource_version=version)
        services[ref.key] = written
        if not (written.ours or written.ips or written.pool):
            del services[ref.key]
    for ip, ref in plan.adoptions:
        ledger[ip] = joined(ledger.get(ip, lease(ip)), ref)
    for release in plan.releases:
        ledger[release.held.ip] = replace(release.held, services=release.left)
        if not release.left:
            del ledger[release.held.ip]
    for reservation, mac in plan.set_aside:
        ledger[reservation.ip] = replace(reservation, stranger=mac)
    return replace(snapshot, services=services, ledger=ledger)


def joined(held: Reservation, ref: ServiceRef) -> Reservation:
    """The Lease, with one more Service."""
    return held if ref in held.services else replace(held, services=(*held.services, ref))


def is_at_rest(plan: Plan) -> bool:
    return not (plan.writes or plan.releases or plan.adoptions or plan.set_aside)


def held(snapshot: Snapshot) -> dict[str, list[str]]:
    return {each.name: [str(ip) for ip in each.ips] for each in snapshot.services.values()}
