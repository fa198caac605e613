"""Run a scenario to its end, and one that breaks a promise ever smaller."""

from collections import Counter

from msgspec import Struct
from msgspec.structs import replace

from tests.sim.actions import Actions
from tests.sim.promises import Broken, Promises
from tests.sim.scenario import Scenario, draw
from tests.sim.world import World

LOOK = 0.02
"""Simulated seconds between two looks at what lasts."""


class Result(Struct, frozen=True):
    """What came of a scenario."""

    seed: int
    broken: Broken | None
    seconds: float
    messages: int
    faults: dict[str, int]


def play(scenario: Scenario) -> Result:
    """Run it to its end, or to the first broken promise."""
    promises = Promises()
    world = World(scenario, promises)
    actions = Actions(world)
    promises.attach(world, actions)
    actions.plan()
    while world.now < scenario.seconds and promises.broken is None:
        world.run(world.now + LOOK)
        promises.look()
    if promises.broken is None:
        promises.last()
    kinds = Counter(type(fault).__name__ for fault in scenario.faults)
    return Result(scenario.seed, promises.broken, world.now, sum(world.messages.values()), dict(kinds))


def shrunk(scenario: Scenario) -> Scenario:
    """The scenario with as few faults and VIPs as still break a promise."""
    changed = True
    while changed:
        changed = False
        for number in range(len(scenario.faults)):
            fewer = replace(scenario, faults=scenario.faults[:number] + scenario.faults[number + 1 :])
            if play(fewer).broken:
                scenario, changed = fewer, True
                break
    return scenario


def play_seed(seed: int, most: int = 12, *, upgrading: bool = False) -> Result:
    """Run the scenario of a seed; `upgrading`: with every other node of a later version."""
    scenario = draw(seed, most)
    return play(replace(scenario, later=tuple(range(0, scenario.nodes, 2))) if upgrading else scenario)
