"""A scenario drawn from a seed: how many nodes, which VIPs, what goes wrong when."""

from random import Random

from msgspec import Struct

from speakerd.membership.voice import SIDE_WITHIN
from tests.sim import faults
from tests.sim.faults import AnyFault

SETTLE = 3.0
"""Simulated seconds before the first fault."""
CALM = 4.0
"""Simulated seconds after the last fault: by then everybody must agree."""
MISPLACED = 0.2
"""Share of scenarios with a node whose segment is dead with carrier up."""
PARTED = 0.4
"""Share of scenarios with a cut, or with two nodes that do not hear each other while others hear both."""
SMALL, LARGE = 12, 0.05
"""Nodes of a cluster that is not large; the share of large ones among those of six and more, where they are allowed."""
PRESETS = ((0.075, 2, 3), (0.25, 3, 4), (1.0, 4, 6))


class VipPlan(Struct, frozen=True):
    """A VIP: how many addresses rank together, and each node's score, None where it is no candidate."""

    scores: tuple[int | None, ...]
    dual: bool


class Scenario(Struct, frozen=True):
    """All that a run depends on. `starts`: when each node starts; `rates`: how fast its clock runs.

    `later`: nodes of a version of speakerd that says more than this one.
    """

    seed: int
    nodes: int
    segments: int
    preset: tuple[float, int, int]
    vips: tuple[VipPlan, ...]
    starts: tuple[float, ...]
    rates: tuple[float, ...]
    probe: float
    seconds: float
    faults: tuple[AnyFault, ...]
    later: tuple[int, ...] = ()


def draw(seed: int, most: int = 12) -> Scenario:
    """The scenario of `seed`, with up to `most` nodes."""
    random = Random(seed)
    nodes = random.randint(2, 5) if random.random() < 0.9 else _more(random, most)
    preset = random.choices(PRESETS, (8, 1, 1))[0]
    scale = preset[0] / PRESETS[0][0]
    stretch = min(scale, 4.0)
    vips = tuple(_vip(random, nodes) for _ in range(random.randint(1, 8)))
    spread = random.choice((0.0, 0.2, 3.0))
    segments = 2 if random.random() < 0.2 else 1
    found = _faults(random, nodes, segments, len(vips), stretch)
    found += _misplaced(Random(f"misplaced {seed}"), found, nodes, segments, stretch)
    found += _parted(Random(f"parted {seed}"), found, nodes, stretch)
    last = max(
        (each.at if isinstance(each, faults.Kill) and not each.back else each.end for each in found), default=0.0
    )
    return Scenario(
        seed=seed,
        nodes=nodes,
        segments=segments,
        preset=preset,
        vips=vips,
        starts=tuple(random.uniform(0, spread) for _ in range(nodes)),
        rates=tuple(1 + random.uniform(-2e-4, 2e-4) for _ in range(nodes)),
        probe=random.choice((0.012, 0.012, 0.0)),
        seconds=max(20.0, last + CALM * stretch + 1.0),
        faults=found,
    )


def _more(random: Random, most: int) -> int:
    if most > SMALL and random.random() < LARGE:
        return random.randint(SMALL + 1, most)
    return random.randint(6, max(6, min(most, SMALL)))


def _vip(random: Random, nodes: int) -> VipPlan:
    some = random.random()
    if some < 0.6:
        scores: list[int | None] = [0] * nodes
    elif some < 0.8:
        scores = [random.choice((0, 0, 1)) for _ in range(nodes)]
    else:
        scores = [random.choice((0, 0, None)) for _ in range(nodes)]
    if all(score is None for score in scores):
        scores[random.randrange(nodes)] = 0
    return VipPlan(tuple(scores), random.random() < 0.2)


