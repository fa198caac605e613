"""Every command that asks the agent has help with an example, one clear error, and the exit codes of the contract."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from speakerd.cli import main
from speakerd.control import Refusal
from tests.unit.cli.answering import agent

NOBODY = 65534
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


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "speakerd", "version"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def nobody() -> Iterator[None]:
    """Within the block this process is no user that may do anything."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_ask_is_told_so_and_not_that_no_agent_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path, lambda _: Refusal("only root is told this")):
        assert main(["status", "--run", str(tmp_path)]) == 2
        capsys.readouterr()
        with nobody():
            code = main(["status", "--run", str(tmp_path)])
    assert code == 3
    what = "only root and the socket's group may ask the agent"
    assert capsys.readouterr().err == f"error: {tmp_path}/control.sock: {what} (sudo)\n"


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
