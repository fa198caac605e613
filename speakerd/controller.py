"""The controller process: opens its parts in one TaskGroup and turns: gather, decide, apply.

Everything slow or large lives here; the announcer goes on when this process is busy, restarted, or gone.
"""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from speakerd import lean

with lean.hollow("subprocess", "DEVNULL", "PIPE", "STDOUT"):  # 0.3 MB with what it imports
    import asyncio

import structlog

from speakerd import __version__, account, commands, consent, events, privileges, prospects, report, snapshot
from speakerd import log as logging
from speakerd.bell import COUNT
from speakerd.board import LinkFull
from speakerd.config.sources import Sources, Stamp
from speakerd.control import Refusal, Request, serve
from speakerd.decide import Memo, decide
from speakerd.decision import Plan, Snapshot
from speakerd.diary import Diary
from speakerd.engine import boot_time
from speakerd.exchange import Member
from speakerd.httpd import Httpd, Page
from speakerd.inheritance import inherited
from speakerd.kube.cluster import Cluster
from speakerd.kube.handed import Known, known
from speakerd.life import Life, leave
from speakerd.link import Ends, SightReader, WantedWriter
from speakerd.model import Problem
from speakerd.settings import Settings
from speakerd.tally import Tally

log = structlog.get_logger()

BEAT = 5.0
"""Seconds between two signs of life to the supervisor, and between two looks at the settings files."""
COUNTED_WITHIN = 0.1
"""Seconds the announcer has to show its counters; it takes a fifth of that."""
TELL_AFTER = 1.0
"""Seconds for which changes gather until systemd's status line tells of them: a thousand are told once."""
TELL_SHARE = 0.01
"""Of the time at most goes into that line, however many VIPs there are."""
SILENT = 15.0
"""Seconds since the announcer last turned from which on it counts as hung: as the supervisor has it."""


