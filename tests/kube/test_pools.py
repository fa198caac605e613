"""Pools that are for some Services alone, on a real control plane."""

from typing import Any

import pytest

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.objects import METALLB
from tests.lab.steps import given, publish, said
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube

OURS, OPEN = "10.99.11.", "10.99.10."


def test_a_pool_for_namespaces_of_a_label_serves_their_services_for_as_long_as_they_have_it(
    cluster: Cluster, lan: Lan
) -> None:
    made = objects.pool("team", f"{OURS}0/28")
    scope = {"priority": 1, "namespaceSelectors": [{"matchLabels": {"team": "a"}}]}
    cluster.create({**made, "spec": {**made["spec"], "serviceAllocation": scope}})
    publish(cluster, "before", lan.nodes)
    assert given(cluster, "before")[0].startswith(OPEN)
    cluster.patch("Namespace", "default", {"metadata": {"labels": {"team": "a"}}})
    publish(cluster, "member", lan.nodes)
    (first,) = given(cluster, "member")
    assert first.startswith(OURS)
    assert given(cluster, "before")[0].startswith(OPEN), "a holder stays"
    cluster.patch("Namespace", "default", {"metadata": {"labels": {"team": None}}})
    eventually(lambda: given(cluster, "member")[0].startswith(OPEN), "it is given an address of the open pool")
    assert said(cluster, "member", "ClearAssignment")
    cluster.delete("IPAddressPool", "team", METALLB)


def holder(cluster: Cluster, lan: Lan, name: str = "holder") -> str:
    """The address of a Service that holds one of a pool of its own, 10.99.11.0/28."""
    cluster.create(objects.pool("own", f"{OURS}0/28"))
    publish(cluster, name, lan.nodes, pool="own")
    (address,) = given(cluster, name)
    cluster.patch("Service", name, {"metadata": {"annotations": {"metallb.io/address-pool": None}}})
    return address


def pool_of(cluster: Cluster, name: str) -> str:
    """What the output annotation names."""
    service = cluster.get("Service", name) or {}
    found: str = service["metadata"]["annotations"].get("metallb.io/ip-allocated-from-pool", "")
    return found


def redraw(cluster: Cluster, *pools: tuple[str, str]) -> None:
    """Let these pools (name, addresses) take the place of `own`: they overlap it until it is gone."""
    for name, addresses in pools:
        cluster.ensure(objects.pool(name, addresses))
        cluster.patch("IPAddressPool", name, {"spec": {"addresses": [addresses]}}, namespace=METALLB)
    if "own" not in dict(pools):
        cluster.delete("IPAddressPool", "own", METALLB)


@pytest.mark.parametrize(
    ("pools", "kept_in"),
    [
        ((("renamed", f"{OURS}0/28"),), "renamed"),
        ((("low", f"{OURS}0/29"), ("high", f"{OURS}8/29")), "low"),
        ((("grown", f"{OURS}0/24"),), "grown"),
        ((("own", f"{OURS}0/30"),), "own"),
    ],
    ids=["renamed", "split", "grown", "shrunk above it"],
)
def test_a_pool_redrawn_around_an_address_keeps_it_and_its_new_owner_is_noted(
    cluster: Cluster, lan: Lan, pools: tuple[tuple[str, str], ...], kept_in: str
) -> None:
    name = f"in-{kept_in}"
    address = holder(cluster, lan, name)
    try:
        redraw(cluster, *pools)
        eventually(lambda: pool_of(cluster, name) == kept_in, "the annotation names the pool")
        assert given(cluster, name) == [address]
        assert not said(cluster, name, "ClearAssignment")
    finally:
        for each, _ in pools:
            cluster.delete("IPAddressPool", each, METALLB)


@pytest.mark.parametrize("spec", [None, {"addresses": [f"{OURS}8/29"]}], ids=["removed", "shrunk below it"])
def test_a_pool_that_no_longer_holds_an_address_gives_its_service_another(
    cluster: Cluster, lan: Lan, spec: dict[str, list[str]] | None
) -> None:
    address = holder(cluster, lan)
    try:
        if spec is None:
            cluster.delete("IPAddressPool", "own", METALLB)
        else:
            cluster.patch("IPAddressPool", "own", {"spec": spec}, namespace=METALLB)
        eventually(lambda: given(cluster, "holder") != [address], "it has another address")
        assert said(cluster, "holder", "ClearAssignment")
    finally:
        cluster.delete("IPAddressPool", "own", METALLB)


def test_a_pool_that_no_longer_assigns_by_itself_keeps_its_holders(cluster: Cluster, lan: Lan) -> None:
    address = holder(cluster, lan)
    cluster.patch("IPAddressPool", "own", {"spec": {"autoAssign": False}}, namespace=METALLB)
    publish(cluster, "later", lan.nodes)
    assert given(cluster, "later")[0].startswith(OPEN)
    assert given(cluster, "holder") == [address]
    cluster.delete("IPAddressPool", "own", METALLB)


def numbers(cluster: Cluster, name: str) -> dict[str, int]:
    """IPAddressPool.status."""
    found: dict[str, int] = (cluster.get("IPAddressPool", name, METALLB) or {}).get("status", {})
    return found


def test_the_status_of_a_pool_says_how_many_addresses_are_left(cluster: Cluster, lan: Lan) -> None:
    cluster.create(objects.pool("told", f"{OURS}0/30", "fd99::11:0/126"))
    none = {"assignedIPv4": 0, "assignedIPv6": 0, "availableIPv4": 4, "availableIPv6": 4}
    eventually(lambda: numbers(cluster, "told") == none, "a new pool is told of")
    publish(cluster, "one", lan.nodes, pool="told")
    given(cluster, "one")
    eventually(lambda: numbers(cluster, "told") == none | {"assignedIPv4": 1, "availableIPv4": 3}, "one is given")
    cluster.delete("Service", "one")
    eventually(lambda: numbers(cluster, "told") == none, "and free again")
    cluster.delete("IPAddressPool", "told", METALLB)


def verdicts(cluster: Cluster) -> dict[str, str]:
    """ConfigurationState.status.result by name."""
    return {each["metadata"]["name"]: each.get("status", {}).get("result", "") for each in states(cluster)}


def states(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.every("ConfigurationState", METALLB)


def test_whether_the_configuration_holds_is_told_by_every_node_and_by_the_allocator(cluster: Cluster, lan: Lan) -> None:
    names = {"controller", *(f"speaker-{node.name}" for node in lan.nodes)}
    eventually(lambda: verdicts(cluster) == dict.fromkeys(names, "Valid"), "all find it valid")
    cluster.create(objects.pool("wrong", "10.99.20.0/24", "10.99.20.9/32"))
    eventually(lambda: verdicts(cluster) == dict.fromkeys(names, "Invalid"), "all find it invalid")
    for each in states(cluster):
        assert "IPAddressPool/metallb-system/wrong" in each["status"]["errorSummary"]
        assert [(one["status"], one["reason"]) for one in each["status"]["conditions"]] == [
            ("False", "ConfigurationError")
        ]
    cluster.delete("IPAddressPool", "wrong", METALLB)
    eventually(lambda: verdicts(cluster) == dict.fromkeys(names, "Valid"), "and valid again")
