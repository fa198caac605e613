"""All that is known of the cluster over one client: a reflector a kind, who allocates, and the two that write.

By which credentials, and what becomes of them when their files change, is `access`.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import structlog
from msgspec import Struct

from speakerd.decision import Plan, Snapshot
from speakerd.exchange import Key, Member, Observed
from speakerd.kube import body, kept, lease, objects, reflector
from speakerd.kube.access import Access
from speakerd.kube.bgpstatus import BgpStatus
from speakerd.kube.client import Client, Unreachable
from speakerd.kube.configstate import ConfigStates
from speakerd.kube.handed import Known
from speakerd.kube.keykeeper import KeyKeeper
from speakerd.kube.passwords import Passwords
from speakerd.kube.poolstatus import PoolStatus
from speakerd.kube.recorder import Recorder
from speakerd.kube.reflector import FORBIDDEN, Reflector
from speakerd.kube.remembered import Remembered
from speakerd.kube.rotation import Rotation
from speakerd.kube.weather import Weather
from speakerd.kube.writer import WriteError, Writer
from speakerd.model import Node, Record
from speakerd.peering import Password
from speakerd.settings import Settings
from speakerd.snapshot import Stores

log = structlog.get_logger()

RECORD_AGAIN = 5.0
"""Seconds until a member record that could not be written, or is not seen, is written again."""
NO_PASSWORDS: Mapping[str, Password] = {}
T = TypeVar("T", bound=Struct)


class Cluster:
    """The reflectors by kind, the election, writer and recorder; `changed` is called whenever one of them has news.

    `known`: the keys of the members' messages that were in use before this process; `passwords`: those of BGP sessions,
    by the name of their Secret; `credentials`: those that were read already.
    """

    def __init__(
        self,
        settings: Settings,
        me: str,
        changed: Callable[[], None],
        known: tuple[Key, ...] = (),
        passwords: Mapping[str, Password] = NO_PASSWORDS,
        credentials: Known | None = None,
    ) -> None:
        namespace = settings.kubernetes.namespace
        self._namespace = namespace
        self._changed = changed
        self.services = Reflector(kept.SERVICES, random.random)
        self.slices = Reflector(kept.SLICES, random.random)
        self.nodes = Reflector(objects.NODES, random.random)
        self.members = Reflector(objects.members(namespace), random.random)
        self.pools = Reflector(objects.pools(namespace), random.random)
        self.advertisements = Reflector(objects.advertisements(namespace), random.random)
        self.peers = Reflector(objects.peers(namespace), random.random)
        self.routes = Reflector(objects.routes(namespace), random.random)
        self.bfd_profiles = Reflector(objects.bfd_profiles(namespace), random.random)
        self.communities = Reflector(objects.communities(namespace), random.random)
        self.namespaces = Reflector(objects.NAMESPACES, random.random)
        self.legacy = Reflector(objects.config_map(namespace, settings.kubernetes.config_map), random.random)
        self.allocator = Reflector(objects.lease(namespace, lease.NAME), random.random)
        self.election = lease.Election(me, willing=settings.kubernetes.allocate, random=random.random)
        rotation = Rotation(settings.kubernetes.kubeconfig, Path(settings.paths.state), os.environ, credentials)
        self.access = Access(rotation, changed, self._works)
        self.client: Client | None = None
        self.writer: Writer | None = None
        self.recorder: Recorder | None = None
        self.pool_status: PoolStatus | None = None
        self.states: ConfigStates | None = None
        self.bgp_status: BgpStatus | None = None
        self.record: tuple[Node, Member] | None = None
        self._recorded_at = 0.0
        self._record_changed = asyncio.Event()
        self._failing: dict[str, str] = {}
        self.weather = Weather()
        self._kept = {each.kind.name: Remembered[Any]() for each in (*self._layer2, *self._bgp)}
        self._had_pools = False
        self._elect = asyncio.Event()
        self._wanted = {each.kind.name: asyncio.Event() for each in self._asked_for}
        self.passwords = Passwords(namespace, passwords, changed)
        self.keeper = KeyKeeper(namespace, settings.membership.secret_file, known, changed)

    @property
    def reflectors(self) -> tuple[Reflector[Any], ...]:
        """Every kind watched, but the allocator's Lease; some only once they are wanted."""
        return (*self._always, *(each for each in self._asked_for if self._wanted[each.kind.name].is_set()))

    @property
    def _always(self) -> tuple[Reflector[Any], ...]:
        return self.services, self.slices, self.nodes, self.members, *self._layer2

    @property
    def _layer2(self) -> tuple[Reflector[Any], ...]:
        return self.pools, self.advertisements

    @property
    def _bgp(self) -> tuple[Reflector[Any], ...]:
        return self.peers, self.routes, self.bfd_profiles, self.communities

    @property
    def _asked_for(self) -> tuple[Reflector[Any], ...]:
        return *self._bgp, self.namespaces, self.legacy

    @property
    def settled(self) -> bool:
        """Whether all was read at least once that there is to read."""
        recorded = self.recorder is not None and self.recorder.hints is not None
        return self.keeper.settled and recorded and all(each.synced for each in self._always)

    def _works(self) -> bool:
        """Whether the API is read, as far as anybody can tell."""
        return all(each.synced and not each.error for each in self._always)

    def want(self, kinds: Iterable[str]) -> None:
        """Have these watched from now on, of those that not every cluster needs."""
        for each in kinds:
            self._wanted[each].set()

    @property
    def known(self) -> frozenset[str]:
        """Which of those are known, or may not be read: then no more is to be waited for."""
        return frozenset(each.kind.name for each in self._asked_for if each.synced or each.error.startswith(FORBIDDEN))

    @property
    def keys(self) -> tuple[Key, ...]:
        """Those that sign the members' messages, newest first."""
        return self.keeper.keys(map(body.member, self.members.value.values()))

    @property
    def hints(self) -> Mapping[bytes, Record]:
        """Who owned each VIP at the start, by packed address."""
        return (self.recorder.hints if self.recorder else None) or {}

    @property
    def row_version(self) -> int:
        """The largest resourceVersion that any watch has reached: by it rows of candidates are dated."""
        return max((int(each.version) for each in self.reflectors if each.version.isdigit()), default=0)

    def stores(self, *, drained: bool, hints: Mapping[bytes, Record] | None) -> Stores:
        """All that is known now. `hints`: who owned the VIPs, where an earlier process told it."""
        now = time.monotonic()
        pools = self._counting(self.pools, now)
        passwords, secrets = self.passwords.value()
        self._had_pools |= bool(pools)
        return Stores(
            services=self.services.value,
            slices=self.slices.value,
            nodes=self.nodes.value,
            members=self.members.value,
            pools=pools,
            advertisements=self._counting(self.advertisements, now),
            peers=self._counting(self.peers, now),
            routes=self._counting(self.routes, now),
            bfd_profiles=self._counting(self.bfd_profiles, now),
            communities=self._counting(self.communities, now),
            settled=self.settled,
            ledger=self.writer.value if self.writer else None,
            row_version=self.row_version,
            keys=self.keys,
            drained=drained,
            blind=self.weather.blind,
            hints=self.hints if hints is None else hints,
            namespaces=self.namespaces.value if self.namespaces.synced else None,
            legacy=self.legacy.value,
            known=self.known,
            passwords=passwords,
            secrets=secrets,
            pools_gone=self._had_pools and not pools,
        )

    def _counting(self, each: Reflector[T], now: float) -> Mapping[str, T]:
        """The objects that count: those that are there, and such as vanished by accident, it seems."""
        found: Mapping[str, T] = self._kept[each.kind.name].see(each.value, now, kind=not each.absent)
        return found

    @property
    def missing(self) -> list[str]:
        """Kinds that the API knows no longer, and whose objects count on."""
        kinds = (*self._layer2, *self._bgp)
        return [each.kind.name for each in kinds if each.absent and self._kept[each.kind.name].holding]

    def look_out(self, now: float) -> bool:
        """Whether what only time brings may be another. To be asked every few seconds."""
        self.access.look_out(now)
        version = self.row_version if any(each.error for each in self._always) else None
        return self.weather.look(now, version) or any(each.holding for each in self._kept.values())

    def apply(self, plan: Plan, seen: Snapshot) -> None:
        """Hand a plan to those who write."""
        if self.writer and self.pool_status and self.states:
            self.writer.apply(plan)
            self.pool_status.apply(plan.assignments, seen.config)
            self.states.apply(seen.config, seen.nodes.get(seen.me, Node(seen.me)))

    def tell(self, plan: Plan, observed: Observed, seen: Snapshot) -> None:
        """Hand what came of a plan to who writes of routers; of a Node that the API does not know nothing is said."""
        if self.bgp_status and (node := seen.nodes.get(seen.me)):
            self.bgp_status.apply(plan, observed, node)

    @property
    def allocating(self) -> bool:
        """Whether this node is the allocator."""
        return self.election.held(time.monotonic())

    def defer(self, *, wanted: bool) -> None:
        """Let other hosts allocate, as long as one of them can; or no longer."""
        if self.election.defer(time.monotonic(), wanted=wanted):
            self._elect.set()

    def be(self, node: Node, member: Member, *, recorded: bool) -> None:
        """Keep this node's member record so; `recorded`: the API shows one. One that was deleted is written again."""
        lost = not recorded and time.monotonic() - self._recorded_at > RECORD_AGAIN
        if self.recorder:
            self.recorder.be(node)
        if (node, member) != self.record or lost:
            self.record, self._recorded_at = (node, member), time.monotonic()
            self._record_changed.set()

    @property
    def failing(self) -> dict[str, str]:
        """What could not be written when it was last tried, and why."""
        sources = (self.keeper.failing, self.passwords.failing)
        sinks = [each.failing for each in (self.writer, self.recorder) if each]
        return {what: why for each in (self._failing, *sources, *sinks) for what, why in each.items()}

    def _failed(self, what: str, fault: Exception) -> None:
        """Log a failure, once as long as it stays the same."""
        if self._failing.get(what) != str(fault):
            log.warning("write.failed", what=what, error=str(fault))
        self._failing[what] = str(fault)

    async def run(self) -> None:
        """Find the API, and stay with it until cancelled."""
        self.client = client = await self.access.begin()
        self.writer = writer = Writer(client, self._namespace, self.election.me, lambda: self.allocating, self._changed)
        self.pool_status = PoolStatus(client, self._namespace, lambda: self.allocating)
        self.states = ConfigStates(client, self._namespace, self.election.me, lambda: self.allocating)
        self.bgp_status = BgpStatus(client, self._namespace, self.election.me)
        self.recorder = recorder = Recorder(client, self._namespace, self.election.me, self._changed)
        try:
            async with asyncio.TaskGroup() as group:
                for each in self._always:
                    self._start(group, reflector.run(each, client, self._changed), f"watch-{each.kind.name}")
                for each in self._asked_for:
                    self._start(group, self._watch(each, client), f"watch-{each.kind.name}")
                self._start(group, self.access.run(client), "credentials")
                self._start(group, self.keeper.run(client, writer), "mesh-key")
                self._start(group, self.passwords.run(client), "passwords")
                watch = reflector.run(self.allocator, client, self._allocator_changed)
                self._start(group, watch, "watch-allocator")
                self._start(group, self._take_part(writer), "election")
                self._start(group, self._keep_record(writer), "member-record")
                self._start(group, writer.run(), "writer")
                self._start(group, recorder.run(), "recorder")
                self._start(group, self.pool_status.run(), "pool-status")
                self._start(group, self.states.run(), "configuration-state")
                self._start(group, self.bgp_status.run(), "bgp-status")
        finally:
            client.close()

    async def _watch(self, each: Reflector[Any], client: Client) -> None:
        await self._wanted[each.kind.name].wait()
        await reflector.run(each, client, self._changed)

    async def resign(self) -> None:
        """Give the allocator's Lease up, so that the next one need not wait for it to run out."""
        write = self.election.farewell()
        if write and self.writer:
            try:
                await self.writer.hold(write)
            except (Unreachable, WriteError) as fault:
                self._failed(lease.NAME, fault)

    @staticmethod
    def _start(group: asyncio.TaskGroup, task: Coroutine[Any, Any, None], name: str) -> None:
        group.create_task(task, name=name)

    def _allocator_changed(self) -> None:
        """The watch shows the allocator's Lease anew."""
        if self.allocator.synced:
            found = self.allocator.value.get(f"{self._namespace}/{lease.NAME}")
            self.election.seen(found, time.monotonic())
            self._elect.set()
            self._changed()

    async def _take_part(self, writer: Writer) -> None:
        """Renew or take the Lease when it is time; learn the addresses' Leases upon taking it."""
        while True:
            now = time.monotonic()
            if write := self.election.step(now):
                await self._attempt(writer, write)
            await self._follow(writer)
            due = self.election.deadline()
            self._elect.clear()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                    await self._elect.wait()
            except TimeoutError:
                continue

    async def _attempt(self, writer: Writer, write: lease.Write) -> None:
        try:
            written = await writer.hold(write)
        except (Unreachable, WriteError) as fault:
            self._failed(lease.NAME, fault)
            written = None
        else:
            self._failing.pop(lease.NAME, None)
        now = time.monotonic()
        if written is None:
            self.election.failed(now)
        else:
            self.election.seen(written, now, written=True)

    async def _follow(self, writer: Writer) -> None:
        """Let the writer know whether this node allocates."""
        if not self.allocating and writer.value is not None:
            log.info("allocator.lost", holder=self.election.holder)
            writer.forget()
            self._changed()
        elif self.allocating and writer.value is None:
            try:
                addresses = await writer.recall()
            except (Unreachable, WriteError) as fault:
                self._failed("the addresses' Leases", fault)
            else:
                self._failing.pop("the addresses' Leases", None)
                log.info("allocator.gained", addresses=addresses)

    async def _keep_record(self, writer: Writer) -> None:
        """Write the member record when it changes, until it is there."""
        while True:
            await self._record_changed.wait()
            self._record_changed.clear()
            if self.record is None:
                continue
            try:
                await writer.record(*self.record)
            except (Unreachable, WriteError) as fault:
                self._failed("member record", fault)
                await asyncio.sleep(RECORD_AGAIN)
                self._record_changed.set()
            else:
                self._failing.pop("member record", None)
                log.info("member.recorded", node=self.record[1].name)