class Controller:
    """Turns the latest observations into a plan and hands it to the sinks, whenever something changed."""

    def __init__(
        self,
        ends: Ends,
        report_to: socket.socket,
        sources: Sources,
        life: Life,
        stamp: tuple[Stamp, ...],
        given: Known | None,
    ) -> None:
        self._ends = ends
        self._report_to = report_to
        settings = self._settings = life.settings
        self._restarts = life.restarts
        self._sources = sources
        self._stamp = stamp
        self._reload_problems: tuple[Problem, ...] = ()
        self._changed = asyncio.Event()
        self._seen = asyncio.Event()
        self._stop = asyncio.Event()
        before = inherited([ends.out.section(each) or b"" for each in ends.out.directory()])
        self._hints = before.hints
        self._cluster = Cluster(settings, settings.node.name, self._changed.set, before.keys, before.passwords, given)
        self._drain_note = Path(settings.paths.state) / "drained"
        self._drained = self._drain_note.exists()
        self._diary = Diary(Path(settings.paths.state))
        self._sight = SightReader(ends.into)
        self._observed = self._sight.observed()
        self._wanted = WantedWriter(ends)
        self._snapshots = snapshot.Memo()
        self._decisions = Memo()
        self._snapshot: Snapshot | None = None
        self._plan: Plan | None = None
        self._since = time.time()
        self._said = ""
        self._tally = Tally()
        self._turned = False
        self._lag: float | None = None
        pages = {"/metrics": self._metrics, "/healthz": self._healthz, "/readyz": self._readyz}
        self._httpd = Httpd(settings.http, pages)
        self._telling: asyncio.TimerHandle | None = None
        self._tell_after = TELL_AFTER

    async def run(self) -> None:
        """Until SIGTERM; then the allocator's Lease is given up."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_reader(self._ends.bell.fileno(), self._rung)
        me, since = self._settings.node.name, self._diary.ring.until
        self._note(events.missed(self._observed, me, _wall_offset(), since))
        self._rung()
        tasks = [
            loop.create_task(self._cluster.run(), name="cluster"),
            loop.create_task(self._turn(), name="turn"),
            loop.create_task(self._beat(), name="beat"),
            loop.create_task(self._httpd.run(), name="http"),
            loop.create_task(serve(Path(self._settings.paths.run) / "control.sock", self._answer), name="control"),
            loop.create_task(self._stop.wait(), name="stop"),
        ]
        self._say("READY=1")
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._cluster.resign()
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()

    async def _turn(self) -> None:
        """Gather, decide, apply; many changes at once are one turn."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            began = time.perf_counter()
            self._gather()
            if self._snapshot is not None and self._snapshot.settled:
                self._apply(self._snapshot)
            self._tally.turned(time.perf_counter() - began)
            self._turned = True
            self._tell_soon()

    def _gather(self) -> None:
        cluster = self._cluster
        stores = cluster.stores(drained=self._drained, hints=self._hints)
        self._snapshot, self._snapshots = snapshot.build(stores, self._settings, self._snapshots)
        cluster.want(self._snapshots.asks)
        cluster.passwords.want(self._snapshots.secrets(self._settings.node.name))
        if (me := self._snapshot.nodes.get(self._settings.node.name)) and cluster.keeper.settled:
            recorded = me.name in self._snapshot.members
            told = (tuple(each.id for each in stores.keys), stores.drained, self._observed.told_strangers)
            member = Member(me.name, me.addresses, __version__, *told, self._snapshots.own_pools)
            cluster.be(me, member, recorded=recorded)
            cluster.defer(wanted=consent.outvoted(member, self._snapshot.members.values()))
        if self._snapshot.ledger is not None and not cluster.allocating:
            self._snapshot = msgspec.structs.replace(self._snapshot, ledger=None)

    def _apply(self, seen: Snapshot) -> None:
        self._plan, self._decisions = decide(seen, self._decisions)
        try:
            self._wanted.apply(self._plan.wanted)
        except LinkFull as fault:
            log.warning("link.full", what=str(fault))
        self._cluster.apply(self._plan, seen)
        self._record()

    def _record(self) -> None:
        """Have written down what this node owns."""
        if self._cluster.recorder and self._plan and self._snapshot and self._snapshot.settled:
            self._cluster.recorder.apply(self._plan, self._snapshot.services, self._observed.claims)
            self._cluster.tell(self._plan, self._observed, self._snapshot)

    def _rung(self) -> None:
        """The announcer shows something new."""
        self._ends.bell.rung()
        before, self._observed = self._observed, self._sight.observed()
        self._seen.set()
        if before.strangers != self._observed.strangers:
            self._changed.set()
        me, now = self._settings.node.name, time.monotonic()
        self._note(events.changes(before, self._observed, me, now, _wall_offset()))
        self._record()
        self._tell_soon()

    def _note(self, found: Iterable[events.Event]) -> None:
        """Keep what happened, and log what concerns this node."""
        before = self._diary.problem
        kept = self._diary.add(found)
        self._tally.take(kept)
        for each in kept:
            if each.event not in events.QUIET:
                log.info(each.event, **events.fields(each))
        if self._diary.problem and self._diary.problem != before:
            log.warning("events.unwritten", what=self._diary.problem)

    async def _beat(self) -> None:
        """Tell the supervisor that this process turns, and look whether a settings file was saved."""
        tidied = False
        while True:
            self._say("beat")
            if self._sources.stamp() != self._stamp:
                self._reload()
            if self._cluster.look_out(time.monotonic()):
                self._changed.set()
            if self._cluster.recorder and self._plan:
                self._cluster.recorder.look_out(self._plan, self._observed)
            await asyncio.sleep(BEAT)
            if not tidied:
                tidied = True
                privileges.let_go_of_files()
            if self._turned:
                self._turned = False
                privileges.let_go_of_heap()

    def _reload(self) -> None:
        """Read the settings anew; a bad file changes nothing and is visible."""
        self._stamp = self._sources.stamp()
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        from speakerd.config.load import load  # noqa: PLC0415  most lives read no settings again

        loaded = load(self._sources)
        self._reload_problems = loaded.problems
        for each in loaded.problems:
            log.warning("settings.problem", where=each.object, what=each.message, remedy=each.remedy)
        if loaded.settings is not None:
            self._use(loaded.settings)
        self._said = ""
        self._changed.set()
        self._say("READY=1")

    def _use(self, settings: Settings) -> None:
        """Take new settings; another cluster, name or folder means to begin again, while the announcer goes on."""
        before = self._settings
        leave(self._ends, Life(settings, self._restarts))
        logging.start(settings.log.level, settings.log.format)
        if before != settings:
            again = _identity(before) != _identity(settings)
            self._note([events.said("settings.restart" if again else "settings.reloaded", time.time())])
        if _identity(before) != _identity(settings):
            self._stop.set()  # what is left of this life goes on with the old ones
            return
        self._settings = settings
        self._httpd.apply(settings.http)

    def _say(self, text: str) -> None:
        """To the supervisor: a beat, or lines for systemd; a full socket says the same."""
        with suppress(BlockingIOError):
            self._report_to.send(text.encode())

    def _tell_soon(self) -> None:
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(self._tell_after, self._tell)

    def _tell(self) -> None:
        """Keep systemd's status line true."""
        self._telling = None
        began = time.perf_counter()
        text = account.line_of(self._state())
        self._tell_after = max(TELL_AFTER, (time.perf_counter() - began) / TELL_SHARE)
        if text != self._said:
            self._said = text
            self._say(f"STATUS={text}")

    async def _answer(self, request: Request) -> object:
        """What the control socket is asked for."""
        answer: object = Refusal(f"unknown verb {request.verb}")
        match request.verb:
            case "status":
                await self._count()
                answer = account.report_of(self._state())
            case "reload":
                self._reload()
                answer = report.Reloaded(self._reload_problems)
            case "drain" | "undrain":
                answer = self._drain(wanted=request.verb == "drain")
            case "progress":
                answer = self._progress()
            case "events":
                answer = self._diary.ring.told(request.after, request.since)
            case "explain" | "plan":
                await self._count()
                answer = await self._told_of(request)
        return answer

    async def _told_of(self, request: Request) -> object:
        """What takes long to work out; a whole outlook in a thread of its own, of values that stay what they are."""
        from speakerd import explain, outlook  # noqa: PLC0415  most lives explain and foretell nothing

        here = commands.known(os.environ)
        if self._plan is None or self._snapshot is None or not self._snapshot.settled:
            remedy = f"{here.speakerd} status tells what is lacking"
            return Refusal("the cluster has not been read yet", remedy=remedy)
        if request.verb == "explain":
            ring, now = self._diary.ring, time.monotonic()
            view = explain.View(self._snapshot, self._plan, self._observed, ring, now, _wall_offset(), here)
            return explain.explain(request.what, view)
        lines = {ip: (each.owner, each.heir) for ip, each in self._observed.claims.items()}
        keys, down = tuple(self._cluster.services.value), request.down
        foretold = partial(outlook.outlook, self._snapshot, keys, down=down, node=request.what, lines=lines)
        return await asyncio.to_thread(foretold)

    def _drain(self, *, wanted: bool) -> prospects.Progress:
        """Answer for nothing from now on, also after a restart; or end that. How far it is."""
        try:
            if wanted:
                self._drain_note.touch(mode=0o600)
            else:
                self._drain_note.unlink(missing_ok=True)
        except OSError as fault:
            log.warning("drain.unwritten", where=str(self._drain_note), what=fault.strerror)
        if wanted != self._drained:
            self._drained = wanted
            self._changed.set()
            word = "node.drained" if wanted else "node.undrained"
            self._note([events.said(word, time.time(), self._settings.node.name)])
        return self._progress()

    def _progress(self) -> prospects.Progress:
        """How far a drain is."""
        if self._plan is None:
            return prospects.Progress(self._drained, {})
        return prospects.progress(self._plan, self._observed, drained=self._drained)

    async def _count(self) -> None:
        """Let the announcer show its counters; one that is busy or gone is not waited for."""
        self._seen.clear()
        asked = time.perf_counter()
        self._ends.bell.ring(COUNT)
        with suppress(TimeoutError):
            async with asyncio.timeout(COUNTED_WITHIN):
                await self._seen.wait()
        self._lag = time.perf_counter() - asked

    def _state(self) -> account.State:
        """All that is told of this node."""
        return account.State(
            settings=self._settings,
            since=self._since,
            drained=self._drained,
            cluster=self._cluster,
            observed=self._observed,
            snapshot=self._snapshot,
            plan=self._plan,
            problems=self._reload_problems,
            tally=self._tally,
            link=self._lag,
            restarts=self._restarts,
            unserved=self._httpd.problem,
        )

    async def _metrics(self) -> Page:
        from speakerd import metrics  # noqa: PLC0415  its library is large, and few controllers are scraped

        await self._count()
        return Page(metrics.exposition(account.seen(self._state())), content_type=metrics.CONTENT_TYPE)

    async def _healthz(self) -> Page:
        """Whether both processes turn: this one does."""
        silent = boot_time() - self._ends.pulse.last()
        if silent > SILENT:
            return Page(f"the announcer is silent for {silent:.0f} s\n".encode(), 503)
        return Page(b"ok\n")

    async def _readyz(self) -> Page:
        """Whether what the cluster wants is known, and handed to an announcer that runs."""
        if self._plan is None:
            return Page(b"the cluster has not been read yet\n", 503)
        if not self._observed.facts.pid:
            return Page(b"the announcer does not run\n", 503)
        return Page(b"ok\n")


def _wall_offset() -> float:
    """Wall clock minus this host's monotonic clock, in seconds."""
    return time.time() - time.monotonic()


def _identity(settings: Settings) -> tuple[object, ...]:
    """What cannot change while a controller lives."""
    return settings.node, settings.paths, settings.kubernetes, settings.membership.secret_file


def run(
    ends: Ends,
    report_to: socket.socket,
    sources: Sources,
    life: Life,
    stamp: tuple[Stamp, ...],
    credentials: Callable[[], bytes],
) -> None:
    """The process, from where it has begun to SIGTERM.

    `stamp`: of the files that the settings came from; files that look otherwise are read again. `credentials`: waits
    for them, as `life.begin` has it.
    """
    logging.start(life.settings.log.level, life.settings.log.format)
    asyncio.run(Controller(ends, report_to, sources, life, stamp, known(credentials())).run())
