"""The simulated world: nodes with their clocks, two carriers, stations that answer, and one heap of events."""

from collections import Counter, deque
from collections.abc import Callable
from heapq import heappop, heappush
from operator import and_
from random import Random

from msgspec.structs import replace

from speakerd.exchange import Candidate, Claim, Member, MembershipSettings, Stake, Vip
from speakerd.membership.envelope import Carrier, Envelope, Post
from speakerd.mesh import Mesh
from speakerd.model import Interface
from speakerd.outbox import Discard, Effect
from speakerd.ownership.effects import Announce, AskWire
from tests.sim.later import lengthened
from tests.sim.scenario import Scenario

DELAY = (0.0001, 0.0005)
"""Seconds a message takes at least and at most, while the network is well."""
LATE = 0.0005
"""Seconds a process is woken late at most."""
QUEUE = 300
"""Messages a socket keeps for a process that stands still."""
REPEATS = 5
"""Announcements after the first, a second apart, as layer 2 makes them."""
GOODBYE = 2.0
"""Seconds an agent has to hand over before it ends."""
ECHO, ECHOED = 0.05, 40
"""Seconds between two replays of what a node said last, and how much of it is replayed."""
STRANGER = b"\x02\xff\0\0\0\1"


class Node:
    """One host: its mesh while it runs, its clock, its interfaces, and what its API watch has told it so far."""

    def __init__(self, world: "World", number: int, rate: float) -> None:
        self.world, self.number, self.name = world, number, f"n{number + 1}"
        self.mesh: Mesh | None = None
        self.boot = 0
        self.started = self.booted = 0.0
        self.rate, self.offset = rate, 1000.0 + 100 * number
        self.paused = self.suspended = False
        self.since = 0.0
        self.turned = 0.0
        self.back_at = -10.0
        self.said: deque[Envelope] = deque(maxlen=ECHOED)
        self.queue: deque[Callable[[], None]] = deque()
        self.news: deque[Callable[[], None]] = deque()
        self.carrier = [True] * world.scenario.segments
        self.drained = False
        self.keyed = True
        self.leaving = False
        self.knows: set[int] = set()
        self.blind = 0
        self.stakes: dict[bytes, Stake | None] = {}
        self.answers: dict[bytes, tuple[str, ...]] = {}
        self._sequence = 0
        self._turn = 0
        self.restless = 0

    def clock(self) -> float:
        """Its CLOCK_MONOTONIC and CLOCK_BOOTTIME."""
        now = self.since if self.suspended else self.world.now
        return now * self.rate + self.offset

    def mac(self, segment: int) -> bytes:
        """Of its interface on a segment."""
        return bytes((2, 0, 0, segment, 0, self.number + 1))

    @property
    def runs(self) -> bool:
        """Whether its announcer works right now."""
        return self.mesh is not None and not self.paused and not self.suspended

    def start(self, *, remembered: dict[bytes, Claim] | None = None, resume: bool = False) -> None:
        """Start the announcer; without `remembered` in a new life of the host."""
        self.started = self.world.now
        if remembered is None:
            self.boot, self.booted = self.world.random.getrandbits(48) + 1, self.started
        self.leaving = False
        mesh = Mesh(self.boot, self.world.random.random, remembered or {}, self.clock(), resume=resume)
        self.mesh, self.turned = mesh, self.world.now
        self.do(self.configured(mesh))
        mesh.see(self.blind, self.clock())
        self.do(mesh.interfaces(self.interfaces(), self.clock()))
        mesh.want(self.stakes, self.clock())
        self.do(mesh.wanted(self.clock()))

    def configured(self, mesh: Mesh) -> list[Effect]:
        """Tell the mesh what the head of Wanted says."""
        interval, misses, questions = self.world.scenario.preset
        settings = MembershipSettings(interval=interval, misses=misses, questions=questions)
        members = tuple(Member(each.name) for each in self.world.nodes if each.number in self.knows)
        probe = self.world.scenario.probe
        return mesh.configure(self.name, members, settings, self.clock(), drained=self.drained, probe=probe)

    def see(self, blind: int) -> None:
        """Whether its API server is watched: 0, or what its watch had reached."""
        self.blind = blind
        if self.mesh is not None:
            self.mesh.see(blind, self.clock())
            self.do(self.mesh.wanted(self.clock()))

    def interfaces(self) -> tuple[Interface, ...]:
        """As its kernel shows them."""
        return tuple(
            Interface(segment + 1, f"eth{segment}", self.mac(segment), up=True, carrier=up, usable=up)
            for segment, up in enumerate(self.carrier)
        )

    def end(self) -> None:
        """The announcer is gone, with all it knew."""
        self.mesh = None
        self.queue.clear()
        self.paused = False
        self._catch_up()
        self.settle()

    def later(self, what: Callable[[], None]) -> None:
        """Something reaches its sockets."""
        if self.mesh is None:
            return
        if self.paused or self.suspended:
            if len(self.queue) < QUEUE:
                self.queue.append(what)
            return
        self.turned = self.world.now
        what()

    def told(self, what: Callable[[], None]) -> None:
        """Its controller or its kernel tells it something, which no pause loses; also where no announcer runs."""
        if self.paused or self.suspended:
            self.news.append(what)
        else:
            self.turned = self.world.now
            what()

    def _catch_up(self) -> None:
        news, self.news = self.news, deque()
        for each in news:
            self.told(each)

    def go_on(self) -> None:
        """After a pause: the engine notices, discards what waited, and wakes what is due."""
        self.paused = False
        mesh = self.mesh
        if mesh is None:
            return
        gap = self.world.now - self.turned
        if gap > mesh.detector.interval:
            self.back_at = self.world.now
        waiting, self.queue = self.queue, deque()
        if gap > mesh.detector.interval:
            self.do(mesh.paused(gap, self.clock()))
            self.world.watch.returned(self)
        else:
            for each in waiting:
                each()
        self._catch_up()
        self.wake(None)

    def resume(self) -> None:
        """After a suspension: its clock knows nothing, its sockets have what came."""
        self.offset -= (self.world.now - self.since) * self.rate
        self.suspended = False
        while self.queue:
            self.later(self.queue.popleft())
        self._catch_up()
        self.wake(None)

    def wake(self, turn: int | None) -> None:
        """Its deadline has come."""
        mesh = self.mesh
        if mesh is None or not self.runs or (turn is not None and turn != self._turn):
            return
        self.turned = self.world.now
        now = self.clock()
        self.do(mesh.wake(now))
        at = mesh.deadline()
        self.restless = self.restless + 1 if at is not None and at <= now else 0

    def do(self, effects: list[Effect]) -> None:
        """Carry effects out, keep layer 2 true, and set the alarm."""
        for each in effects:
            match each:
                case Post():
                    self._send(each)
                case AskWire(index, ip, mac):
                    self.world.ask(self, index - 1, ip, mac)
                case Announce(ip):
                    self.world.announce(self, ip)
                case Discard():
                    self.queue.clear()
        self.settle()
        if self.mesh is None:
            return
        at = self.mesh.deadline()
        self._turn += 1
        if at is not None:
            turn = self._turn
            when = (at - self.offset) / self.rate
            late = self.world.random.uniform(1e-6, LATE)
            self.world.at(max(self.world.now, when) + late, lambda: self.wake(turn))

    def _send(self, post: Post) -> None:
        assert self.mesh is not None
        self._sequence = max(self._sequence + 1, int(self.clock() * 1e6))
        body = lengthened(post.kind, post.body) if self.number in self.world.scenario.later else post.body
        envelope = Envelope(self.name, self.boot, post.to, post.carrier, post.index, self._sequence, post.kind, body)
        self.world.post(self, envelope)

    def settle(self) -> None:
        """What it answers for may have changed."""
        now = dict(self.mesh.mine) if self.mesh else {}
        if now != self.answers:
            before, self.answers = self.answers, now
            self.world.answers_changed(self, before)
            for ip, names in now.items():
                if before.get(ip) != names:
                    self.world.announce(self, ip)


