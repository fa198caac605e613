"""What the embedded API server serves: the table of resources, and what the real one adds to an object of each."""

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_network
from itertools import count
from typing import Any

from msgspec import Struct

from tests.embedded.refusals import invalid

Object = dict[str, Any]

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""RFC 1123 subdomain."""
CLUSTER_RANGES = {"IPv4": ip_network("10.96.0.0/16"), "IPv6": ip_network("fd00:10:96::/112")}
NODE_PORTS = 30000


class Resource(Struct, frozen=True):
    """A collection the API serves. `status`: has that subresource; `custom`: comes from a CustomResourceDefinition."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    status: bool = False
    custom: bool = False

    @property
    def api_version(self) -> str:
        """As objects of this resource say it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """As error messages say it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


CRDS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False, status=True
)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, status=True)
SERVICES = Resource("", "v1", "services", "Service", status=True)
BUILTIN = (
    NAMESPACES,
    SERVICES,
    Resource("", "v1", "nodes", "Node", namespaced=False, status=True),
    Resource("", "v1", "pods", "Pod", status=True),
    Resource("", "v1", "secrets", "Secret"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "events", "Event"),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Resource("coordination.k8s.io", "v1", "leases", "Lease"),
    CRDS,
)
METALLB = (
    *("IPAddressPool", "L2Advertisement", "BGPAdvertisement", "Community", "BFDProfile"),
    *("ServiceL2Status", "ServiceBGPStatus", "ConfigurationState"),
)


def crd(kind: str, version: str = "v1beta1") -> Object:
    """A CustomResourceDefinition of MetalLB's group, as far as this server reads one."""
    plural = re.sub("ys$", "ies", kind.lower() + ("es" if kind.endswith("s") else "s"))
    return {
        "metadata": {"name": f"{plural}.metallb.io"},
        "spec": {
            "group": "metallb.io",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{"name": version, "served": True, "storage": True, "subresources": {"status": {}}}],
        },
    }


def defined(definitions: Iterable[Object]) -> list[Resource]:
    """The resources that CustomResourceDefinitions describe, each in its served versions."""
    return [
        Resource(
            spec["group"],
            version["name"],
            spec["names"]["plural"],
            spec["names"]["kind"],
            namespaced=spec.get("scope") == "Namespaced",
            status="status" in version.get("subresources", {}),
            custom=True,
        )
        for spec in (each["spec"] for each in definitions)
        for version in spec["versions"]
        if version.get("served")
    ]


class Addresses:
    """Gives Services their cluster addresses and node ports, each once."""

    def __init__(self) -> None:
        self._hosts = {family: network.hosts() for family, network in CLUSTER_RANGES.items()}
        self._ports = count(NODE_PORTS)

    def cluster_ip(self, family: str) -> str:
        """An unused address of `family`."""
        return str(next(self._hosts[family]))

    def node_port(self) -> int:
        """An unused node port (past the real range when a test needs thousands)."""
        return next(self._ports)


def admitted(resource: Resource, new: Object, old: Object | None, addresses: Addresses) -> Object:
    """`new` as the API stores it: defaults filled in, dependent fields cleared. Raises Refusal."""
    name = new["metadata"]["name"]
    if not NAME.fullmatch(name) or len(name) > 253:
        raise invalid(resource.kind, name, "metadata.name", "a lowercase RFC 1123 subdomain must consist of ...")
    complete = COMPLETE.get(resource.kind)
    return complete(new, old, addresses) if complete else new


def _namespace(new: Object, _old: Object | None, _addresses: Addresses) -> Object:
    metadata = new["metadata"]
    labels = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}
    return (
        {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        | new
        | {"metadata": metadata | {"labels": labels}}
    )


def _service(new: Object, old: Object | None, addresses: Addresses) -> Object:
    before: Mapping[str, Any] = old["spec"] if old else {}
    spec = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"} | new.get("spec", {})
    policy = spec.setdefault("ipFamilyPolicy", "SingleStack")
    wanted = spec.get("ipFamilies") or ["IPv4"]
    if policy != "SingleStack" and len(wanted) == 1:
        wanted = [*wanted, "IPv6" if wanted == ["IPv4"] else "IPv4"]
    spec["ipFamilies"] = wanted[:1] if policy == "SingleStack" else wanted
    held = {_family(ip): ip for ip in before.get("clusterIPs", ())}
    if spec.get("clusterIP") != "None":
        spec["clusterIPs"] = [held.get(family) or addresses.cluster_ip(family) for family in spec["ipFamilies"]]
        spec["clusterIP"] = spec["clusterIPs"][0]
    balanced = spec["type"] == "LoadBalancer"
    if balanced:
        spec = {"externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": True} | spec
        if before.get("type") == "LoadBalancer" and before.get("loadBalancerClass") != spec.get("loadBalancerClass"):
            raise invalid("Service", new["metadata"]["name"], "spec.loadBalancerClass", "may not change once set")
    else:
        for field in ("externalTrafficPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass"):
            spec.pop(field, None)
    spec["ports"] = [_port(port, balanced, addresses) for port in spec.get("ports", ())]
    return new | {"spec": spec, "status": _service_status(new) if balanced else {"loadBalancer": {}}}


def _service_status(new: Object) -> Object:
    """The API clears the addresses of what is no LoadBalancer, and checks those of what is."""
    status = new.get("status") or {}
    ingress = (status.get("loadBalancer") or {}).get("ingress")
    if not ingress:
        return {**status, "loadBalancer": {}}
    for number, each in enumerate(ingress):
        if "ip" in each and not _is_ip(each["ip"]):
            field = f"status.loadBalancer.ingress[{number}].ip"
            raise invalid("Service", new["metadata"]["name"], field, "must be a valid IP address")
    balancer = {"ingress": [{"ipMode": "VIP"} | each if "ip" in each else each for each in ingress]}
    return {**status, "loadBalancer": balancer}


def _port(port: Object, balanced: bool, addresses: Addresses) -> Object:
    port = {"protocol": "TCP", "targetPort": port["port"]} | port
    if balanced and "nodePort" not in port:
        return port | {"nodePort": addresses.node_port()}
    return port if balanced else {key: value for key, value in port.items() if key != "nodePort"}


def _family(ip: str) -> str:
    return f"IPv{ip_address(ip).version}"


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _definition(new: Object, _old: Object | None, _addresses: Addresses) -> Object:
    conditions = [{"type": each, "status": "True"} for each in ("NamesAccepted", "Established")]
    return new | {"status": {"conditions": conditions, "acceptedNames": new["spec"]["names"]}}


COMPLETE: Mapping[str, Callable[[Object, Object | None, Addresses], Object]] = {
    "Namespace": _namespace,
    "Service": _service,
    "CustomResourceDefinition": _definition,
}
