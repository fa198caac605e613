"""MetalLB's kinds as CustomResourceDefinitions of our own, which refuse what could never work.

CEL stands in for MetalLB's webhooks.
"""

import yaml

from speakerd.config.bgp_crds import bgp_crds
from speakerd.config.schemas import (
    ADDRESS_LENGTH,
    ADDRESSES,
    ENTRIES,
    IN_ORDER,
    LABEL_LENGTH,
    NAME_LENGTH,
    Schema,
    crd,
    fixed,
    names,
    rule,
    selector,
    selectors,
    several,
    table,
)


def crds() -> str:
    """The manifests, for kubectl apply."""
    every = (_pools(), _advertisements(), *bgp_crds(), _l2_statuses(), _bgp_statuses(), _states())
    return yaml.safe_dump_all(every, sort_keys=False, width=160, explicit_start=True)


def _pools() -> Schema:
    spec = table(
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
                        rule(
                            f"self.matches(r'{ADDRESSES}')",
                            "must be a CIDR (192.0.2.0/24, 192.0.2.1/32) or a range of one family"
                            " (192.0.2.10-192.0.2.20)",
                        ),
                        rule(IN_ORDER, "a range must not end before it starts"),
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
            "serviceAllocation": table(
                "Which Services the pool serves; absent: all.",
                {
                    "priority": {
                        "description": "A lower positive number is tried earlier; 0: after all positive ones.",
                        "type": "integer",
                    },
                    "namespaces": names("Namespaces whose Services it serves.", LABEL_LENGTH),
                    "namespaceSelectors": selectors("Labels of namespaces whose Services it serves."),
                    "serviceSelectors": selectors("Labels of Services it serves."),
                },
            ),
        },
        required=("addresses",),
    )
    counts = ("assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6")
    status = table("How full it is.", {each: {"type": "integer", "format": "int64"} for each in counts})
    columns = [
        {"name": "Auto Assign", "type": "boolean", "jsonPath": ".spec.autoAssign"},
        {"name": "Avoid Buggy IPs", "type": "boolean", "jsonPath": ".spec.avoidBuggyIPs"},
        {"name": "Addresses", "type": "string", "jsonPath": ".spec.addresses"},
    ]
    return crd("IPAddressPool", {"spec": spec, "status": status}, ("spec",), columns)


def _advertisements() -> Schema:
    weighted = table(
        "A wish, not a condition.",
        {
            "weight": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100},
            "preference": selector("Labels of nodes."),
        },
        required=("weight", "preference"),
    )
    spec = table(
        "Pools to announce by ARP and NDP. Empty: every pool, from every node, on every interface.",
        {
            "ipAddressPools": names("Names of pools; with no selectors and no names: all.", NAME_LENGTH),
            "ipAddressPoolSelectors": selectors("Labels of pools, in addition to the names."),
            "nodeSelectors": selectors("Labels of nodes that may announce; absent: all."),
            "preferredNodeSelectors": several("Labels of nodes that rather than others announce.", weighted),
            "serviceSelectors": selectors("Labels of Services to announce; absent: all."),
            "interfaces": names("Names of interfaces to announce on; absent: all that can.", 15),
        },
    )
    columns: list[Schema] = [
        {"name": "IPAddressPools", "type": "string", "jsonPath": ".spec.ipAddressPools"},
        {"name": "IPAddressPool Selectors", "type": "string", "jsonPath": ".spec.ipAddressPoolSelectors"},
        {"name": "Interfaces", "type": "string", "jsonPath": ".spec.interfaces"},
        {"name": "Node Selectors", "type": "string", "jsonPath": ".spec.nodeSelectors", "priority": 10},
    ]
    return crd("L2Advertisement", {"spec": spec}, (), columns)


def _l2_statuses() -> Schema:
    interface = table("An interface.", {"name": {"type": "string", "description": "Its name."}})
    status = table(
        "Where it is answered for.",
        {
            "interfaces": {
                "description": "Where the node answers; absent: on all interfaces that can.",
                "type": "array",
                "items": interface,
            },
            "node": fixed("The node that answers."),
            "serviceName": fixed("The Service."),
            "serviceNamespace": fixed("Its namespace."),
        },
    )
    return _told("ServiceL2Status", "Allocated Node", status)


def _bgp_statuses() -> Schema:
    peers = {"type": "array", "items": {"type": "string", "maxLength": NAME_LENGTH}}
    status = table(
        "Who was told of it.",
        {
            "node": fixed("The node that announces."),
            "peers": {"description": "Names of BGPPeers with a session that are told of it.", **peers},
            "serviceName": fixed("The Service."),
            "serviceNamespace": fixed("Its namespace."),
        },
    )
    return _told("ServiceBGPStatus", "Node", status)


def _told(kind: str, where: str, status: Schema) -> Schema:
    """A kind that tells of a Service on a node."""
    columns: list[Schema] = [
        {"name": where, "type": "string", "jsonPath": ".status.node"},
        {"name": "Service Name", "type": "string", "jsonPath": ".status.serviceName"},
        {"name": "Service Namespace", "type": "string", "jsonPath": ".status.serviceNamespace"},
    ]
    return crd(kind, {"spec": {"type": "object"}, "status": status}, (), columns)


def _states() -> Schema:
    condition = table(
        "A verdict.",
        {
            "type": {"type": "string", "maxLength": 316},
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "reason": {"type": "string", "minLength": 1, "maxLength": 1024},
            "message": {"type": "string", "maxLength": 32768},
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
        },
        required=("type", "status", "reason", "message", "lastTransitionTime"),
    )
    conditions = several("By what is judged.", condition)
    status = table(
        "Whether what is configured holds, as one component sees it.",
        {
            "result": {"type": "string", "enum": ["Valid", "Invalid", "Unknown"]},
            "errorSummary": {"description": "What is wrong, a line each.", "type": "string"},
            "conditions": {**conditions, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        },
    )
    columns: list[Schema] = [
        {"name": "Result", "type": "string", "jsonPath": ".status.result"},
        {"name": "Error Summary", "type": "string", "jsonPath": ".status.errorSummary"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    return crd("ConfigurationState", {"spec": {"type": "object"}, "status": status}, (), columns)
