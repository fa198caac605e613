"""Who answers stands in the API: once per change, as MetalLB's tools read it, and a label moves it."""

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.claims import claim, settled
from tests.lab.cluster import Cluster, Write
from tests.lab.net import Lan
from tests.lab.steps import answering, given, owner, publish, said
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
STEADY = 5.0
"""Seconds without a write that say that none comes: every write waits for less."""


def lease(cluster: Cluster, address: str) -> dict[str, Any]:
    """What the Lease of an address says."""
    spec: dict[str, Any] = cluster.leases()[f"speakerd-vip-{address.replace('.', '-')}"]["spec"]
    return spec


def allocated_to(cluster: Cluster, name: str) -> list[str]:
    """The nodes that ServiceL2Statuses of a Service name."""
    label = {"labelSelector": f"metallb.io/service-name={name}"}
    found = cluster.every("ServiceL2Status", objects.METALLB, **label)
    return [each.get("status", {}).get("node", "") for each in found]


def recorded(cluster: Cluster, name: str, address: str, node: str) -> bool:
    """Whether Lease, ServiceL2Status and the last event all name `node`."""
    event = f'announcing from node "{node}" with protocol "layer2"'
    holder = lease(cluster, address).get("holderIdentity")
    return holder == node and allocated_to(cluster, name) == [node] and event in said(cluster, name, "nodeAssigned")


def writes(cluster: Cluster) -> list[Write]:
    """All that was written, but for the allocator's Lease, and what it tells of pools."""
    every = (each for each in cluster.writes() if each.name != "speakerd-allocator")
    return [each for each in every if not each.resource.startswith(("ipaddresspools", "configurationstates"))]


def steady(cluster: Cluster) -> Callable[[], bool]:
    """Whether nothing was written from here on."""
    before = len(writes(cluster))
    return lambda: len(writes(cluster)) == before


def test_the_owner_writes_itself_down_once(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    publish(cluster, "once", lan.nodes)
    (address,) = given(cluster, "once")
    node = settled(lan, agents, address).host.name
    eventually(partial(recorded, cluster, "once", address, node), f"{node} stands in Lease, status and event")
    assert lease(cluster, address)["leaseTransitions"] == claim(agents[0], address)["epoch"]
    throughout(steady(cluster), "nothing more is written", STEADY)
    cluster.delete("Service", "once")
    eventually(lambda: not allocated_to(cluster, "once"), "what no longer is stands nowhere")


def test_a_node_that_is_excluded_hands_its_vip_over_and_the_api_says_so(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "excluded", lan.nodes)
    (address,) = given(cluster, "excluded")
    first = settled(lan, agents, address).host.name
    eventually(partial(recorded, cluster, "excluded", address, first), f"{first} stands in the API")
    epoch = lease(cluster, address)["leaseTransitions"]
    cluster.patch("Node", first, {"metadata": {"labels": {EXCLUDED: ""}}})
    try:
        eventually(lambda: claim(agents[0], address).get("owner") not in ("", first), "another node has it")
        second = claim(agents[0], address)["owner"]
        eventually(lambda: answering(lan, address) == [second], f"{second} alone answers")
        eventually(partial(recorded, cluster, "excluded", address, second), f"{second} stands in the API")
        assert lease(cluster, address)["leaseTransitions"] > epoch
    finally:
        cluster.patch("Node", first, {"metadata": {"labels": {EXCLUDED: None}}})


def test_a_controller_that_starts_again_writes_nothing_and_moves_nothing(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "again", lan.nodes)
    (address,) = given(cluster, "again")
    agent = settled(lan, agents, address)
    node = agent.host.name
    eventually(partial(recorded, cluster, "again", address, node), f"{node} stands in the API")
    before = len(said(cluster, "again", "nodeAssigned"))
    pid = agent.kill("controller", signal.SIGKILL)
    eventually(lambda: agent.pids().get("controller", pid) != pid, "it is started again")
    eventually(lambda: agent.status().get("api", {}).get("connected"), "it is connected again", 20.0)
    of_it = [each for each in writes(cluster) if each.resource in ("servicel2statuses", "events")]
    throughout(lambda: owner(lan, address) == node, "the same node answers", STEADY)
    assert [each for each in writes(cluster) if each.resource in ("servicel2statuses", "events")] == of_it
    assert len(said(cluster, "again", "nodeAssigned")) == before


def test_a_vip_is_where_the_labels_of_nodes_let_it_be(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    first, second = (node.name for node in lan.nodes[:2])
    label(cluster, first, "a")
    everybody = {"ipAddressPools": None, "nodeSelectors": None}
    only_a = {"nodeSelectors": [{"matchLabels": {"zone": "a"}}]}
    cluster.patch("L2Advertisement", "lan", {"spec": only_a}, namespace=objects.METALLB)
    try:
        publish(cluster, "labelled", lan.nodes)
        (address,) = given(cluster, "labelled")
        eventually(lambda: answering(lan, address) == [first], f"{first} answers, the only one with the label")
        label(cluster, second, "a")
        label(cluster, first, "b")
        eventually(lambda: answering(lan, address) == [second], f"{second} answers, the only one with the label")
        eventually(partial(recorded, cluster, "labelled", address, second), f"{second} stands in the API")
    finally:
        cluster.patch("L2Advertisement", "lan", {"spec": everybody}, namespace=objects.METALLB)
        label(cluster, first, None)
        label(cluster, second, None)
    assert agents


def label(cluster: Cluster, node: str, zone: str | None) -> None:
    """Set or remove the label `zone` of a Node."""
    cluster.patch("Node", node, {"metadata": {"labels": {"zone": zone}}})


def test_a_node_that_may_answer_again_takes_nothing_back(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    publish(cluster, "returned", lan.nodes)
    (address,) = given(cluster, "returned")
    first = settled(lan, agents, address).host.name
    cluster.patch("Node", first, {"metadata": {"labels": {EXCLUDED: ""}}})
    try:
        eventually(lambda: claim(agents[0], address).get("owner") not in ("", first), "another node has it")
        second = claim(agents[0], address)["owner"]
        eventually(lambda: answering(lan, address) == [second], f"{second} alone answers")
    finally:
        cluster.patch("Node", first, {"metadata": {"labels": {EXCLUDED: None}}})
    throughout(lambda: owner(lan, address) == second, "it stays where it went", STEADY)
