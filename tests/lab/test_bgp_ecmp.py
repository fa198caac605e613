"""A router spreads connections over the nodes that serve them, and what it does when one dies or pods move: FRR's view.

Which next hop a connection takes is the kernel's choice by a hash of its ports. When a next hop goes, the kernel deals
the hash out anew: some connections to nodes that live are sent elsewhere, and no speaker of BGP can prevent that. What
is promised is that a connection whose next hop stays the same loses nothing; which those are the kernel itself says.
"""

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from tests.lab import net, objects
from tests.lab.agents import Agent, fleet, ready
from tests.lab.bgp import OURS, THEIRS, bgp, forget, routed
from tests.lab.cluster import Cluster
from tests.lab.downloads import SOURCE_PORT, Download, Source, begun, go_on
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan, end, inside, tool
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Bfd, Neighbour, Setup, missing
from tests.lab.standin import Forward, forward
from tests.lab.steps import given, publish
from tests.lab.traffic import Echo, ask
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

ROUTED = "198.51.100.0/24"
ROUTING = (
    # All are on one LAN: a redirect would tell the client a shorter way.
    "conf.all.send_redirects=0",
    "conf.eth0.send_redirects=0",
    # By addresses, protocol and ports, read from the packet: policy 1 takes a hash along that the client's own kernel
    # made up, which a veth hands on and no wire does.
    "fib_multipath_hash_policy=3",
    "fib_multipath_hash_fields=55",
)
FAST = Bfd(transmit=50, receive=50, multiplier=3)
PROFILE = {"receiveInterval": 50, "transmitInterval": 50, "detectMultiplier": 3}
HOLD = 3
"""Seconds, the least that BGP can do."""
SOON = 1.0
"""Seconds until a next hop is gone by BFD, on a machine that does other things meanwhile; 0.15 is what was agreed."""
FLOWS, FAIR = 120, 15
"""Connections, and how many each of three nodes gets at least: a third is 40, and five standard deviations are 26."""
DOWNLOADS = 24


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    """Five nodes, and a client whose way to the addresses of Services is the router."""
    if lacking := net.missing() or missing((Frr,)):
        pytest.skip(f"needed: {lacking}")
    with Lan(5, routers=1) as made, Echo(made):
        (router,) = made.routers
        with inside(router.namespace):
            tool("sysctl", "-qw", *(f"net.ipv4.{each}" for each in ROUTING))
        tool("ip", "-n", made.client.namespace, "route", "add", ROUTED, "via", router.ipv4)
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


@contextmanager
def meeting(lan: Lan, cluster: Cluster, bfd: Bfd | None) -> Iterator[Frr]:
    """A router that has a session with every node, watched by BFD or by the hold time alone."""
    (host,) = lan.routers
    neighbours = tuple(Neighbour(address=node.ipv4, asn=OURS, bfd=bfd, hold_time=HOLD) for node in lan.nodes)
    with Frr(lan, host, Setup(asn=THEIRS, router_id="192.0.2.1", neighbours=neighbours)) as router:
        cluster.create(bgp("BGPAdvertisement", "all"))
        cluster.create(bgp("BFDProfile", "fast", **PROFILE))
        more = {"bfdProfile": "fast"} if bfd else {}
        times = {"holdTime": f"{HOLD}s", "keepaliveTime": "1s"}
        cluster.create(bgp("BGPPeer", "tor", myASN=OURS, peerASN=THEIRS, peerAddress=host.ipv4, **times, **more))
        for node in lan.nodes:
            router.wait_up(node.ipv4)
        if bfd:
            eventually(lambda: [each.state for each in router.bfd()] == ["up"] * len(lan.nodes), "BFD is up")
        yield router


@pytest.fixture
def watched(lan: Lan, cluster: Cluster) -> Iterator[Frr]:
    with meeting(lan, cluster, FAST) as router:
        yield router


@pytest.fixture
def unwatched(lan: Lan, cluster: Cluster) -> Iterator[Frr]:
    with meeting(lan, cluster, None) as router:
        yield router


def serve(lan: Lan, cluster: Cluster, pods: Sequence[Host], router: Frr) -> str:
    """An address whose connections are served by the pods of the node that gets them, as soon as the router knows."""
    publish(cluster, "web", pods, policy="Local")
    (address,) = given(cluster, "web")
    forward(lan, [Forward(address, 80, pods, "Local")])
    wait_for(router, address, pods)
    return address


def wait_for(router: Frr, address: str, nodes: Sequence[Host], timeout: float = 20.0) -> None:
    """Until the router's kernel spreads what goes to `address` over exactly these nodes."""
    wanted = {node.ipv4 for node in nodes}
    eventually(lambda: router.kernel(f"{address}/32") == wanted, f"the next hops are {sorted(wanted)}", timeout)


@contextmanager
def dead(lan: Lan, agents: list[Agent], agent: Agent) -> Iterator[float]:
    """Within the block a node is dead; when it died, by the wall clock. It is back afterwards."""
    pids = agent.pids().values()
    at = time.time()
    # First the link: the kernel of a node whose processes alone die tells the router so.
    lan.link(agent.host, "down")
    try:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        yield at
    finally:
        lan.link(agent.host, "up")
        agent.stop()
        agent.start()
        eventually(partial(ready, agent, [each.host.name for each in agents]), f"{agent.host.name} is back", 30)


