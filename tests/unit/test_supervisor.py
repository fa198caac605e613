"""What dies is started again, what hangs on the supervisor ends with it, and systemd hears of it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

Process = subprocess.Popen[str]


def started(*arguments: str, **environ: str) -> Process:
    command = [sys.executable, "-m", "tests.unit.supervised", *arguments]
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        command, cwd=root, env=os.environ | environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture
def process() -> Iterator[Process]:
    with started() as running:
        yield running
        running.kill()


def said(process: Process) -> tuple[str, int, int]:
    assert process.stdout is not None
    name, pid, restarts = process.stdout.readline().split()
    return name, int(pid), int(restarts)


def both(process: Process) -> dict[str, int]:
    return {name: pid for name, pid, _ in (said(process), said(process))}


def test_a_killed_child_is_started_again_at_once(process: Process) -> None:
    pids = both(process)
    os.kill(pids["announcer"], signal.SIGKILL)
    name, pid, restarts = said(process)
    assert (name, restarts) == ("announcer", 1)
    assert pid != pids["announcer"]


def test_a_child_that_hangs_up_is_ended_and_started_again() -> None:
    with started("mute") as process:
        first = both(process)["announcer"]
        assert said(process)[2] == 1
        assert said(process)[2] == 2
        process.terminate()
        _, err = process.communicate(timeout=10)
        assert "signal-9" in err
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)


def test_the_other_child_lives_on(process: Process) -> None:
    pids = both(process)
    os.kill(pids["announcer"], signal.SIGKILL)
    said(process)
    os.kill(pids["controller"], 0)


def test_sigterm_ends_all_and_exits_cleanly(process: Process) -> None:
    pids = both(process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=10)
    assert out.splitlines()[-1] == "ended"
    assert process.returncode == 0
    for pid in pids.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_planned_restart_ends_all_and_the_announcer_alone_hears_that_it_is_one(process: Process) -> None:
    pids = both(process)
    os.kill(pids["controller"], signal.SIGUSR2)  # as systemd does, which signals them all
    process.send_signal(signal.SIGUSR2)
    out, err = process.communicate(timeout=10)
    assert out.splitlines() == ["announcer restarting", "ended"]
    assert "process.ended" not in err
    assert process.returncode == 0


def test_a_stop_is_no_planned_restart(process: Process) -> None:
    both(process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert out.splitlines() == ["ended"]


def test_what_hangs_on_a_killed_supervisor_ends_with_it(process: Process) -> None:
    both(process)
    process.kill()
    assert process.stdout is not None
    assert process.stdout.read() == "", "nobody holds the other end of the pipe any more"


def test_a_reload_reaches_the_controller(process: Process) -> None:
    both(process)
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    assert process.stdout.readline() == "controller reload\n"


def test_a_child_that_fails_again_and_again_is_started_ever_more_slowly() -> None:
    with started("failing") as process:
        starts = [said(process) for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
    assert [restarts for name, _, restarts in starts if name == "announcer"] == [0, 1, 2, 3]
    assert "process.ended process=announcer status=exit-1" in err
    assert "ValueError: broken" in err


def test_a_controller_that_is_busy_for_ever_is_ended_and_started_again_and_the_announcer_lives_on() -> None:
    with started("busy") as process:
        try:
            pids = both(process)
            name, pid, restarts = said(process)
            os.kill(pids["announcer"], 0)
            assert process.stderr is not None
            told: list[str] = []
            while "process.ended" not in "".join(told):
                told.append(process.stderr.readline())
        finally:
            process.kill()
    assert (name, restarts) == ("controller", 1)
    assert pid != pids["controller"]
    assert "process.hung process=controller" in told[0]
    assert "process.ended process=controller status=signal-9" in told[-1]
    assert "process=announcer" not in "".join(told)


def test_what_the_controller_says_reaches_systemd(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        with started(NOTIFY_SOCKET=path, WATCHDOG_USEC="30000000") as process:
            heard: set[str] = set()
            while not heard >= {"STATUS=controller 0", "WATCHDOG=1"}:
                heard.add(manager.recv(1000).decode())
            process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard.add(manager.recv(1000).decode())
