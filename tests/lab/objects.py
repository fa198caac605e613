"""Kubernetes objects as tests write them, and where the API keeps each kind."""

import os
from base64 import b64encode, encodebytes
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Literal

from tests.lab.net import Host
from tests.lab.traffic import PORT

Object = dict[str, Any]
METALLB = "metallb-system"

GROUPS: Mapping[str, tuple[str, str, bool]] = {
    # kind: (path of its group and version, plural, namespaced)
    "Service": ("api/v1", "services", True),
    "Node": ("api/v1", "nodes", False),
    "Namespace": ("api/v1", "namespaces", False),
    "ConfigMap": ("api/v1", "configmaps", True),
    "Secret": ("api/v1", "secrets", True),
    "Event": ("api/v1", "events", True),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices", True),
    "Lease": ("apis/coordination.k8s.io/v1", "leases", True),
    "IPAddressPool": ("apis/metallb.io/v1beta1", "ipaddresspools", True),
    "L2Advertisement": ("apis/metallb.io/v1beta1", "l2advertisements", True),
    "BGPPeer": ("apis/metallb.io/v1beta2", "bgppeers", True),
    "BGPAdvertisement": ("apis/metallb.io/v1beta1", "bgpadvertisements", True),
    "BFDProfile": ("apis/metallb.io/v1beta1", "bfdprofiles", True),
    "Community": ("apis/metallb.io/v1beta1", "communities", True),
    "ConfigurationState": ("apis/metallb.io/v1beta1", "configurationstates", True),
    "ServiceL2Status": ("apis/metallb.io/v1beta1", "servicel2statuses", True),
    "ServiceBGPStatus": ("apis/metallb.io/v1beta1", "servicebgpstatuses", True),
    "CustomResourceDefinition": ("apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "ServiceAccount": ("api/v1", "serviceaccounts", True),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "ClusterRole": ("apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "ValidatingWebhookConfiguration": (
        "apis/admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        False,
    ),
    "ValidatingAdmissionPolicy": ("apis/admissionregistration.k8s.io/v1", "validatingadmissionpolicies", False),
    "ValidatingAdmissionPolicyBinding": (
        "apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
        False,
    ),
}


def path(kind: str, namespace: str = "", name: str = "") -> str:
    """The path of one object, or without `name` of its collection; of all namespaces without `namespace`."""
    group, plural, namespaced = GROUPS[kind]
    parts = [group, *(["namespaces", namespace] if namespaced and namespace else []), plural, *([name] if name else [])]
    return "/" + "/".join(parts)


def meta(name: str, namespace: str = "", **more: object) -> Object:
    """A metadata block; empty fields are left out."""
    fields = {"name": name, "namespace": namespace, **more}
    return {key: value for key, value in fields.items() if value}


def mesh_secret() -> Object:
    """The key of the members' messages, as `openssl rand -base64 128` makes it, in several lines."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta("memberlist", METALLB),
        "type": "Opaque",
        "data": {"secretkey": b64encode(encodebytes(os.urandom(128))).decode()},
    }


def service(
    name: str,
    *,
    namespace: str = "default",
    families: Sequence[Literal["IPv4", "IPv6"]] = ("IPv4",),
    policy: Literal["Cluster", "Local"] = "Cluster",
    annotations: Mapping[str, str] | None = None,
    **spec: object,
) -> Object:
    """A Service of type LoadBalancer on port 80, TCP and UDP; without selector: EndpointSlices are made by hand."""
    ports = [
        {"name": protocol.lower(), "protocol": protocol, "port": 80, "targetPort": PORT} for protocol in ("TCP", "UDP")
    ]
    two = len(families) > 1
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(name, namespace, annotations=dict(annotations or {})),
        "spec": {
            "type": "LoadBalancer",
            "ports": ports,
            "ipFamilies": list(families),
            "ipFamilyPolicy": "RequireDualStack" if two else "SingleStack",
            "externalTrafficPolicy": policy,
            **spec,
        },
    }


def endpoints(
    name: str, nodes: Sequence[Host], *, namespace: str = "default", family: Literal["IPv4", "IPv6"] = "IPv4"
) -> Object:
    """The EndpointSlice of Service `name`: the pods of `nodes`, all ready."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": meta(f"{name}-{family.lower()}", namespace, labels={"kubernetes.io/service-name": name}),
        "addressType": family,
        "ports": [{"name": protocol.lower(), "protocol": protocol, "port": PORT} for protocol in ("TCP", "UDP")],
        "endpoints": [
            {
                "addresses": [node.pod4 if family == "IPv4" else node.pod6],
                "nodeName": node.name,
                "conditions": {"ready": True, "serving": True, "terminating": False},
            }
            for node in nodes
        ],
    }


def node(host: Host, labels: Mapping[str, str] | None = None) -> Object:
    """The Node of `host`; its status holds the addresses and that it is ready."""
    addresses = [{"type": "InternalIP", "address": each} for each in (host.ipv4, host.ipv6)]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta(host.name, labels=dict(labels or {})),
        "status": {
            "addresses": [*addresses, {"type": "Hostname", "address": host.name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}],
        },
    }


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name)}


def pool(name: str, *addresses: str) -> Object:
    """An IPAddressPool of CIDRs and ranges."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": meta(name, METALLB),
        "spec": {"addresses": list(addresses)},
    }


def advertisement(name: str, *, pools: Sequence[str] = ()) -> Object:
    """An L2Advertisement of all pools, or of those named."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": meta(name, METALLB),
        "spec": {"ipAddressPools": list(pools)} if pools else {},
    }


def addresses(found: Object) -> list[str]:
    """status.loadBalancer.ingress[].ip of a Service, in its order and Python's spelling."""
    ingress = found.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [str(ip_address(each["ip"])) for each in ingress]
