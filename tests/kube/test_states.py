"""What no schema can refuse is told by ConfigurationState, as MetalLB does: forms that take other objects to see."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests import forms
from tests.forms import CHECK, NAMESPACE, Object, Wrong, made, peer
from tests.lab.cluster import Cluster
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube

UNSEEN = {
    "peer: a field of v1beta2 in v1beta1": "the API server leaves it out",
    "peer: a Secret of another type": "Secrets are read once sessions are opened",
    "peer: a Secret without a password": "Secrets are read once sessions are opened",
}
"""Forms that only `check` can refuse, and why."""
WRONG = {name: each for name, each in forms.INVALID.items() if each.judge == CHECK and name not in UNSEEN}
WATCHED = made("BGPPeer", "watched", {**peer()["spec"], "peerAddress": "192.0.2.99"})
"""As long as there is a peer, BGP's other kinds are watched."""


@pytest.fixture
def alone(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, whose configuration is valid, without the objects of these tests afterwards."""
    eventually(lambda: verdict(cluster) == ("Valid", ""), "all is well before")
    cluster.create(WATCHED)
    yield cluster
    every = (each for wrong in WRONG.values() for each in (wrong.obj, *wrong.beside) if each["kind"] != "Node")
    for kind, name in {(each["kind"], each["metadata"]["name"]) for each in (WATCHED, *every)}:
        if cluster.get(kind, name, NAMESPACE):
            cluster.delete(kind, name, NAMESPACE)


def verdict(cluster: Cluster) -> tuple[str, str]:
    """What the allocator's ConfigurationState says, and of what."""
    status = (cluster.get("ConfigurationState", "controller", NAMESPACE) or {}).get("status", {})
    return status.get("result", ""), status.get("errorSummary", "")


def told(cluster: Cluster, *objects: Object) -> bool:
    """Whether it finds fault with one of these very objects."""
    result, summary = verdict(cluster)
    names = [f"{each['kind']}/{NAMESPACE}/{each['metadata']['name']} " for each in objects]
    return result == "Invalid" and any(name in summary for name in names)


def test_the_forms_that_only_check_sees_are_among_those_no_schema_refuses() -> None:
    assert all(forms.INVALID[name].judge == CHECK for name in UNSEEN)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_form_that_no_schema_can_refuse_is_told_by_the_configuration_state(alone: Cluster, wrong: Wrong) -> None:
    objects = [each for each in (*wrong.beside, wrong.obj) if each["kind"] != "Node"]  # Nodes are there
    for each in objects:
        alone.create(each)
    eventually(partial(told, alone, *objects), "ConfigurationState names one of them")
