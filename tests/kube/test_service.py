"""A Service of type LoadBalancer on a real control plane, with kube-proxy behind the VIP."""

from functools import partial

import pytest

from tests.kube.proxy import forgotten
from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.cluster import Cluster
from tests.lab.frames import Watch, answers
from tests.lab.net import Lan
from tests.lab.steps import Family, answering, given, owner, publish, said, vip_leases
from tests.lab.traffic import Protocol, Reply, ask
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.kube

PROXY = 20.0
"""Seconds until kube-proxy knows of a Service, or that it is gone."""
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


@pytest.fixture(autouse=True)
def _no_rules_of_former_services(lan: Lan, agents: list[Agent]) -> None:
    eventually(partial(forgotten, lan), f"kube-proxy has forgotten former VIPs on all {len(agents)} nodes", PROXY)


def reached(lan: Lan, address: str, protocol: Protocol) -> Reply:
    """What a client outside gets through the VIP, as soon as kube-proxy knows it."""
    reply = eventually(partial(ask, lan.client, address, 80, protocol, 0.3), f"{protocol} through {address}", PROXY)
    assert reply
    return reply


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_client_outside_reaches_a_server_through_the_vip(
    cluster: Cluster, lan: Lan, family: Family, protocol: Protocol
) -> None:
    publish(cluster, "web", lan.nodes[:2], families=[family])
    (address,) = given(cluster, "web")
    assert reached(lan, address, protocol).node in {node.name for node in lan.nodes[:2]}


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_local_policy_keeps_the_clients_address_and_is_answered_where_a_pod_is(
    cluster: Cluster, lan: Lan, family: Family, protocol: Protocol
) -> None:
    publish(cluster, "local", lan.nodes[:2], families=[family], policy="Local")
    (address,) = given(cluster, "local")
    reply = reached(lan, address, protocol)
    assert reply.seen == (lan.client.ipv4 if family == "IPv4" else lan.client.ipv6)
    assert reply.node == owner(lan, address)


def test_a_dual_stack_service_has_an_address_of_each_family_on_one_node(cluster: Cluster, lan: Lan) -> None:
    publish(cluster, "dual", lan.nodes, families=["IPv4", "IPv6"])
    four, six = given(cluster, "dual")
    assert "." in four
    assert ":" in six
    assert owner(lan, four) == owner(lan, six)


def test_many_vips_have_one_owner_each_and_not_all_the_same(cluster: Cluster, lan: Lan) -> None:
    names = [f"many-{number}" for number in range(12)]
    for name in names:
        publish(cluster, name, lan.nodes)
    owners = [owner(lan, given(cluster, name)[0]) for name in names]
    assert len(set(owners)) > 1


def test_status_annotation_event_and_lease_say_the_same(cluster: Cluster, lan: Lan) -> None:
    publish(cluster, "told", lan.nodes)
    (address,) = given(cluster, "told")
    service = cluster.get("Service", "told")
    assert service
    assert service["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"] == "lan"
    lease = cluster.leases()[f"speakerd-vip-{address.replace('.', '-')}"]
    assert lease["metadata"]["annotations"]["speakerd.io/service"] == f"default/told/{service['metadata']['uid']}"
    messages = eventually(partial(said, cluster, "told", "IPAllocated"), "an event says so")
    assert messages == [f'Assigned IP ["{address}"]']


def test_a_deleted_services_address_goes_to_the_one_that_waits(cluster: Cluster, lan: Lan) -> None:
    cluster.create(objects.pool("single", "10.99.11.7/32"))
    try:
        publish(cluster, "first", lan.nodes, pool="single")
        assert given(cluster, "first") == ["10.99.11.7"]
        publish(cluster, "second", lan.nodes, pool="single")
        eventually(partial(said, cluster, "second", "AllocationFailed"), "the second is told why it waits")
        cluster.delete("Service", "first")
        assert given(cluster, "second") == ["10.99.11.7"]
    finally:
        cluster.delete("IPAddressPool", "single", objects.METALLB)


def test_a_service_that_changes_its_type_gives_its_address_back(cluster: Cluster, lan: Lan) -> None:
    publish(cluster, "typed", lan.nodes)
    (address,) = given(cluster, "typed")
    owner(lan, address)
    cluster.patch("Service", "typed", {"spec": {"type": "ClusterIP", "externalTrafficPolicy": None}})
    eventually(lambda: not answering(lan, address), "nobody answers any more")
    eventually(lambda: not vip_leases(cluster), "the address is free")
    assert cluster.addresses("typed") == []
    cluster.delete("Service", "typed")


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_new_vip_is_announced_before_anyone_asks(cluster: Cluster, lan: Lan, family: Family) -> None:
    with Watch(lan.client) as watch:
        publish(cluster, "new", lan.nodes, families=[family])
        (address,) = given(cluster, "new")
        eventually(partial(watch.of, address, "gratuitous"), f"{address} is announced", 2)


def test_an_excluded_node_answers_for_nothing(cluster: Cluster, lan: Lan) -> None:
    publish(cluster, "moved", lan.nodes)
    (address,) = given(cluster, "moved")
    before = owner(lan, address)
    cluster.patch("Node", before, {"metadata": {"labels": {EXCLUDE: ""}}})
    try:
        elsewhere = [[node.name] for node in lan.nodes if node.name != before]
        eventually(lambda: answering(lan, address) in elsewhere, "another node alone answers")
    finally:
        cluster.patch("Node", before, {"metadata": {"labels": {EXCLUDE: None}}})


def test_who_answers_stands_in_lease_and_status(cluster: Cluster, lan: Lan) -> None:
    publish(cluster, "recorded", lan.nodes)
    (address,) = given(cluster, "recorded")
    eventually(partial(said, cluster, "recorded", "nodeAssigned"), "the last write is made")
    (told,) = cluster.every("ServiceL2Status", objects.METALLB, labelSelector="metallb.io/service-name=recorded")
    node = owner(lan, address)
    assert told["status"] == {"node": node, "serviceName": "recorded", "serviceNamespace": "default"}
    lease = cluster.leases()[f"speakerd-vip-{address.replace('.', '-')}"]
    assert lease["spec"]["holderIdentity"] == node
    assert lease["spec"]["leaseTransitions"] >= 1


def test_while_nothing_changes_nothing_is_written_but_the_allocators_lease(cluster: Cluster, lan: Lan) -> None:
    publish(cluster, "calm", lan.nodes)
    (address,) = given(cluster, "calm")
    eventually(partial(said, cluster, "calm", "nodeAssigned"), "who answers is written")
    eventually(lambda: assigned(cluster, "lan") == 1, "the last write is made")
    nodes = {node.name for node in lan.nodes}
    before = len(cluster.writes())
    throughout(lambda: answers(lan.onlooker, address), "the VIP is answered", 12)
    since = [each for each in cluster.writes()[before:] if each.user in nodes]
    assert {each.name for each in since} == {"speakerd-allocator"}
    assert len(since) <= 3


def assigned(cluster: Cluster, pool: str) -> int:
    """IPv4 addresses of a pool that its status says are given out."""
    found = cluster.get("IPAddressPool", pool, objects.METALLB) or {}
    return int(found.get("status", {}).get("assignedIPv4", -1))
