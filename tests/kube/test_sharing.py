"""Services that share an address by annotation metallb.io/allow-shared-ip, on a real control plane."""

from collections.abc import Sequence
from functools import partial

import pytest

from tests.kube.proxy import forgotten
from tests.kube.test_service import PROXY, reached
from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.cluster import Cluster
from tests.lab.net import Host, Lan
from tests.lab.objects import METALLB
from tests.lab.steps import given, owner, vip_leases
from tests.lab.traffic import PORT, Protocol
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube


@pytest.fixture(autouse=True)
def _no_rules_of_former_services(lan: Lan, agents: list[Agent]) -> None:
    eventually(partial(forgotten, lan), f"kube-proxy has forgotten former VIPs on all {len(agents)} nodes", PROXY)


def share(cluster: Cluster, name: str, protocol: Protocol, pods: Sequence[Host], key: str = "dns") -> str:
    """Publish a Service with one port 80 and a sharing key; its address."""
    port = {"name": protocol.lower(), "protocol": protocol, "port": 80, "targetPort": PORT}
    cluster.create(objects.service(name, annotations={"metallb.io/allow-shared-ip": key}, ports=[port]))
    cluster.create(objects.endpoints(name, pods))
    (address,) = given(cluster, name)
    return address


def held_by(cluster: Cluster, address: str) -> set[str]:
    """The Services that the address' Lease names."""
    lease = cluster.get("Lease", f"speakerd-vip-{address.replace('.', '-')}", METALLB)
    assert lease
    return {each.split("/")[1] for each in lease["metadata"]["annotations"]["speakerd.io/service"].split(",")}


def test_two_services_of_one_key_are_reached_through_one_address_until_both_are_gone(
    cluster: Cluster, lan: Lan
) -> None:
    first, second = lan.nodes[:2]
    address = share(cluster, "tcp", "TCP", [first])
    assert share(cluster, "udp", "UDP", [second]) == address
    assert held_by(cluster, address) == {"tcp", "udp"}
    assert owner(lan, address)
    assert reached(lan, address, "TCP").node == first.name
    assert reached(lan, address, "UDP").node == second.name
    cluster.delete("Service", "tcp")
    eventually(lambda: held_by(cluster, address) == {"udp"}, "the Lease names the one that is left")
    assert given(cluster, "udp") == [address]
    assert reached(lan, address, "UDP").node == second.name
    cluster.delete("Service", "udp")
    eventually(lambda: not vip_leases(cluster), "the address is free")


def test_a_port_that_is_taken_or_another_key_is_given_another_address(cluster: Cluster, lan: Lan) -> None:
    address = share(cluster, "one", "TCP", lan.nodes)
    taken, other = share(cluster, "same-port", "TCP", lan.nodes), share(cluster, "other-key", "UDP", lan.nodes, "x")
    assert len({address, taken, other}) == 3


@pytest.mark.parametrize(("goes", "stays"), [("a-old", "b-new"), ("b-new", "a-old")], ids=["the older", "the newer"])
def test_one_that_gives_up_its_key_is_moved_and_the_other_stays(
    cluster: Cluster, lan: Lan, goes: str, stays: str
) -> None:
    address = share(cluster, "a-old", "TCP", lan.nodes)
    assert share(cluster, "b-new", "UDP", lan.nodes) == address
    cluster.patch("Service", goes, {"metadata": {"annotations": {"metallb.io/allow-shared-ip": None}}})
    eventually(lambda: address not in cluster.addresses(goes), f"{goes} has another address")
    assert given(cluster, stays) == [address]
    eventually(lambda: held_by(cluster, address) == {stays}, f"the Lease names {stays} alone")
