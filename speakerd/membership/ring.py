"""Who observes whom: everybody in a small cluster, the next few on a ring of hashed names in a large one."""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from functools import lru_cache
from hashlib import sha256

OBSERVERS = 8
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
        """The OBSERVERS next of `name`, which need not be on the ring itself."""
        if name not in self._found:
            self._found[name] = frozenset(self._next(name))
        return self._found[name]

    def observed(self, by: str, names: Iterable[str]) -> frozenset[str]:
        """Those of `names` that have `by`, which is on the ring, among their observers: from the OBSERVERS-th before.

        The same as to ask for the observers of each, at the cost of one look at it.
        """
        if len(self._names) <= OBSERVERS:
            return frozenset(names) - {by}
        end = place(by)
        first = self._places[bisect_right(self._places, end) - 1 - OBSERVERS]
        if first < end:
            return frozenset(each for each in names if first <= place(each) < end)
        return frozenset(each for each in names if place(each) >= first or place(each) < end)

    def _next(self, name: str) -> Collection[str]:
        start = bisect_right(self._places, place(name))
        following = [*self._names[start:], *self._names[:start]]
        return [each for each in following if each != name][:OBSERVERS]
