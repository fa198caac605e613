"""Paths and JSON bodies of what speakerd writes to the API, and how it reads its own records back; pure."""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Mapping
from hashlib import sha256
from ipaddress import ip_address
from sys import intern
from urllib.parse import quote

import msgspec

from speakerd.decision import EventWrite
from speakerd.exchange import Member
from speakerd.kube import meshkeys
from speakerd.kube.lease import NAME as ALLOCATOR
from speakerd.kube.objects import Lease, LeaseList, Secret
from speakerd.model import IP, Assignment, Holder, Node, Record, Reservation, Service, ServiceRef, unpacked

encode = msgspec.json.encode

SERVICES_ANNOTATION = "speakerd.io/service"
TERMS_ANNOTATION = "speakerd.io/terms"
ADDRESSES_ANNOTATION = "speakerd.io/addresses"
GIVEN_ANNOTATION = "speakerd.io/given"
STRANGER_ANNOTATION = "speakerd.io/answered-by"
STRANGERS_ANNOTATION = "speakerd.io/answered-by-strangers"
VERSION_ANNOTATION = "speakerd.io/version"
KEYS_ANNOTATION = "speakerd.io/keys"
DRAINED_ANNOTATION = "speakerd.io/drained"
POOLS_ANNOTATION = "speakerd.io/pools"
KIND_LABEL = "speakerd.io/kind"
POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"
VIP, MEMBER = "vip", "member"
KEY_ID = re.compile(r"[0-9a-f]{8}")
TERMS = re.compile(r"([^=,]+)=([0-9a-f]{12})")
"""A Service's metadata.uid, and its terms as `speakerd.terms` has them."""
LONGEST_NAME = 253
"""Of an object (RFC 1123 subdomain); node names may be as long by themselves."""
LABEL_LENGTH = 63
"""Of a label's value."""
MERGE_PATCH = "application/merge-patch+json"
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


def vip_lease(namespace: str, ip: IP, one: Holder, *, given: bool = True) -> bytes:
    """A reservation of `ip` for one Service; `given`: it was not found in a status."""
    held = Reservation(ip, vip_lease_name(ip), "", "", ()).joined(one)
    return encode(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": held.lease,
                "namespace": namespace,
                "labels": {KIND_LABEL: VIP},
                "annotations": {**_held(held), GIVEN_ANNOTATION: "true" if given else "false"},
            },
            "spec": {},
        }
    )


def holders_patch(wanted: Reservation) -> bytes:
    """Merge patch that lets a Lease name whom it is to; refused where it is no longer the one we saw."""
    noted = {TERMS_ANNOTATION: None, **_held(wanted)}
    return encode({"metadata": {"resourceVersion": wanted.resource_version, "annotations": noted}})


def _held(wanted: Reservation) -> Mapping[str, str]:
    """The annotations that tell who has an address, and by which terms they share it."""
    services = ",".join(f"{each.key}/{each.uid}" for each in wanted.services)
    terms = ",".join(f"{ref.uid}={each}" for ref, each in wanted.terms)
    return {SERVICES_ANNOTATION: services} | ({TERMS_ANNOTATION: terms} if terms else {})


def _terms(text: str, services: Iterable[ServiceRef]) -> tuple[tuple[ServiceRef, str], ...]:
    """The terms of those Services that a Lease names, as far as they are as we write them."""
    read = {each[1]: each[2] for each in map(TERMS.fullmatch, text.split(",")) if each}
    return tuple((ref, read[ref.uid]) for ref in services if ref.uid in read)


def vip_of(lease: Lease) -> IP | None:
    """The address that a Lease is about; None where its name says none."""
    parts = lease.metadata.name.removeprefix("speakerd-vip-").split("-")
    try:
        return ip_address(".".join(parts) if len(parts) == 4 else ":".join(parts))
    except ValueError:
        return None


def reservation(lease: Lease) -> Reservation | None:
    """What a Lease reserves, or None where it is not one of ours."""
    ip = vip_of(lease)
    if ip is None:
        return None
    annotations = lease.metadata.annotations
    named = annotations.get(SERVICES_ANNOTATION, "").split(",")
    services = tuple(ServiceRef(intern(key), uid) for key, _, uid in (each.rpartition("/") for each in named) if key)
    return Reservation(
        ip,
        lease.metadata.name,
        lease.metadata.uid,
        lease.metadata.resource_version,
        services,
        annotations.get(GIVEN_ANNOTATION) == "true" and not record(lease).epoch,
        annotations.get(STRANGER_ANNOTATION, ""),
        _terms(annotations.get(TERMS_ANNOTATION, ""), services),
    )


