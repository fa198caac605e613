"""BGP on a real control plane: its resources watched, planned and judged; live sessions, and the status they make."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from speakerd.control import Request, ask
from tests.forms import made, peer
from tests.kube.legacy import configured
from tests.lab.agents import Agent
from tests.lab.cluster import Cluster
from tests.lab.net import Host, Lan
from tests.lab.objects import METALLB
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Neighbour, Setup, missing
from tests.lab.steps import clear, given, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube

OURS, THEIRS = 64512, 64513
OF_OLD = """\
peers:
- peer-address: {peer}
  peer-asn: 64513
  my-asn: 64512
address-pools:
- name: routed
  protocol: bgp
  addresses: [198.51.100.0/24]
  bgp-advertisements:
  - {{aggregation-length: 32, communities: [ours]}}
bgp-communities: {{ours: "64512:7"}}
"""
"""What MetalLB 0.9.3 is configured by, beside the Secret `memberlist`."""
OF_PEERS = {"BGPAdvertisement", "BFDProfile", "Community"}


@pytest.fixture
def resources(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, without the resources of these tests afterwards."""
    yield cluster
    for kind in ("BGPPeer", *sorted(OF_PEERS)):
        for each in cluster.every(kind, METALLB):
            cluster.delete(kind, each["metadata"]["name"], METALLB)


def planned(agent: Agent, address: str) -> bool:
    """Whether the running agent plans a route to `address` from its node, and knows what the community is called.

    It plans nothing while it reads what it has only now begun to watch.
    """
    plan = json.loads(ask(agent.run / "control.sock", Request("plan")) or b"{}")
    said = (each for service in plan.get("services", ()) for each in service["announce"] if each["protocol"] == "bgp")
    routes = [each for each in said if each["prefix"] == f"{address}/32" and each["node"] == agent.host.name]
    return [(each["peers"], each["communities"]) for each in routes] == [(["peer"], ["64512:7"])]


def watched(agent: Agent) -> set[str]:
    """Kinds of BGP that the agent watches."""
    kinds: list[dict[str, Any]] = agent.status()["api"]["kinds"]
    return {each["kind"] for each in kinds} & {"BGPPeer", *OF_PEERS}


def test_the_rest_of_bgp_is_watched_once_there_is_a_peer_and_planned_by_the_running_agent(
    resources: Cluster, agents: list[Agent], lan: Lan
) -> None:
    publish(resources, "routed", lan.nodes)
    (address,) = given(resources, "routed")
    resources.create(made("BGPAdvertisement", "all", {"communities": ["blue"]}))
    resources.create(made("Community", "names", {"communities": [{"name": "blue", "value": "64512:7"}]}))
    assert all(watched(agent) == {"BGPPeer"} for agent in agents)
    resources.create(peer())
    for agent in agents:
        eventually(partial(planned, agent, address), f"{agent.host.name} plans a route")
        assert watched(agent) == {"BGPPeer", *OF_PEERS}


def test_a_slip_in_an_advertisement_is_told_and_forgotten_once_it_is_mended(
    resources: Cluster, agents: list[Agent]
) -> None:
    resources.create(peer())
    resources.create(made("BGPAdvertisement", "wide", {"aggregationLength": 8}))
    for agent in agents:
        eventually(partial(finds, agent, "configuration-invalid"), "the slip is told")
    resources.patch("BGPAdvertisement", "wide", {"spec": {"aggregationLength": 32}}, namespace=METALLB)
    for agent in agents:
        eventually(partial(mended, agent), "and is forgotten once it is mended")


def mended(agent: Agent) -> bool:
    """Whether nothing is wrong with what is configured."""
    return not finds(agent, "configuration-invalid")


def finds(agent: Agent, word: str) -> bool:
    return word in {each["finding"] for each in agent.status()["findings"]}


@pytest.fixture
def frr(lan: Lan) -> Iterator[Frr]:
    """A router that all nodes may have a session with."""
    if lacking := missing((Frr,)):
        pytest.skip(f"needed: {lacking}")
    neighbours = tuple(Neighbour(address=node.ipv4, asn=OURS) for node in lan.nodes)
    with Frr(lan, lan.routers[0], Setup(asn=THEIRS, router_id="192.0.2.1", neighbours=neighbours)) as router:
        yield router


def has(router: Frr, prefix: str, nodes: Sequence[Host]) -> bool:
    """Whether the router's kernel spreads what goes to `prefix` over exactly these nodes."""
    return router.kernel(prefix) == {node.ipv4 for node in nodes}


def test_the_config_map_of_old_brings_up_a_session_and_a_route(cluster: Cluster, lan: Lan, frr: Frr) -> None:
    with configured(cluster, OF_OLD.format(peer=frr.host.ipv4)):
        for node in lan.nodes:
            frr.wait_up(node.ipv4, 40)
        publish(cluster, "routed", lan.nodes)
        (address,) = given(cluster, "routed", 30)
        prefix = f"{address}/32"
        eventually(lambda: has(frr, prefix, lan.nodes), "the route has a next hop for each node")
        assert {each.communities for each in frr.route(prefix)} == {frozenset({(64512, 7)})}
        clear(cluster)
        eventually(lambda: not frr.kernel(prefix), "and is gone with the Service")


def statuses(cluster: Cluster) -> list[tuple[str, str, str, list[str]]]:
    """All that ServiceBGPStatuses say: node, namespace and name of a Service, peers."""
    found = [each.get("status", {}) for each in cluster.every("ServiceBGPStatus", METALLB)]
    return sorted(
        (each.get("node", ""), each.get("serviceNamespace", ""), each.get("serviceName", ""), each.get("peers", []))
        for each in found
    )


def test_a_service_has_a_status_for_each_node_while_a_router_is_told_of_it(
    resources: Cluster, lan: Lan, frr: Frr
) -> None:
    resources.create(made("BGPAdvertisement", "all", {}))
    resources.create(peer(peerAddress=frr.host.ipv4))
    publish(resources, "web", lan.nodes)
    (address,) = given(resources, "web")
    frr.wait_route(f"{address}/32")
    expected = [(node.name, "default", "web", ["peer"]) for node in lan.nodes]
    eventually(lambda: statuses(resources) == expected, "each node says so")
    for each in resources.every("ServiceBGPStatus", METALLB):
        assert each["metadata"]["labels"]["metallb.io/service-name"] == "web"
    frr.stop()
    eventually(lambda: not statuses(resources), "no session, no status")
    frr.start()
    eventually(lambda: statuses(resources) == expected, "the sessions are back", 40)
    clear(resources)
    eventually(lambda: not statuses(resources), "no Service, no status")
