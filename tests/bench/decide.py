"""What one change among many Services costs from API object to plan: `python -m tests.bench decide`."""

import gc
import time
from collections.abc import Callable
from ipaddress import ip_address
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from speakerd.config.resources import IPAddressPool, IPAddressPoolSpec, L2Advertisement, Metadata
from speakerd.decide import Memo, decide
from speakerd.decision import Plan
from speakerd.kube import objects
from speakerd.kube.objects import Endpoint, EndpointSlice, Labelled, LoadBalancerIngress, LoadBalancerStatus
from speakerd.model import IP, Reservation, ServiceRef
from speakerd.settings import Settings
from speakerd.snapshot import Memo as Looks
from speakerd.snapshot import Stores, build
from tests.bench.figures import Options, Outcome, at_most

SERVICES = 10_000
NODES = 100
ROUNDS = 30
GOAL_MS = 5.0
FIRST = int(ip_address("10.0.0.0"))


class World(Struct):
    """A cluster in memory; kinds of change are methods that alter one thing."""

    services: dict[str, objects.Service]
    slices: dict[str, EndpointSlice]
    nodes: dict[str, objects.Node]
    members: dict[str, objects.Lease]
    ledger: dict[IP, Reservation]
    round: int = 0

    def stores(self) -> Stores:
        """What the reflectors would hold."""
        pool = IPAddressPool(Metadata("p"), IPAddressPoolSpec(("10.0.0.0/16",)))
        every = L2Advertisement(Metadata("all"))
        kinds = (self.services, self.slices, self.nodes, self.members, {"p": pool}, {"all": every})
        return Stores(*kinds, settled=True, ledger=self.ledger)

    def nothing(self) -> None:
        """A turn for a reason of its own."""

    def edit(self) -> None:
        """A Service's annotation changes."""
        key = f"ns/web-{self.round * 7}"
        found = self.services[key]
        self.services[key] = replace(found, metadata=replace(found.metadata, resource_version=f"e{self.round}"))

    def create(self) -> None:
        """A Service is created."""
        made = service(SERVICES + self.round, None)
        self.services[f"ns/{made.metadata.name}"] = made

    def reserve(self) -> None:
        """The Lease of what was created last stands."""
        number = SERVICES + self.round
        self.ledger = {**self.ledger, ip_address(FIRST + number): lease(number)}

    def answer(self) -> None:
        """The status of what was created last is written."""
        number = SERVICES + self.round
        self.services[f"ns/web-{number}"] = service(number, FIRST + number)

    def delete(self) -> None:
        """A Service is deleted."""
        del self.services[f"ns/web-{SERVICES + self.round}"]

    def release(self) -> None:
        """The Lease of what was deleted last is deleted."""
        self.ledger = {ip: each for ip, each in self.ledger.items() if int(ip) != FIRST + SERVICES + self.round}

    def endpoints(self) -> None:
        """A Service's endpoints change."""
        self.slices[f"ns/web-{self.round * 5}-s"] = endpoints(self.round * 5, None if self.round % 2 else "node-7")


def service(number: int, ip: int | None) -> objects.Service:
    """A Service as the API has it, with or without an address."""
    annotations = {} if ip is None else {"metallb.io/ip-allocated-from-pool": "p"}
    created = f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    ingress = () if ip is None else (LoadBalancerIngress(str(ip_address(ip))),)
    return objects.Service(
        Metadata(f"web-{number}", "ns", f"uid-{number}", f"{number}", created, annotations=annotations),
        objects.ServiceSpec("LoadBalancer", cluster_ips=("10.96.0.1",)),
        objects.ServiceStatus(LoadBalancerStatus(ingress)),
    )


def endpoints(number: int, node: str | None) -> EndpointSlice:
    """The one slice of a Service."""
    metadata = Labelled(f"web-{number}-s", "ns", labels={"kubernetes.io/service-name": f"web-{number}"})
    return EndpointSlice(metadata, (Endpoint(node_name=node),) if node else ())


def lease(number: int) -> Reservation:
    """The Lease of a Service's address."""
    ip = ip_address(FIRST + number)
    return Reservation(ip, f"speakerd-vip-{ip}", f"l{number}", "1", (ServiceRef(f"ns/web-{number}", f"uid-{number}"),))


def world() -> World:
    """A cluster at rest: every Service holds an address and has a Lease."""
    names = [f"node-{number}" for number in range(NODES)]
    return World(
        services={f"ns/web-{number}": service(number, FIRST + number) for number in range(SERVICES)},
        slices={f"ns/web-{number}-s": endpoints(number, names[number % NODES]) for number in range(SERVICES)},
        nodes={name: objects.Node(Labelled(name)) for name in names},
        members={name: objects.Lease(Metadata(f"speakerd-node-{name}", "ns")) for name in names},
        ledger={ip_address(FIRST + number): lease(number) for number in range(SERVICES)},
    )


class Turns:
    """Build and decide, one after the other, timed."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._looks, self._memo = Looks(self._settings), Memo()

    def turn(self, stores: Stores) -> tuple[float, Plan]:
        """Milliseconds of processor time, and the plan."""
        began = time.process_time()
        snapshot, self._looks = build(stores, self._settings, self._looks)
        plan, self._memo = decide(snapshot, self._memo)
        return (time.process_time() - began) * 1000, plan


def run(_options: Options) -> Outcome:
    """Processor time of `build` and `decide` together: the first pass, and the median of each kind of change."""
    cluster, turns = world(), Turns()
    first, plan = turns.turn(cluster.stores())
    assert not plan.writes, "the world is not at rest"
    gc.collect()
    gc.freeze()
    kinds: list[Callable[[], None]] = [
        cluster.nothing,
        cluster.edit,
        cluster.endpoints,
        cluster.create,
        cluster.reserve,
        cluster.answer,
        cluster.delete,
        cluster.release,
    ]
    times: dict[str, list[float]] = {kind.__name__: [] for kind in kinds}
    for cluster.round in range(ROUNDS):
        for kind in kinds:
            kind()
            spent, plan = turns.turn(cluster.stores())
            times[kind.__name__].append(spent)
    gc.unfreeze()
    assert not any([plan.writes, plan.releases, plan.adoptions]), "the world did not come to rest"
    figures = {f"{name}_ms": round(median(spent), 2) for name, spent in times.items()}
    worst = max(figures.values())
    return {
        "figures": {"services": SERVICES, "first_pass_ms": round(first, 1), **figures},
        "goals": [at_most(f"one change among {SERVICES} Services", worst, GOAL_MS, "ms")],
    }
