"""How many addresses of each pool are given out, as IPAddressPool.status has it; pure."""

from collections.abc import Mapping

from msgspec import Struct, field

from speakerd.model import IP, Assignment, Config, Family, Pool

MOST = (1 << 63) - 1
"""The largest number told: the fields are int64."""


class PoolCount(Struct, frozen=True):
    """IPAddressPool.status. An address of several Services counts once."""

    assigned_ipv4: int = field(default=0, name="assignedIPv4")
    assigned_ipv6: int = field(default=0, name="assignedIPv6")
    available_ipv4: int = field(default=0, name="availableIPv4")
    available_ipv6: int = field(default=0, name="availableIPv6")


def counts(assignments: Mapping[str, Assignment], config: Config) -> dict[str, PoolCount]:
    """By the name of every pool. Costs what there are Services: for now and then."""
    given: dict[str, set[IP]] = {each.name: set() for each in config.pools}
    for each in assignments.values():
        if each.pool in given:
            given[each.pool].update(each.ips)
    return {each.name: _count(each, given[each.name]) for each in config.pools}


def _count(pool: Pool, given: set[IP]) -> PoolCount:
    four = sum(ip.version == 4 for ip in given)
    six = len(given) - four
    return PoolCount(four, six, _left(pool, 4, four), _left(pool, 6, six))


def _left(pool: Pool, family: Family, assigned: int) -> int:
    return min(MOST, max(0, pool.size(family) - assigned))
