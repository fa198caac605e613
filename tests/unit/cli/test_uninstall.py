"""`speakerd uninstall` says what stays, and leaves a host as it is while the cluster cannot be told."""

from pathlib import Path

import pytest

from speakerd.cli import NOT_VALID, main
from speakerd.cli.uninstall import left
from speakerd.settings import Node, Settings


def test_without_the_cluster_the_host_keeps_what_it_needs_to_try_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "speakerd.yaml"
    settings.write_text(f"kubernetes: {{kubeconfig: {tmp_path / 'none'}}}\n")
    assert main(["uninstall", "--dry-run", "--config", str(settings)]) == NOT_VALID
    told = capsys.readouterr()
    assert told.err.startswith(f"error: {tmp_path / 'none'}: the kubeconfig cannot be read")
    assert "remove" not in told.out


def test_what_stays_is_named_with_the_command_that_ends_it() -> None:
    text = "\n".join(left(Settings(node=Node(name="worker-1"))))
    assert "kubectl -n metallb-system delete secret speakerd-worker-1" in text
    assert "speakerd crds | kubectl delete -f -" in text
    assert "/etc/speakerd.yaml" in text
