"""Inside the snap folders are the snap's, and only there."""

from pathlib import Path

import pytest

from speakerd import snap
from speakerd.cli import main
from speakerd.config.load import control_socket, loaded_from
from speakerd.config.sources import File
from speakerd.kube import sandbox
from speakerd.kube.credentials import CredentialsProblem, find, original

ENVIRON = {
    "SNAP_NAME": "metallb-speaker",
    "SNAP_INSTANCE_NAME": "metallb-speaker_two",
    "SNAP_DATA": "/var/snap/metallb-speaker_two/7",
    "SNAP_COMMON": "/var/snap/metallb-speaker_two/common",
    "SNAP_REVISION": "7",
}


def paths(environ: dict[str, str], text: str = "") -> tuple[str, str]:
    settings = loaded_from([File("f", text.encode())], environ, (), "host").settings
    assert settings
    return settings.paths.state, settings.paths.run


def test_state_and_sockets_are_where_the_sandbox_allows_them() -> None:
    assert paths(ENVIRON) == ("/var/snap/metallb-speaker_two/common/state", "/run/snap.metallb-speaker_two")
    assert paths({}) == ("/var/lib/speakerd", "/run/speakerd")


def test_settings_may_say_otherwise() -> None:
    assert paths(ENVIRON, "paths: {state: /x}") == ("/x", "/run/snap.metallb-speaker_two")
    assert paths(ENVIRON | {"SPEAKERD_PATHS_RUN": "/y"})[1] == "/y"


def test_commands_find_the_agent_where_settings_cannot_be_read() -> None:
    assert str(control_socket(ENVIRON)).startswith("/run/snap.metallb-speaker_two/")


def test_the_example_has_the_snaps_folders(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert main(["check", "--example"]) == 0
    assert "state: /var/snap/metallb-speaker_two/common/state " in capsys.readouterr().out


def test_the_terminal_of_another_snap_is_not_ours() -> None:
    assert snap.inside(ENVIRON | {"SNAP_NAME": "code"}) is None
    assert snap.inside({}) is None


def test_the_plug_that_is_needed_comes_first() -> None:
    assert next(snap.missing(())) == "network-control"
    assert not list(snap.missing(snap.PLUGS))
    assert snap.NEEDED.issubset(snap.PLUGS)


OURS = "/state/kubeconfig"
CONNECT = "sudo snap connect metallb-speaker_two:kubeconfigs"


def remedy(folder: Path, path: str, connected: str = "network-control\n") -> str:
    """Where kubeconfig `path` cannot be read, in a snap with these connections."""
    (folder / snap.NOTED).write_text(connected)
    return sandbox.remedy(path, OURS, ENVIRON | {"SNAP_DATA": str(folder)})


def test_where_no_kubeconfig_is_found_the_connections_that_would_help_are_named(tmp_path: Path) -> None:
    strict = "sudo snap connect metallb-speaker_two:microk8s-credentials"
    assert remedy(tmp_path, "") == f"{CONNECT}; for a strict microk8s {strict}; or put one at {OURS}"
    assert remedy(tmp_path, "", "kubeconfigs\n") == ""


@pytest.mark.parametrize(
    "path", ["/etc/kubernetes/admin.conf", "/etc/rancher/k3s/k3s.yaml", "/var/snap/microk8s/current/credentials/x"]
)
def test_a_known_place_that_may_not_be_read_names_its_connection(tmp_path: Path, path: str) -> None:
    assert remedy(tmp_path, path) == f"{CONNECT}; or put one at {OURS}"
    assert remedy(tmp_path, path, "kubeconfigs\n") == ""


def test_a_file_that_no_connection_gives_has_to_be_copied(tmp_path: Path) -> None:
    text = f"a snap may not read there: put a copy at {OURS}"
    assert remedy(tmp_path, "/root/.kube/config") == text
    assert remedy(tmp_path, "/root/.kube/config", "kubeconfigs\n") == text
    assert remedy(tmp_path, f"{tmp_path}/kubeconfig") == ""
    assert remedy(tmp_path, "/var/snap/metallb-speaker_two/common/state/kubeconfig") == ""


def test_outside_of_the_snap_remedies_are_what_they_are(tmp_path: Path) -> None:
    assert sandbox.remedy("/etc/kubernetes/admin.conf", OURS, {}) == ""
    with pytest.raises(CredentialsProblem, match="check path and permissions"):
        find(str(tmp_path / "none"), tmp_path, {})


def test_the_error_about_a_kubeconfig_names_the_command(tmp_path: Path) -> None:
    (tmp_path / snap.NOTED).write_text("")
    environ = ENVIRON | {"SNAP_DATA": str(tmp_path)}
    with pytest.raises(CredentialsProblem) as caught:
        find("/var/snap/microk8s/none", tmp_path, environ)
    assert caught.value.remedy == f"{CONNECT}; or put one at {tmp_path}/kubeconfig"
    with pytest.raises(CredentialsProblem) as caught:
        original("/var/snap/microk8s/none", tmp_path, environ)
    assert caught.value.remedy.startswith(CONNECT)
