"""`speakerd status`: members and VIPs with all that is known of them, as text and as JSON."""

import json
import os
import pty
from collections.abc import Iterable
from pathlib import Path

import pytest

from speakerd.cli import main
from speakerd.cli.status import rendered
from speakerd.report import (
    ApiReport,
    ConfigurationReport,
    FindingReport,
    MemberReport,
    NodeReport,
    ProcessesReport,
    Report,
    VipReport,
)
from tests.unit.cli.answering import agent

SINCE = "2026-01-01T00:00:00Z"
VIP = VipReport(
    "10.0.0.1", "default/web", "a", "b", 7, SINCE, "owner-dead", "c", ["a", "b"], ["eth0"], "02:00:00:00:00:01"
)
ME = MemberReport("a", "alive", SINCE, None, None, [], 0.0, drained=True, lasted=60.0)
BEN = MemberReport("b", "alive", SINCE, 0.04, 0.21, ["udp", "ethernet"], 0.075, False, 60.0, "fast")
CYN = MemberReport("c", "dead", SINCE, 61.2, None, [], 0.5, False, 60.0)


def report(vips: Iterable[VipReport] = (VIP,)) -> Report:
    return Report(
        node=NodeReport("a", "1", SINCE, known=True),
        processes=ProcessesReport(1, 2, 3),
        api=ApiReport(connected=True, server="https://s", credentials="/k"),
        configuration=ConfigurationReport(valid=True, digest="d", pools=["p"], problems=[]),
        allocator="a",
        members=["a", "b", "c"],
        member_states=[ME, BEN, CYN],
        vips=list(vips),
    )


def rows(text: str, head: str) -> list[list[str]]:
    """The table that begins with the word `head`, cut where two spaces are."""
    lines = text[text.index(f"\n{head} ") + 1 :].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_a_vip_is_told_with_owner_heir_epoch_cause_and_what_was_before() -> None:
    head, told = rows(rendered(report(), colour=False), "VIP")
    assert dict(zip(head, told, strict=True)) == {
        "VIP": "10.0.0.1",
        "SERVICE": "default/web",
        "OWNER": "a",
        "HEIR": "b",
        "EPOCH": "7",
        "SINCE": SINCE,
        "CAUSE": "owner-dead",
        "PREVIOUS": "c",
        "INTERFACES": "eth0",
        "MAC": "02:00:00:00:00:01",
        "WHY NOT": "-",
    }


def test_members_are_told_with_state_round_trip_carriers_and_pace() -> None:
    text = rendered(report(), colour=False)
    _, *told = rows(text, "MEMBER")
    assert told == [
        ["a", "alive, drained", SINCE, "-", "-", "-", "-"],
        ["b", "alive", SINCE, "40 ms ago", "0.21 ms", "udp,ethernet", "fast"],
        ["c", "dead", SINCE, "61 s ago", "-", "-", "each 500 ms"],
    ]
    assert "2 of 3 members alive" in text


def test_json_has_members_as_objects_and_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with agent(tmp_path, lambda _: report()):
        assert main(["status", "-o", "json", "--run", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["memberNames"] == ["a", "b", "c"]
    assert [each["name"] for each in told["members"]] == ["a", "b", "c"]
    assert told["members"][1] == {
        "name": "b",
        "state": "alive",
        "since": SINCE,
        "heard": 0.04,
        "roundTrip": 0.21,
        "carriers": ["udp", "ethernet"],
        "interval": 0.075,
        "drained": False,
        "lasted": 60.0,
        "watched": "fast",
        "configuration": "",
    }


@pytest.mark.parametrize(("severity", "code"), [("error", 1), ("warning", 0)])
def test_an_error_among_the_findings_is_code_1(
    severity: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = report()
    told.findings = [FindingReport("alone", severity, "Node/a", "hears no other", "look at the network")]
    with agent(tmp_path, lambda _: told):
        assert main(["status", "--run", str(tmp_path)]) == code
    assert f"{severity}: Node/a: hears no other (look at the network)" in capsys.readouterr().out


@pytest.mark.parametrize(("no_colour", "painted"), [("", True), ("1", False)])
def test_a_terminal_has_colour_unless_it_is_not_wanted(
    no_colour: str, painted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("TERM", "xterm")
    reader, writer = pty.openpty()
    with agent(tmp_path, lambda _: report(())), os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr("sys.stdout", terminal)
        main(["status", "--run", str(tmp_path)])
        terminal.flush()
        assert (b"\x1b[" in os.read(reader, 1 << 16)) is painted
    os.close(reader)
