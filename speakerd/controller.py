"""The controller process: opens its parts in one TaskGroup and turns: gather, decide, apply.

Everything slow or large lives here; the announcer goes on when this process is busy, restarted, or gone.
"""

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from speakerd import __version__, diagnosis, privileges, report, snapshot
from speakerd import log as logging
from speakerd.bell import COUNT
from speakerd.config.sources import Sources, Stamp
from speakerd.control import Request, serve
from speakerd.decide import Memo, decide
from speakerd.kube.cluster import Cluster
from speakerd.link import Ends, Head, LinkFull, SightReader, WantedWriter
from speakerd.model import Key, Member, Node, Observed, Plan, Problem, Snapshot
from speakerd.settings import Settings

log = structlog.get_logger()

BEAT = 5.0
"""Seconds between two signs of life to the supervisor, and between two looks at the settings files."""


COUNTED_WITHIN = 0.1
"""Seconds the announcer has to show its counters; it takes a fifth of that."""
TELL_AFTER = 1.0
"""Seconds for which changes gather until systemd's status line tells of them: a thousand are told once."""
TELL_SHARE = 0.01
"""Of the time at most goes into that line, however many VIPs there are."""


class Controller:
    """Turns the latest observations into a plan and hands it to the sinks, whenever something changed."""

    def __init__(
        self, ends: Ends, report_to: socket.socket, sources: Sources, settings: Settings, stamp: tuple[Stamp, ...]
    ) -> None:
        self._ends = ends
        self._report_to = report_to
        self._settings = settings
        self._sources = sources
        self._stamp = stamp
        self._reload_problems: tuple[Problem, ...] = ()
        self._changed = asyncio.Event()
        self._seen = asyncio.Event()
        self._stop = asyncio.Event()
        self._cluster = Cluster(settings, settings.node.name, self._changed.set, _keys_before(ends))
        self._drain_note = Path(settings.paths.state) / "drained"
        self._drained = self._drain_note.exists()
        self._sight = SightReader(ends.into)
        self._observed = self._sight.observed()
        self._wanted = WantedWriter(ends)
        self._snapshots = snapshot.Memo()
        self._decisions = Memo()
        self._snapshot: Snapshot | None = None
        self._plan: Plan | None = None
        self._since = time.time()
        self._said = ""
        self._telling: asyncio.TimerHandle | None = None
        self._tell_after = TELL_AFTER

    async def run(self) -> None:
        """Until SIGTERM; then the allocator's Lease is given up."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        loop.add_reader(self._ends.bell.fileno(), self._rung)
        self._rung()
        tasks = [
            loop.create_task(self._cluster.run(), name="cluster"),
            loop.create_task(self._turn(), name="turn"),
            loop.create_task(self._beat(), name="beat"),
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
            self._gather()
            if self._snapshot is not None and self._snapshot.settled:
                self._apply(self._snapshot)
            self._tell_soon()

    def _gather(self) -> None:
        cluster = self._cluster
        stores = snapshot.Stores(
            services=cluster.services.value,
            slices=cluster.slices.value,
            nodes=cluster.nodes.value,
            members=cluster.members.value,
            pools=cluster.pools.value,
            advertisements=cluster.advertisements.value,
            settled=cluster.settled,
            ledger=cluster.writer.value if cluster.writer else None,
            row_version=cluster.row_version,
            keys=cluster.keys,
            drained=self._drained,
        )
        self._snapshot, self._snapshots = snapshot.build(stores, self._settings, self._snapshots)
        if me := self._snapshot.nodes.get(self._settings.node.name):
            recorded = me.name in self._snapshot.members
            keys = tuple(each.id for each in stores.keys)
            cluster.be(me, Member(me.name, me.addresses, __version__, keys, stores.drained), recorded=recorded)

    def _apply(self, seen: Snapshot) -> None:
        self._plan, self._decisions = decide(seen, self._decisions)
        try:
            self._wanted.apply(self._plan.wanted)
        except LinkFull as fault:
            log.warning("link.full", what=str(fault))
        if self._cluster.writer:
            self._cluster.writer.apply(self._plan)

    def _rung(self) -> None:
        """The announcer shows something new."""
        self._ends.bell.rung()
        before, self._observed = self._observed, self._sight.observed()
        self._seen.set()
        self._log_changes(before)
        self._tell_soon()

    def _log_changes(self, before: Observed) -> None:
        me = self._settings.node.name
        for ip, claim in self._observed.claims.items():
            old = before.claims.get(ip)
            if claim is old or (old and old.owner == claim.owner):
                continue
            if me in (claim.owner, old.owner if old else ""):
                word = "vip.owned" if claim.owner == me else "vip.left"
                log.info(word, ip=report.shown(ip), owner=claim.owner, epoch=claim.epoch, cause=claim.cause)
        for each in self._observed.interfaces:
            if each not in before.interfaces:
                log.info("interface.changed", name=each.name, usable=each.usable, reason=each.reason)

    async def _beat(self) -> None:
        """Tell the supervisor that this process turns, and look whether a settings file was saved."""
        tidied = False
        while True:
            self._say("beat")
            if self._sources.stamp() != self._stamp:
                self._reload()
            await asyncio.sleep(BEAT)
            if not tidied:
                tidied = True
                privileges.let_go_of_files()

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
        self._ends.notes.write([msgspec.msgpack.encode(settings)])
        logging.start(settings.log.level, settings.log.format)
        if _identity(before) != _identity(settings):
            log.info("settings.restart")
            self._stop.set()  # what is left of this life goes on with the old ones
            return
        self._settings = settings
        if before != settings:
            log.info("settings.reloaded")

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
        text = report.line(self._report())
        self._tell_after = max(TELL_AFTER, (time.perf_counter() - began) / TELL_SHARE)
        if text != self._said:
            self._said = text
            self._say(f"STATUS={text}")

    async def _answer(self, request: Request) -> object:
        """What the control socket is asked for."""
        match request.verb:
            case "status":
                await self._count()
                return self._report()
            case "drain" | "undrain":
                return self._drain(wanted=request.verb == "drain")
        return {"error": f"unknown verb {request.verb}"}

    def _drain(self, *, wanted: bool) -> object:
        """Answer for nothing from now on, also after a restart; or end that."""
        if wanted:
            self._drain_note.touch(mode=0o600)
        else:
            self._drain_note.unlink(missing_ok=True)
        self._drained = wanted
        self._changed.set()
        log.info("node.drained" if wanted else "node.undrained")
        return {"drained": wanted}

    async def _count(self) -> None:
        """Let the announcer show its counters; one that is busy or gone is not waited for."""
        self._seen.clear()
        self._ends.bell.ring(COUNT)
        with suppress(TimeoutError):
            async with asyncio.timeout(COUNTED_WITHIN):
                await self._seen.wait()

    def _report(self) -> report.Report:
        facts = self._observed.facts
        cluster, plan = self._cluster, self._plan
        told = report.Report(
            node=report.NodeReport(self._settings.node.name, __version__, report.stamp(self._since)),
            processes=report.ProcessesReport(
                os.getppid(),
                os.getpid(),
                facts.pid,
                facts.restarts,
                facts.realtime,
                facts.locked,
                list(facts.missing),
            ),
            api=self._api(),
            configuration=report.ConfigurationReport(valid=True, digest="", pools=[], problems=[]),
            allocator=cluster.election.holder,
            interfaces=report.interfaces(self._observed),
        )
        if self._snapshot:
            self._about_node(told.node, self._snapshot.nodes.get(self._settings.node.name))
            told.members = sorted(self._snapshot.members)
            told.node.drained = self._drained
            told.configuration = report.configuration(self._snapshot.config, self._reload_problems)
        now = time.monotonic()
        told.member_states = report.members(self._observed, now, time.time() - now)
        told.conditions = dict(self._observed.conditions)
        if plan:
            told.services = report.services(plan)
            told.vips = report.vips(plan, self._observed, time.time() - time.monotonic())
        told.findings = diagnosis.found(told)
        return told

    @staticmethod
    def _about_node(told: report.NodeReport, node: Node | None) -> None:
        if node:
            told.known, told.excluded, told.network_unavailable = True, node.excluded, node.network_unavailable

    def _api(self) -> report.ApiReport:
        cluster = self._cluster
        kinds = [
            report.KindReport(each.kind.name, len(each.value), each.synced, each.absent, each.unreadable)
            for each in cluster.reflectors
        ]
        told = report.ApiReport(kinds=kinds, failing=cluster.failing)
        if cluster.problem:
            told.error, told.remedy = cluster.problem.what, cluster.problem.remedy
        if cluster.client and cluster.credentials:
            told.server, told.credentials = cluster.credentials.server, cluster.credentials.source
            told.connections = cluster.client.connections
            told.error = next((each.error for each in cluster.reflectors if each.error), "")
            told.connected = not told.error and cluster.settled
            heard = cluster.client.heard
            told.age = round(time.monotonic() - heard, 1) if heard else None
        return told


def _identity(settings: Settings) -> tuple[object, ...]:
    """What cannot change while a controller lives."""
    return settings.node, settings.paths, settings.kubernetes, settings.membership.secret_file


def _keys_before(ends: Ends) -> tuple[Key, ...]:
    """The keys of the members' messages that an earlier controller handed down: they hold until others are seen."""
    for head in ends.out.directory()[:1]:
        return msgspec.msgpack.decode(ends.out.section(head) or b"", type=Head).keys
    return ()


def run(
    ends: Ends,
    report_to: socket.socket,
    parent: int,
    sources: Sources,
    settings: Settings,
    stamp: tuple[Stamp, ...],
) -> None:
    """The process, from the fork to SIGTERM; one started again goes on with the settings its predecessor used last.

    `stamp`: of the files that `settings` came from; files that look otherwise are read again.
    """
    privileges.die_with(parent)
    privileges.call_it("controller")
    privileges.keep_only(privileges.NOTHING)
    report_to.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for note in ends.notes.directory():
        settings = msgspec.msgpack.decode(ends.notes.section(note) or b"", type=Settings)
    logging.start(settings.log.level, settings.log.format)
    asyncio.run(Controller(ends, report_to, sources, settings, stamp).run())
