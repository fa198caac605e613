"""A cluster in memory, as the API tells of it: Services in pools, on nodes; each kind of change is a method."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from msgspec import Struct
from msgspec.structs import replace

from speakerd.config.resources import IPAddressPool, IPAddressPoolSpec, L2Advertisement, Metadata
from speakerd.kube import objects
from speakerd.kube.objects import Endpoint, EndpointSlice, Labelled, LoadBalancerIngress, LoadBalancerStatus
from speakerd.model import IP, Reservation, ServiceRef
from speakerd.snapshot import EXCLUDE_LABEL, Stores

FIRST = int(ip_address("10.0.0.0"))
BLOCK = 512
"""Addresses of each pool, a /23: 20 of them hold 10,000 Services, and all but the last are full."""


class Cluster(Struct):
    """What the reflectors would hold; of `services` the first `count` are there from the beginning."""

    services: dict[str, objects.Service]
    slices: dict[str, EndpointSlice]
    nodes: dict[str, objects.Node]
    members: dict[str, objects.Lease]
    pools: dict[str, IPAddressPool]
    ledger: dict[IP, Reservation]
    count: int
    round: int = 0

    def stores(self) -> Stores:
        """What the reflectors would hold."""
        kinds = (self.services, self.slices, self.nodes, self.members, self.pools, ADVERTISED)
        return Stores(*kinds, settled=True, ledger=self.ledger)

    def empty(self) -> "Cluster":
        """The same before anybody was given an address."""
        services = {key: replace(each, status=objects.ServiceStatus()) for key, each in self.services.items()}
        return replace(self, services=services, ledger={})

    def nothing(self) -> None:
        """A turn for a reason of its own."""

    def edit(self) -> None:
        """A Service's annotation changes."""
        key = f"ns/web-{self.round * 7}"
        found = self.services[key]
        self.services[key] = replace(found, metadata=replace(found.metadata, resource_version=f"e{self.round}"))

    def endpoints(self) -> None:
        """A Service's endpoints change."""
        number = self.round * 5
        names = () if self.round % 2 else ("node-7",)
        self.slices[f"ns/web-{number}-s"] = endpoints(number, names)

    def node(self) -> None:
        """A node is excluded from load balancers, or is so no longer."""
        found = self.nodes["node-3"]
        labels = {} if found.metadata.labels else {EXCLUDE_LABEL: ""}
        self.nodes["node-3"] = replace(found, metadata=replace(found.metadata, labels=labels))

    def create(self) -> None:
        """A Service is created."""
        made = service(self._newest, held=False)
        self.services[f"ns/{made.metadata.name}"] = made

    def reserve(self) -> None:
        """The Lease of what was created last stands."""
        self.ledger = {**self.ledger, ip_address(FIRST + self._newest): lease(self._newest)}

    def answer(self) -> None:
        """The status of what was created last is written."""
        self.services[f"ns/web-{self._newest}"] = service(self._newest, held=True)

    def delete(self) -> None:
        """A Service is deleted."""
        del self.services[f"ns/web-{self._newest}"]

    def release(self) -> None:
        """The Lease of what was deleted last is deleted."""
        self.ledger = {ip: each for ip, each in self.ledger.items() if int(ip) != FIRST + self._newest}

    @property
    def _newest(self) -> int:
        return self.count + self.round


ADVERTISED = {"all": L2Advertisement(Metadata("all"))}


def cluster(count: int, pools: int, nodes: int) -> Cluster:
    """A cluster at rest: every Service holds an address and has a Lease."""
    names = [f"node-{number}" for number in range(nodes)]
    return Cluster(
        services={f"ns/web-{number}": service(number, held=True) for number in range(count)},
        slices={f"ns/web-{number}-s": endpoints(number, _some(names, number)) for number in range(count)},
        nodes={name: objects.Node(Labelled(name)) for name in names},
        members={name: objects.Lease(Metadata(f"speakerd-node-{name}", "ns")) for name in names},
        pools={each.metadata.name: each for each in map(pool, range(pools))},
        ledger={ip_address(FIRST + number): lease(number) for number in range(count)},
        count=count,
    )


def _some(names: list[str], number: int) -> Iterable[str]:
    """The three nodes on which a Service's endpoints are."""
    return (names[(number + step) % len(names)] for step in (0, 1, 2))


def pool(number: int) -> IPAddressPool:
    """One of the pools; they lie one behind the other."""
    block = ip_network((FIRST + number * BLOCK, 32 - (BLOCK - 1).bit_length()))
    return IPAddressPool(Metadata(f"p{number:02}"), IPAddressPoolSpec((str(block),)))


def service(number: int, *, held: bool) -> objects.Service:
    """A Service as the API has it, with or without its address; the traffic of every second one stays on its node."""
    annotations = {"metallb.io/ip-allocated-from-pool": f"p{number // BLOCK:02}"} if held else {}
    created = f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
    ingress = (LoadBalancerIngress(str(ip_address(FIRST + number))),) if held else ()
    policy = "Local" if number % 2 else "Cluster"
    return objects.Service(
        Metadata(f"web-{number}", "ns", f"uid-{number}", f"{number}", created, annotations=annotations),
        objects.ServiceSpec("LoadBalancer", cluster_ips=("10.96.0.1",), external_traffic_policy=policy),
        objects.ServiceStatus(LoadBalancerStatus(ingress)),
    )


def endpoints(number: int, nodes: Iterable[str]) -> EndpointSlice:
    """The one slice of a Service."""
    metadata = Labelled(f"web-{number}-s", "ns", labels={"kubernetes.io/service-name": f"web-{number}"})
    return EndpointSlice(metadata, tuple(Endpoint(node_name=node) for node in nodes))


def lease(number: int) -> Reservation:
    """The Lease of a Service's address."""
    ip = ip_address(FIRST + number)
    return Reservation(ip, f"speakerd-vip-{ip}", f"l{number}", "1", (ServiceRef(f"ns/web-{number}", f"uid-{number}"),))
