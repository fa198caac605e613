"""How each fault begins and ends in a world."""

from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial, singledispatchmethod
from random import Random

from msgspec.structs import replace

from speakerd.exchange import Stake
from speakerd.mesh import Mesh
from tests.sim import faults
from tests.sim.faults import AnyFault
from tests.sim.world import GOODBYE, Node, World, address, stakes

WRITTEN = 5.0
"""Seconds at most until a new owner is in the VIP's Lease: a node writes 20 a second, and many VIPs may have moved."""
BLIND = 10.0
"""Seconds without an API server from which on a node lets others tell it what they see."""


class Actions:
    """Puts a scenario's faults on the agenda of its world; `active` are those that are under way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.active: list[AnyFault] = []
        self.changed = 0.0
        self._excluded: dict[int, Counter[int]] = {number: Counter() for number in range(len(world.scenario.vips))}
        self._removed: Counter[int] = Counter()
        self._drains: Counter[int] = Counter()
        self._records: dict[bytes, tuple[str, int]] = {}
        self._pace = Random(f"records {world.scenario.seed}")
        self._version = 1
        self._outages: Counter[int] = Counter()
        self._missed: dict[int, list[Callable[[], None]]] = defaultdict(list)
        self._down: dict[tuple[Node, int], Mesh] = {}
        self._absent = {fault.node for fault in world.scenario.faults if isinstance(fault, faults.Join)}

    def plan(self) -> None:
        """Starts first, then every fault's beginning."""
        for node in self.world.nodes:
            node.knows = {other.number for other in self.world.nodes} - self._absent
        for excluded in self._excluded.values():
            excluded.update(self._absent)
        for number in range(len(self.world.scenario.vips)):
            self.spread(number, 0.0)
        for node, at in zip(self.world.nodes, self.world.scenario.starts, strict=True):
            self.world.at(at, lambda node=node: self.boot(node))  # type: ignore[misc]
        for fault in self.world.scenario.faults:
            self.world.at(fault.at, lambda fault=fault: self._begin(fault))  # type: ignore[misc]

    def boot(self, node: Node) -> None:
        """A host starts, with what its API says of owners, if it says anything."""
        if node.mesh is not None or node.number in self._absent:
            return
        self._missed[node.number].clear()
        if self._outages[node.number]:
            node.stakes.clear()
        for number in range(len(self.world.scenario.vips)):
            self._see(node, partial(self._learn, node, number))
        node.start()

    def note(self, ip: bytes, owner: Node, epoch: int) -> None:
        """The owner writes itself into the VIP's Lease, soon, or when its API server is back."""
        write = partial(self._write, ip, owner, owner.boot, epoch)
        self.world.at(self.world.now + self._pace.uniform(0, WRITTEN), partial(self._see, owner, write))

    def _write(self, ip: bytes, owner: Node, boot: int, epoch: int) -> None:
        alive = owner.runs and owner.boot == boot
        if alive and epoch > self._records.get(ip, ("", 0))[1]:
            self._records[ip] = (owner.name, epoch)

    def _begin(self, fault: AnyFault) -> None:
        self.active.append(fault)
        self.changed = self.world.now
        self.begin(fault)
        self.world.at(fault.end, lambda: self._end(fault))

    def _end(self, fault: AnyFault) -> None:
        self.active.remove(fault)
        self.changed = self.world.now
        self.end(fault)

    @singledispatchmethod
    def begin(self, fault: AnyFault) -> None:
        """Let it happen."""
        raise NotImplementedError(fault)

    @singledispatchmethod
    def end(self, fault: AnyFault) -> None:
        """Let it be over."""

    @begin.register
    def _(self, fault: faults.Kill) -> None:
        node = self.world.nodes[fault.node]
        if node.mesh is not None and fault.echo:
            self.world.echo(node, until=fault.end)
        node.end()

    @end.register
    def _(self, fault: faults.Kill) -> None:
        if fault.back:
            self.boot(self.world.nodes[fault.node])

    @begin.register
    def _(self, fault: faults.Crash) -> None:
        node = self.world.nodes[fault.node]
        if node.mesh is None:
            return
        remembered = dict(node.mesh.known)
        node.end()

        def again() -> None:
            if node.mesh is None and not node.leaving:
                node.start(remembered=remembered, resume=fault.span < 0.1)

        self.world.at(fault.end, again)

    @begin.register
    def _(self, fault: faults.Pause) -> None:
        node = self.world.nodes[fault.node]
        if node.runs:
            node.paused = True
            self.world.at(fault.end, lambda: node.go_on() if node.paused else None)

    @begin.register
    def _(self, fault: faults.Suspend) -> None:
        node = self.world.nodes[fault.node]
        if node.runs:
            node.since, node.suspended = self.world.now, True
            self.world.at(fault.end, lambda: node.resume() if node.suspended else None)

    @begin.register
    def _(self, fault: faults.Unplug) -> None:
        self._plug(fault, up=False)

    @end.register
    def _(self, fault: faults.Unplug) -> None:
        self._plug(fault, up=True)

    def _plug(self, fault: faults.Unplug, *, up: bool) -> None:
        """The kernel tells its process; one that stands still learns of it later."""
        node = self.world.nodes[fault.node]
        others = (f for f in self.active if isinstance(f, faults.Unplug) and f is not fault)
        if any((f.node, f.segment) == (fault.node, fault.segment) for f in others):
            return
        node.carrier[fault.segment] = up
        key = (node, fault.segment)

        def tell() -> None:
            if node.mesh is None:
                return
            back = node.carrier[fault.segment] and self._down.get(key) is node.mesh
            if not node.carrier[fault.segment]:
                self._down[key] = node.mesh
            node.do(node.mesh.interfaces(node.interfaces(), node.clock()))
            if back:
                del self._down[key]
                self.world.watch.plugged(node, fault.segment)

        node.told(tell)

    @begin.register
    def _(self, fault: faults.Misplaced) -> None:
        self.world.misplaced[fault.node, fault.segment] += 1

    @end.register
    def _(self, fault: faults.Misplaced) -> None:
        self.world.misplaced[fault.node, fault.segment] -= 1

    def _block(self, sources: tuple[int, ...], fault: faults.Cut, by: int) -> None:
        others = [number for number in range(self.world.scenario.nodes) if number not in sources]
        for source in sources:
            for other in others:
                for carrier in fault.carriers:
                    self.world.blocked[source, other, carrier] += by
                    if not fault.one_way:
                        self.world.blocked[other, source, carrier] += by

    @begin.register
    def _(self, fault: faults.Cut) -> None:
        self._block(fault.sources, fault, 1)

    @end.register
    def _(self, fault: faults.Cut) -> None:
        self._block(fault.sources, fault, -1)

    @begin.register
    def _(self, fault: faults.Parted) -> None:
        self._part(fault, 1)

    @end.register
    def _(self, fault: faults.Parted) -> None:
        self._part(fault, -1)

    def _part(self, fault: faults.Parted, by: int) -> None:
        for carrier in (0, 1):
            self.world.blocked[fault.one, fault.other, carrier] += by
            self.world.blocked[fault.other, fault.one, carrier] += by

    @begin.register
    def _(self, fault: faults.Deaf) -> None:
        self._deafen(fault, 1)

    @end.register
    def _(self, fault: faults.Deaf) -> None:
        self._deafen(fault, -1)

    def _deafen(self, fault: faults.Deaf, by: int) -> None:
        for source in range(self.world.scenario.nodes):
            for carrier in fault.carriers:
                self.world.blocked[source, fault.node, carrier] += by

    @begin.register
    def _(self, _fault: faults.Bad) -> None:
        self._weather()

    @end.register
    def _(self, _fault: faults.Bad) -> None:
        self._weather()

    def _weather(self) -> None:
        bad = [each for each in self.active if isinstance(each, faults.Bad)]
        self.world.loss = max((each.loss for each in bad), default=0.0)
        self.world.delay = max((each.delay for each in bad), default=0.0)
        self.world.double = max((each.double for each in bad), default=0.0)

    @begin.register
    def _(self, fault: faults.Leave) -> None:
        node = self.world.nodes[fault.node]
        mesh = node.mesh
        if mesh is None or node.leaving or not node.runs:
            return
        node.leaving = True
        node.do(mesh.leave(node.clock()))
        begun = self.world.now

        def look() -> None:
            if node.mesh is not mesh:
                return
            if mesh.left or self.world.now > begun + GOODBYE:
                node.end()
            else:
                self.world.at(self.world.now + 0.005, look)

        look()

    @end.register
    def _(self, fault: faults.Leave) -> None:
        self.boot(self.world.nodes[fault.node])

    @begin.register
    def _(self, fault: faults.Drain) -> None:
        self._drain(fault, 1)

    @end.register
    def _(self, fault: faults.Drain) -> None:
        self._drain(fault, -1)

    def _drain(self, fault: faults.Drain, by: int) -> None:
        node = self.world.nodes[fault.node]
        self._drains[fault.node] += by
        node.drained = bool(self._drains[fault.node])

        def tell() -> None:
            if node.mesh is not None:
                node.do(node.configured(node.mesh))

        node.told(tell)

    @begin.register
    def _(self, fault: faults.Exclude) -> None:
        self._excluded[fault.vip][fault.node] += 1
        self.spread(fault.vip, fault.spread)

    @end.register
    def _(self, fault: faults.Exclude) -> None:
        self._excluded[fault.vip][fault.node] -= 1
        self.spread(fault.vip, fault.spread)

    @begin.register
    def _(self, fault: faults.Remove) -> None:
        self._removed[fault.vip] += 1
        self.spread(fault.vip, fault.spread)

    @end.register
    def _(self, fault: faults.Remove) -> None:
        self._removed[fault.vip] -= 1
        self.spread(fault.vip, fault.spread)

    @begin.register
    def _(self, fault: faults.Unkeyed) -> None:
        self.world.nodes[fault.node].keyed = False

    @end.register
    def _(self, fault: faults.Unkeyed) -> None:
        others = [f for f in self.active if isinstance(f, faults.Unkeyed) and f.node == fault.node]
        self.world.nodes[fault.node].keyed = not others

    @begin.register
    def _(self, fault: faults.Outage) -> None:
        self._outages.update(fault.nodes)
        reached = self._version

        def notice() -> None:
            for number in fault.nodes:
                if self._outages[number]:
                    self.world.nodes[number].see(reached)

        self.world.at(fault.at + BLIND, notice)

    @end.register
    def _(self, fault: faults.Outage) -> None:
        self._outages.subtract(fault.nodes)
        for number in fault.nodes:
            if not self._outages[number]:
                self.world.nodes[number].see(0)
                waiting, self._missed[number] = self._missed[number], []
                for what in waiting:
                    self.world.nodes[number].told(what)

    @begin.register
    def _(self, fault: faults.Join) -> None:
        if fault.node not in self._absent:
            return
        self._absent.remove(fault.node)
        self.boot(self.world.nodes[fault.node])
        for node in self.world.nodes:
            meet = partial(self._see, node, partial(self._meet, node, fault.node))
            self.world.at(self.world.now + self.world.random.uniform(0, fault.spread), partial(node.told, meet))
            if node.mesh is None:
                self._see(node, partial(self._meet, node, fault.node))
        for number, excluded in self._excluded.items():
            excluded[fault.node] -= 1
            self.spread(number, fault.spread)

    def _meet(self, node: Node, number: int) -> None:
        """The records have one more."""
        node.knows.add(number)
        if node.mesh is not None:
            node.do(node.configured(node.mesh))

    @begin.register
    def _(self, fault: faults.Stranger) -> None:
        self.world.strangers.add(address(fault.vip))

    @end.register
    def _(self, fault: faults.Stranger) -> None:
        self.world.strangers.discard(address(fault.vip))

    def spread(self, number: int, seconds: float) -> None:
        """Each node's watch shows what a VIP is now, some time within `seconds`; later changes are not overtaken."""
        self._version += 1
        for node in self.world.nodes:
            delay = self.world.random.uniform(0, seconds)
            learn = partial(self._see, node, partial(self._learn, node, number))
            self.world.at(self.world.now + delay, partial(node.told, learn))
            if node.mesh is None:
                self._see(node, partial(self._learn, node, number))

    def _see(self, node: Node, what: Callable[[], None]) -> None:
        """The watch of a node shows something, at once or when its API server is back."""
        if self._outages[node.number]:
            self._missed[node.number].append(what)
        else:
            what()

    def _learn(self, node: Node, number: int) -> None:
        """What the API says of a VIP right now."""
        excluded = frozenset(n for n, count in self._excluded[number].items() if count)
        found = stakes(self.world.scenario, number, excluded, version=self._version)
        changes = {}
        for ip, stake in found.items():
            owner, epoch = self._records.get(ip, ("", 0))
            vip = replace(stake.vip, owner=owner, epoch=epoch) if node.mesh is None else stake.vip
            wanted = stake.candidates and not self._removed[number]
            changes[ip] = Stake(vip, stake.candidates) if wanted else None
        node.stakes |= changes
        if node.mesh is not None:
            node.mesh.want(changes, node.clock())
            node.do(node.mesh.wanted(node.clock()))
