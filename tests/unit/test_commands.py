"""Advice names the commands of this host: those of systemd, or of the snap."""

import pytest

from speakerd import commands, diagnosis, snap
from speakerd.cli import NO_AGENT, main
from speakerd.commands import Commands
from speakerd.findings import TABLE, Finding
from tests.unit.test_report import fine
from tests.unit.test_snap import ENVIRON


def test_in_the_snap_they_are_the_snaps_by_the_name_it_was_installed_under() -> None:
    here = commands.known(ENVIRON)
    assert here.speakerd == "metallb-speaker_two"
    assert here.status == "systemctl status snap.metallb-speaker_two.speakerd"
    assert here.log == "sudo snap logs metallb-speaker_two"
    assert (here.restart, here.stop) == (
        "sudo snap restart metallb-speaker_two.speakerd",
        "sudo snap stop metallb-speaker_two.speakerd",
    )


def test_elsewhere_they_are_those_of_the_service() -> None:
    assert commands.known({}) == commands.known(ENVIRON | {"SNAP_NAME": "code"}) == Commands()
    assert Commands().log == "journalctl -u speakerd"


@pytest.mark.parametrize("here", [Commands(), commands.known(ENVIRON)])
def test_every_remedy_is_spoken_whole(here: Commands) -> None:
    remedies = [here.spoken(entry.remedy) for entry in TABLE.values()]
    assert not [each for each in remedies if "{" in each]
    assert any(here.log in each for each in remedies)
    assert any(here.restart in each for each in remedies)


def test_braces_that_are_not_ours_stay() -> None:
    assert Commands().spoken("log: {level: debug}, {log}") == "log: {level: debug}, journalctl -u speakerd"


def test_no_advice_names_the_service_of_another_kind_of_installation() -> None:
    words = [*(entry.remedy for entry in TABLE.values()), *(entry.breaks for entry in TABLE.values())]
    assert not [each for each in words if "systemctl" in each or "journalctl" in each]


def test_findings_of_an_agent_in_the_snap_lead_to_the_log_of_the_snap() -> None:
    told = fine()
    told.processes.announcer = 0
    (found,) = diagnosis.found(told, commands.known(ENVIRON | {"SNAP_INSTANCE_NAME": snap.NAME}))
    assert found.finding == Finding.ANNOUNCER_DOWN
    assert found.remedy == "look at the log: sudo snap logs metallb-speaker"


def test_where_no_agent_answers_in_the_snap_its_unit_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert main(["status"]) == NO_AGENT
    assert "see systemctl status snap.metallb-speaker_two.speakerd)" in capsys.readouterr().err
