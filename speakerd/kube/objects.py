"""Kubernetes objects as far as they are read: narrow frozen structs, and the table of kinds.

msgspec skips every field that is not named here, so that a Service costs a few hundred bytes without its managedFields.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from sys import intern
from typing import Generic, TypeVar
from urllib.parse import quote

from msgspec import Raw, Struct, field

from speakerd.config.resources import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    ConfigMap,
    IPAddressPool,
    L2Advertisement,
    Metadata,
)

__all__ = [
    "BFDProfile",
    "BGPAdvertisement",
    "BGPPeer",
    "Community",
    "ConfigMap",
    "IPAddressPool",
    "L2Advertisement",
    "Metadata",
]


class Labelled(Struct, frozen=True, gc=False, rename="camel"):
    """ObjectMeta without annotations, which change for reasons of others (last-change-trigger-time and the like)."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}


class LoadBalancerIngress(Struct, frozen=True, gc=False):
    """An entry of Service.status.loadBalancer.ingress; one with a host name alone is not ours."""

    ip: str = ""


class LoadBalancerStatus(Struct, frozen=True, gc=False):
    """Service.status.loadBalancer."""

    ingress: tuple[LoadBalancerIngress, ...] | None = ()


class ServiceStatus(Struct, frozen=True, gc=False, rename="camel"):
    """Service.status."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class ServicePort(Struct, frozen=True, gc=False):
    """Service.spec.ports[]."""

    protocol: str = "TCP"
    port: int = 0


class ServiceSpec(Struct, frozen=True, gc=False, rename="camel"):
    """Service.spec."""

    type: str = ""
    cluster_ip: str = field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = field(default=(), name="clusterIPs")
    ip_family_policy: str = field(default="", name="ipFamilyPolicy")
    load_balancer_ip: str = field(default="", name="loadBalancerIP")
    load_balancer_class: str = ""
    external_traffic_policy: str = ""
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] | None = None


class Service(Struct, frozen=True, gc=False):
    """core/v1 Service."""

    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class EndpointConditions(Struct, frozen=True, gc=False):
    """EndpointSlice.endpoints[].conditions; absent readiness means ready."""

    ready: bool | None = None
    serving: bool | None = None


class Endpoint(Struct, frozen=True, gc=False, rename="camel"):
    """EndpointSlice.endpoints[]."""

    conditions: EndpointConditions = EndpointConditions()
    node_name: str = ""


class EndpointSlice(Struct, frozen=True, gc=False):
    """discovery.k8s.io/v1 EndpointSlice; its label kubernetes.io/service-name names the Service."""

    metadata: Labelled
    endpoints: tuple[Endpoint, ...] | None = ()


class NodeCondition(Struct, frozen=True):
    """Node.status.conditions[]; heartbeat times are not read, so that heartbeats change nothing."""

    type: str = ""
    status: str = ""


class NodeAddress(Struct, frozen=True):
    """Node.status.addresses[]."""

    type: str = ""
    address: str = ""


class NodeStatus(Struct, frozen=True):
    """Node.status."""

    conditions: tuple[NodeCondition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()


class Node(Struct, frozen=True):
    """core/v1 Node."""

    metadata: Labelled
    status: NodeStatus = NodeStatus()


class LeaseSpec(Struct, frozen=True, rename="camel"):
    """Lease.spec; times are compared as text only, for change, never with a clock."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    renew_time: str | None = None
    acquire_time: str | None = None


class Lease(Struct, frozen=True):
    """coordination.k8s.io/v1 Lease."""

    metadata: Metadata
    spec: LeaseSpec = LeaseSpec()


class Namespace(Struct, frozen=True):
    """core/v1 Namespace, its labels only."""

    metadata: Labelled


class Secret(Struct, frozen=True):
    """core/v1 Secret; values in base64. Never logged, never in a status."""

    metadata: Metadata
    type: str = ""
    data: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Secret({self.metadata.namespace}/{self.metadata.name})"


class InterfaceInfo(Struct, frozen=True):
    """ServiceL2Status.status.interfaces[]."""

    name: str = ""


class L2StatusDetail(Struct, frozen=True, rename="camel"):
    """ServiceL2Status.status; no interfaces: all."""

    node: str = ""
    service_name: str = ""
    service_namespace: str = ""
    interfaces: tuple[InterfaceInfo, ...] | None = ()


class ServiceL2Status(Struct, frozen=True):
    """metallb.io/v1beta1 ServiceL2Status: which node answers for a Service."""

    metadata: Labelled
    status: L2StatusDetail = L2StatusDetail()


class ListMetadata(Struct, frozen=True, rename="camel"):
    """ListMeta."""

    resource_version: str = ""
    continue_: str = field(default="", name="continue")


class Page(Struct, frozen=True):
    """A page of a list, its objects not decoded yet."""

    metadata: ListMetadata = ListMetadata()
    items: tuple[Raw, ...] | None = ()


class LeaseList(Struct, frozen=True):
    """A page of Leases."""

    metadata: ListMetadata = ListMetadata()
    items: tuple[Lease, ...] = ()


