"""Who announces, as MetalLB documents it: nodes, labels, interfaces, preferences; on a real control plane."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.objects import METALLB, Object
from tests.lab.steps import answering, given, owner, publish, said
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.kube

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
FIELDS = ("interfaces", "nodeSelectors", "preferredNodeSelectors", "serviceSelectors")
Advertise = Callable[..., None]


@pytest.fixture
def advertise(cluster: Cluster) -> Iterator[Advertise]:
    """Lets the one L2Advertisement, of all pools, be what the test says."""

    def put(**spec: Any) -> None:  # noqa: ANN401  fields as JSON has them
        cluster.patch("L2Advertisement", "lan", {"spec": dict.fromkeys(FIELDS) | spec}, namespace=METALLB)

    yield put
    put()


@pytest.fixture
def label(cluster: Cluster) -> Iterator[Callable[[str, str, str | None], None]]:
    """Sets a label of a Node, for the time of the test."""
    touched: set[tuple[str, str]] = set()

    def put(node: str, name: str, value: str | None) -> None:
        touched.add((node, name))
        cluster.patch("Node", node, {"metadata": {"labels": {name: value}}})

    yield put
    for node, name in touched:
        cluster.patch("Node", node, {"metadata": {"labels": {name: None}}})


def answers_alone(lan: Lan, address: str, *nodes: str) -> bool:
    """Whether exactly one node answers, and it is one of these."""
    found = answering(lan, address)
    return len(found) == 1 and found[0] in nodes


def test_only_nodes_that_an_advertisement_selects_by_label_answer_and_labels_may_change(
    cluster: Cluster, lan: Lan, advertise: Advertise, label: Callable[..., None]
) -> None:
    first, second, _ = (node.name for node in lan.nodes)
    label(first, "zone", "a")
    advertise(nodeSelectors=[{"matchLabels": {"zone": "a"}}, {"matchLabels": {"zone": "b"}}])
    publish(cluster, "chosen", lan.nodes)
    (address,) = given(cluster, "chosen")
    assert owner(lan, address) == first
    label(second, "zone", "b")
    label(first, "zone", None)
    eventually(partial(answers_alone, lan, address, second), "the other node that is selected answers")
    label(second, "zone", "c")
    eventually(lambda: not answering(lan, address), "no node is selected, and none answers")
    assert given(cluster, "chosen") == [address]


def test_a_preferred_node_answers_as_long_as_it_can_and_gets_the_vip_when_it_is_preferred_later(
    cluster: Cluster, lan: Lan, advertise: Advertise, label: Callable[..., None]
) -> None:
    advertise()
    publish(cluster, "liked", lan.nodes)
    (address,) = given(cluster, "liked")
    before = owner(lan, address)
    liked = next(node.name for node in lan.nodes if node.name != before)
    label(liked, "disk", "fast")
    advertise(preferredNodeSelectors=[{"weight": 10, "preference": {"matchLabels": {"disk": "fast"}}}])
    eventually(partial(answers_alone, lan, address, liked), "the preferred node answers", 60)
    label(liked, EXCLUDED, "")
    eventually(partial(answers_alone, lan, address, *(n.name for n in lan.nodes if n.name != liked)), "another does")


def test_an_interface_that_no_node_has_is_announced_on_by_nobody_and_one_that_is_there_by_one(
    cluster: Cluster, lan: Lan, advertise: Advertise
) -> None:
    advertise(interfaces=["eth7"])
    publish(cluster, "wired", lan.nodes)
    (address,) = given(cluster, "wired")
    eventually(lambda: said(cluster, "wired", "announceFailed"), "the Service says why", 20)
    throughout(lambda: not answering(lan, address, 0.1), "nobody answers", 1)
    assert len(said(cluster, "wired", "announceFailed")) == 1
    advertise(interfaces=["eth7", "eth0"])
    assert owner(lan, address)


def test_a_node_whose_network_is_unavailable_answers_for_nothing(cluster: Cluster, lan: Lan) -> None:
    publish(cluster, "net", lan.nodes)
    (address,) = given(cluster, "net")
    before = owner(lan, address)
    kept = (cluster.get("Node", before) or {})["status"]["conditions"]
    condition: Object = {"type": "NetworkUnavailable", "status": "True", "reason": "NoRouteCreated", "message": ""}
    cluster.patch("Node", before, {"status": {"conditions": [*kept, condition]}}, subresource="status")
    try:
        others = [node.name for node in lan.nodes if node.name != before]
        eventually(partial(answers_alone, lan, address, *others), "another node answers")
    finally:
        cluster.patch("Node", before, {"status": {"conditions": kept}}, subresource="status")


def test_only_services_that_an_advertisement_selects_are_announced(
    cluster: Cluster, lan: Lan, advertise: Advertise
) -> None:
    advertise(serviceSelectors=[{"matchLabels": {"public": "yes"}}])
    publish(cluster, "public", lan.nodes)
    publish(cluster, "private", lan.nodes)
    cluster.patch("Service", "public", {"metadata": {"labels": {"public": "yes"}}})
    (shown,), (hidden,) = given(cluster, "public"), given(cluster, "private")
    assert owner(lan, shown)
    assert answering(lan, hidden) == []


def test_the_status_object_follows_the_owner(cluster: Cluster, lan: Lan, label: Callable[..., None]) -> None:
    publish(cluster, "followed", lan.nodes)
    (address,) = given(cluster, "followed")
    before = owner(lan, address)

    def named() -> list[str]:
        found = cluster.every("ServiceL2Status", METALLB, labelSelector="metallb.io/service-name=followed")
        return [each["status"]["node"] for each in found if each.get("status")]

    eventually(lambda: named() == [before], "it names the owner")
    label(before, EXCLUDED, "")
    eventually(lambda: len(named()) == 1 and named() != [before], "one object names the new owner")
    assert named() == [owner(lan, address)]
