"""An iprange that is changed host by host, the allocator's first: addresses move once, when most hosts have it."""

from functools import partial

import pytest

from tests.lab.agents import Agent, fleet
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

OLD, NEW = "10.99.13.1-10.99.13.2", "10.99.13.2-10.99.13.3"
PATIENCE = 30.0
"""Seconds for a saved file to be seen, told to the others, and acted upon by another allocator."""


def test_an_iprange_changed_host_by_host_moves_once_whom_it_must_and_nobody_else() -> None:
    with Lan() as lan, Embedded(lan) as plane, fleet(lan, plane, settings={"iprange": OLD}) as agents:
        cluster = plane.cluster
        for name, address in (("goes", "10.99.13.1"), ("stays", "10.99.13.2")):
            publish(cluster, name, lan.nodes)
            assert given(cluster, name) == [address]
        written = len(status_writes(cluster))
        first = eventually(cluster.allocator, "there is an allocator")
        ordered = sorted(agents, key=lambda agent: agent.host.name != first)
        change(ordered[0])
        for agent in agents:
            eventually(partial(differing, agent, first), f"{agent.host.name} tells who differs", PATIENCE)
        eventually(lambda: cluster.allocator() not in ("", first), "another allocates", PATIENCE)
        assert len(status_writes(cluster)) == written
        for agent in ordered[1:]:
            change(agent)
        eventually(lambda: cluster.addresses("goes") == ["10.99.13.3"], "it has moved", PATIENCE)
        for agent in agents:
            eventually(partial(agreed, agent), "nobody differs any more", PATIENCE)
        assert cluster.addresses("stays") == ["10.99.13.2"]
        assert len(status_writes(cluster)) == written + 1
        owner(lan, "10.99.13.2")
        owner(lan, "10.99.13.3")


def change(agent: Agent) -> None:
    """Give its settings file the new range."""
    agent.config.write_text(agent.config.read_text().replace(OLD, NEW))


def told(agent: Agent) -> list[str]:
    """The nodes whose pools differ from most, each set as `agent` tells it."""
    found = agent.status()["findings"]
    return [each["object"] for each in found if each["finding"] == "pools-differ-between-hosts"]


def agreed(agent: Agent) -> bool:
    """Whether `agent` sees that all have the same pools."""
    return not told(agent)


def differing(agent: Agent, name: str) -> bool:
    """Whether `agent` tells that the pools of node `name`, and of no other, differ from most."""
    return told(agent) == [name]


def status_writes(cluster: Cluster) -> list[str]:
    """The writes of Services' statuses so far."""
    return [each.resource for each in cluster.writes() if each.resource == "services/status"]
