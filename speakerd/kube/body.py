"""Paths and JSON bodies of what speakerd writes to the API, and how it reads its own records back; pure."""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import quote

import msgspec

from speakerd.kube import meshkeys
from speakerd.kube.lease import NAME as ALLOCATOR
from speakerd.kube.objects import Lease, Secret
from speakerd.model import (
    IP,
    Assignment,
    EventWrite,
    Member,
    Node,
    Reservation,
    Service,
    ServiceRef,
)

encode = msgspec.json.encode

SERVICES_ANNOTATION = "speakerd.io/service"
ADDRESSES_ANNOTATION = "speakerd.io/addresses"
VERSION_ANNOTATION = "speakerd.io/version"
KEYS_ANNOTATION = "speakerd.io/keys"
DRAINED_ANNOTATION = "speakerd.io/drained"
KIND_LABEL = "speakerd.io/kind"
POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"
VIP, MEMBER = "vip", "member"
KEY_ID = re.compile(r"[0-9a-f]{8}")
LONGEST_NAME = 253
"""Of an object (RFC 1123 subdomain); node names may be as long by themselves."""
MESSAGE_BYTES = 1000
"""The API refuses an Event whose message is over 1,024 bytes."""


def leases(namespace: str) -> str:
    """The Leases of `namespace`."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace)}/leases"


def vip_leases(namespace: str, limit: int, token: str) -> str:
    """A page of the Leases that reserve addresses."""
    page = f"&continue={quote(token)}" if token else ""
    return f"{leases(namespace)}?labelSelector={quote(f'{KIND_LABEL}={VIP}')}&limit={limit}{page}"


def vip_lease_name(ip: IP) -> str:
    """The Lease that reserves `ip`: its exploded form, dashes for dots and colons."""
    return "speakerd-vip-" + ip.exploded.replace(".", "-").replace(":", "-")


def vip_lease(namespace: str, ip: IP, ref: ServiceRef) -> bytes:
    """A reservation of `ip` for one Service."""
    return encode(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": vip_lease_name(ip),
                "namespace": namespace,
                "labels": {KIND_LABEL: VIP},
                "annotations": {SERVICES_ANNOTATION: f"{ref.key}/{ref.uid}"},
            },
            "spec": {},
        }
    )


def reservation(lease: Lease) -> Reservation | None:
    """What a Lease reserves, or None where it is not one of ours (its name says no address)."""
    name = lease.metadata.name.removeprefix("speakerd-vip-")
    parts = name.split("-")
    try:
        ip = ip_address(".".join(parts) if len(parts) == 4 else ":".join(parts))
    except ValueError:
        return None
    named = lease.metadata.annotations.get(SERVICES_ANNOTATION, "").split(",")
    services = tuple(ServiceRef(key, uid) for key, _, uid in (each.rpartition("/") for each in named) if key)
    return Reservation(
        ip,
        lease.metadata.name,
        lease.metadata.uid,
        lease.metadata.resource_version,
        services,
    )


def exactly(uid: str, resource_version: str) -> bytes:
    """DeleteOptions that delete this very state of an object and no other."""
    preconditions = {"uid": uid, "resourceVersion": resource_version}
    return encode({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions})


def service_status(service: Service) -> str:
    """The status subresource of a Service."""
    return f"/api/v1/namespaces/{quote(service.namespace)}/services/{quote(service.name)}/status"


def status_patch(service: Service, assignment: Assignment) -> bytes:
    """Merge patch: addresses and output annotation, refused where the Service is no longer the one we saw."""
    ingress = [{"ip": str(ip)} for ip in assignment.ips] or None
    return encode(
        {
            "metadata": {
                "uid": service.uid,
                "resourceVersion": service.resource_version,
                "annotations": {POOL_ANNOTATION: assignment.pool or None},
            },
            "status": {"loadBalancer": {"ingress": ingress}},
        }
    )


def events(namespace: str) -> str:
    """The Events of `namespace`."""
    return f"/api/v1/namespaces/{quote(namespace)}/events"


def event(write: EventWrite, name: str, when: str, instance: str) -> bytes:
    """A core/v1 Event on a Service; `when` in RFC 3339, `instance`: the node that says it."""
    service = write.service
    return encode(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{service.name[:200]}.{name}",
                "namespace": service.namespace,
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Service",
                "namespace": service.namespace,
                "name": service.name,
                "uid": service.uid,
                "resourceVersion": service.resource_version,
            },
            "type": write.type,
            "reason": write.reason,
            "message": write.message.encode()[:MESSAGE_BYTES].decode(errors="ignore"),
            "source": {"component": "speakerd", "host": instance},
            "reportingComponent": "speakerd",
            "reportingInstance": instance,
            "firstTimestamp": when,
            "lastTimestamp": when,
            "count": 1,
        }
    )


def member_lease_name(node: str) -> str:
    """The Lease that records `node` as a member; a name too long is hashed."""
    name = f"speakerd-node-{node}"
    return name if len(name) <= LONGEST_NAME else f"speakerd-node-{sha256(node.encode()).hexdigest()}"


def member_lease(namespace: str, node: Node, member: Member) -> bytes:
    """A member record: no renewal, written on change, gone with its Node."""
    return encode(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": member_lease_name(member.name),
                "namespace": namespace,
                "labels": {KIND_LABEL: MEMBER},
                "annotations": _member_annotations(member),
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "kind": "Node",
                        "name": node.name,
                        "uid": node.uid,
                    }
                ],
            },
            "spec": {"holderIdentity": member.name},
        }
    )


def member_patch(node: Node, member: Member) -> bytes:
    """Merge patch that brings an older record up to date."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}
    return encode(
        {
            "metadata": {
                "annotations": _member_annotations(member),
                "ownerReferences": [owner],
            }
        }
    )


