"""Two BFD ends under loss, cuts and pauses, drawn from one seed: Down where they must be, and never without reason.

A gap is seen from outside: when packets reached an end, and nothing of the core's own reckoning.
"""

from random import Random

import pytest

from speakerd.bfd.packet import Diagnostic, State
from speakerd.peering import BfdProfile
from tests.unit.bfd.line import FAST, Line

SEEDS, BATCH = 300, 50
PROFILES = (
    FAST,
    BfdProfile("patient", receive_interval=50, transmit_interval=50, detect_multiplier=5),
    BfdProfile("slow", receive_interval=200, transmit_interval=100, detect_multiplier=3),
    BfdProfile("late", receive_interval=60, transmit_interval=300, detect_multiplier=4),
)
BOTH = frozenset((0, 1))
COMES_UP = 12.0
"""Seconds in which both are up again, a path that is fine: one waits for the other to find it dead, then each speaks
once a second at least."""
DELAY = 0.002
SLACK = 1e-6


class Scene(Line):
    """A line that notes when packets reach either end, and when an end stood still."""

    def __init__(self, seed: int) -> None:
        self.heard: tuple[list[float], list[float]] = ([], [])
        chance = Random(seed)
        self.profiles = chance.choice(PROFILES), chance.choice(PROFILES)
        super().__init__(*self.profiles, seed=seed, delay=DELAY)

    def _arrive(self, end: int, port: int, data: bytes) -> None:
        self.heard[end].append(self.now)
        super()._arrive(end, port, data)

    def detection(self, end: int) -> float:
        """Seconds of silence that end bears, once both are Up (RFC 5880 section 6.8.4)."""
        ours, theirs = self.profiles[end], self.profiles[1 - end]
        return theirs.detect_multiplier * max(ours.receive_interval, theirs.transmit_interval) / 1000

    def interval(self, end: int) -> float:
        """Seconds between the packets that an end sends, once both are Up."""
        ours, theirs = self.profiles[end], self.profiles[1 - end]
        return max(ours.transmit_interval, theirs.receive_interval) / 1000

    def both_up(self) -> None:
        assert self.states() == (State.UP, State.UP)


def judged(scene: Scene, since: float) -> None:
    """Whoever found the other silent had heard nothing for its Detection Time; whoever was told so was told."""
    for end, changes in enumerate(scene.changes):
        for change in changes:
            if change.since < since or change.state is not State.DOWN:
                continue
            last = max((at for at in scene.heard[end] if at < change.since), default=0.0)
            if change.diagnostic is Diagnostic.CONTROL_DETECTION_TIME_EXPIRED:
                assert change.since - last >= scene.detection(end) - SLACK, f"end {end} at {change.since}"
            else:
                assert change.since in scene.heard[end], f"end {end} at {change.since}, and nobody spoke"


def trouble(scene: Scene, chance: Random) -> None:
    """One thing that goes wrong, and ends."""
    match chance.randrange(4):
        case 0:
            scene.loss = chance.choice((0.05, 0.3, 0.7))
            scene.run(chance.uniform(0.1, 4.0))
            scene.loss = 0.0
        case 1:
            scene.cut = chance.choice((BOTH, frozenset({0}), frozenset({1})))
            scene.run(chance.choice((0.02, 0.2, chance.uniform(0.0, 5.0))))
            scene.cut = frozenset()
        case 2:
            scene.run(chance.choice((0.05, 0.5, 3.0)), asleep=chance.randrange(2))
        case _:
            scene.wander = chance.choice((0.001, 0.03))
            scene.run(chance.uniform(0.1, 2.0))
            scene.wander = 0.0


def cut_for_good(scene: Scene, chance: Random) -> None:
    """Both ends find it within the Detection Time and one interval; one that was told first finds nothing."""
    scene.cut, at = chance.choice((BOTH, frozenset({0}), frozenset({1}))), scene.now
    deaf = [end for end in (0, 1) if 1 - end in scene.cut]
    before = [len(changes) for changes in scene.changes]
    scene.run(10.0)
    for end in deaf:
        down = next(each for each in scene.changes[end][before[end] :] if each.state is State.DOWN)
        assert down.since <= at + scene.detection(end) + scene.interval(1 - end) + DELAY
    assert State.UP not in scene.states()
    scene.cut = frozenset()


def played(seed: int) -> None:
    scene, chance = Scene(seed), Random(~seed)
    scene.run(COMES_UP)
    scene.both_up()
    since = scene.now
    for _ in range(chance.randrange(1, 5)):
        trouble(scene, chance)
        if chance.random() < 0.5:
            scene.run(chance.uniform(0.0, 2.0))
    scene.run(COMES_UP)
    scene.both_up()
    cut_for_good(scene, chance)
    scene.run(COMES_UP)
    scene.both_up()
    judged(scene, since)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_ends_are_down_for_a_gap_alone_in_time_and_come_up_whenever_the_path_is_fine(first: int) -> None:
    for seed in range(first, first + BATCH):
        try:
            played(seed)
        except AssertionError as fault:
            raise AssertionError(f"seed {seed}: {fault}") from fault
