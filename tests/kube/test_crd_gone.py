"""Somebody deletes MetalLB's CustomResourceDefinitions, and with them every pool: nobody loses an address."""

import pytest
import yaml

from tests.lab import objects
from tests.lab.agents import Agent, command_output
from tests.lab.cluster import Cluster
from tests.lab.frames import answers
from tests.lab.net import Lan
from tests.lab.objects import METALLB
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually, throughout

pytestmark = [pytest.mark.kube, pytest.mark.timeout(120)]

CRD = "ipaddresspools.metallb.io"
LONGER = 12.0
"""Seconds: longer than a pool that is deleted while its CRD stands counts on."""


def restored(cluster: Cluster) -> None:
    """The CRD and the usual pool are there again."""
    eventually(lambda: cluster.get("CustomResourceDefinition", CRD) is None, "the CRD is gone", 30)
    cluster.apply(yaml.safe_load_all(command_output("crds")))
    cluster.ensure(objects.pool("lan", "10.99.10.0/24", "fd99::5:0/120"))


def test_every_service_keeps_its_address_and_is_answered_while_the_kind_of_pools_is_gone(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    before = owner(lan, address)
    cluster.delete("CustomResourceDefinition", CRD)
    try:
        eventually(lambda: any(missing(each) for each in agents), "that the kind is missing is told")
        throughout(lambda: answers(lan.onlooker, address), "the VIP is answered", LONGER)
        assert (given(cluster, "web"), owner(lan, address)) == ([address], before)
    finally:
        restored(cluster)
    publish(cluster, "later", lan.nodes)
    assert given(cluster, "later") != [address]
    assert given(cluster, "web") == [address]
    eventually(lambda: not any(missing(each) for each in agents), "all have seen that it is back", 90)


def missing(agent: Agent) -> bool:
    """Whether the agent's status says that MetalLB's resources are missing."""
    return any(each["finding"] == "resources-missing" for each in agent.status().get("findings", ()))


def test_pools_deleted_while_their_kind_stands_release_their_addresses(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    assert len(agents) == len(lan.nodes)
    cluster.delete("IPAddressPool", "lan", METALLB)
    try:
        eventually(lambda: not cluster.addresses("web"), f"{address} is released", 40)
    finally:
        cluster.create(objects.pool("lan", "10.99.10.0/24", "fd99::5:0/120"))
    assert given(cluster, "web", 30)
