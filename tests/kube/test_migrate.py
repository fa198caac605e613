"""`speakerd migrate` against a real API server: read, kept, and created where it is not there."""

import json
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.kube.controlplane import ControlPlane
from tests.kube.legacy import CONFIG, config_map
from tests.lab.agents import program
from tests.lab.cluster import kubeconfig
from tests.lab.objects import METALLB

pytestmark = pytest.mark.kube

MADE = [
    ("IPAddressPool", "lan-of-old"),
    ("IPAddressPool", "routed"),
    ("L2Advertisement", "l2advertisement1"),
    ("BGPPeer", "peer1"),
    ("BGPPeer", "peer2"),
    ("BGPAdvertisement", "bgpadvertisement1"),
    ("BGPAdvertisement", "bgpadvertisement2"),
    ("Community", "communities"),
]


def ran(plane: ControlPlane, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`speakerd migrate ARGUMENTS` as the cluster's administrator."""
    where = kubeconfig(plane.cluster.access, folder / "kubeconfig")
    environ = {**os.environ, "SPEAKERD_KUBERNETES_KUBECONFIG": str(where)}
    inside: Sequence[str] = ("ip", "netns", "exec", plane.cluster.access.netns)
    command = [*inside, *program(), "migrate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environ)


def test_a_cluster_with_a_config_map_is_carried_over_and_applied_once(plane: ControlPlane, tmp_path: Path) -> None:
    cluster = plane.cluster
    kept = [cluster.get(kind, "lan", METALLB) or {} for kind in ("IPAddressPool", "L2Advertisement")]
    copy = tmp_path / "metallb.json"
    both = ran(plane, tmp_path)
    assert [each["metadata"]["name"] for each in yaml.safe_load_all(both.stdout)] == ["lan", "lan"]
    for each in kept:
        cluster.delete(each["kind"], "lan", METALLB)
    cluster.create(config_map(CONFIG))
    try:
        first = ran(plane, tmp_path, "--save", str(copy), "--apply")
        assert first.returncode == 0, first.stderr
        assert [line.endswith(": created") for line in first.stdout.splitlines()] == [True] * len(MADE)
        assert all(cluster.get(kind, name, METALLB) for kind, name in MADE)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        saved = {(each["kind"], each["metadata"]["name"]) for each in json.loads(copy.read_text())["items"]}
        assert ("ConfigMap", "config") in saved
        again = ran(plane, tmp_path, "--save", str(copy))
        assert again.returncode == 2, "a copy is not written over"
    finally:
        cluster.delete("ConfigMap", "config", METALLB)
        for kind, name in MADE:
            cluster.delete(kind, name, METALLB)
        for each in kept:
            cluster.create({**each, "metadata": {"name": "lan", "namespace": METALLB}})
