"""systemd hears what sd_notify(3) describes, and nobody waits where there is no systemd."""

import os
import socket
from pathlib import Path

from speakerd.sd_notify import Notifier


def heard(path: str, address: bytes | str) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        Notifier({"NOTIFY_SOCKET": path}).send("READY=1", "STATUS=fine")
        return manager.recv(100)


def test_lines_are_one_datagram(tmp_path: Path) -> None:
    assert heard(str(tmp_path / "notify"), str(tmp_path / "notify")) == b"READY=1\nSTATUS=fine"


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"speakerd-test-{os.getpid()}"
    assert heard(f"@{name}", b"\0" + name.encode()) == b"READY=1\nSTATUS=fine"


def test_without_systemd_nothing_happens() -> None:
    Notifier({}).send("READY=1")
    Notifier({"NOTIFY_SOCKET": "/nonexistent/socket"}).send("READY=1")


def test_the_watchdog_counts_only_where_it_is_meant_for_this_process() -> None:
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog == 30.0
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog == 0.0
    assert Notifier({"WATCHDOG_USEC": "soon"}).watchdog == 0.0
