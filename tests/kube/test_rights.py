"""The rights that `speakerd rbac` prints are enough: the control plane of these tests grants no others."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from tests.kube.controlplane import ControlPlane
from tests.lab.agents import Agent, program
from tests.lab.cluster import ApiError, Cluster, kubeconfig
from tests.lab.net import Lan
from tests.lab.objects import METALLB
from tests.lab.steps import given, owner, publish, said
from tests.lab.waiting import eventually

pytestmark = pytest.mark.kube

UNAUTHORIZED, FORBIDDEN = 401, 403


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
        assert "forbidden" not in written(agent)[before[agent.host.name] :].lower()


def test_a_kubeconfig_made_for_a_host_has_the_rights_of_the_agent_until_its_secret_is_deleted(
    plane: ControlPlane, tmp_path: Path
) -> None:
    admin = kubeconfig(plane.cluster.access, tmp_path / "admin")
    environ = {**os.environ, "SPEAKERD_KUBERNETES_KUBECONFIG": str(admin)}
    inside = ("ip", "netns", "exec", plane.cluster.access.netns)
    command = [*inside, *program(), "rbac", "--kubeconfig", "worker-1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load(done.stdout)
    assert made["clusters"][0]["cluster"]["server"] == plane.cluster.access.url
    token = made["users"][0]["user"]["token"]
    host = Cluster(msgspec.structs.replace(plane.cluster.access, token=token), list)
    try:
        assert host.every("IPAddressPool", METALLB)
        with pytest.raises(ApiError) as refused:
            host.every("Secret", METALLB)
        assert refused.value.code == FORBIDDEN
        plane.cluster.delete("Secret", "speakerd-worker-1", METALLB)
        eventually(lambda: refuses(host), "its token is worth nothing any more", 30)
    finally:
        host.close()


def refuses(host: Cluster) -> bool:
    """Whether the API server knows who asks no longer."""
    try:
        host.every("IPAddressPool", METALLB)
    except ApiError as refused:
        return refused.code == UNAUTHORIZED
    return False


def written(agent: Agent) -> str:
    """Its log, of earlier lives, too: an API server that starts forbids for a moment."""
    return agent.log.read_text(errors="replace")
