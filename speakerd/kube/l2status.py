"""MetalLB's ServiceL2Status, which says where a Service is answered for: paths, how it is written and read; pure."""

from hashlib import sha256
from urllib.parse import quote

import msgspec

from speakerd.kube.objects import L2StatusList, ServiceL2Status
from speakerd.model import Node

encode = msgspec.json.encode

NODE_LABEL, SERVICE_LABEL = "metallb.io/node", "metallb.io/service-name"
SERVICE_NAMESPACE_LABEL = "metallb.io/service-namespace"
LABEL_LENGTH = 63
"""Of a label's value."""


def path(namespace: str) -> str:
    """MetalLB's ServiceL2Statuses."""
    return f"/apis/metallb.io/v1beta1/namespaces/{quote(namespace)}/servicel2statuses"


def page(namespace: str, limit: int, token: str, key: str = "", since: str = "") -> str:
    """A page of the ServiceL2Statuses, of Service `key` or all; as they are now, or not older than version `since`.

    As they are now costs the API server a look at all there are, for each Service anew.
    """
    service_namespace, _, name = key.partition("/")
    chosen = f"{SERVICE_LABEL}={name},{SERVICE_NAMESPACE_LABEL}={service_namespace}" if key else ""
    where = f"{path(namespace)}?labelSelector={quote(chosen)}&limit={limit}"
    if token:
        return f"{where}&continue={quote(token)}"
    return f"{where}&resourceVersion={since}&resourceVersionMatch=NotOlderThan" if since else where


def name_of(node: str, key: str) -> str:
    """Of the ServiceL2Status of a Service on a node: looks like MetalLB's, and is the same whoever asks twice."""
    return "l2-" + sha256(f"{node}#{key}".encode()).hexdigest()[:10]


def new(namespace: str, node: Node, key: str, interfaces: tuple[str, ...]) -> bytes:
    """A ServiceL2Status as MetalLB's speakers write it."""
    shell = made("ServiceL2Status", name_of(node.name, key), namespace, node, key)
    return encode(shell | {"status": _said(node.name, key, interfaces)})


def made(kind: str, name: str, namespace: str, node: Node, key: str) -> dict[str, object]:
    """An object that tells of Service `key` on a node, without its status; it goes with its Node."""
    service_namespace, _, service = key.partition("/")
    metadata: dict[str, object] = {
        "name": name,
        "namespace": namespace,
        "labels": {
            NODE_LABEL: node_label(node.name),
            SERVICE_LABEL: service,
            SERVICE_NAMESPACE_LABEL: service_namespace,
        },
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}],
    }
    if not node.uid:
        del metadata["ownerReferences"]
    return {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": metadata, "spec": {}}


def node_label(node: str) -> str:
    """The name of a node as a label's value."""
    return node if len(node) <= LABEL_LENGTH else sha256(node.encode()).hexdigest()[:32]


def patch(node: str, key: str, interfaces: tuple[str, ...]) -> bytes:
    """Merge patch of the status subresource."""
    return encode({"status": {"interfaces": None} | _said(node, key, interfaces)})


def _said(node: str, key: str, interfaces: tuple[str, ...]) -> dict[str, object]:
    """ServiceL2Status.status; MetalLB leaves `interfaces` out where it means all."""
    namespace, _, name = key.partition("/")
    said: dict[str, object] = {"node": node, "serviceName": name, "serviceNamespace": namespace}
    return said | ({"interfaces": [{"name": each} for each in interfaces]} if interfaces else {})


class L2Status(msgspec.Struct, frozen=True):
    """What an object `name` says: Service `key` is answered for on `node`, on `interfaces` (sorted; none: on all).

    `whole`: it has a status; else it says so by its labels alone. `version`: its resourceVersion.
    """

    name: str
    key: str
    node: str = ""
    interfaces: tuple[str, ...] = ()
    whole: bool = True
    version: str = ""


def listed(page: bytes) -> tuple[list[L2Status], str]:
    """The ServiceL2Statuses of a page, and where to go on; those that name no Service left out. Raises DecodeError."""
    listed = msgspec.json.decode(page, type=L2StatusList)
    return [found for each in listed.items or () if (found := of(each)).key], listed.metadata.continue_


def of(found: ServiceL2Status) -> L2Status:
    """What a ServiceL2Status says; no `key` where it names no Service."""
    labels, status = found.metadata.labels, found.status
    namespace = status.service_namespace or labels.get(SERVICE_NAMESPACE_LABEL, "")
    name = status.service_name or labels.get(SERVICE_LABEL, "")
    return L2Status(
        name=found.metadata.name,
        key=f"{namespace}/{name}" if namespace and name else "",
        node=status.node or labels.get(NODE_LABEL, ""),
        interfaces=tuple(sorted(each.name for each in status.interfaces or ())),
        whole=bool(status.node),
        version=found.metadata.resource_version,
    )


def read(answer: bytes) -> L2Status:
    """What a ServiceL2Status says, as the API answers. Raises DecodeError."""
    return of(msgspec.json.decode(answer, type=ServiceL2Status))
