"""In the machine: a client that asks ADDRESS, PORT each INTERVAL seconds until FILE is there, then tells what came.

One line of JSON: how many questions were `sent`, which numbers are `lost`, when and from whom `answers` began to come.
"""

import json
import select
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

LATE = 3.0
"""Seconds in which an answer to the last question may still come."""


class Probe:
    """What was asked and answered so far."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((address, port))
        self._began = time.monotonic()
        self.sent = 0
        self.unanswered: set[int] = set()
        self.changes: list[tuple[float, str]] = []

    def ask(self) -> None:
        """Send the next question; one that the network refuses is lost."""
        self.unanswered.add(self.sent)
        with suppress(OSError):
            self._socket.send(b"%d" % self.sent)
        self.sent += 1

    def collect(self, until: float) -> None:
        """Take answers until then."""
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                return
            try:
                node, number = self._socket.recv(512).decode().split()
            except OSError:
                continue
            self.unanswered.discard(int(number))
            if not self.changes or self.changes[-1][1] != node:
                self.changes.append((round(time.monotonic() - self._began, 2), node))


def main(address: str, port: int, interval: float, end: Path) -> None:
    """Ask until told to end."""
    probe = Probe(address, port)
    due = time.monotonic()
    end.with_suffix(".begun").touch()
    while not end.exists():
        probe.ask()
        due = max(due + interval, time.monotonic())
        probe.collect(due)
    probe.collect(time.monotonic() + LATE)
    print(json.dumps({"sent": probe.sent, "lost": sorted(probe.unanswered), "answers": probe.changes}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
