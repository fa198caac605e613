"""The announcer process: wires its cores to one epoll loop; everything with a deadline, nothing that can block.

It goes on alone when the API server, the controller, or both are gone: all it needs is in the shared map it inherits.
"""

import gc
import os
import random
import signal
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from speakerd import privileges, snap
from speakerd.bell import COUNT
from speakerd.deadlines import soonest
from speakerd.engine import Engine, boot_time
from speakerd.exchange import Counters, Facts, Layer2Settings, Observed
from speakerd.host import Host
from speakerd.layer2.part import Layer2
from speakerd.layer2.responder import Spoken
from speakerd.link import Ends, Head, SightReader, SightWriter, WantedReader
from speakerd.membership.envelope import Envelope, Post
from speakerd.membership.transport import Mail
from speakerd.mesh import Mesh
from speakerd.model import Interface
from speakerd.outbox import Discard, Effect
from speakerd.ownership.effects import Announce, AskWire
from speakerd.routers import Routers
from speakerd.sd_notify import RESTARTING

BEAT = 5.0
"""Seconds between two signs of life to the supervisor."""
SLICE = 0.002
"""Seconds of bulk work at a time (ten thousand VIPs), so that no answer waits longer."""
RESUME = 0.1
"""Seconds since a dead announcer last turned within which its successor answers at once, as if nothing had happened."""
GOODBYE = 2.0
"""Seconds for handing over what is answered here, when told to end."""
REPORT_PAUSE = 0.1
"""Seconds between two writes of what is observed, unless somebody asks: many changes are one write."""


