"""Every command that asks the agent has help with an example, one clear error, and the exit codes of the contract."""

from pathlib import Path

import pytest

from speakerd.cli import main
from speakerd.control import Refusal
from tests.unit.cli.answering import agent

ASKING = (["status"], ["drain"], ["undrain"], ["events"], ["explain", "10.0.0.1"])


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command[0], "--help"])
    assert end.value.code == 0
    assert f"Example: speakerd {command[0]}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_without_an_agent_there_is_one_line_and_code_3(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--run", str(tmp_path)]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        f"error: {tmp_path}/control.sock: no agent answers: No such file or directory"
        " (is the service running? see systemctl status speakerd)\n"
    )


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_what_the_agent_refuses_is_told_with_its_remedy_and_code_2(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path, lambda _: Refusal("cannot be told", "10.0.0.1", "ask again")):
        assert main([*command, "--run", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: 10.0.0.1: cannot be told (ask again)\n"


def test_an_agent_that_knows_no_such_verb_is_of_another_version(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path, lambda request: {"error": f"unknown verb {request.verb}"}):
        assert main(["events", "--run", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: speakerd: unknown verb events (see speakerd --help)\n"
