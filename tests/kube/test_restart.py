"""Nodes start again: one takes nothing back, and after the whole cluster was down each VIP comes back to its node."""

import signal
from collections.abc import Mapping
from functools import partial

import pytest

from tests.lab.agents import Agent, ready
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually, throughout

pytestmark = [pytest.mark.kube, pytest.mark.timeout(180)]

VIPS = 9
STEADY = 5.0
"""Seconds in which a VIP would have moved: a start waits for one, and claims are compared within 0.1."""


def published(cluster: Cluster, lan: Lan, prefix: str) -> dict[str, str]:
    """New Services' addresses, each with the node that answers for it."""
    names = [f"{prefix}-{number}" for number in range(VIPS)]
    for name in names:
        publish(cluster, name, lan.nodes)
    return owners(lan, [given(cluster, name)[0] for name in names])


def owners(lan: Lan, addresses: "list[str] | Mapping[str, str]") -> dict[str, str]:
    """Who answers for each address, one node each."""
    return {address: owner(lan, address) for address in addresses}


def recorded(cluster: Cluster, expected: Mapping[str, str]) -> bool:
    """Whether each address' Lease names its node."""
    leases = cluster.leases()
    held = {address: leases[f"speakerd-vip-{address.replace('.', '-')}"]["spec"] for address in expected}
    return {address: spec.get("holderIdentity") for address, spec in held.items()} == expected


def kill(agent: Agent) -> None:
    """End all its processes at once, and whatever it would have said."""
    agent.kill("supervisor", signal.SIGKILL)
    agent.stop()


def start(agent: Agent, lan: Lan) -> None:
    """Start it, and wait until it works."""
    agent.start()
    names = [node.name for node in lan.nodes]
    eventually(partial(ready, agent, names), f"{agent.host.name} is ready", 20)


def test_a_node_that_restarts_leaves_its_vips_where_they_went(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    before = published(cluster, lan, "moved")
    eventually(partial(recorded, cluster, before), "the API says who answers")
    agent = next(each for each in agents if each.host.name in before.values())
    kill(agent)
    after = owners(lan, before)
    assert agent.host.name not in after.values()
    assert {ip: node for ip, node in after.items() if before[ip] != agent.host.name}.items() <= before.items()
    start(agent, lan)
    throughout(lambda: owners(lan, before) == after, "nothing moves back", STEADY)


def test_after_the_whole_cluster_was_down_each_vip_comes_back_to_its_node(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    published(cluster, lan, "back")
    kill(agents[0])
    start(agents[0], lan)
    addresses = [cluster.addresses(f"back-{number}")[0] for number in range(VIPS)]
    before = owners(lan, addresses)
    eventually(partial(recorded, cluster, before), "the API says who answers")
    for agent in agents:
        kill(agent)
    for agent in agents:
        agent.start()
    eventually(lambda: owners(lan, addresses), "all are answered again", 30)
    throughout(lambda: owners(lan, addresses) == before, "each by its node", STEADY)
