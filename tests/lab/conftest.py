"""A LAN with the embedded API server for each file, and speakerd on every node."""

from collections.abc import Iterator

import pytest

from tests.lab import net, objects
from tests.lab.agents import Agent, fleet
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.steps import clear
from tests.lab.traffic import Echo


@pytest.fixture(scope="session", autouse=True)
def orderly() -> Iterator[None]:
    with net.orderly():
        yield


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if lacking := net.missing():
        pytest.skip(lacking)
    with Lan() as made, Echo(made):
        yield made


@pytest.fixture(scope="module")
def plane(lan: Lan) -> Iterator[Embedded]:
    with Embedded(lan) as made:
        made.cluster.create(objects.pool("lan", "10.99.10.0/24", "fd99::5:0/120"))
        made.cluster.create(objects.advertisement("lan"))
        yield made


@pytest.fixture(scope="module")
def agents(lan: Lan, plane: Embedded) -> Iterator[list[Agent]]:
    with fleet(lan, plane) as running:
        yield running


@pytest.fixture
def cluster(plane: Embedded, agents: list[Agent]) -> Iterator[Cluster]:
    """The cluster with speakerd at work and no Service; the test's own are removed after it."""
    yield plane.cluster
    for agent in agents:
        told = agent.status()
        print(f"--- {agent.host.name}\n{agent.tail()}\n{told.get('vips')} {told.get('api')} {told.get('members')}")
    plane.fault()
    clear(plane.cluster)
