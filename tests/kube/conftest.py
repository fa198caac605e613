"""One LAN with a real control plane for all tests; speakerd and kube-proxy on every node, anew for each file.

After an outage kube-proxy's watches may rest for a minute, and the next file's Services would find its old rules.
"""

from collections.abc import Iterator

import pytest
import yaml

from tests.kube import controlplane
from tests.kube.controlplane import ControlPlane
from tests.kube.proxy import proxies
from tests.lab import net, objects
from tests.lab.agents import Agent, command_output, fleet
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.steps import clear
from tests.lab.traffic import Echo


@pytest.fixture(scope="session")
def lan() -> Iterator[Lan]:
    if lacking := net.missing():
        pytest.skip(lacking)
    with net.orderly(), Lan(routers=1) as made, Echo(made):
        yield made


@pytest.fixture(scope="session")
def plane(lan: Lan) -> Iterator[ControlPlane]:
    if lacking := controlplane.missing():
        pytest.skip(lacking)
    with ControlPlane(lan) as made:
        for node in lan.nodes:
            made.cluster.create(objects.node(node))
        made.cluster.apply(yaml.safe_load_all(command_output("crds")))
        made.cluster.create(objects.pool("lan", "10.99.10.0/24", "fd99::5:0/120"))
        made.cluster.create(objects.advertisement("lan"))
        made.cluster.ensure(objects.namespace(objects.METALLB))
        made.cluster.create(objects.mesh_secret())
        yield made


@pytest.fixture(scope="module")
def agents(lan: Lan, plane: ControlPlane) -> Iterator[list[Agent]]:
    with proxies(lan, plane), fleet(lan, plane) as running:
        yield running


@pytest.fixture
def cluster(plane: ControlPlane, agents: list[Agent]) -> Iterator[Cluster]:
    """The cluster with speakerd at work and no Service of type LoadBalancer; the test's own are removed after it."""
    yield plane.cluster
    try:
        clear(plane.cluster)
    finally:
        for agent in agents:
            print(f"--- {agent.host.name}\n{agent.tail()}")