def answered(lan: Lan, address: str) -> Counter[str]:
    """By node, how many of the client's connections it served; "" where none did."""
    replies = (ask(lan.client, address, 80, "TCP") for _ in range(FLOWS))
    return Counter(each.node if each else "" for each in replies)


def assert_spread(lan: Lan, address: str, nodes: Sequence[Host]) -> None:
    found = answered(lan, address)
    assert set(found) == {node.name for node in nodes}
    assert min(found.values()) >= FAIR


def changes(log: Path, address: str) -> list[float]:
    """When the router's kernel changed its route to `address`, by the wall clock: what `ip -ts monitor` wrote."""
    found = re.findall(rf"^\[(\S+)\] (?:Deleted )?{re.escape(address)} ", log.read_text(), re.MULTILINE)
    return [datetime.fromisoformat(each).astimezone().timestamp() for each in found]


def test_connections_are_spread_over_all_nodes_and_by_bfd_a_dead_one_gets_none_at_once(
    lan: Lan, cluster: Cluster, agents: list[Agent], watched: Frr, tmp_path: Path
) -> None:
    first, second, third = lan.nodes[:3]
    log = tmp_path / "routes"
    monitor = lan.spawn(watched.host, "ip", "-ts", "monitor", "route", log=log)
    address = serve(lan, cluster, [first, second, third], watched)
    assert_spread(lan, address, [first, second, third])
    with dead(lan, agents, agents[2]) as at:
        wait_for(watched, address, [first, second])
        end(monitor)
        took = changes(log, address)[-1] - at
        print(f"the next hop of a dead node was gone after {took * 1000:.0f} ms (BFD)")
        assert took < SOON
        assert_spread(lan, address, [first, second])
    wait_for(watched, address, [first, second, third])


def test_without_bfd_a_dead_node_gets_none_once_the_hold_time_is_over(
    lan: Lan, cluster: Cluster, agents: list[Agent], unwatched: Frr
) -> None:
    nodes = lan.nodes[:3]
    address = serve(lan, cluster, nodes, unwatched)
    with dead(lan, agents, agents[2]) as at:
        wait_for(unwatched, address, nodes[:2])
        took = time.time() - at
        print(f"the next hop of a dead node was gone after {took:.2f} s (hold time)")
        # What was heard last is a keepalive old at most.
        assert HOLD - 1.5 < took < HOLD + SOON
        assert_spread(lan, address, nodes[:2])


def test_of_five_nodes_those_two_with_pods_get_half_each_however_many_pods_and_routes_go_with_pods(
    lan: Lan, cluster: Cluster, watched: Frr
) -> None:
    one, two, three, four, _ = lan.nodes
    address = serve(lan, cluster, [one, two], watched)
    pods(cluster, [one, one, one, two])
    wait_for(watched, address, [one, two])
    assert weights(watched, address) == [1, 1]
    assert_spread(lan, address, [one, two])
    for moved in ([one, three], [three, four], [four]):
        pods(cluster, moved)
        forward(lan, [Forward(address, 80, moved, "Local")])
        wait_for(watched, address, moved)
        assert_spread(lan, address, moved)
    pods(cluster, [])
    wait_for(watched, address, [])


def pods(cluster: Cluster, nodes: Sequence[Host]) -> None:
    """Let the Service have a pod on each of `nodes`, several where one is named more often."""
    piece = objects.endpoints("web", nodes)
    for number, each in enumerate(piece["endpoints"]):
        each["addresses"] = [f"{each['addresses'][0].rpartition('.')[0]}.{number + 2}"]
    cluster.patch("EndpointSlice", piece["metadata"]["name"], {"endpoints": piece["endpoints"]})


def weights(router: Frr, address: str) -> list[int]:
    """Of each next hop in the router's kernel."""
    (route,) = json.loads(tool("ip", "-n", router.host.namespace, "-j", "route", "show", address))
    return [each["weight"] for each in route["nexthops"]]


def test_a_download_whose_next_hop_stays_loses_nothing_when_another_node_dies(
    lan: Lan, cluster: Cluster, agents: list[Agent], watched: Frr
) -> None:
    nodes = lan.nodes[:3]
    address = serve(lan, cluster, nodes, watched)
    forward(lan, [Forward(address, 80, nodes, "Local", SOURCE_PORT)])
    with Source(lan) as source:
        downloads = begun(lan.client, address, 80, DOWNLOADS)
        before = {each: next_hop(lan, address, each) for each in downloads}
        names = {node.ipv4: node.name for node in nodes}
        assert {each: names[hop] for each, hop in before.items()} == {each: each.node for each in downloads}
        with dead(lan, agents, agents[2]):
            wait_for(watched, address, nodes[:2])
            stay = [each for each in downloads if next_hop(lan, address, each) == before[each]]
            print(f"of {DOWNLOADS} downloads, {Counter(each.node for each in downloads)}, {len(stay)} stay")
            assert len(stay) >= DOWNLOADS // 6
            go_on(stay, 60)
            source.finish()
            for each in stay:
                each.join()
            assert all(each.whole for each in stay)


def next_hop(lan: Lan, address: str, download: Download) -> str:
    """Where the router's kernel sends what a client says in a connection."""
    (router,) = lan.routers
    ports = ["ipproto", "tcp", "sport", str(download.source_port), "dport", "80"]
    where = ["route", "get", address, "from", lan.client.ipv4, "iif", "eth0", *ports]
    (found,) = json.loads(tool("ip", "-n", router.namespace, "-j", *where))
    return str(found["gateway"])
