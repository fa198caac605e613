"""The rights that `speakerd rbac` prints are enough: the control plane of these tests grants no others."""

import pytest

from tests.lab.agents import Agent
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.steps import given, owner, publish, said
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube


def test_a_service_from_its_address_to_its_end_meets_nothing_that_is_forbidden(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    before = {agent.host.name: len(written(agent)) for agent in agents}
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    eventually(lambda: said(cluster, "web", "nodeAssigned"), "its owner has written all down")
    assert owner(lan, address)
    cluster.delete("Service", "web")
    eventually(lambda: not cluster.every("ServiceL2Status", "metallb-system"), "and what it wrote is gone")
    for agent in agents:
        assert agent.status()["api"]["failing"] == {}
        assert "403" not in written(agent)[before[agent.host.name] :]


def written(agent: Agent) -> str:
    """Its log, of earlier lives, too: an API server that starts forbids for a moment."""
    return agent.log.read_text(errors="replace")
