"""MetalLB's ConfigMap of v0.9 on a real control plane: it counts where there is no resource, and is planned in full."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kube.legacy import CONFIG, configured
from tests.lab import objects
from tests.lab.agents import Agent, program
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.objects import METALLB
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube


@pytest.fixture
def legacy(cluster: Cluster, agents: list[Agent]) -> Iterator[Cluster]:
    """The cluster as MetalLB 0.9 has it: a ConfigMap, and no resource."""
    with configured(cluster, CONFIG):
        eventually(lambda: all(pools(each) == ["lan-of-old", "routed"] for each in agents), "the ConfigMap counts", 30)
        yield cluster


def planned(agent: Agent) -> dict[str, Any]:
    """What `speakerd plan` tells of the running cluster; nothing of one that the agent has not read yet."""
    command = [*program(), "plan", "-o", "json", "--run", str(agent.run)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "has not been read yet" in done.stderr:
        return {}
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def pools(agent: Agent) -> list[str]:
    """The pools that count."""
    return [each["name"] for each in planned(agent).get("pools", ())]


def routes(agent: Agent, name: str) -> list[tuple[str, str, list[str], int, list[str]]]:
    """What is planned to be told to routers of Service `name`."""
    (service,) = [each for each in planned(agent)["services"] if each["name"] == name]
    told = [each for each in service["announce"] if each["protocol"] == "bgp"]
    return [(each["prefix"], each["node"], each["peers"], each["localPref"], each["communities"]) for each in told]


def test_a_cluster_of_old_is_served_as_it_was_and_what_it_tells_routers_is_planned(
    legacy: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    racked, *others = [each.name for each in lan.nodes]
    legacy.patch("Node", racked, {"metadata": {"labels": {"rack": "one"}}})
    publish(legacy, "web", lan.nodes)
    (address,) = given(legacy, "web", 30)
    assert address.startswith("10.99.13.")
    assert owner(lan, address)
    publish(legacy, "routed", lan.nodes, pool="routed")
    (address,) = given(legacy, "routed")
    assert address.startswith("10.99.14.")
    expected: list[tuple[str, str, list[str], int, list[str]]] = [
        ("10.99.14.0/24", node, ["peer1", "peer2"] if node == racked else ["peer1"], 0, [])
        for node in (racked, *others)
    ]
    expected += [(f"{address}/32", node, peers, 100, ["65535:65282"]) for _, node, peers, _, _ in list(expected)]
    eventually(lambda: sorted(routes(agents[0], "routed")) == sorted(expected), "the routes are those of the ConfigMap")
    legacy.patch("Node", racked, {"metadata": {"labels": {"rack": None}}})


def test_a_resource_takes_the_place_of_the_config_map(legacy: Cluster, lan: Lan, agents: list[Agent]) -> None:
    publish(legacy, "web", lan.nodes)
    assert given(legacy, "web", 30)[0].startswith("10.99.13.")
    legacy.create(objects.pool("new", "10.99.15.0/28"))
    eventually(lambda: given(legacy, "web")[0].startswith("10.99.15."), "it is given an address of the new pool", 30)
    assert pools(agents[0]) == ["new"]
    legacy.delete("IPAddressPool", "new", METALLB)
