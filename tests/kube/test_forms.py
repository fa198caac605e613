"""MetalLB's kinds in every form, on a real API server: what is valid round-trips, what cannot work is refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import forms
from tests.forms import NAMESPACE, SCHEMA, Object, Wrong, peer
from tests.lab import objects
from tests.lab.cluster import ApiError, Cluster

pytestmark = pytest.mark.kube

INVALID = 422


@pytest.fixture
def alone(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, without the objects of these tests afterwards."""
    yield cluster
    every = (*forms.VALID.values(), *(each.obj for each in forms.INVALID.values()))
    for kind, name in {(each["kind"], each["metadata"]["name"]) for each in every}:
        if cluster.get(kind, name, NAMESPACE):
            cluster.delete(kind, name, NAMESPACE)


def put(cluster: Cluster, obj: Object) -> Object:
    """Create the object by the version it names."""
    _, plural, _ = objects.GROUPS[obj["kind"]]
    where = f"/apis/{obj['apiVersion']}/namespaces/{NAMESPACE}/{plural}"
    return cluster.request("POST", where, obj)


def holds(found: Any, wanted: Any) -> bool:  # noqa: ANN401  any piece of an object
    """Whether everything that was written is there; defaults may have come to it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds(found[key], each) for key, each in wanted.items())
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


@pytest.mark.parametrize("obj", forms.VALID.values(), ids=forms.VALID.keys())
def test_a_valid_form_round_trips(alone: Cluster, obj: Object) -> None:
    put(alone, obj)
    found = alone.get(obj["kind"], obj["metadata"]["name"], NAMESPACE)
    assert found
    assert holds(found["spec"], obj["spec"])


@pytest.mark.parametrize("wrong", forms.INVALID.values(), ids=forms.INVALID.keys())
def test_an_invalid_form_is_refused_at_apply_time_where_the_api_server_can(alone: Cluster, wrong: Wrong) -> None:
    if wrong.judge == SCHEMA:
        with pytest.raises(ApiError) as refused:
            put(alone, wrong.obj)
        assert refused.value.code == INVALID
    else:
        put(alone, wrong.obj)


def test_a_peer_of_the_old_version_is_one_of_the_new_and_the_other_way_round(alone: Cluster) -> None:
    put(alone, forms.VALID["peer: of v1beta1"])
    new = alone.get("BGPPeer", "old", NAMESPACE)
    assert new
    assert (new["apiVersion"], new["spec"]["peerAddress"]) == ("metallb.io/v1beta2", "192.0.2.7")
    put(alone, peer())
    old = alone.request("GET", f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/bgppeers/peer")
    assert (old["apiVersion"], old["spec"]["peerASN"]) == ("metallb.io/v1beta1", 64513)


def test_graceful_restart_of_a_peer_is_fixed(alone: Cluster) -> None:
    put(alone, peer())
    with pytest.raises(ApiError) as refused:
        alone.patch("BGPPeer", "peer", {"spec": {"enableGracefulRestart": True}}, namespace=NAMESPACE)
    assert refused.value.code == INVALID
    alone.patch("BGPPeer", "peer", {"spec": {"holdTime": "30s"}}, namespace=NAMESPACE)
