"""Pools that are for some Services alone, on a real control plane."""

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
