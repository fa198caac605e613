"""Objects decode to what is read of them, and kinds know where they are."""

from pathlib import Path

import msgspec
import pytest

from speakerd.kube import kept, objects
from speakerd.kube.objects import EndpointSlice, Lease, Node, Secret, Service

SERVICE = b"""{"kind":"Service","apiVersion":"v1","metadata":{"name":"web","namespace":"default","uid":"u1",
"resourceVersion":"214","creationTimestamp":"2026-11-24T02:35:26Z","managedFields":[{"manager":"curl"}],
"annotations":{"metallb.io/address-pool":"p"}},"spec":{"selector":{"app":"web"},"ports":[{"protocol":"TCP","port":80,"nodePort":32454}],
"clusterIP":"10.96.17.205","clusterIPs":["10.96.17.205"],"type":"LoadBalancer","sessionAffinity":"None",
"externalTrafficPolicy":"Local","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack",
"loadBalancerClass":"x/y","loadBalancerIP":"10.0.0.7","allocateLoadBalancerNodePorts":true},
"status":{"loadBalancer":{"ingress":[{"ip":"10.0.0.1","ipMode":"VIP"},{"hostname":"a.b"}]}}}"""
SLICE = b"""{"metadata":{"name":"web-1","namespace":"default","labels":{"kubernetes.io/service-name":"web"}},
"addressType":"IPv4","endpoints":[{"addresses":["10.1.0.1"],"conditions":{"ready":true,"serving":true},"nodeName":"n1"},
{"addresses":["10.1.0.2"],"conditions":{}}],"ports":null}"""


def test_a_service_as_the_api_server_writes_it() -> None:
    found = msgspec.json.decode(SERVICE, type=Service)
    assert (found.metadata.uid, found.metadata.creation_timestamp) == ("u1", "2026-11-24T02:35:26Z")
    assert found.spec == objects.ServiceSpec(
        type="LoadBalancer",
        cluster_ip="10.96.17.205",
        cluster_ips=("10.96.17.205",),
        ip_family_policy="SingleStack",
        load_balancer_ip="10.0.0.7",
        load_balancer_class="x/y",
        external_traffic_policy="Local",
        selector={"app": "web"},
        ports=(objects.ServicePort("TCP", 80),),
    )
    assert [each.ip for each in found.status.load_balancer.ingress or ()] == ["10.0.0.1", ""]


def test_an_endpoint_slice_with_and_without_conditions_and_endpoints() -> None:
    first, second = msgspec.json.decode(SLICE, type=EndpointSlice).endpoints or ()
    assert (first.node_name, first.conditions.ready, first.conditions.serving) == ("n1", True, True)
    assert (second.node_name, second.conditions.ready, second.conditions.serving) == ("", None, None)
    assert msgspec.json.decode(b'{"metadata":{},"endpoints":null}', type=EndpointSlice).endpoints is None


@pytest.mark.parametrize("kind", [Service, EndpointSlice, Node, Lease])
def test_an_object_with_nothing_but_metadata_decodes(kind: type[msgspec.Struct]) -> None:
    msgspec.json.decode(b'{"metadata":{"name":"x"}}', type=kind)


def test_a_query_names_selectors_and_leaves_out_what_is_empty() -> None:
    assert kept.SERVICES.query(limit=500) == "/api/v1/services?limit=500"
    assert objects.members("ns").query(watch=1) == (
        "/apis/coordination.k8s.io/v1/namespaces/ns/leases?labelSelector=speakerd.io/kind%3Dmember&watch=1"
    )
    assert objects.lease("ns", "x").query() == (
        "/apis/coordination.k8s.io/v1/namespaces/ns/leases?fieldSelector=metadata.name%3Dx"
    )


def test_a_secret_is_not_shown() -> None:
    found = msgspec.json.decode(b'{"metadata":{"name":"memberlist"},"data":{"secretkey":"aHVzaA=="}}', type=Secret)
    assert "aHVzaA" not in f"{found!r} {found}"
    assert Path(objects.key(found.metadata)).name == "memberlist"
