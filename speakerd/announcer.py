"""The announcer process: wires its cores to one epoll loop; everything with a deadline, nothing that can block.

It goes on alone when the API server, the controller, or both are gone: all it needs is in the shared map it inherits.
"""

import gc
import os
import random
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from speakerd import privileges
from speakerd.engine import Engine
from speakerd.host import Host
from speakerd.layer2.part import Layer2
from speakerd.link import COUNT, Ends, SightReader, SightWriter, WantedReader
from speakerd.model import Counters, Facts, Interface, Layer2Settings, Observed
from speakerd.ownership.claims import Claims

BEAT = 5.0
"""Seconds between two signs of life to the supervisor."""
SLICE = 0.002
"""Seconds of bulk work at a time (ten thousand VIPs), so that no answer waits longer."""
REPORT_PAUSE = 0.1
"""Seconds between two writes of what is observed, unless somebody asks: many changes are one write."""


class Announcer:
    """Takes Wanted from the link, decides which VIPs are ours, keeps layer 2 doing that, and shows what it sees."""

    def __init__(self, ends: Ends, engine: Engine, facts: Facts) -> None:
        self._bell = ends.bell
        self._wanted = WantedReader(ends)
        self._sight = SightWriter(ends)
        self._engine = engine
        self._claims = Claims(SightReader(ends.out).observed().claims)
        self._host = Host()
        self._interfaces: tuple[Interface, ...] = ()
        self._layer2 = Layer2(engine.register, engine.unregister, random.random)
        self._facts = facts
        self._counters: Mapping[bytes, Counters] = {}
        self._dirty = False
        self._more_at: float | None = None
        self._report_at: float | None = None
        self._reported = 0.0

    def start(self) -> None:
        """Read interfaces and wishes, and answer from here on."""
        self._engine.register(self._bell.fileno(), self._rung)
        self._engine.register(self._host.fileno(), self._changed)
        self._engine.add(self)
        self._engine.add(self._layer2)
        now = time.monotonic()
        self._host.start()
        self._changed(now)
        self._rung(now)
        self._note(now)

    def deadline(self) -> float | None:
        """At once while wishes are pending, else when what is observed is to be written."""
        return self._report_at if self._more_at is None else self._more_at

    def wake(self, now: float) -> None:
        """Take a slice of new wishes, and write what is observed when its time has come."""
        if self._wanted.pending:
            self._take(now)
        if self._report_at is not None and self._report_at <= now:
            self._report(now)

    def _rung(self, now: float) -> None:
        if COUNT in self._bell.rung():
            self._counters = self._layer2.counters
            self._report_at = now
        self._wanted.look()
        if self._wanted.pending:
            self._take(now)

    def _take(self, now: float) -> None:
        """Work through new wishes for a slice of time; layer 2 learns of them once they are all in."""
        until = now + SLICE
        while self._wanted.pending:
            self._dirty |= self._claims.apply(self._wanted.changes(), now)
            if time.monotonic() > until:
                self._more_at = now
                return
        self._more_at = None
        if self._wanted.head:
            self._dirty |= self._claims.rename(self._wanted.head.me, now)
        self._announce(now)

    def _changed(self, now: float) -> None:
        """Links or addresses of this host may have changed."""
        if self._host.read():
            self._announce(now)

    def _announce(self, now: float) -> None:
        settings = self._wanted.head.layer2 if self._wanted.head else Layer2Settings()
        interfaces = self._host.interfaces(settings)
        self._dirty |= interfaces != self._interfaces
        self._interfaces = interfaces
        self._layer2.apply(interfaces, self._claims.mine, self._claims.standby, settings, now)
        if self._dirty:
            self._dirty = False
            self._note(now)

    def _note(self, now: float) -> None:
        """What is observed has changed: write it soon."""
        if self._report_at is None:
            self._report_at = max(now, self._reported + REPORT_PAUSE)

    def _report(self, now: float) -> None:
        self._report_at, self._reported = None, now
        self._sight.apply(Observed(self._interfaces, self._claims.known, self._counters, self._facts))


class Beat:
    """A core that tells the supervisor that this process still turns."""

    def __init__(self, report: socket.socket) -> None:
        self._report = report
        self._at = 0.0

    def deadline(self) -> float:
        """The next sign of life."""
        return self._at

    def wake(self, now: float) -> None:
        """Send it; a full socket says the same."""
        self._at = now + BEAT
        with suppress(BlockingIOError):
            self._report.send(b"beat")


def run(ends: Ends, report: socket.socket, parent: int, restarts: int) -> None:
    """The process, from the fork to SIGTERM; the supervisor's end closing ends it too."""
    privileges.die_with(parent)
    privileges.call_it("announcer")
    gc.disable()
    gc.freeze()
    locked, priority = privileges.lock_memory(), privileges.real_time()
    raw = privileges.Capability.NET_RAW in privileges.permitted()
    refused = {"raw sockets": not raw, "locked memory": not locked, "real-time scheduling": not priority}
    facts = Facts(
        pid=os.getpid(),
        started=time.monotonic(),
        restarts=restarts,
        locked=locked,
        realtime=priority,
        missing=tuple(what for what, lacks in refused.items() if lacks),
    )
    privileges.keep_only(privileges.ANNOUNCER)
    engine = Engine()
    report.setblocking(False)
    engine.register(report.fileno(), lambda _: engine.stop())
    _stop_on_signal(engine)
    engine.add(Beat(report))
    Announcer(ends, engine, facts).start()
    engine.run()


def _stop_on_signal(engine: Engine) -> None:
    """Let SIGTERM end the loop in its own turn."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    engine.register(reader, lambda _: engine.stop())
