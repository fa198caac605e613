"""A rule, and the objects that the clusters of rules are made of."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tests.forms import NAMESPACE, Object, made

Told = tuple[str, list[str], str]
"""Result, addresses and reason of a Service."""


class Rule(Struct, frozen=True):
    """`services`: what becomes of each, by name; `announced`: who announces the addresses of s, or why nobody.

    `pools`: total and in use, by name.
    """

    says: str
    objects: tuple[Object, ...]
    services: Mapping[str, Told] = {}
    announced: tuple[Object, ...] = ()
    pools: Mapping[str, tuple[int, int]] = {}


def pool(name: str, *addresses: str, **spec: object) -> Object:
    """An IPAddressPool."""
    return made("IPAddressPool", name, {"addresses": [*addresses], **spec})


def pinned(name: str, *addresses: str, **allocation: object) -> Object:
    """An IPAddressPool for some Services."""
    return pool(name, *addresses, serviceAllocation=allocation)


def created(obj: Object, second: int) -> Object:
    """The object, with an age."""
    return {**obj, "metadata": {**obj["metadata"], "creationTimestamp": _at(second)}}


def _at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}Z"


def labelled(obj: Object, **labels: str) -> Object:
    """The object, with labels."""
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}


def service(
    name: str,
    *held: str,
    age: int = 0,
    labels: Mapping[str, str] | None = None,
    namespace: str = "default",
    note: Mapping[str, str] | None = None,
    **spec: object,
) -> Object:
    """A Service of type LoadBalancer with one IPv4 cluster IP. `note`: its annotations, without metallb.io/."""
    annotations = {key if "/" in key else f"metallb.io/{key}": value for key, value in (note or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "creationTimestamp": _at(age),
            "labels": dict(labels or {}),
            "annotations": annotations,
        },
        "spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.1"], "ports": [{"port": 80}], **spec},
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in held]}},
    }


def dual(name: str, *held: str, policy: str = "RequireDualStack", **more: Any) -> Object:  # noqa: ANN401  as `service`
    """A Service with a cluster IP of each family."""
    return service(name, *held, clusterIPs=["10.96.0.1", "fd96::1"], ipFamilyPolicy=policy, **more)


def shares(name: str, *held: str, port: int = 80, protocol: str = "TCP", key: str = "k", **more: Any) -> Object:  # noqa: ANN401
    """A Service with a sharing key."""
    ports = [{"port": port, "protocol": protocol}]
    return service(name, *held, note={"allow-shared-ip": key}, ports=ports, **more)


def joined(ip: str, **terms: str) -> Object:
    """The Lease of an address that Services have joined, by name with the terms it has recorded."""
    annotations = {
        "speakerd.io/service": ",".join(f"default/{name}/uid-{name}" for name in terms),
        "speakerd.io/terms": ",".join(f"uid-{name}={each}" for name, each in terms.items()),
    }
    metadata = {
        "name": f"speakerd-vip-{ip.replace('.', '-')}",
        "namespace": NAMESPACE,
        "uid": f"uid-{ip}",
        "labels": {"speakerd.io/kind": "vip"},
        "annotations": annotations,
    }
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}


def node(name: str, *conditions: str, **labels: str) -> Object:
    """A Node; `conditions` that are True, or as `Type=Status` says."""
    pairs = [each.partition("=") for each in conditions]
    told = [{"type": kind, "status": status or "True"} for kind, _, status in pairs]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"conditions": told},
    }


def namespace(name: str, **labels: str) -> Object:
    """A Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def endpoints(of: str, *nodes: str, ready: bool | None = True, serving: bool | None = None) -> Object:
    """An EndpointSlice; without nodes one whose endpoint names none."""
    conditions = {key: value for key, value in (("ready", ready), ("serving", serving)) if value is not None}
    where: list[Object] = [{"nodeName": each} for each in nodes] or [{}]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{of}-x", "namespace": "default", "labels": {"kubernetes.io/service-name": of}},
        "endpoints": [{"addresses": ["10.1.0.1"], "conditions": conditions, **each} for each in where],
    }


def layer2(ip: str, candidates: str = "", owner: str = "", reason: str = "") -> Object:
    """How `plan` tells of an address on the LAN; `candidates`: names of one letter."""
    return {"protocol": "layer2", "ip": ip, "candidates": [*candidates], "owner": owner, "reason": reason}


def bgp(
    prefix: str, node: str, peers: list[str], pref: int = 0, communities: tuple[str, ...] = (), **asked: int
) -> Object:
    """How it tells of a prefix; `asked`: med and asPathPrepend, where an advertisement asks for them."""
    told = {"protocol": "bgp", "prefix": prefix, "node": node, "peers": peers, "localPref": pref}
    return told | {"communities": [*communities], "reason": ""} | asked


def not_by_bgp(reason: str) -> Object:
    """How it tells that no node announces by BGP."""
    return bgp("", "", []) | {"reason": reason}


K_80, K_443 = "32a73f2432db", "305a757550af"
"""The terms of `shares(...)` with TCP port 80, and with 443, as a Lease records them."""
P = pool("p", "10.0.0.0/30")
Q = pool("q", "10.0.1.0/30")
DUAL = pool("d", "10.2.0.0/31", "fd00::/127")
L2 = made("L2Advertisement", "l2", {})
ROUTE = made("BGPAdvertisement", "bgp", {})
PEER = made("BGPPeer", "peer", {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"})
OTHER_PEER = made("BGPPeer", "other", {"myASN": 64512, "peerASN": 64514, "peerAddress": "192.0.2.2"})
A, B = node("a", rack="1"), node("b", rack="2")
RACK1, RACK2 = ([{"matchLabels": {"rack": rack}}] for rack in "12")
ON_A = {"nodeSelectors": RACK1}
WEB = service("s")
READY = endpoints("s", "a")
FULL = (pool("one", "10.0.0.0/32"), service("other", "10.0.0.0"))


def given(*ips: str) -> dict[str, Told]:
    """Service s is newly given these."""
    return {"s": ("assigned", [*ips], "")}


def refused(reason: str) -> dict[str, Told]:
    """Service s is given nothing."""
    return {"s": ("refused", [], reason)}


def keeps(ip: str, reason: str = "") -> dict[str, Told]:
    """Service s keeps what it has."""
    return {"s": ("kept", [ip], reason)}
