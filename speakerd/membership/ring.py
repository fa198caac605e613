"""Who observes whom: everybody in a small cluster, the nearest on a ring of hashed names in a large one.

The nearest on both sides: whom a member observes observes it, so each hears from the other what it hears itself.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import lru_cache

from speakerd.digest import sha256

EACH_SIDE = 4
OBSERVERS = 2 * EACH_SIDE
"""Heartbeats a member sends in an interval, however large the cluster: two must miss it, and up to six may be gone."""
REMEMBERED = 1024
"""Places kept: more than a cluster has nodes whose members watch one another."""


@lru_cache(maxsize=REMEMBERED)
def place(name: str) -> bytes:
    """Where `name` stands on the ring."""
    return sha256(name.encode()).digest()[:8]


class Ring:
    """The living members in the order of their places."""

    def __init__(self, living: Iterable[str]) -> None:
        self._names = sorted(living, key=lambda name: (place(name), name))
        self._places = [place(name) for name in self._names]
        self._found: dict[str, frozenset[str]] = {}

    def observers(self, name: str) -> frozenset[str]:
        """The OBSERVERS nearest to `name`, which need not be on the ring itself."""
        if name not in self._found:
            self._found[name] = self._nearest(name)
        return self._found[name]

    def observed(self, by: str, names: Iterable[str]) -> frozenset[str]:
        """Those of `names` that have `by`, which is on the ring, among their observers: up to EACH_SIDE places away.

        The same as to ask for the observers of each, at the cost of one look at it.
        """
        size = len(self._names)
        if size <= OBSERVERS:
            return frozenset(names) - {by}
        here = bisect_left(self._places, place(by))
        first, last = self._places[here - EACH_SIDE], self._places[(here + EACH_SIDE) % size]
        if first <= last:
            return frozenset(each for each in names if first <= place(each) <= last) - {by}
        return frozenset(each for each in names if place(each) >= first or place(each) <= last) - {by}

    def _nearest(self, name: str) -> frozenset[str]:
        start = bisect_right(self._places, place(name))
        following = [each for each in (*self._names[start:], *self._names[:start]) if each != name]
        return frozenset(following[:EACH_SIDE] + following[-EACH_SIDE:])
