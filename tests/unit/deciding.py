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


def is_at_rest(plan: Plan) -> bool:
    return not (plan.writes or plan.releases or plan.adoptions or plan.set_aside)


def held(snapshot: Snapshot) -> dict[str, list[str]]:
    return {each.name: [str(ip) for ip in each.ips] for each in snapshot.services.values()}
