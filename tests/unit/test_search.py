"""The search gives the lowest free address and never walks over those in use twice."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.model import Pool, Range
from speakerd.search import Space, address, family, place


def ranged(first: str, last: str) -> Range:
    low, high = ip_address(first), ip_address(last)
    return Range(low.version, int(low), int(high))


@pytest.mark.parametrize("text", ["0.0.0.1", "10.0.0.1", "255.255.255.255", "::", "fd00::1", "::ffff:10.0.0.1"])
def test_a_place_and_its_address_are_one(text: str) -> None:
    ip = ip_address(text)
    assert address(place(ip)) == ip
    assert family(place(ip)) == ip.version


def test_families_never_share_a_place() -> None:
    assert place(ip_address("0.0.0.1")) != place(ip_address("::1"))


def test_ranges_are_used_in_the_order_written() -> None:
    space = Space((Pool("p", (ranged("10.0.1.0", "10.0.1.0"), ranged("10.0.0.0", "10.0.0.1"))),))
    used: set[int] = set()
    found = []
    while (at := space.lowest("p", 4, used.__contains__)) is not None:
        used.add(at)
        found.append(str(address(at)))
    assert found == ["10.0.1.0", "10.0.0.0", "10.0.0.1"]


def test_buggy_addresses_are_skipped_in_ipv4_only() -> None:
    space = Space((Pool("p", (ranged("10.0.0.255", "10.0.1.1"), ranged("fd00::", "fd00::1")), avoid_buggy=True),))
    first, second = space.lowest("p", 4, set[int]().__contains__), space.lowest("p", 6, set[int]().__contains__)
    assert first == place(ip_address("10.0.1.1"))
    assert second == place(ip_address("fd00::"))
    assert space.pool_of(ip_address("10.0.1.0")) is None


def test_a_full_slash_8_answers_without_walking() -> None:
    space = Space((Pool("p", (ranged("10.0.0.0", "10.255.255.255"),)),))
    asked = []

    def used(at: int) -> bool:
        asked.append(at)
        return at < place(ip_address("10.0.16.0"))

    space.lowest("p", 4, used)
    assert len(asked) == 4097
    space.lowest("p", 4, used)
    assert len(asked) == 4098


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30))), st.booleans())
def test_the_lowest_free_address_is_found_after_any_history(history: list[tuple[bool, int]], avoid: bool) -> None:
    pool = Pool("p", (ranged("10.0.0.250", "10.0.1.5"),), avoid_buggy=avoid)
    space = Space((pool,))
    base = place(ip_address("10.0.0.245"))
    used: set[int] = set()
    for take, offset in history:
        at = base + offset
        if take:
            used.add(at)
        elif at in used:
            used.discard(at)
            space.put_back(at)
        found = space.lowest("p", 4, used.__contains__)
        free = [each for each in range(base, base + 40) if pool.holds(address(each)) and each not in used]
        assert found == (free[0] if free else None)
