"""The announcer in a process of its own that the bench gives its wishes to, with a metronome in its loop.

As the supervisor starts it: real-time priority, locked memory, no garbage collected but in quiet moments, of which a
metronome leaves none.
"""

import gc
import mmap
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct as Form

from speakerd import privileges
from speakerd.announcer import Announcer
from speakerd.engine import Engine
from speakerd.exchange import Facts
from speakerd.link import Ends, Link
from tests.lab.net import Host, inside

BEAT = 0.005
"""Seconds between two deadlines of the metronome: more often than any heartbeat, to meet what holds one up."""
WORST = Form("=d")


class Meter:
    """How late the metronome was at worst, in memory that both processes share."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, mmap.PAGESIZE)

    def note(self, late: float) -> None:
        """One beat."""
        if late > self._worst():
            WORST.pack_into(self._map, 0, late)

    def take(self) -> float:
        """The worst since it was taken last, in seconds."""
        worst = self._worst()
        WORST.pack_into(self._map, 0, 0.0)
        return worst

    def _worst(self) -> float:
        (worst,) = WORST.unpack_from(self._map)
        return float(worst)


class Metronome:
    """A core that is due each `BEAT`, as heartbeats are, and notes how late it is."""

    def __init__(self, meter: Meter) -> None:
        self._meter, self._at = meter, time.monotonic()

    def deadline(self) -> float:
        """The next beat."""
        return self._at

    def wake(self, _now: float) -> None:
        """Another core may have been woken before it in this turn: what counts is the time that it is."""
        now = time.monotonic()
        self._meter.note(now - self._at)
        self._at = now + BEAT


class Process:
    """An announcer that runs: `ends` are the controller's."""

    def __init__(self, pid: int, ends: Ends, meter: Meter) -> None:
        self.pid, self.ends, self.meter = pid, ends, meter

    def cpu(self) -> float:
        """Seconds that it was on a processor."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def announcer(host: Host) -> Iterator[Process]:
    """One on a host, from its fork to its end; to be begun while this process has a single thread."""
    meter = Meter()
    with Link() as link, inside(host.namespace):
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            _run(link.announcer(), meter, parent)
        try:
            yield Process(pid, link.controller(), meter)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _run(ends: Ends, meter: Meter, parent: int) -> None:
    """The process; it never returns."""
    try:
        privileges.die_with(parent)
        privileges.call_it("announcer")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.SIG_IGN)
        gc.disable()
        gc.freeze()
        privileges.lock_memory()
        privileges.real_time()
        engine = Engine()
        engine.add(Metronome(meter))
        Announcer(ends, engine, Facts(pid=os.getpid()), 1, 0.0).start()
        engine.run()
    finally:
        os._exit(1)
