"""What is kept of Services and EndpointSlices, of which there are thousands: what is read of them, equal parts once.

msgspec makes every string anew, and each costs 64 bytes or more.
"""

from functools import lru_cache
from sys import intern

from msgspec.structs import replace

from speakerd.kube.objects import Endpoint, EndpointSlice, Kind, Labelled, Service

ANNOTATIONS = ("metallb.io/", "metallb.universe.tf/", "speakerd.io/")
"""What the annotations of a Service that matter begin with."""
SHARING = "/allow-shared-ip"
SERVICE_LABEL = "kubernetes.io/service-name"
NONE: dict[str, str] = {}
"""The labels of all that have none: an empty dict takes 64 bytes, too. Nobody writes to it."""


def service(found: Service) -> Service:
    """Without the annotations of others: kubectl's last-applied-configuration is as large as the Service itself.

    And without ports and selector, which matter to those alone that share their addresses.
    """
    metadata, spec = found.metadata, found.spec
    noted = {intern(key): intern(value) for key, value in metadata.annotations.items() if key.startswith(ANNOTATIONS)}
    shares = any(key.endswith(SHARING) for key in noted)
    kept = replace(
        metadata,
        namespace=intern(metadata.namespace),
        labels=metadata.labels or NONE,
        annotations=_noted(tuple(noted.items())),
    )
    wanted = replace(
        spec,
        type=intern(spec.type),
        cluster_ip="" if spec.cluster_ips else spec.cluster_ip,
        ip_family_policy=intern(spec.ip_family_policy),
        external_traffic_policy=intern(spec.external_traffic_policy),
        selector=spec.selector if shares else None,
        ports=spec.ports if shares else None,
    )
    return replace(found, metadata=kept, spec=wanted)


@lru_cache(maxsize=4096)
def _noted(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """The one dict of these annotations: most Services have the same, or none. Nobody writes to it."""
    return dict(pairs)


def endpoint_slice(found: EndpointSlice) -> EndpointSlice:
    """Without uid, version and labels of others: nobody writes to one."""
    metadata = found.metadata
    label = metadata.labels.get(SERVICE_LABEL)
    kept = Labelled(metadata.name, intern(metadata.namespace), labels=NONE if label is None else {SERVICE_LABEL: label})
    return EndpointSlice(kept, None if found.endpoints is None else tuple(map(_same, found.endpoints)))


@lru_cache(maxsize=4096)
def _same(endpoint: Endpoint) -> Endpoint:
    """The one endpoint that equals it: all that are on one node and as ready."""
    return endpoint


SERVICES = Kind("Service", "/api/v1/services", Service, versioned=True, narrow=service)
SLICES = Kind("EndpointSlice", "/apis/discovery.k8s.io/v1/endpointslices", EndpointSlice, narrow=endpoint_slice)
