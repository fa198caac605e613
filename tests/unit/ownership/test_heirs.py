"""Heirs are of the best class, spread by hash, and no node gets more than its share and a quarter."""

from collections import Counter

from speakerd.exchange import Candidate
from speakerd.ownership.heirs import best, bound, choose
from speakerd.ownership.ranking import first

NODES = [Candidate(name) for name in "abcde"]


def ips(count: int) -> list[bytes]:
    return [bytes((10, 0, n >> 8, n & 255)) for n in range(count)]


def test_without_load_the_first_of_the_ranking_is_chosen() -> None:
    assert all(choose(ip, NODES, {}, 1000) == first(ip, NODES) for ip in ips(50))


def test_nobody_is_chosen_where_nobody_can() -> None:
    assert choose(ips(1)[0], [], {}, 10) == ""


def test_a_node_that_has_its_share_is_passed_over_for_the_next() -> None:
    (ip,) = ips(1)
    full = first(ip, NODES)
    assert choose(ip, NODES, {full: 10}, 10) not in ("", full)


def test_loads_stay_within_the_bound() -> None:
    loads: Counter[str] = Counter()
    most = bound(200, len(NODES))
    for ip in ips(200):
        loads[choose(ip, NODES, loads, most)] += 1
    assert max(loads.values()) <= most == 50


def test_a_full_best_class_is_still_chosen_from() -> None:
    (ip,) = ips(1)
    preferred = Candidate("z", score=1)
    assert best([*NODES, preferred]) == [preferred]
    assert choose(ip, [*NODES, preferred], {"z": 99}, 10) == "z"
