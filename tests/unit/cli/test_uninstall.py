"""`speakerd uninstall` says what stays, and leaves a host as it is while the cluster cannot be told."""

import os
from pathlib import Path

import pytest

from speakerd.cli import NOT_VALID, main
from speakerd.cli.uninstall import left
from speakerd.settings import Node, Settings
from tests.unit.cli.snapd import Snapd


def test_without_the_cluster_the_host_keeps_what_it_needs_to_try_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "speakerd.yaml"
    settings.write_text(f"kubernetes: {{kubeconfig: {tmp_path / 'none'}}}\n")
    assert main(["uninstall", "--dry-run", "--config", str(settings)]) == NOT_VALID
    told = capsys.readouterr()
    assert told.err.startswith(f"error: {tmp_path / 'none'}: the kubeconfig cannot be read")
    assert "remove" not in told.out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may")
def test_in_the_snap_its_own_service_is_stopped_first_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snapd = Snapd(tmp_path, monkeypatch)
    setting = ["--set", f"kubernetes.kubeconfig={tmp_path / 'none'}"]
    assert main(["uninstall", "--dry-run", *setting]) == NOT_VALID
    assert snapd.asked("stop") == []
    assert main(["uninstall", *setting]) == NOT_VALID
    assert snapd.asked("stop") == [["metallb-speaker.speakerd"]]
    snapd.service("inactive")
    assert main(["uninstall", *setting]) == NOT_VALID
    assert len(snapd.asked("stop")) == 1
    assert "the snap: sudo snap remove metallb-speaker." in capsys.readouterr().out


def test_what_stays_is_named_with_the_command_that_ends_it() -> None:
    text = "\n".join(left(Settings(node=Node(name="worker-1")), {}))
    assert "kubectl -n metallb-system delete secret speakerd-worker-1" in text
    assert "speakerd crds | kubectl delete -f -" in text
    assert "/etc/speakerd.yaml" in text
