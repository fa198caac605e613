"""What all addresses under a prefix come to: it is announced as long as one of them wants it; pure.

Where two of them contradict each other of what is said to a peer, the oldest Service counts: nobody who comes later
takes away what is announced.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import combinations

from msgspec.structs import replace

from speakerd.model import IP
from speakerd.peering import Prefix, Said, Wording
from speakerd.routes import said

Holder = tuple[str, IP]
"""A Service by its key, and an address of its."""
Age = Callable[[str], tuple[str, str]]
"""Of a Service by its key; the oldest sorts first."""
NOBODY: frozenset[Holder] = frozenset()


class Aggregates:
    """Who wants what said of which prefix; `turn` costs what changed, however many addresses are under a prefix."""

    def __init__(self) -> None:
        self._given: dict[Holder, tuple[tuple[bytes, Said], ...]] = {}
        self._groups: dict[bytes, dict[Said, dict[Holder, None]]] = {}
        self._lost: dict[bytes, frozenset[Holder]] = {}
        self._touched: set[bytes] = set()
        self._moved: set[Holder] = set()

    def give(self, holder: Holder, wanted: Collection[tuple[bytes, Said]]) -> None:
        """What is wanted said for a holder, of prefixes by their keys, in place of what was."""
        before, now = self._given.get(holder, ()), tuple(wanted)
        if before == now:
            return
        self._moved.add(holder)
        for key, words in before:
            self._take_back(holder, key, words)
        for key, words in now:
            self._groups.setdefault(key, {}).setdefault(words, {})[holder] = None
            self._touched.add(key)
        self._given[holder] = now
        if not now:
            del self._given[holder]

    def _take_back(self, holder: Holder, key: bytes, words: Said) -> None:
        groups = self._groups[key]
        del groups[words][holder]
        if not groups[words]:
            del groups[words]
        if not groups:
            del self._groups[key]
        self._touched.add(key)

    def of(self, holder: Holder) -> tuple[tuple[bytes, ...], frozenset[bytes]]:
        """The keys of the prefixes that a holder wants announced, and those of them of which others' word counts."""
        keys = tuple(key for key, _ in self._given.get(holder, ()))
        return keys, frozenset(key for key in keys if holder in self._lost.get(key, NOBODY))

    def turn(self, age: Age) -> tuple[Mapping[bytes, Prefix | None], Iterable[Holder]]:
        """What changed prefixes come to, None where nobody wants one; the holders of which `of` may say other now."""
        found = {key: self._settled(key, age) for key in self._touched}
        moved, self._touched, self._moved = self._moved, set(), set()
        return found, moved

    def _settled(self, key: bytes, age: Age) -> Prefix | None:
        groups = self._groups.get(key, {})
        counting, lost = [*groups], NOBODY
        if not all(_agree(*two) for two in combinations(groups, 2)):
            counting, lost = _settled(groups, age)
        before = self._lost.pop(key, NOBODY)
        if lost:
            self._lost[key] = lost
        self._moved |= before ^ lost
        return Prefix(key[0], key[1:], _united(counting)) if counting else None


def _settled(groups: Mapping[Said, Collection[Holder]], age: Age) -> tuple[list[Said], frozenset[Holder]]:
    """What counts of several that are wanted said of one prefix, and whose word does not."""
    counting: list[Said] = []
    lost: set[Holder] = set()
    oldest = {words: min((age(key), ip.packed) for key, ip in groups[words]) for words in groups}
    for words in sorted(groups, key=oldest.__getitem__):
        if all(_agree(words, other) for other in counting):
            counting.append(words)
        else:
            lost.update(groups[words])
    return counting, frozenset(lost)


def _by_peer(words: Said) -> dict[str, Wording]:
    return {peer: wording for wording, peers in words for peer in peers}


def _agree(one: Said, other: Said) -> bool:
    """Whether both say the same numbers to the peers that both are for; communities add up."""
    known = _by_peer(other)
    return all(
        replace(wording, communities=()) == replace(known[peer], communities=())
        for peer, wording in _by_peer(one).items()
        if peer in known
    )


def _united(counting: list[Said]) -> Said:
    """What several that agree come to."""
    if len(counting) == 1:
        return counting[0]
    told: dict[str, Wording] = {}
    for words in counting:
        for peer, wording in _by_peer(words).items():
            both = {*wording.communities, *told.get(peer, wording).communities}
            told[peer] = replace(wording, communities=tuple(sorted(both)))
    return said(told)
