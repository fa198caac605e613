"""What a plan costs, from API object to decision: from nothing, after one change, one more allocation."""

import gc
import time
from collections.abc import Callable
from statistics import median

from msgspec import Struct

from speakerd.decide import Memo, decide
from speakerd.decision import Plan
from speakerd.settings import Settings
from speakerd.snapshot import Memo as Looks
from speakerd.snapshot import Stores, build
from tests.bench import pools
from tests.bench.figures import Goal, Options, Outcome, at_most
from tests.bench.objects import Cluster, cluster

ROUNDS = 30
NOTHING_MS, CHANGE_MS = 2000.0, 5.0
NODE_US = 25.0
"""Microseconds a Service when a node's change alters who may answer: that concerns every address."""


class Size(Struct, frozen=True):
    """How large a cluster is."""

    services: int
    pools: int
    nodes: int

    @property
    def words(self) -> str:
        """As figures and goals are headed."""
        return f"{self.services} Services, {self.pools} pools, {self.nodes} nodes"


SIZES = (Size(10_000, 20, 100), Size(2_000, 20, 200))


class Turns:
    """Build and decide, one after the other, timed."""

    def __init__(self) -> None:
        self._settings = Settings()
        self._looks, self._memo = Looks(self._settings), Memo()

    def turn(self, stores: Stores) -> tuple[float, Plan]:
        """Milliseconds of processor time, and the plan."""
        began = time.process_time()
        snapshot, self._looks = build(stores, self._settings, self._looks)
        plan, self._memo = decide(snapshot, self._memo)
        return (time.process_time() - began) * 1000, plan


def run(_options: Options) -> Outcome:
    """Processor time of `build` and `decide` together in clusters of each size, then of the allocator alone."""
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    for outcome in (*map(_of, SIZES), pools.run()):
        figures |= outcome["figures"]
        goals += outcome["goals"]
    return {"figures": figures, "goals": goals}


def _of(size: Size) -> Outcome:
    """A plan from nothing, one at a start where all is at rest, and the median after each kind of change."""
    world, turns = cluster(size.services, size.pools, size.nodes), Turns()
    nothing, plan = Turns().turn(world.empty().stores())
    assert len(plan.writes) == size.services, "not everybody is given an address"
    start, plan = turns.turn(world.stores())
    assert not plan.writes, "the world is not at rest"
    times = _changes(world, turns)
    figures = {"from nothing": nothing, "at a start": start, **times}
    node = 1000 * times.pop("node") / size.services
    return {
        "figures": {f"{size.words}, {name}: ms": round(spent, 2) for name, spent in figures.items()},
        "goals": [
            at_most(f"{size.words}: plan from nothing", nothing, NOTHING_MS, "ms"),
            at_most(f"{size.words}: replan after one change", max(times.values()), CHANGE_MS, "ms"),
            at_most(f"{size.words}: a node's change, a Service", node, NODE_US, "us"),
        ],
    }


def _changes(world: Cluster, turns: Turns) -> dict[str, float]:
    """Milliseconds after each kind of change."""
    gc.collect()
    gc.freeze()
    kinds: list[Callable[[], None]] = [
        world.nothing,
        world.edit,
        world.endpoints,
        world.node,
        world.create,
        world.reserve,
        world.answer,
        world.delete,
        world.release,
    ]
    times: dict[str, list[float]] = {kind.__name__: [] for kind in kinds}
    for world.round in range(ROUNDS):
        for kind in kinds:
            kind()
            spent, plan = turns.turn(world.stores())
            times[kind.__name__].append(spent)
    gc.unfreeze()
    assert not any([plan.writes, plan.releases, plan.adoptions]), "the world did not come to rest"
    return {name: median(spent) for name, spent in times.items()}
