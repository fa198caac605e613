"""Inside the snap folders are the snap's, and only there."""

import pytest

from speakerd import snap
from speakerd.cli import main
from speakerd.config.load import control_socket, loaded_from
from speakerd.config.sources import File

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
