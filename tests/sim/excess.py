"""Who does too much: messages that go round in a circle, and a node that is woken again and again for nothing."""

from collections import Counter
from collections.abc import Iterator

from tests.sim.world import World

STORM, STORM_EACH, STORM_WITHIN = 1200, 30, 0.5
"""Messages of one node, and more for each other, and the seconds in which it sends so many only in a storm."""
RESTLESS = 20
"""Turns in a row after which something is due at once: slices of much work."""
STORM_LASTS = 3
"""Times in a row: a cut that heals, or a node that finds all of a suspension in its sockets, says much at once."""


class Excess:
    """Looks on at `world`; gives the promise and what is said where it does not hold."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._said: Counter[int] = Counter()
        self._said_at = 0.0
        self._stormy: Counter[int] = Counter()

    def look(self) -> Iterator[tuple[str, str]]:
        """What is too much by now."""
        yield from self._restless()
        if self._world.now - self._said_at >= STORM_WITHIN:
            yield from self._storms()

    def _restless(self) -> Iterator[tuple[str, str]]:
        """What a node is woken for and does not do would take a processor for nothing."""
        for node in self._world.nodes:
            if node.restless > RESTLESS:
                yield "rest", f"{node.name} was woken {node.restless} times in a row, and had something due still"

    def _storms(self) -> Iterator[tuple[str, str]]:
        said, self._said, self._said_at = self._said, self._world.messages.copy(), self._world.now
        for number, count in self._said.items():
            if count - said[number] <= STORM + STORM_EACH * self._world.scenario.nodes:
                del self._stormy[number]
                continue
            self._stormy[number] += 1
            if self._stormy[number] == STORM_LASTS:
                yield "P5", f"n{number + 1} sent {count - said[number]} messages in {STORM_WITHIN} s, and before"
