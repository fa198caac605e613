"""How full pools are: shared addresses once, addresses that are never given not at all."""

from speakerd.model import Assignment, Config
from speakerd.poolcounts import PoolCount, counts
from tests.unit.allocation import ips, pool


def test_each_address_counts_once_and_families_apart() -> None:
    config = Config((pool("p", "10.0.0.0/30", "fd00::/126"), pool("empty", "10.1.0.0/31")))
    given = {
        "a": Assignment(ips("10.0.0.1", "fd00::1"), "p"),
        "b": Assignment(ips("10.0.0.1"), "p"),
        "c": Assignment(ips("10.0.0.2"), "p"),
        "d": Assignment(ips("10.9.0.0"), "gone"),
        "e": Assignment(),
    }
    assert counts(given, config) == {"p": PoolCount(2, 1, 2, 3), "empty": PoolCount(0, 0, 2, 0)}


def test_addresses_that_a_pool_avoids_are_not_available_and_no_number_is_larger_than_its_field() -> None:
    config = Config((pool("p", "10.0.0.0/24", avoid_buggy=True), pool("v6", "fd00::/32")))
    found = counts({}, config)
    assert found["p"].available_ipv4 == 254
    assert found["v6"].available_ipv6 == (1 << 63) - 1