def _member_annotations(member: Member) -> Mapping[str, str]:
    return {
        ADDRESSES_ANNOTATION: ",".join(member.addresses),
        VERSION_ANNOTATION: member.version,
        KEYS_ANNOTATION: ",".join(member.keys),
        DRAINED_ANNOTATION: "true" if member.drained else "false",
    }


def member(lease: Lease) -> Member:
    """The member a record names."""
    annotations = lease.metadata.annotations
    addresses = tuple(filter(None, annotations.get(ADDRESSES_ANNOTATION, "").split(",")))
    name = lease.spec.holder_identity or lease.metadata.name.removeprefix("speakerd-node-")
    keys = tuple(filter(KEY_ID.fullmatch, annotations.get(KEYS_ANNOTATION, "").split(",")))
    drained = annotations.get(DRAINED_ANNOTATION) == "true"
    return Member(name, addresses, annotations.get(VERSION_ANNOTATION, ""), keys, drained)


def secrets(namespace: str) -> str:
    """The Secrets of `namespace`."""
    return f"/api/v1/namespaces/{quote(namespace)}/secrets"


def mesh_material(secrets: Mapping[str, Secret]) -> bytes | None:
    """What the Secret holds: b"" where its entry is missing or no base64; None where there is no Secret."""
    for secret in secrets.values():
        try:
            return b64decode(secret.data.get(meshkeys.ENTRY, ""), validate=True)
        except Error:
            return b""
    return None


def mesh_secret(namespace: str, material: bytes) -> bytes:
    """The Secret with the key of the members' messages, as MetalLB's speakers read it."""
    metadata = {"name": meshkeys.SECRET, "namespace": namespace}
    data = {meshkeys.ENTRY: b64encode(material).decode()}
    return encode({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})


def allocator_lease(namespace: str, resource_version: str, spec: Mapping[str, object]) -> bytes:
    """The Lease of who allocates; with a resourceVersion it replaces that very state."""
    metadata = {"name": ALLOCATOR, "namespace": namespace, "labels": {KIND_LABEL: "allocator"}}
    guard = {"resourceVersion": resource_version} if resource_version else {}
    return encode({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata | guard, "spec": spec})


def namespace(name: str) -> bytes:
    """A Namespace."""
    return encode({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