class Announcer:
    """Takes Wanted from the link, lets the mesh decide which VIPs are ours, has layer 2 do that, shows what it sees."""

    def __init__(self, ends: Ends, engine: Engine, facts: Facts, boot: int, rest: float) -> None:
        now = time.monotonic()
        self._bell, self._pulse = ends.bell, ends.pulse
        self._wanted = WantedReader(ends)
        self._sight = SightWriter(ends)
        self._engine = engine
        resume = boot_time() - ends.pulse.last() < RESUME
        remembered = SightReader(ends.out).observed().claims
        self._mesh = Mesh(boot, random.random, remembered, now, resume=resume, rest=rest)
        detector = self._mesh.detector
        self._mail = Mail(
            boot, engine.register, engine.unregister, self._received, detector.takes, detector.heard_by_udp
        )
        self._layer2 = Layer2(engine.register, engine.unregister, random.random, self._heard)
        chance = random.SystemRandom()
        self._routers = Routers(
            engine.register,
            engine.unregister,
            engine.await_writable,
            chance.random,
            lambda: chance.getrandbits(32),
            self._told,
        )
        self._speaks_bgp = False
        self._host = Host()
        self._interfaces: tuple[Interface, ...] = ()
        self._applied: tuple[object, ...] = ()
        self._head: Head | None = None
        self._facts = facts
        self._counters: Mapping[bytes, Counters] = {}
        self._news = 0
        self._more_at: float | None = None
        self._report_at: float | None = None
        self._mesh_due: float | None = None
        self._reported = 0.0
        self._leave_by: float | None = None

    def start(self) -> None:
        """Read interfaces and wishes, and answer from here on."""
        self._engine.register(self._bell.fileno(), self._rung)
        self._engine.register(self._host.fileno(), self._changed)
        self._engine.add(self)
        self._engine.add(self._layer2)
        self._engine.add(self._mail)
        now = time.monotonic()
        self._host.start()
        self._changed(now)
        self._rung(now)
        self._note(now)

    def deadline(self) -> float | None:
        """At once while wishes are pending, else when the mesh or what is to be written wants it."""
        end = None if self._leave_by is None else self._end_at
        return soonest(self._more_at, self._report_at, self._mesh_due, end)

    @property
    def _end_at(self) -> float | None:
        """When this process ends: once all have been told, GOODBYE after it was asked to at the latest."""
        told = self._mesh.left and self._routers.left
        return self._reported if told and self._leave_by is not None else self._leave_by

    def wake(self, now: float) -> None:
        """Take a slice of new wishes, do what the mesh has to do, and write what is observed when its time has come."""
        self._pulse.beat(boot_time())
        if self._wanted.pending:
            self._take(now)
        self._do(self._mesh.wake(now), now)
        if self._report_at is not None and self._report_at <= now:
            self._report(now)
        if self._end_at is not None and self._end_at <= now:
            self._engine.stop()

    def leave(self, now: float, *, restart: bool) -> None:
        """Hand over what is answered here, for GOODBYE seconds at most, then end.

        `restart`: a successor comes at once, and routers that can may keep their routes until then.
        """
        if self._leave_by is None:
            self._leave_by = now + GOODBYE
            self._routers.leave(now, restart=restart)
            self._do(self._mesh.leave(now), now)

    # -- what comes in

    def _rung(self, now: float) -> None:
        if COUNT in self._bell.rung():
            self._counters = self._layer2.counters
            self._report_at = now
        self._wanted.look()
        if self._wanted.pending:
            self._take(now)

    def _take(self, now: float) -> None:
        """Work through new wishes for a slice of time; the mesh acts on them once they are all in."""
        for changes in self._wanted.within(now + SLICE, time.monotonic):
            self._mesh.want(changes.vips, now)
            if changes.prefixes:
                self._routers.change(changes.prefixes, now)
        self._more_at = now if self._wanted.pending else None
        if self._more_at is not None:
            return
        if self._wanted.head and self._wanted.head is not self._head:
            self._head = self._wanted.head
            self._configure(self._head, now)
        self._speak_bgp(now)
        self._do(self._mesh.wanted(now), now)

    def _speak_bgp(self, now: float) -> None:
        """Have BGP sessions as wanted, all prefixes being known; it costs no turn of the loop where there are none."""
        wish = self._wanted.bgp
        if wish.neighbours and not self._speaks_bgp:
            self._speaks_bgp = True
            self._engine.add(self._routers)
        if self._speaks_bgp:
            self._routers.drain(now, on=self._head.drained if self._head else False)
            self._routers.configure(wish.neighbours, wish.settings, now)

    def _configure(self, head: Head, now: float) -> None:
        """Take all of Wanted that is not a VIP."""
        self._mail.apply(head.me, head.members, head.membership, head.keys, now)
        self._engine.notice_gaps(head.membership.interval, self._stood_still)
        effects = self._mesh.configure(
            head.me,
            head.members,
            head.membership,
            now,
            drained=head.drained,
            keyed=bool(head.keys),
            probe=head.layer2.probe,
        )
        self._mesh.see(head.blind, now)
        self._mesh.myself.configure(bytes.fromhex(head.configuration), now)
        self._do(effects, now)
        self._see_interfaces(now)

    def _stood_still(self, seconds: float, now: float) -> None:
        """This process did not run: what its sockets hold is of another time."""
        self._mail.discard()
        self._routers.gap(now)
        self._do(self._mesh.paused(seconds, now), now)

    def _received(self, envelope: Envelope, now: float) -> None:
        effects = self._mesh.receive(envelope, now)
        if self._mesh.still:
            self._mesh_due = self._mesh.deadline()
        else:
            self._do(effects, now)

    def _heard(self, spoken: Spoken, now: float) -> None:
        if spoken.asks:
            self._mesh.host(spoken.index, spoken.ip, spoken.mac, now)
            return
        effects = self._mesh.heard(spoken.ip, spoken.mac, now)
        if effects or self._mesh.attentive:
            self._do(effects, now)

    def _changed(self, now: float) -> None:
        """Links or addresses of this host may have changed."""
        if self._host.read():
            self._see_interfaces(now)

    def _see_interfaces(self, now: float) -> None:
        settings = self._head.layer2 if self._head else Layer2Settings()
        interfaces = self._host.interfaces(settings)
        if interfaces != self._interfaces:
            self._interfaces = interfaces
            self._mail.interfaces(interfaces)
            self._routers.interfaces(interfaces, now)
            self._do(self._mesh.interfaces(interfaces, now), now)
            self._note(now)

    # -- what goes out

    def _do(self, effects: Iterable[Effect], now: float) -> None:
        """Answer first, then announce and tell: a take-over is nobody's business before it is so."""
        self._answer(now)
        for each in effects:
            match each:
                case Post():
                    self._mail.send(each, now)
                case AskWire(index, ip, mac):
                    self._layer2.ask(index, ip, mac)
                case Announce(ip):
                    self._layer2.announce(ip, now)
                case Discard():
                    self._mail.discard()
        if self._mesh.news != self._news:
            self._news = self._mesh.news
            self._note(now)
        self._mesh_due = self._mesh.deadline()

    def _answer(self, now: float) -> None:
        """Keep layer 2 true."""
        mesh = self._mesh
        wish = (mesh.revision, self._interfaces, self._head)
        if wish == self._applied:
            return
        self._applied = wish
        settings = self._head.layer2 if self._head else Layer2Settings()
        self._layer2.apply(self._interfaces, mesh.mine, mesh.standby, settings, now, quiet=mesh.quiet)

    def _told(self, word: str, peer: str, detail: str) -> None:
        """Something happened to a session with a router."""
        now = time.monotonic()
        self._mesh.chronicle.note(now, word, peer, detail)
        self._note(now)

    def _note(self, now: float) -> None:
        """What is observed has changed: write it soon."""
        if self._report_at is None:
            self._report_at = max(now, self._reported + REPORT_PAUSE)

    def _report(self, now: float) -> None:
        self._report_at, self._reported = None, now
        mesh = self._mesh
        counted = {**mesh.counters, **self._mail.counters, **self._routers.counters}
        conditions = {**mesh.conditions(now), **self._mail.problems, **self._routers.problems}
        seen = Observed(
            self._interfaces,
            mesh.known,
            self._counters,
            self._facts,
            mesh.members_seen(now),
            mesh.chronicle.happenings,
            counted,
            conditions,
            mesh.owner.takeover.strangers,
            self._routers.seen,
        )
        self._sight.apply(seen)


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