def stranger_patch(mac: str, version: str) -> bytes:
    """Merge patch that sets an address aside; refused where the Lease is no longer the one we saw."""
    return encode({"metadata": {"resourceVersion": version, "annotations": {STRANGER_ANNOTATION: mac}}})


def record(lease: Lease) -> Record:
    """What a VIP's Lease says of its owner."""
    spec = lease.spec
    return Record(intern(spec.holder_identity or ""), spec.lease_transitions or 0, lease.metadata.resource_version)


def record_in(lease: bytes) -> Record:
    """What a VIP's Lease says of its owner, as the API answers. Raises DecodeError."""
    return record(msgspec.json.decode(lease, type=Lease))


def records_in(page: bytes) -> tuple[list[tuple[bytes, Record]], str]:
    """What a page of VIPs' Leases says, with the packed address, and where to go on. Raises DecodeError."""
    listed = msgspec.json.decode(page, type=LeaseList)
    return [(ip.packed, record(each)) for each in listed.items if (ip := vip_of(each))], listed.metadata.continue_


def record_patch(owner: str, epoch: int, version: str) -> bytes:
    """Merge patch that lets a VIP's Lease name its owner; refused where the Lease is no longer the one we saw."""
    spec = {"holderIdentity": owner, "leaseTransitions": epoch}
    return encode({"metadata": {"resourceVersion": version}, "spec": spec})


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


def pool_status(namespace: str, name: str) -> str:
    """The status subresource of an IPAddressPool."""
    return f"/apis/metallb.io/v1beta1/namespaces/{quote(namespace)}/ipaddresspools/{quote(name)}/status"


def configuration_states(namespace: str) -> str:
    """MetalLB's ConfigurationStates."""
    return f"/apis/metallb.io/v1beta1/namespaces/{quote(namespace)}/configurationstates"


def configuration_state(namespace: str, name: str, component: str, node: Node) -> bytes:
    """A ConfigurationState without its status; that of a speaker goes with its Node."""
    metadata: dict[str, object] = {"name": name, "namespace": namespace}
    labels = {"metallb.io/component-type": component}
    if component == "speaker":
        short = node.name if len(node.name) <= LABEL_LENGTH else sha256(node.name.encode()).hexdigest()[:32]
        labels["metallb.io/node-name"] = short
        if node.uid:
            owner = {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}
            metadata["ownerReferences"] = [owner]
    kind = {"apiVersion": "metallb.io/v1beta1", "kind": "ConfigurationState"}
    return encode(kind | {"metadata": metadata | {"labels": labels}})


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
        STRANGERS_ANNOTATION: ",".join(f"{unpacked(ip)}={mac.hex(':')}" for ip, mac in member.strangers),
        POOLS_ANNOTATION: member.pools,
    }


def member(lease: Lease) -> Member:
    """The member a record names."""
    annotations = lease.metadata.annotations
    addresses = tuple(filter(None, annotations.get(ADDRESSES_ANNOTATION, "").split(",")))
    name = lease.spec.holder_identity or lease.metadata.name.removeprefix("speakerd-node-")
    keys = tuple(filter(KEY_ID.fullmatch, annotations.get(KEYS_ANNOTATION, "").split(",")))
    drained = annotations.get(DRAINED_ANNOTATION) == "true"
    strangers, pools = _strangers(annotations.get(STRANGERS_ANNOTATION, "")), annotations.get(POOLS_ANNOTATION, "")
    return Member(name, addresses, annotations.get(VERSION_ANNOTATION, ""), keys, drained, strangers, pools)


def _strangers(text: str) -> tuple[tuple[bytes, bytes], ...]:
    """Addresses and MACs of a record; none where it is not as we write it."""
    pairs = (each.partition("=") for each in filter(None, text.split(",")))
    try:
        return tuple((ip_address(ip).packed, bytes.fromhex(mac.replace(":", ""))) for ip, _, mac in pairs if mac)
    except ValueError:
        return ()


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
