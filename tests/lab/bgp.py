"""What tests of BGP share: its resources, routers and nodes that know each other, what either says of the other."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
from msgspec import Struct

from tests.lab import net, objects
from tests.lab.agents import Agent, fleet
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan
from tests.lab.objects import METALLB, Object
from tests.lab.routers.bird import Bird
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Neighbour, Router, Seen, Setup, missing
from tests.lab.steps import clear
from tests.lab.waiting import eventually

OURS, THEIRS = 64512, 64513
"""AS numbers of the nodes and of routers, unless a test has others."""
ROUTERS: tuple[type[Router], ...] = (Frr, Bird)
"""Those that people have most."""
NOBODY = [{"matchLabels": {"of": "nobody"}}]
"""Selects no node."""
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


def forget(cluster: Cluster, agents: Sequence[Agent]) -> None:
    """Remove Services and all resources of BGP, and have no peer left on any node."""
    # What is deleted counts on for some seconds; what is for no node is gone at once.
    for each in cluster.every("BGPPeer", METALLB):
        amend(cluster, "BGPPeer", each["metadata"]["name"], nodeSelectors=NOBODY)
    eventually(lambda: not any(agent.status().get("peers") for agent in agents), "no peer is left")
    clear(cluster)
    for kind in KINDS:
        remove(cluster, kind)


def remove(cluster: Cluster, kind: str) -> None:
    """Remove all resources of a kind. They count on for some seconds, unless others take their names."""
    for each in cluster.every(kind, METALLB):
        cluster.delete(kind, each["metadata"]["name"], METALLB)


def peer(agent: Agent, name: str) -> dict[str, Any]:
    """What a node tells of a peer; nothing where it knows none of that name."""
    return next((each for each in agent.status().get("peers", []) if each["name"] == name), {})


class Stage(Struct, frozen=True):
    """A LAN of one node, on which an agent runs, and two hosts for routers; and the cluster."""

    lan: Lan
    cluster: Cluster
    agent: Agent

    @property
    def node(self) -> Host:
        """The one node."""
        return self.lan.nodes[0]

    def tidy(self) -> None:
        """Tell how things stand, for who looks into a failure, and remove what a test has made."""
        told = [line for line in self.agent.log.read_text().splitlines() if "bgp." in line or "bfd." in line]
        print(f"--- {self.node.name}", *told[-60:], self.agent.tail(), self.agent.status().get("peers"), sep="\n")
        forget(self.cluster, [self.agent])


@contextmanager
def staged(settings: Mapping[str, object] | None = None) -> Iterator[Stage]:
    """It, with `settings` for the agent; skips the test where this machine lacks something."""
    if lacking := net.missing() or missing(ROUTERS):
        pytest.skip(f"needed: {lacking}")
    with Lan(1, routers=2) as lan, routed(lan) as plane, fleet(lan, plane, settings=settings) as (agent,):
        yield Stage(lan, plane.cluster, agent)


@contextmanager
def both(lan: Lan, *neighbours: Neighbour, asn: int = THEIRS) -> Iterator[tuple[Router, ...]]:
    """FRR on the first router's host and BIRD on the second's, with the same neighbours."""
    with ExitStack() as stack:
        yield tuple(
            stack.enter_context(kind(lan, host, Setup(asn=asn, router_id=f"192.0.2.{number}", neighbours=neighbours)))
            for number, (kind, host) in enumerate(zip(ROUTERS, lan.routers, strict=True), 1)
        )


def meet(cluster: Cluster, router: Router, name: str = "", /, **spec: object) -> str:
    """Have nodes peer with `router`, over IPv4 where `spec` has no other address; the name of that peer."""
    name = name or router.host.name
    usual = {"myASN": OURS, "peerASN": router.setup.asn, "peerAddress": router.host.ipv4}
    cluster.create(bgp("BGPPeer", name, **{**usual, **spec}))
    return name


def label(cluster: Cluster, node: Host, **labels: str | None) -> None:
    """Set labels of a Node, None: remove."""
    cluster.patch("Node", node.name, {"metadata": {"labels": labels}}, namespace="")


def amend(cluster: Cluster, kind: str, name: str, **spec: object) -> None:
    """Change fields of a resource's spec."""
    cluster.patch(kind, name, {"spec": spec}, namespace=METALLB)


def note(cluster: Cluster, advertisement: str, **annotations: str | None) -> None:
    """Set annotations of ours on a BGPAdvertisement, None: remove; an underscore stands for a hyphen."""
    noted = {f"speakerd.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    cluster.patch("BGPAdvertisement", advertisement, {"metadata": {"annotations": noted}}, namespace=METALLB)


def told(router: Router, prefix: str, peer: str) -> Seen:
    """What `router` has of `prefix` from `peer`, once it has."""

    def found() -> Seen | None:
        return next((each for each in router.route(prefix) if each.peer == peer), None)

    seen = eventually(found, f"{type(router).__name__} has {prefix} from {peer}", 60)
    assert seen
    return seen


def forgotten(router: Router, prefix: str, timeout: float = 10.0) -> None:
    """Wait until `router` has nothing of `prefix`, in its kernel neither."""
    who = type(router).__name__
    eventually(lambda: not router.route(prefix) and not router.kernel(prefix), f"{who} forgets {prefix}", timeout)


def hears(router: Router, prefix: str, **wanted: object) -> None:
    """Wait until all that `router` has of `prefix` is as `wanted` says, by field of `Seen`."""

    def so() -> bool:
        seen = router.route(prefix)
        return bool(seen) and all(getattr(each, name) == value for each in seen for name, value in wanted.items())

    eventually(so, f"{type(router).__name__} has {prefix} with {wanted}", 60)


def in_state(agent: Agent, name: str, state: str, timeout: float = 20.0) -> dict[str, Any]:
    """What the node tells of a peer once its session is in that state."""
    eventually(lambda: peer(agent, name).get("state") == state, f"{name} is {state}", timeout)
    return peer(agent, name)


def has_error(agent: Agent, name: str, words: str) -> None:
    """Wait until the node says so of a peer."""
    eventually(partial(_says, agent, name, words), f"{name}: {words}", 60)


def _says(agent: Agent, name: str, words: str) -> bool:
    return words in str(peer(agent, name).get("error"))