def run(ends: Ends, report: socket.socket, parent: int, restarts: int, boot: int, rest: float) -> None:
    """The process, from the fork to SIGTERM or RESTARTING; the supervisor's end closing ends it too.

    `rest`: seconds for which it answers for as little as it can, since it died again and again.
    """
    privileges.die_with(parent)
    privileges.call_it("announcer")
    gc.disable()
    gc.freeze()
    locked, priority = privileges.lock_memory(), privileges.real_time()
    refused = {
        "raw sockets": not privileges.raw_sockets(),
        "locked memory": not locked,
        "real-time scheduling": not priority,
    }
    if snap.inside(os.environ):
        refused["a user of its own"] = os.getuid() == 0
        refused[snap.BOUNDED] = not privileges.bound(privileges.SUPERVISOR)
        refused[snap.SPARED] = not privileges.spare()
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
    engine.add(Beat(report))
    announcer = Announcer(ends, engine, facts, boot, rest)
    _on_signal(engine, announcer.leave)
    announcer.start()
    engine.run()


class Leave(Protocol):
    """Begins the end: `Announcer.leave`."""

    def __call__(self, now: float, *, restart: bool) -> None:
        """`restart`: a successor comes at once."""


def _on_signal(engine: Engine, leave: Leave) -> None:
    """Let SIGTERM or RESTARTING begin the end in the loop's own turn; the first of them counts."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(RESTARTING, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def told(now: float) -> None:
        numbers = os.read(reader, 64)
        if signal.SIGTERM in numbers or RESTARTING in numbers:
            leave(now, restart=signal.SIGTERM not in numbers)

    engine.register(reader, told)
