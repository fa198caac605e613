"""Objects as the API tells of them, and what a snapshot is made from."""

from collections.abc import Mapping

from msgspec.structs import replace

from speakerd.config.resources import (
    Metadata,
)
from speakerd.kube import objects
from speakerd.kube.objects import (
    Endpoint,
    EndpointSlice,
    Labelled,
    LoadBalancerIngress,
    LoadBalancerStatus,
    ServiceSpec,
    ServiceStatus,
)
from speakerd.snapshot import Stores

META = Metadata("web", "ns", "uid", "7", "2026-01-01T00:00:00Z")
SPEC = ServiceSpec("LoadBalancer", cluster_ips=("10.96.0.1", "fd96::1"))


def api_service(*ingress: str, metadata: Metadata = META, **spec: object) -> objects.Service:
    entries = tuple(LoadBalancerIngress(ip) for ip in ingress)
    return objects.Service(metadata, replace(SPEC, **spec), ServiceStatus(LoadBalancerStatus(entries)))


def api_slice(name: str, of: str, *endpoints: Endpoint) -> EndpointSlice:
    return EndpointSlice(Labelled(name, "ns", labels={"kubernetes.io/service-name": of} if of else {}), endpoints)


def stores(**kinds: Mapping[str, object]) -> Stores:
    return replace(Stores({}, {}, {}, {}, {}, {}, settled=True), **kinds)
