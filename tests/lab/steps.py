"""What most tests do: publish Services, and see who answers for their addresses."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.frames import answers
from tests.lab.net import Host, Lan
from tests.lab.waiting import eventually

Family = Literal["IPv4", "IPv6"]
Policy = Literal["Cluster", "Local"]


def publish(
    cluster: Cluster,
    name: str,
    pods: Sequence[Host],
    *,
    families: Sequence[Family] = ("IPv4",),
    policy: Policy = "Cluster",
    pool: str = "",
    balancer: str = "",
) -> None:
    """Create a Service with a ready pod on each of `pods`, of `pool` where one is named.

    `balancer`: its loadBalancerClass.
    """
    wish = {"metallb.io/address-pool": pool} if pool else {}
    service = objects.service(name, families=families, policy=policy, annotations=wish)
    cluster.create({**service, "spec": service["spec"] | ({"loadBalancerClass": balancer} if balancer else {})})
    for family in families:
        cluster.create(objects.endpoints(name, pods, family=family))


def given(cluster: Cluster, name: str, timeout: float = 10.0) -> list[str]:
    """The addresses of Service `name`, as soon as it has any."""
    return eventually(partial(cluster.addresses, name), f"{name} has an address", timeout)


def answering(lan: Lan, address: str, patience: float = 0.3) -> list[str]:
    """The nodes that answer one question of the client for `address`, each as often as it does."""
    return [lan.who(each.mac) for each in answers(lan.client, address, patience)]


def owner(lan: Lan, address: str, timeout: float = 5.0) -> str:
    """The one node that answers for `address`, as soon as one does; two of them are an AssertionError."""
    (found,) = eventually(partial(answering, lan, address), f"a node answers for {address}", timeout)
    return found


def vip_leases(cluster: Cluster) -> list[str]:
    """The Leases that reserve addresses."""
    return [name for name in cluster.leases() if name.startswith("speakerd-vip-")]


def said(cluster: Cluster, name: str, reason: str) -> list[str]:
    """Messages of the events about Service `name`, and no earlier one of that name, that carry this reason."""
    uid = (cluster.get("Service", name) or {}).get("metadata", {}).get("uid")
    about = [each for each in cluster.every("Event", "default") if each["involvedObject"]["name"] == name]
    return [each["message"] for each in about if each["reason"] == reason and each["involvedObject"].get("uid") == uid]


def clear(cluster: Cluster) -> None:
    """Remove all Services of type LoadBalancer and wait until no address is reserved."""
    for service in cluster.every("Service", "default"):
        if service["spec"]["type"] == "LoadBalancer":
            cluster.delete("Service", service["metadata"]["name"])
    for piece in cluster.every("EndpointSlice", "default"):
        cluster.delete("EndpointSlice", piece["metadata"]["name"])
    eventually(lambda: not vip_leases(cluster), "every address is free again", 30)
