"""A cluster whose Services MetalLB gave their addresses: speakerd starts, and nobody loses or changes anything."""

from ipaddress import ip_address
from itertools import pairwise

import pytest
import yaml

from tests.kube.controlplane import ControlPlane
from tests.lab import objects
from tests.lab.agents import command_output, fleet
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.steps import Family, clear, vip_leases
from tests.lab.waiting import eventually, throughout

pytestmark = [pytest.mark.kube, pytest.mark.timeout(180)]

SERVICES = 200
DUAL, SHARED = range(0, SERVICES, 10), range(5, SERVICES, 10)
"""Every tenth has an address of each family; of every tenth, two have one address together."""
FIRST4, FIRST6 = ip_address("10.99.10.10"), ip_address("fd99::5:10")
POOL = {"metallb.io/ip-allocated-from-pool": "lan"}


def held(number: int) -> list[str]:
    """The addresses that MetalLB gave Service `number`; one that shares has those of the one before it."""
    if number - 1 in SHARED:
        return held(number - 1)
    return [str(FIRST4 + number), *([str(FIRST6 + number)] if number in DUAL else [])]


def put(cluster: Cluster, number: int, lan: Lan) -> None:
    """A Service as MetalLB leaves it."""
    name, two = f"s{number}", number in DUAL
    shares = number in SHARED or number - 1 in SHARED
    port = {"name": "tcp", "protocol": "TCP", "port": 80 + number % 2, "targetPort": 8080}
    key = {"metallb.io/allow-shared-ip": f"k{number - (number - 1 in SHARED)}"} if shares else {}
    families: list[Family] = ["IPv4", "IPv6"] if two else ["IPv4"]
    cluster.create(objects.service(name, families=families, annotations=POOL | key, ports=[port]))
    ingress = [{"ip": ip} for ip in held(number)]
    cluster.patch("Service", name, {"status": {"loadBalancer": {"ingress": ingress}}}, subresource="status")
    if number < len(lan.nodes):
        cluster.create(objects.endpoints(name, lan.nodes))


def test_every_service_keeps_every_address_and_none_is_written(lan: Lan, plane: ControlPlane) -> None:
    cluster = plane.cluster
    for number in range(SERVICES):
        put(cluster, number, lan)
    expected = {f"s{number}": held(number) for number in range(SERVICES)}
    before = len(cluster.writes())
    with fleet(lan, plane) as agents:
        addresses = {ip for each in expected.values() for ip in each}
        eventually(lambda: len(vip_leases(cluster)) == len(addresses), "each address has its Lease", 60)
        throughout(lambda: kept(cluster) == expected, "all keep what they have", 3)
        nodes = {each.host.name for each in agents}
        written = [
            each for each in cluster.writes()[before:] if each.user in nodes and each.resource.startswith("services")
        ]
        assert written == []
        for one, other in pairwise(sorted((*SHARED, *(number + 1 for number in SHARED)))):
            if one in SHARED:
                assert sharers(cluster, held(one)[0]) == {f"s{one}", f"s{other}"}
        clear(cluster)


def kept(cluster: Cluster) -> dict[str, list[str]]:
    """The addresses of every Service of type LoadBalancer."""
    every = [each for each in cluster.every("Service", "default") if each["spec"]["type"] == "LoadBalancer"]
    return {each["metadata"]["name"]: objects.addresses(each) for each in every}


def sharers(cluster: Cluster, address: str) -> set[str]:
    """The Services that an address' Lease names."""
    lease = cluster.leases()[f"speakerd-vip-{address.replace('.', '-')}"]
    return {each.split("/")[1] for each in lease["metadata"]["annotations"]["speakerd.io/service"].split(",")}


def test_crds_applied_over_metallbs_end_the_conversion_by_a_webhook_that_is_gone(plane: ControlPlane) -> None:
    """As `kubectl apply` does: what is null in the manifest is taken away."""
    name = "bgppeers.metallb.io"
    service = {"name": "metallb-webhook-service", "namespace": objects.METALLB, "path": "/convert"}
    webhook = {"clientConfig": {"service": service}, "conversionReviewVersions": ["v1beta1", "v1beta2"]}
    theirs = {"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}}
    plane.cluster.patch("CustomResourceDefinition", name, theirs)
    (ours,) = [each for each in yaml.safe_load_all(command_output("crds")) if each and each["metadata"]["name"] == name]
    found = plane.cluster.patch("CustomResourceDefinition", name, {"spec": ours["spec"]})
    assert found["spec"]["conversion"] == {"strategy": "None"}
