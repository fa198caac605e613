"""Whose pools count where the settings of hosts differ: those that most hosts have; pure.

Settings change host by host. Were any host to allocate by its own pools, addresses would move with the allocator.
"""

from collections import Counter
from collections.abc import Collection, Iterable

from speakerd.exchange import Member


def prevailing(members: Iterable[Member]) -> str:
    """The pools, as a digest, that more than half of those have that may allocate; "" where there are none such."""
    told = Counter(each.pools for each in members if each.pools)
    return next((pools for pools, count in told.items() if 2 * count > told.total()), "")


def outvoted(me: Member, members: Iterable[Member]) -> bool:
    """Whether most hosts have other pools than this one; `members`: as recorded, this one too where it is."""
    most = prevailing([me, *(each for each in members if each.name != me.name)])
    return bool(me.pools and most) and me.pools != most


def dissenters(members: Collection[Member]) -> list[str]:
    """Hosts whose pools do not count; where no pools prevail, all that may allocate."""
    most = prevailing(members)
    return sorted(each.name for each in members if each.pools and each.pools != most)
