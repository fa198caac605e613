"""Routers learn from every node where the addresses of Services are, at once, and forget it at once: FRR's own view."""

import signal
from collections.abc import Iterator
from functools import partial

import pytest

from tests.lab import net
from tests.lab.agents import Agent, fleet
from tests.lab.bgp import OURS, THEIRS, bgp, forget, routed
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Bfd, Neighbour, Setup, missing
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

FAST = Bfd(transmit=50, receive=50, multiplier=3)


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if lacking := net.missing() or missing((Frr,)):
        pytest.skip(f"needed: {lacking}")
    with Lan(3, routers=1) as made:
        yield made


@pytest.fixture(scope="module")
def plane(lan: Lan) -> Iterator[Embedded]:
    with routed(lan) as made:
        yield made


@pytest.fixture(scope="module")
def agents(lan: Lan, plane: Embedded) -> Iterator[list[Agent]]:
    with fleet(lan, plane) as running:
        yield running


@pytest.fixture
def cluster(plane: Embedded, agents: list[Agent]) -> Iterator[Cluster]:
    yield plane.cluster
    for agent in agents:
        print(f"--- {agent.host.name}\n{agent.tail()}\n{agent.status().get('peers')}")
    forget(plane.cluster, agents)


@pytest.fixture
def frr(lan: Lan, cluster: Cluster) -> Iterator[Frr]:
    """A router that has sessions with all nodes, watched by BFD."""
    neighbours = tuple(Neighbour(address=node.ipv4, asn=OURS, bfd=FAST) for node in lan.nodes)
    setup = Setup(asn=THEIRS, router_id="192.0.2.1", neighbours=neighbours)
    with Frr(lan, lan.routers[0], setup) as router:
        profile = {"receiveInterval": 50, "transmitInterval": 50, "detectMultiplier": 3}
        cluster.create(bgp("BGPAdvertisement", "all"))
        cluster.create(bgp("BFDProfile", "fast", **profile))
        address = lan.routers[0].ipv4
        cluster.create(bgp("BGPPeer", "tor", myASN=OURS, peerASN=THEIRS, peerAddress=address, bfdProfile="fast"))
        for node in lan.nodes:
            router.wait_up(node.ipv4)
            eventually(partial(watched, router, node), f"BFD with {node.name} is up")
        yield router


def watched(router: Frr, node: Host) -> bool:
    return any(each.peer == node.ipv4 and each.state == "up" for each in router.bfd())


def ways(router: Frr, prefix: str, nodes: Iterator[Host] | list[Host]) -> bool:
    """Whether the router's kernel spreads what goes to `prefix` over exactly these nodes."""
    return sorted(router.kernel(prefix)) == sorted(node.ipv4 for node in nodes)


def test_a_router_spreads_connections_over_all_nodes_and_forgets_one_that_dies(
    lan: Lan, cluster: Cluster, agents: list[Agent], frr: Frr
) -> None:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    eventually(partial(ways, frr, f"{address}/32", list(lan.nodes)), "the route has three next hops")
    dead = agents[2]
    dead.kill("announcer", signal.SIGSTOP)
    eventually(partial(ways, frr, f"{address}/32", [*lan.nodes[:2]]), "and two")
    dead.kill("announcer", signal.SIGCONT)
    eventually(partial(ways, frr, f"{address}/32", list(lan.nodes)), "and three again", 60)
