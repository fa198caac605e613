"""Layer 2 alone, without a cluster: python -m tests.lab.speaker ADDRESS... answers for these until SIGTERM.

Then it prints, as JSON, what it did not answer, by reason.
"""

import json
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from speakerd.engine import Engine
from speakerd.host import Host
from speakerd.layer2.part import Layer2
from speakerd.model import Layer2Settings
from tests.lab import net
from tests.lab.net import Lan

READY = "answering"
SETTINGS = Layer2Settings()


def main() -> None:
    """Answer until told to end."""
    vips: dict[bytes, tuple[str, ...]] = {ip_address(each).packed: () for each in sys.argv[1:]}
    engine, host = Engine(), Host()
    layer2 = Layer2(engine.register, engine.unregister, random.random, lambda _spoken, _now: None)

    def changed(now: float) -> None:
        if host.read():
            layer2.apply(host.interfaces(SETTINGS), vips, vips.keys(), SETTINGS, now)
            print(READY, flush=True)

    engine.register(host.fileno(), changed)
    engine.add(layer2)
    host.start()
    changed(time.monotonic())
    told, end = socket.socketpair()
    end.setblocking(False)
    signal.set_wakeup_fd(end.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    engine.register(told.fileno(), lambda _now: engine.stop())
    engine.run()
    print(json.dumps(layer2.drops))


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
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def stop(self) -> dict[str, int]:
        """End it; what it did not answer, by reason."""
        net.end(self._process)
        found: dict[str, int] = json.loads(self._log.read_text().splitlines()[-1])
        return found


@contextmanager
def speaking(lan: Lan, host: net.Host, log: Path, *vips: str) -> Iterator[Speaker]:
    """A speaker for `vips` on `host`."""
    process = lan.spawn(host, sys.executable, "-m", "tests.lab.speaker", *vips, log=log)
    try:
        yield Speaker(process, log)
    finally:
        net.end(process)


if __name__ == "__main__":
    main()
