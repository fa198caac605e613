"""MetalLB's kinds as CustomResourceDefinitions of our own: structural schemas that refuse what could never work.

CEL stands in for MetalLB's webhooks. Only functions that Kubernetes 1.25 has are used, hence patterns for addresses.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Schema = Mapping[str, Any]

OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
IPV4 = rf"({OCTET}\.){{3}}{OCTET}"
IPV6 = r"[0-9a-fA-F:]*:[0-9a-fA-F:]*(\.[0-9.]+)?"
BLOCK = rf"{IPV4}/(3[0-2]|[12]?[0-9])|{IPV6}/(12[0-8]|1[01][0-9]|[1-9]?[0-9])"
BETWEEN = rf"{IPV4} *- *{IPV4}|{IPV6} *- *{IPV6}"
ADDRESSES = rf"^ *({BLOCK}|{BETWEEN}) *$"
"""What `addresses.parse` takes, but for the order of a range and the fine print of IPv6."""
ENTRIES = 1024
"""Of one list, so that the API server can bound what a rule costs; a pool of that many ranges is a mistake."""
NAME_LENGTH = 253
LABEL_LENGTH = 63
ADDRESS_LENGTH = 90
"""Two IPv6 addresses in full, a dash and spaces."""


def crds() -> str:
    """The manifests, for kubectl apply."""
    every = (_pools(), _advertisements(), _l2_statuses())
    return yaml.safe_dump_all(every, sort_keys=False, width=160, explicit_start=True)


def _pools() -> Schema:
    spec = _object(
        "Addresses to give to Services.",
        {
            "addresses": {
                "description": "CIDRs (192.0.2.0/24) and ranges (192.0.2.10-192.0.2.20); none may overlap another.",
                "type": "array",
                "minItems": 1,
                "maxItems": ENTRIES,
                "items": {
                    "type": "string",
                    "maxLength": ADDRESS_LENGTH,
                    "x-kubernetes-validations": [
                        {
                            "rule": f"self.matches(r'{ADDRESSES}')",
                            "message": "must be a CIDR (192.0.2.0/24, 192.0.2.1/32) or a range of one family"
                            " (192.0.2.10-192.0.2.20)",
                        }
                    ],
                },
            },
            "autoAssign": {
                "description": "False: given only to Services that name the pool or an address of it.",
                "type": "boolean",
                "default": True,
            },
            "avoidBuggyIPs": {
                "description": "Never give out IPv4 addresses that end in .0 or .255.",
                "type": "boolean",
                "default": False,
            },
            "serviceAllocation": _object(
                "Which Services the pool serves; absent: all.",
                {
                    "priority": {
                        "description": "A lower positive number is tried earlier; 0: after all positive ones.",
                        "type": "integer",
                    },
                    "namespaces": _names("Namespaces whose Services it serves.", LABEL_LENGTH),
                    "namespaceSelectors": _selectors("Labels of namespaces whose Services it serves."),
                    "serviceSelectors": _selectors("Labels of Services it serves."),
                },
            ),
        },
        required=("addresses",),
    )
    counts = ("assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6")
    status = _object("How full it is.", {each: {"type": "integer", "format": "int64"} for each in counts})
    columns = [
        {"name": "Auto Assign", "type": "boolean", "jsonPath": ".spec.autoAssign"},
        {"name": "Avoid Buggy IPs", "type": "boolean", "jsonPath": ".spec.avoidBuggyIPs"},
        {"name": "Addresses", "type": "string", "jsonPath": ".spec.addresses"},
    ]
    return _crd("IPAddressPool", {"spec": spec, "status": status}, ("spec",), columns)


def _advertisements() -> Schema:
    weighted = _object(
        "A wish, not a condition.",
        {
            "weight": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100},
            "preference": _selector("Labels of nodes."),
        },
        required=("weight", "preference"),
    )
    spec = _object(
        "Pools to announce by ARP and NDP. Empty: every pool, from every node, on every interface.",
        {
            "ipAddressPools": _names("Names of pools; with no selectors and no names: all.", NAME_LENGTH),
            "ipAddressPoolSelectors": _selectors("Labels of pools, in addition to the names."),
            "nodeSelectors": _selectors("Labels of nodes that may announce; absent: all."),
            "preferredNodeSelectors": _list("Labels of nodes that rather than others announce.", weighted),
            "serviceSelectors": _selectors("Labels of Services to announce; absent: all."),
            "interfaces": _names("Names of interfaces to announce on; absent: all that can.", 15),
        },
    )
    columns: list[Schema] = [
        {"name": "IPAddressPools", "type": "string", "jsonPath": ".spec.ipAddressPools"},
        {"name": "IPAddressPool Selectors", "type": "string", "jsonPath": ".spec.ipAddressPoolSelectors"},
        {"name": "Interfaces", "type": "string", "jsonPath": ".spec.interfaces"},
        {"name": "Node Selectors", "type": "string", "jsonPath": ".spec.nodeSelectors", "priority": 10},
    ]
    return _crd("L2Advertisement", {"spec": spec}, (), columns)


def _l2_statuses() -> Schema:
    interface = _object("An interface.", {"name": {"type": "string", "description": "Its name."}})
    status = _object(
        "Where it is answered for.",
        {
            "interfaces": {
                "description": "Where the node answers; absent: on all interfaces that can.",
                "type": "array",
                "items": interface,
            },
            "node": _fixed("The node that answers."),
            "serviceName": _fixed("The Service."),
            "serviceNamespace": _fixed("Its namespace."),
        },
    )
    columns: list[Schema] = [
        {"name": "Allocated Node", "type": "string", "jsonPath": ".status.node"},
        {"name": "Service Name", "type": "string", "jsonPath": ".status.serviceName"},
        {"name": "Service Namespace", "type": "string", "jsonPath": ".status.serviceNamespace"},
    ]
    return _crd("ServiceL2Status", {"spec": {"type": "object"}, "status": status}, (), columns)


def _fixed(description: str) -> Schema:
    """Text that may not change, as in MetalLB."""
    rule = {"rule": "self == oldSelf", "message": "Value is immutable"}
    return {"description": description, "type": "string", "x-kubernetes-validations": [rule]}


def _crd(kind: str, parts: Mapping[str, Schema], required: tuple[str, ...], columns: Sequence[Schema]) -> Schema:
    root = _object("", {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}})
    schema = {**root, "properties": {**root["properties"], **parts}}
    if required:
        schema["required"] = list(required)
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "additionalPrinterColumns": list(columns),
        "schema": {"openAPIV3Schema": schema},
    }
    if "status" in parts:
        version["subresources"] = {"status": {}}
    plural = kind.lower() + ("es" if kind.endswith("s") else "s")
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.metallb.io", "labels": {"app.kubernetes.io/name": "speakerd"}},
        "spec": {"group": "metallb.io", "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _object(description: str, properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": description} if description else {}
    schema |= {"type": "object", "properties": dict(properties)}
    return schema | ({"required": list(required)} if required else {})


def _list(description: str, items: Schema) -> Schema:
    return {"description": description, "type": "array", "maxItems": ENTRIES, "items": items}


def _names(description: str, length: int) -> Schema:
    """A list in which each may stand once, as MetalLB demands."""
    items = {"type": "string", "minLength": 1, "maxLength": length}
    return {**_list(description, items), "x-kubernetes-list-type": "set"}


def _selectors(description: str) -> Schema:
    return _list(f"{description} One of these must match.", _selector("A LabelSelector; empty matches everything."))


def _selector(description: str) -> dict[str, Any]:
    """metav1.LabelSelector."""
    operators = ["In", "NotIn", "Exists", "DoesNotExist"]
    expression = _object(
        "",
        {
            "key": {"type": "string"},
            "operator": {"type": "string", "enum": operators},
            "values": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "atomic"},
        },
        required=("key", "operator"),
    )
    schema = _object(
        description,
        {
            "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
            "matchExpressions": {"type": "array", "items": expression, "x-kubernetes-list-type": "atomic"},
        },
    )
    return schema | {"x-kubernetes-map-type": "atomic"}
