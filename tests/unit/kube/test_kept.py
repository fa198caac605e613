"""Of thousands of Services and EndpointSlices what is read is kept, and equal parts of them once."""

import json

import msgspec
import pytest
from msgspec.structs import replace

from speakerd.exchange import Claim, Counters, Stake, Vip
from speakerd.kube import kept
from speakerd.kube.objects import EndpointSlice, Service
from speakerd.kube.records import Held
from speakerd.model import Assignment, Endpoints, Record, Reservation, ServiceRef
from speakerd.model import Service as ModelService
from speakerd.snapshot import Slice, endpoint_slice

POOL = "metallb.io/ip-allocated-from-pool"


def service(name: str, **annotations: str) -> Service:
    """One as the API server writes it."""
    written = {
        "metadata": {"name": name, "namespace": "default", "uid": f"u-{name}", "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "ipFamilyPolicy": "SingleStack",
            "externalTrafficPolicy": "Cluster",
            "selector": {"app": name},
            "ports": [{"protocol": "TCP", "port": 80}],
        },
    }
    return msgspec.json.decode(json.dumps(written), type=Service)


def endpoints(name: str, *nodes: str, ready: bool = True) -> EndpointSlice:
    """A slice of Service `name`, as the API server writes it."""
    labels = {"kubernetes.io/service-name": name, "app": name}
    written = {
        "metadata": {"name": f"{name}-1", "namespace": "default", "uid": "s", "resourceVersion": "7", "labels": labels},
        "endpoints": [{"conditions": {"ready": ready}, "nodeName": node} for node in nodes],
    }
    return msgspec.json.decode(json.dumps(written), type=EndpointSlice)


def test_ports_and_selector_are_kept_of_those_alone_that_share_their_addresses() -> None:
    alone = kept.service(service("web"))
    assert (alone.spec.ports, alone.spec.selector, alone.spec.type) == (None, None, "LoadBalancer")
    for prefix in ("metallb.io", "metallb.universe.tf"):
        shared = service("web", **{f"{prefix}/allow-shared-ip": "k"})
        assert kept.service(shared).spec == replace(shared.spec, cluster_ip="")


def test_annotations_of_others_are_not_kept() -> None:
    assert kept.service(service("web", other="x", **{POOL: "p"})).metadata.annotations == {POOL: "p"}
    assert kept.service(service("web", other="x")).metadata.annotations == {}


def test_the_one_cluster_ip_of_an_old_service_is_kept() -> None:
    found = service("web")
    old = replace(found, spec=replace(found.spec, cluster_ips=()))
    assert kept.service(old).spec.cluster_ip == "10.96.0.1"


def test_what_services_have_in_common_is_one_object_for_all() -> None:
    one, other = (kept.service(service(name, **{POOL: "p"})) for name in ("a", "b"))
    assert one.metadata.namespace is other.metadata.namespace
    assert one.metadata.labels is other.metadata.labels
    for field in ("type", "ip_family_policy", "external_traffic_policy"):
        assert getattr(one.spec, field) is getattr(other.spec, field)
    (pair,), (same,) = one.metadata.annotations.items(), other.metadata.annotations.items()
    assert all(each is its for each, its in zip(pair, same, strict=True))


def test_of_an_endpoint_slice_that_is_kept_which_says_where_a_service_is() -> None:
    found = endpoints("web", "n1", "n2")
    assert endpoint_slice(kept.endpoint_slice(found)) == endpoint_slice(found)
    bare = kept.endpoint_slice(found).metadata
    assert (bare.uid, bare.resource_version, len(bare.labels)) == ("", "", 1)
    nobodys = replace(found, metadata=replace(found.metadata, labels={"app": "web"}), endpoints=None)
    assert kept.endpoint_slice(nobodys) == EndpointSlice(bare.__class__("web-1", "default"), None)


def test_endpoints_on_one_node_that_are_as_ready_are_one_object() -> None:
    one, other = (kept.endpoint_slice(endpoints(name, "n1", "n2")) for name in ("a", "b"))
    assert all(each is its for each, its in zip(one.endpoints or (), other.endpoints or (), strict=True))
    (ending,) = kept.endpoint_slice(endpoints("a", "n1", ready=False)).endpoints or ()
    assert ending is not (one.endpoints or ())[0]
    first, second = endpoint_slice(one), endpoint_slice(other)
    assert first
    assert second
    assert first.endpoints is second.endpoints


@pytest.mark.parametrize(
    "kind",
    [
        *(Service, EndpointSlice, ModelService, Endpoints, Slice, Reservation, ServiceRef, Record, Assignment),
        *(Vip, Stake, Claim, Counters, Held),
    ],
)
def test_what_there_is_of_every_service_has_no_header_for_the_garbage_collector(kind: type[msgspec.Struct]) -> None:
    assert not kind.__struct_config__.gc