class World:
    """Runs a scenario. `watch` is told what changes.

    `strangers`: VIPs that a host answers for that is no member; `kernels`: (node, VIP) that the node's kernel answers
    for by itself; `mute`: nodes whose answers and announcements reach no other node.
    """

    def __init__(self, scenario: Scenario, watch: "Watcher") -> None:
        self.scenario, self.watch = scenario, watch
        self.random = Random(scenario.seed)
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.loss = self.delay = self.double = 0.0
        self.blocked: Counter[tuple[int, int, int]] = Counter()
        self.misplaced: Counter[tuple[int, int]] = Counter()
        self.strangers: set[bytes] = set()
        self.kernels: set[tuple[int, bytes]] = set()
        self.mute: set[int] = set()
        self.messages: Counter[int] = Counter()
        self.heard: dict[tuple[int, int], deque[float]] = {}
        self.nodes = [Node(self, number, rate) for number, rate in enumerate(scenario.rates)]
        self.by_name = {each.name: each for each in self.nodes}

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do `what` at `when`."""
        self._number += 1
        heappush(self._heap, (when, self._number, what))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, what = heappop(self._heap)
            what()
        self.now = until

    # -- the network

    def passes(self, source: Node, target: Node, carrier: int, segment: int) -> bool:
        """Whether anything gets from one node to the other by carrier (0 UDP, 1 frames over `segment`)."""
        if self.blocked[source.number, target.number, carrier] or source.keyed != target.keyed:
            return False
        if carrier:
            return self.on(source, segment) and self.on(target, segment)
        return any(map(and_, source.carrier, target.carrier))

    def on(self, node: Node, segment: int) -> bool:
        """Whether a node is on a segment in truth, not only as its carrier says."""
        return node.carrier[segment] and not self.misplaced[node.number, segment]

    def post(self, source: Node, envelope: Envelope) -> None:
        """Carry a message, as well as the network does today."""
        self.messages[source.number] += 1
        source.said.append(envelope)
        self._carry(source, envelope)

    def echo(self, node: Node, until: float) -> None:
        """Somebody replays what a dead node said last, as it was."""
        said = list(node.said)

        def again() -> None:
            if self.now < until and node.mesh is None:
                for envelope in said:
                    self._carry(node, envelope)
                self.at(self.now + ECHO, again)

        self.at(self.now + ECHO, again)

    def _carry(self, source: Node, envelope: Envelope) -> None:
        target = self.by_name[envelope.receiver]
        carrier = 0 if envelope.carrier is Carrier.UDP else 1
        segment = max(0, envelope.index - 1)
        if not self.passes(source, target, carrier, segment) or self.random.random() < self.loss:
            return
        for _ in range(2 if self.random.random() < self.double else 1):
            when = self.now + self.random.uniform(*DELAY) + self.random.random() * self.delay
            self.at(when, lambda: target.later(lambda: self._deliver(target, envelope)))

    @staticmethod
    def _deliver(target: Node, envelope: Envelope) -> None:
        if target.mesh is not None:
            received = int(target.clock() * 1e6)
            target.do(target.mesh.receive(replace(envelope, received=received), target.clock()))

    def ask(self, asker: Node, segment: int, ip: bytes, mac: bytes) -> None:
        """Everybody on the segment who answers for `ip` does."""
        for node in self.nodes:
            if node is asker or not self._wire(asker, node, segment) or (mac and node.mac(segment) != mac):
                continue
            self.at(self.now + DELAY[1], lambda node=node: self._answer(node, asker, segment, ip))  # type: ignore[misc]
        if ip in self.strangers and not mac and self.on(asker, segment):
            self._tell(asker, ip, STRANGER)

    def _answer(self, node: Node, asker: Node, segment: int, ip: bytes) -> None:
        names = node.answers.get(ip)
        there = node.runs and names is not None and (not names or f"eth{segment}" in names)
        speaks = (there and node.number not in self.mute) or (node.number, ip) in self.kernels
        if speaks and self._wire(node, asker, segment):
            self._tell(asker, ip, node.mac(segment))

    def _wire(self, source: Node, target: Node, segment: int) -> bool:
        blocked = self.blocked[source.number, target.number, 1] and self.blocked[source.number, target.number, 0]
        return not blocked and self.on(source, segment) and self.on(target, segment)

    def _tell(self, node: Node, ip: bytes, mac: bytes) -> None:
        def tell() -> None:
            if node.mesh is not None:
                node.do(node.mesh.heard(ip, mac, node.clock()))

        self.at(self.now + self.random.uniform(*DELAY), lambda: node.later(tell))

    def announce(self, node: Node, ip: bytes) -> None:
        """Gratuitous frames of `node`, on each segment it answers on: one now, others in the seconds after."""
        self._say(node, ip)
        for number in range(1, REPEATS + 1):
            self.at(self.now + number, lambda: node.later(lambda: self._say(node, ip)))

    def _say(self, node: Node, ip: bytes) -> None:
        if node.mesh is None or node.mesh.quiet:
            return
        names = node.answers.get(ip)
        for segment in range(self.scenario.segments):
            if names is None or not self.on(node, segment) or (names and f"eth{segment}" not in names):
                continue
            self.watch.announced(node, segment, ip)
            for other in self.nodes:
                if other is not node and node.number not in self.mute and self._wire(node, other, segment):
                    self._tell(other, ip, node.mac(segment))

    def answers_changed(self, node: Node, before: dict[bytes, tuple[str, ...]]) -> None:
        """Tell the watcher."""
        self.watch.answers_changed(node, before)


class Watcher:
    """What looks on while a world runs."""

    def returned(self, node: Node) -> None:
        """`node` stood still for more than an interval, knows it, and has said nothing yet."""

    def plugged(self, node: Node, segment: int) -> None:
        """`node` knows that its cable is in again on a segment, and has heard nothing there yet."""

    def answers_changed(self, node: Node, before: dict[bytes, tuple[str, ...]]) -> None:
        """`node` answers for other VIPs than `before`."""

    def announced(self, node: Node, segment: int, ip: bytes) -> None:
        """A gratuitous frame of `node` for `ip` is on a segment."""


def address(number: int, version: int = 4) -> bytes:
    """The packed address of a VIP."""
    if version == 4:
        return bytes((10, 99, number // 250, number % 250 + 1))
    return bytes.fromhex("fd99") + bytes(12) + number.to_bytes(2)


def stakes(scenario: Scenario, number: int, excluded: frozenset[int], version: int) -> dict[bytes, Stake]:
    """What Wanted says of one VIP, its second family included, as of a resourceVersion."""
    plan = scenario.vips[number]
    candidates = tuple(
        Candidate(f"n{node + 1}", score)
        for node, score in enumerate(plan.scores)
        if score is not None and node not in excluded
    )
    ips = [address(number), *([address(number, 6)] if plan.dual else [])]
    return {ip: Stake(Vip(ip, f"default/s{number}", ips[0], 0, row_version=version), candidates) for ip in ips}
