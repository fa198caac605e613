"""Layer 2 alone, without a cluster: python -m tests.lab.speaker ADDRESS... answers for these until SIGTERM.

It prints what it hears of addresses; in the end, as JSON, what it did not answer, by reason.
"""

import argparse
import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from speakerd.engine import Engine
from speakerd.exchange import Layer2Settings
from speakerd.host import Host
from speakerd.layer2.part import Layer2
from speakerd.layer2.responder import Spoken
from speakerd.model import Interface
from tests.lab import net
from tests.lab.net import Lan

READY, HEARD = "answering", "heard "
SETTINGS = Layer2Settings()
PACE = 0.005
"""Seconds between two questions of one that asks, two changes of one that is restless."""


class Word(Struct, frozen=True):
    """What was heard on an interface: `ip` is at `mac`."""

    interface: str
    ip: str
    mac: str


class Node:
    """One that knows its interfaces, and answers for `vips`; also a core, with what it is to do time and again."""

    def __init__(self, engine: Engine, options: argparse.Namespace) -> None:
        self._vips: dict[bytes, tuple[str, ...]] = {ip_address(each).packed: () for each in options.vips}
        self._standby = frozenset(ip_address(each).packed for each in options.standby)
        self._asks = [ip_address(each).packed for each in options.ask]
        self._restless: bool = options.restless
        self._interfaces: tuple[Interface, ...] = ()
        self._at: float | None = None
        self._host = Host()
        self.layer2 = Layer2(engine.register, engine.unregister, random.random, self._heard)
        engine.register(self._host.fileno(), self._changed)
        engine.add(self.layer2)
        engine.add(self)
        self._host.start()
        self._changed(time.monotonic())

    def _changed(self, now: float) -> None:
        if self._host.read():
            self._interfaces = self._host.interfaces(SETTINGS)
            self._apply(now)
            print(READY, flush=True)
            self._at = now if self._asks or self._restless else None

    def _apply(self, now: float, *more: bytes) -> None:
        known = self._standby.union(self._vips, more)
        self.layer2.apply(self._interfaces, self._vips, known, SETTINGS, now)

    def _heard(self, spoken: Spoken, _now: float) -> None:
        if not spoken.asks:
            name = next(each.name for each in self._interfaces if each.index == spoken.index)
            print(HEARD + name, ip_address(spoken.ip), spoken.mac.hex(":"), flush=True)

    def deadline(self) -> float | None:
        """The next question, or change."""
        return self._at

    def wake(self, now: float) -> None:
        """Ask everybody on each interface; have other filters in place than before."""
        self._at = now + PACE
        for interface in self._interfaces:
            for ip in self._asks:
                self.layer2.ask(interface.index, ip, b"")
        if self._restless:
            self._apply(now, random.randbytes(4), random.randbytes(16))


def main() -> None:
    """Answer until told to end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("vips", nargs="*")
    parser.add_argument("--standby", action="append", default=[])
    parser.add_argument("--ask", action="append", default=[])
    parser.add_argument("--restless", action="store_true")
    engine = Engine()
    node = Node(engine, parser.parse_args())
    told, end = socket.socketpair()
    end.setblocking(False)
    signal.set_wakeup_fd(end.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    engine.register(told.fileno(), lambda _now: engine.stop())
    engine.run()
    print(json.dumps(node.layer2.drops))


class Speaker:
    """One at work on a node; what it prints goes to `log`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def answering(self) -> bool:
        """Whether it knows its interfaces."""
        return READY in self._log.read_text()

    @property
    def heard(self) -> set[Word]:
        """What it has heard of addresses so far."""
        lines = [line for line in self._log.read_text().split("\n")[:-1] if line.startswith(HEARD)]
        return {Word(*line.removeprefix(HEARD).split()) for line in lines}

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def stop(self) -> dict[str, int]:
        """End it; what it did not answer, by reason."""
        net.end(self._process)
        found: dict[str, int] = json.loads(self._log.read_text().splitlines()[-1])
        return found


@contextmanager
def speaking(
    lan: Lan,
    host: net.Host,
    log: Path,
    *vips: str,
    standby: Sequence[str] = (),
    ask: Sequence[str] = (),
    restless: bool = False,
) -> Iterator[Speaker]:
    """A speaker for `vips` on `host` that may have to answer for `standby`, and asks who has `ask` all the time.

    `restless`: what may become its own changes all the time, and with it the kernel's filters.
    """
    options = [*(f"--standby={each}" for each in standby), *(f"--ask={each}" for each in ask)]
    options += ["--restless"] if restless else []
    process = lan.spawn(host, sys.executable, "-m", "tests.lab.speaker", *vips, *options, log=log)
    try:
        yield Speaker(process, log)
    finally:
        net.end(process)


if __name__ == "__main__":
    main()
