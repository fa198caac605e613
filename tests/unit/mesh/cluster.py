"""Whole nodes in conversation, in simulated time, as the tests of this folder want them."""

from collections.abc import Collection
from itertools import product

from msgspec.structs import replace

from speakerd.exchange import Candidate, Happening, Stake, Vip
from speakerd.membership.peer import State
from tests.sim.actions import Actions
from tests.sim.faults import AnyFault, Misplaced
from tests.sim.promises import Promises
from tests.sim.scenario import Scenario, VipPlan
from tests.sim.world import Node, World, address

IP = address(0)
SETTLED = 3.0


class Cluster:
    """Nodes on one LAN, with one VIP that all may answer for, after they have settled."""

    def __init__(
        self,
        nodes: int,
        scores: tuple[int | None, ...] = (),
        segments: int = 1,
        probe: float = 0.0,
        vips: int = 1,
        faults: tuple[AnyFault, ...] = (),
        seed: int = 1,
    ) -> None:
        scenario = Scenario(
            seed=seed,
            nodes=nodes,
            segments=segments,
            preset=(0.075, 2, 3),
            vips=(VipPlan(scores or (0,) * nodes, dual=False),) * vips,
            starts=(0.0,) * nodes,
            rates=(1.0,) * nodes,
            probe=probe,
            seconds=60.0,
            faults=faults,
        )
        self.promises = Promises()
        self.world = World(scenario, self.promises)
        self.actions = Actions(self.world)
        self.promises.attach(self.world, self.actions)
        self.actions.plan()
        self.run(SETTLED)

    @property
    def nodes(self) -> list[Node]:
        return self.world.nodes

    def run(self, seconds: float) -> None:
        """Let time pass, the promises checked all the way."""
        until = self.world.now + seconds
        while self.world.now < until:
            self.world.run(self.world.now + 0.005)
            self.promises.look()
        assert self.promises.broken is None

    def answering(self) -> list[Node]:
        return self.promises.answering(IP)

    def owner(self) -> Node:
        (node,) = self.answering()
        return node

    def served(self, node: Node) -> list[bytes]:
        """The VIPs that `node` answers for."""
        return [ip for ip in self.nodes[0].stakes if node in self.promises.answering(ip)]

    def silence(self, most: float) -> float:
        """Seconds until somebody answers."""
        began = self.world.now
        while not self.answering():
            self.world.run(self.world.now + 0.001)
            assert self.world.now < began + most
        return self.world.now - began

    def cut(self, node: Node, carrier: int, by: int = 1) -> None:
        """Nothing passes between `node` and the others by carrier, or again."""
        for other in self.nodes:
            if other is not node:
                self.world.blocked[node.number, other.number, carrier] += by
                self.world.blocked[other.number, node.number, carrier] += by


def wish(cluster: Cluster, *ips: bytes, nodes: Collection[Node] = (), scores: Collection[int] = ()) -> None:
    """VIPs as they are wanted from now on: for `nodes` to answer for (none: all), with their scores (none: 0)."""
    fit = nodes or cluster.nodes
    candidates = tuple(Candidate(node.name, score) for node, score in zip(fit, scores or [0] * len(fit), strict=True))
    for node in cluster.nodes:
        assert node.mesh
        change = {ip: Stake(Vip(ip, "d/s", ip, 0), candidates) for ip in ips}
        node.stakes |= change
        node.mesh.want(change, node.clock())
        node.do(node.mesh.wanted(node.clock()))


def drain(node: Node, *, wanted: bool) -> None:
    """Its operator drains it, or no longer."""
    assert node.mesh
    node.drained = wanted
    node.do(node.configured(node.mesh))


def state(node: Node, of: Node) -> State:
    assert node.mesh
    return node.mesh.detector.peers[of.name].state


def happened(node: Node, seconds: float) -> list[Happening]:
    """What it noted lately."""
    assert node.mesh
    return [each for each in node.mesh.chronicle.happenings if each.at >= node.clock() - seconds]


def watch(cluster: Cluster, seconds: float) -> set[str]:
    """Who answers, looked at each 0.2 ms; never two at a time."""
    found: set[str] = set()
    until = cluster.world.now + seconds
    while cluster.world.now < until:
        cluster.world.run(cluster.world.now + 0.0002)
        here = [node.name for node in cluster.answering()]
        assert len(here) <= 1
        found.update(here)
    return found


def strangers(cluster: Cluster) -> list[tuple[str, str]]:
    """Members that one does not know to live."""
    nodes = [node for node in cluster.nodes if node.mesh]
    return [(a.name, b.name) for a in nodes for b in nodes if a is not b and state(a, b) is not State.ALIVE]


def misplace(cluster: Cluster, node: Node, span: float) -> None:
    """The node's switch port is in another network for a while; carrier stays up."""
    fault = Misplaced(cluster.world.now, span, node.number, 0)
    cluster.world.scenario = replace(cluster.world.scenario, faults=(*cluster.world.scenario.faults, fault))
    cluster.actions.begin(fault)
    cluster.world.at(fault.end, lambda: cluster.actions.end(fault))


def conditions(node: Node) -> dict[str, str]:
    assert node.mesh
    return node.mesh.conditions(node.clock())


def part(cluster: Cluster, *nodes: Node, seconds: float) -> None:
    """Cut `nodes` off from all the others, and let the network be whole again."""
    others = [node for node in cluster.nodes if node not in nodes]
    for by in (1, -1):
        for a, b in product(nodes, others):
            for carrier, (one, other) in product((0, 1), ((a, b), (b, a))):
                cluster.world.blocked[one.number, other.number, carrier] += by
        if by > 0:
            cluster.run(seconds)
