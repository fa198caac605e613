"""`speakerd credentials` copies what was found, whole, for the agent alone, and never over its own."""

import json
import stat
from pathlib import Path

import pytest

from speakerd.cli import FINE, NOT_VALID, main
from speakerd.kube import noted
from speakerd.kube.credentials import COPY, OURS, load
from tests.unit.kube.test_credentials import kubeconfig


class Place:
    """A state folder and a kubeconfig elsewhere that the settings name."""

    def __init__(self, folder: Path) -> None:
        self.state, self.named = folder / "state", folder / "admin.conf"
        self.state.mkdir()
        self.settings = folder / "speakerd.yaml"
        self.settings.touch()
        self.copy = self.state / COPY
        self.save("first")

    def save(self, token: str, **user: object) -> None:
        self.named.write_text(json.dumps(kubeconfig(user={"token": token, **user})))

    def run(self, kubeconfig: str = "") -> int:
        state = f"paths.state={self.state}"
        setting = f"kubernetes.kubeconfig={kubeconfig or self.named}"
        return main(["credentials", "--config", str(self.settings), "--set", state, "--set", setting])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_copy_is_for_the_agent_alone_and_says_where_it_is_from(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run() == FINE
    assert stat.S_IMODE(place.copy.stat().st_mode) == 0o600
    assert load([place.copy], "x").bearer() == "first"
    assert str(place.named) in place.copy.read_text()
    assert capsys.readouterr().out == f"{place.named} is copied to {place.copy}\n"


def test_a_copy_that_is_right_is_not_written_again(place: Place) -> None:
    place.run()
    before = place.copy.stat()
    place.run()
    assert place.copy.stat().st_ino == before.st_ino
    place.save("second")
    place.run()
    assert place.copy.stat().st_ino != before.st_ino
    assert load([place.copy], "x").bearer() == "second"
    assert [each.name for each in place.state.iterdir()] == [COPY]


def test_what_cannot_be_copied_leaves_the_copy_as_it_is(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.run()
    place.save("", exec={"command": "aws"})
    assert place.run() == NOT_VALID
    assert "exec and auth-provider plugins are not supported" in capsys.readouterr().err
    assert load([place.copy], "x").bearer() == "first"


def test_what_cannot_be_copied_is_noted_for_the_agent_until_it_can_be(place: Place) -> None:
    place.run()
    place.named.write_text("{")
    place.run()
    note = noted.read(place.state)
    assert note
    assert (note.where, note.remedy) == (str(place.named), "mend or replace the file")
    assert note.what.startswith("not YAML")
    assert stat.S_IMODE((place.state / noted.NOTE).stat().st_mode) == 0o600
    place.save("second")
    place.run()
    assert noted.read(place.state) is None
    assert [each.name for each in place.state.iterdir()] == [COPY]


def test_ours_ends_the_copy_and_is_never_touched(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(place.named))
    assert place.run("auto") == FINE
    ours = place.state / OURS
    ours.write_text("as it was")
    assert place.run("auto") == FINE
    assert ours.read_text() == "as it was"
    assert not place.copy.exists()
    assert capsys.readouterr().out.endswith(f"nothing to copy: {ours} is the agent's own\n")


def test_a_link_in_the_folder_leads_nowhere(place: Place, tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_text("precious")
    place.copy.symlink_to(aim)
    assert place.run() == FINE
    assert aim.read_text() == "precious"
    assert not place.copy.is_symlink()


def test_a_folder_that_is_not_there_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.state.rmdir()
    assert place.run() == NOT_VALID
    assert capsys.readouterr().err.startswith(f"error: {place.state}: No such file or directory (")
