"""BGP resources of a real control plane: watched once there is a peer, planned by the running agent, judged."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from speakerd.control import Request, ask
from tests.forms import made, peer
from tests.lab.agents import Agent
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.objects import METALLB
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube

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
