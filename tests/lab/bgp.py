"""What tests of BGP share: its resources, a cluster whose addresses routers are told of, what nodes say of peers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.objects import METALLB, Object
from tests.lab.steps import clear

OURS, THEIRS = 64512, 64513
"""AS numbers of the nodes and of routers, unless a test has others."""
KINDS = ("BGPPeer", "BGPAdvertisement", "BFDProfile", "Community")


def bgp(kind: str, name: str, /, **spec: object) -> Object:
    """A resource of MetalLB's."""
    version = "v1beta2" if kind == "BGPPeer" else "v1beta1"
    metadata = objects.meta(name, METALLB)
    return {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


@contextmanager
def routed(lan: Lan) -> Iterator[Embedded]:
    """A cluster with a pool of addresses that are nobody's on the LAN, and no advertisement yet."""
    with Embedded(lan) as made:
        made.cluster.create(objects.pool("routed", "198.51.100.0/24", "2001:db8:5::/120"))
        yield made


def forget(cluster: Cluster) -> None:
    """Remove Services and all resources of BGP."""
    clear(cluster)
    for kind in KINDS:
        for each in cluster.every(kind, METALLB):
            cluster.delete(kind, each["metadata"]["name"], METALLB)


def peer(agent: Agent, name: str) -> dict[str, Any]:
    """What a node tells of a peer; nothing where it knows none of that name."""
    return next((each for each in agent.status().get("peers", []) if each["name"] == name), {})
