"""The lowest free address of a pool, found without walking over those in use."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from speakerd.model import IP, Family, Pool, Range, packed, unpacked

IPV6 = 1 << 128
"""Added to an IPv6 address, so that both families count along one line of whole numbers: places."""

Used = Callable[[int], bool]


def place(ip: IP) -> int:
    """The place of `ip`: whole numbers hash and compare far faster than addresses."""
    return int.from_bytes(packed(ip), "big") + (IPV6 if ip.version == 6 else 0)


def address(at: int) -> IP:
    """The address at a place."""
    return unpacked((at - IPV6).to_bytes(16, "big") if at >= IPV6 else at.to_bytes(4, "big"))


def family(at: int) -> Family:
    """The address family of a place."""
    return 6 if at >= IPV6 else 4


class Shelf:
    """A range of places. Those from `_next` on were never in use; of those below, `_returned` has all that may be free.

    The frontier only moves up and a returned place is looked at once, so that a search costs the same in a full /8.
    """

    def __init__(self, pool: Pool, given: Range) -> None:
        offset = IPV6 if given.family == 6 else 0
        self.pool = pool
        self.family: Family = given.family
        self.first, self.last = given.first + offset, given.last + offset
        self._skips_buggy = pool.avoid_buggy and given.family == 4
        self._next = self.first
        self._returned: list[int] = []
        self._waiting: set[int] = set()

    def lowest(self, used: Used) -> int | None:
        """The lowest place that is not in use."""
        while self._returned:
            if not used(self._returned[0]):
                return self._returned[0]
            self._waiting.discard(heappop(self._returned))
        while self._next <= self.last and (self._barred(self._next) or used(self._next)):
            self._next += 1
        return self._next if self._next <= self.last else None

    def put_back(self, at: int) -> None:
        """A place that is no longer in use."""
        if at < self._next and at not in self._waiting and not self._barred(at):
            self._waiting.add(at)
            heappush(self._returned, at)

    def gives(self, at: int) -> bool:
        """Whether the place may be given at all, free or not."""
        return self.first <= at <= self.last and not self._barred(at)

    def _barred(self, at: int) -> bool:
        """Whether the pool avoids this place (avoidBuggyIPs)."""
        return self._skips_buggy and at & 0xFF in (0, 255)


class Space:
    """All pools: which one holds an address, and the lowest free address of each. Pools do not overlap.

    `open` and `pinned`: the names of those that assign automatically, in the order in which they are tried.
    """

    def __init__(self, pools: tuple[Pool, ...]) -> None:
        self.pools = {pool.name: pool for pool in sorted(pools, key=lambda each: each.name)}
        offered = [pool for pool in self.pools.values() if pool.auto_assign]
        self.open = tuple(pool.name for pool in offered if not pool.pinned)
        by_priority = sorted(offered, key=lambda each: (not each.priority, each.priority))
        self.pinned = tuple(pool.name for pool in by_priority if pool.pinned)
        self._shelves = {name: [Shelf(pool, each) for each in pool.ranges] for name, pool in self.pools.items()}
        self._line = sorted(
            (each for shelves in self._shelves.values() for each in shelves), key=lambda each: each.first
        )
        self._firsts = [each.first for each in self._line]

    def pool_of(self, ip: IP) -> Pool | None:
        """The pool that may give out `ip`."""
        shelf = self._shelf(place(ip))
        return shelf.pool if shelf and shelf.pool.holds(ip) else None

    def __contains__(self, at: int) -> bool:
        """Whether the place is in the range of any pool."""
        return self._shelf(at) is not None

    def offers(self, pool: str, wanted: Family) -> bool:
        """Whether `pool` exists and has any address of that family, free or not."""
        return any(shelf.family == wanted for shelf in self._shelves.get(pool, ()))

    def lowest(self, pool: str, wanted: Family, used: Used, joins: Sequence[int] = ()) -> int | None:
        """The first place of `pool` that is free or one of `joins`, its ranges in the order written; `joins` ascend."""
        for shelf in self._shelves[pool]:
            if shelf.family != wanted:
                continue
            found = (shelf.lowest(used), next(filter(shelf.gives, joins), None))
            at = min((each for each in found if each is not None), default=None)
            if at is not None:
                return at
        return None

    def put_back(self, at: int) -> None:
        """A place that is no longer in use."""
        shelf = self._shelf(at)
        if shelf:
            shelf.put_back(at)

    def _shelf(self, at: int) -> Shelf | None:
        index = bisect_right(self._firsts, at) - 1
        if index < 0 or self._line[index].last < at:
            return None
        return self._line[index]