class L2StatusList(Struct, frozen=True):
    """A page of ServiceL2Statuses."""

    metadata: ListMetadata = ListMetadata()
    items: tuple[ServiceL2Status, ...] | None = ()


class Status(Struct, frozen=True):
    """metav1.Status: what the API answers when it does not do what was asked."""

    code: int = 0
    reason: str = ""
    message: str = ""


class EventType(StrEnum):
    """WatchEvent.type."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


class WatchEvent(Struct, frozen=True):
    """A line of a watch."""

    type: EventType
    object: Raw


class HasMetadata(Struct, frozen=True):
    """Any object, its metadata only (a bookmark has nothing else)."""

    metadata: Labelled


JSON = b"application/json"
T = TypeVar("T", bound=Struct)


class Kind(Struct, Generic[T], frozen=True):
    """How to list and watch one kind.

    `optional`: its CRD or namespace may be missing. `versioned`: a new resourceVersion alone is a change, since it
    guards what we write. `narrow`: what is kept of an object, where its struct names more than is ever read. `partial`:
    nothing but the metadata is asked for.
    """

    name: str
    path: str
    type: type[T]
    selector: str = ""
    fields: str = ""
    optional: bool = False
    versioned: bool = False
    narrow: Callable[[T], T] | None = None
    partial: bool = False

    def accept(self, *, listed: bool) -> bytes:
        """The media types of a list, or of a watch."""
        what = b"PartialObjectMetadataList" if listed else b"PartialObjectMetadata"
        return b"%s;as=%s;g=meta.k8s.io;v=v1,%s" % (JSON, what, JSON) if self.partial else JSON

    def query(self, **parameters: str | int) -> str:
        """The path with selector and `parameters`."""
        chosen: Mapping[str, str | int] = {"labelSelector": self.selector, "fieldSelector": self.fields, **parameters}
        return self.path + "?" + "&".join(f"{key}={quote(str(value))}" for key, value in chosen.items() if value)


NODES = Kind("Node", "/api/v1/nodes", Node)
PEER, NAMESPACE, CONFIG_MAP = "BGPPeer", "Namespace", "ConfigMap"
OF_PEERS = frozenset({"BGPAdvertisement", "BFDProfile", "Community"})
ON_DEMAND = OF_PEERS | {PEER, NAMESPACE, CONFIG_MAP}
"""Kinds that are watched where they matter; that there are BGPPeers tells whether three others do."""
NAMESPACES = Kind(NAMESPACE, "/api/v1/namespaces", Namespace, partial=True)


def members(namespace: str) -> Kind[Lease]:
    """The member records."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases"
    return Kind("Lease", path, Lease, selector="speakerd.io/kind=member", optional=True)


def lease(namespace: str, name: str) -> Kind[Lease]:
    """One Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases"
    return Kind("Lease", path, Lease, fields=f"metadata.name={name}", optional=True, versioned=True)


def secret(namespace: str, name: str) -> Kind[Secret]:
    """One Secret."""
    path = f"/api/v1/namespaces/{quote(namespace)}/secrets"
    return Kind("Secret", path, Secret, fields=f"metadata.name={name}", optional=True)


def config_map(namespace: str, name: str) -> Kind[ConfigMap]:
    """One ConfigMap."""
    path = f"/api/v1/namespaces/{quote(namespace)}/configmaps"
    return Kind(CONFIG_MAP, path, ConfigMap, fields=f"metadata.name={name}", optional=True)


def pools(namespace: str) -> Kind[IPAddressPool]:
    """MetalLB's pools."""
    return Kind("IPAddressPool", _metallb(namespace, "ipaddresspools"), IPAddressPool, optional=True)


def advertisements(namespace: str) -> Kind[L2Advertisement]:
    """MetalLB's layer 2 advertisements."""
    return Kind("L2Advertisement", _metallb(namespace, "l2advertisements"), L2Advertisement, optional=True)


def peers(namespace: str) -> Kind[BGPPeer]:
    """BGPPeers; the API server converts those of v1beta1."""
    return Kind(PEER, _metallb(namespace, "bgppeers", "v1beta2"), BGPPeer, optional=True)


def routes(namespace: str) -> Kind[BGPAdvertisement]:
    """BGPAdvertisements."""
    return Kind("BGPAdvertisement", _metallb(namespace, "bgpadvertisements"), BGPAdvertisement, optional=True)


def bfd_profiles(namespace: str) -> Kind[BFDProfile]:
    """BFDProfiles."""
    return Kind("BFDProfile", _metallb(namespace, "bfdprofiles"), BFDProfile, optional=True)


def communities(namespace: str) -> Kind[Community]:
    """Communities, by whose names advertisements call them."""
    return Kind("Community", _metallb(namespace, "communities"), Community, optional=True)


def _metallb(namespace: str, plural: str, version: str = "v1beta1") -> str:
    return f"/apis/metallb.io/{version}/namespaces/{quote(namespace)}/{plural}"


def key(metadata: Metadata | Labelled) -> str:
    """namespace/name, or name alone for what has no namespace; of an object the same string each time."""
    return intern(f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name)
