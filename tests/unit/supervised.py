"""Two children under a real supervisor, that tell their pids on standard output; run by test_supervisor."""

import signal
import socket
import sys
from os import environ, getpid, write

from speakerd.log import Output
from speakerd.privileges import die_with
from speakerd.sd_notify import RESTARTING, Notifier
from speakerd.supervisor import Child, Supervisor
from speakerd.vigil import SILENCE, Vigil

SOON = {"announcer": 600.0, "controller": 2.0}
"""Seconds without a beat until a child counts as hung, here."""


def tell(*words: object) -> None:
    """A line in one write, so that no other process writes into it."""
    write(1, (" ".join(map(str, words)) + "\n").encode())


def living(name: str) -> Child:
    """A child that beats, and lives until SIGTERM, the announcer until RESTARTING as well."""

    def restarting(*_: object) -> None:
        tell(name, "restarting")
        sys.exit(0)

    def run(report: socket.socket, parent: int, restarts: int) -> None:
        die_with(parent)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        signal.signal(signal.SIGHUP, lambda *_: tell(name, "reload"))
        if name == "announcer":
            signal.signal(RESTARTING, restarting)
        report.send(b"beat")
        report.send(f"STATUS={name} {restarts}".encode())
        tell(name, getpid(), restarts)
        while True:
            signal.pause()

    return Child(name, run)


def mute(name: str) -> Child:
    """A child that lives, and closes its end of the report."""

    def run(report: socket.socket, parent: int, restarts: int) -> None:
        die_with(parent)
        tell(name, getpid(), restarts)
        report.close()
        while True:
            signal.pause()

    return Child(name, run)


def busy(name: str) -> Child:
    """A child that beats no more, and neither ends nor hears any signal but SIGKILL: it is busy for ever."""

    def run(report: socket.socket, parent: int, restarts: int) -> None:
        die_with(parent)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        report.send(b"beat")
        tell(name, getpid(), restarts)
        while True:
            pass

    return Child(name, run)


def failing(name: str) -> Child:
    """A child that ends with an error at once."""

    def run(_report: socket.socket, _parent: int, restarts: int) -> None:
        tell(name, getpid(), restarts)
        raise ValueError("broken")

    return Child(name, run)


if __name__ == "__main__":
    first, limits = (busy, SOON) if sys.argv[-1] == "busy" else (living, SILENCE)
    second = {"failing": failing, "mute": mute}.get(sys.argv[-1], living)
    children = [first("controller"), second("announcer")]
    Supervisor(children, Notifier(environ), Output("text"), Vigil(limits)).run()
    tell("ended")