def _faults(random: Random, nodes: int, segments: int, vips: int, stretch: float) -> tuple[AnyFault, ...]:
    """A few faults, now one after the other, now on top of one another."""
    found: list[AnyFault] = []
    at = SETTLE * max(1.0, stretch)
    for _ in range(random.randint(1, 5)):
        found.append(_fault(random, at, nodes, segments, vips, stretch))
        calm = CALM * stretch
        at += random.choice((0.01, random.uniform(0, 1), calm + random.uniform(0, 2), found[-1].span + calm))
    return tuple(found)


def _misplaced(
    random: Random, others: tuple[AnyFault, ...], nodes: int, segments: int, stretch: float
) -> tuple[AnyFault, ...]:
    """In some scenarios a segment that is dead with carrier up: after all the others, or among them.

    It has chance of its own, so that whatever else a seed draws is as it would be without.
    """
    if random.random() > MISPLACED:
        return ()
    calm = max(each.end for each in others) + CALM * stretch
    at = random.choice((calm, calm, calm, random.uniform(others[0].at, others[-1].end)))
    span = random.choice((random.uniform(0.5, 4), random.uniform(7, 12), random.uniform(7, 12))) * stretch
    return (faults.Misplaced(at, span, random.randrange(nodes), random.randrange(segments)),)


def _parted(random: Random, others: tuple[AnyFault, ...], nodes: int, stretch: float) -> tuple[AnyFault, ...]:
    """In some scenarios two nodes that are apart for each other alone, or a cut: after all the others, or among them.

    Who keeps what after a cut is promised only where nothing else disturbs it.
    """
    if random.random() > PARTED:
        return ()
    calm = max(each.end for each in others) + CALM * stretch
    at = random.choice((calm, calm + SIDE_WITHIN, random.uniform(others[0].at, others[-1].end)))
    if nodes < 3 or random.random() < 0.5:
        some = tuple(sorted(random.sample(range(nodes), random.randint(1, nodes - 1))))
        return (faults.Cut(at, random.uniform(1.5, 6) * stretch, some, (0, 1), one_way=False),)
    one, other = random.sample(range(nodes), 2)
    return (faults.Parted(at, random.choice((random.uniform(0.1, 1), random.uniform(1, 6))) * stretch, one, other),)


def _fault(random: Random, at: float, nodes: int, segments: int, vips: int, stretch: float) -> AnyFault:
    at += random.uniform(0, 0.3)
    node, vip = random.randrange(nodes), random.randrange(vips)
    span = random.choice((random.uniform(0.02, 0.4), random.uniform(0.4, 3), random.uniform(3, 8))) * stretch
    some = tuple(sorted(random.sample(range(nodes), random.randint(1, nodes - 1))))
    carriers = random.choice(((0, 1), (0, 1), (0,), (1,)))
    one_way = random.random() < 0.25
    spread = random.choice((0.0, 0.05, 2.0))
    return random.choice(
        (
            faults.Kill(at, span, node, random.random() < 0.6, echo=random.random() < 0.5),
            faults.Kill(at, span, node, random.random() < 0.6, echo=random.random() < 0.5),
            faults.Crash(at, min(span, 0.5), node),
            faults.Pause(at, span, node),
            faults.Suspend(at, span, node),
            faults.Unplug(at, span, node, random.randrange(segments)),
            faults.Cut(at, span, some, carriers, one_way),
            faults.Cut(at, span, some, (0, 1), one_way=False),
            faults.Deaf(at, span, node, carriers),
            faults.Bad(at, span, random.choice((0.0, 0.02, 0.3)), random.choice((0.0, 0.01, 0.1)), 0.02),
            faults.Leave(at, max(span, 2.5), node),
            faults.Drain(at, span, node),
            faults.Exclude(at, span, node, vip, spread),
            faults.Unkeyed(at, span, node),
            faults.Stranger(at, span, vip),
            faults.Remove(at, max(span, 0.1), vip, spread),
            faults.Outage(
                at, span + random.choice((0.0, 12.0)), some if random.random() < 0.5 else tuple(range(nodes))
            ),
            faults.Join(at, 1.0, node, spread),
        )
    )
