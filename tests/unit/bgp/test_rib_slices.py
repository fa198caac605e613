"""No call does much at once, however large the table: work is counted by how often a prefix is looked up."""

from collections.abc import Callable, Iterable
from functools import partial
from sys import getrefcount

import pytest

from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6
from speakerd.bgp.frame import MOST, MOST_EXTENDED
from speakerd.bgp.outgoing import SAYING
from speakerd.bgp.rib import MESSAGE, WORK, Rib
from tests.unit.bgp.golden import BOTH
from tests.unit.bgp.receiver import HOPS, INTERNAL, PLENTY, Receiver, everything

MANY = 10000
EACH = 8
"""Times that a prefix is looked up at most where it is looked at, or told of."""
MOST_LOOKED_UP = 6000
"""In one call: what a slow core does in about 2 ms."""
ONE, OTHER = Attributes(local_pref=100), Attributes(local_pref=200)


class Prefix(bytes):
    """A prefix that counts how often any is looked up in a table."""

    looked_up = 0

    def __hash__(self) -> int:
        Prefix.looked_up += 1
        return super().__hash__()


def looked_up(call: Callable[[], object]) -> int:
    before = Prefix.looked_up
    call()
    return Prefix.looked_up - before


FOUR = [Prefix(bytes((32, 10)) + i.to_bytes(3)) for i in range(MANY)]
SIX = [Prefix(bytes((128,)) + bytes(13) + i.to_bytes(3)) for i in range(MANY)]


def full(said: Iterable[Attributes] = (ONE,) * MANY) -> Rib:
    """A core of which much is wanted, without a session."""
    rib = Rib()
    rib.change(IPV4, dict(zip(FOUR, said, strict=True)))
    rib.change(IPV6, dict.fromkeys(SIX, ONE))
    return rib


def up(rib: Rib, longest: int = MOST) -> None:
    rib.up(INTERNAL, BOTH, HOPS, longest)


FACTS: list[Callable[[Rib], object]] = [
    up,
    Rib.drain,
    Rib.serve,
    lambda rib: rib.refresh(IPV4),
    lambda rib: rib.next_hop(IPV4, HOPS[IPV6]),
    lambda rib: rib.next_hop(IPV6, b""),
    lambda rib: rib.next_hop(IPV6, HOPS[IPV6]),
    lambda rib: up(rib, MOST_EXTENDED),
    Rib.withdraw_all,
    Rib.serve,
    Rib.down,
]


def test_a_fact_that_concerns_all_prefixes_looks_up_none_and_each_slice_few() -> None:
    rib = full()
    for fact in FACTS:
        assert looked_up(partial(fact, rib)) == 0
        slices = []
        while rib.pending:
            slices.append(looked_up(lambda: rib.take(PLENTY)))
        assert max(slices, default=0) <= MOST_LOOKED_UP


def test_a_fact_in_the_middle_of_another_is_no_dearer() -> None:
    rib = full()
    for fact in FACTS * 3:
        assert looked_up(partial(fact, rib)) == 0
        for _ in range(15):
            assert looked_up(lambda: rib.take(PLENTY)) <= MOST_LOOKED_UP


def test_a_change_looks_up_what_changes_and_no_more() -> None:
    rib = full()
    up(rib)
    while rib.pending:
        rib.take(PLENTY)
    section = FOUR[500:540]
    assert looked_up(lambda: rib.change(IPV4, dict.fromkeys(section, OTHER))) <= EACH * len(section)
    assert looked_up(lambda: rib.take(PLENTY)) <= EACH * len(section)
    assert looked_up(lambda: rib.change(IPV4, dict.fromkeys(section))) <= EACH * len(section)
    assert looked_up(lambda: rib.take(PLENTY)) <= EACH * len(section)
    assert not rib.pending


def test_where_each_prefix_says_something_else_a_slice_is_few_words_and_few_messages() -> None:
    rib = full(Attributes(med=i) for i in range(MANY))
    up(rib)
    assert looked_up(lambda: rib.take(PLENTY)) <= EACH * (1 + WORK // SAYING)
    counts = set()
    while rib.pending:
        counts.add(len(rib.take(PLENTY)))
    assert WORK // MESSAGE // 2 < max(counts) <= 1 + WORK // MESSAGE


@pytest.mark.parametrize("longest", [MOST, MOST_EXTENDED])
def test_all_is_told_in_as_many_slices_as_the_work_is_worth(longest: int) -> None:
    rib, slices = full(), 0
    up(rib, longest)
    while rib.pending:
        rib.take(PLENTY)
        slices += 1
    assert slices < 2 + 2 * MANY // WORK + 2 * (1 + 17 * MANY // MOST)
    assert rib.sent(IPV4) == rib.sent(IPV6) == MANY


def test_changes_in_every_turn_keep_nothing_from_being_told() -> None:
    rib, peer = full(), Receiver()
    up(rib)
    for turn in range(2 * MANY // (WORK - 40) + 2 * (1 + 17 * MANY // MOST)):
        rib.change(IPV4, dict.fromkeys(FOUR[:40], (ONE, OTHER)[turn % 2]))
        peer.read(rib.take(PLENTY))
    assert len(peer.table) == 2 * MANY


def test_nothing_is_told_before_it_is_known_what_is_to_be_withdrawn_first() -> None:
    rib, peer = full(), Receiver()
    rib.change(IPV6, dict.fromkeys(SIX[10:]))
    up(rib)
    while rib.pending:
        peer.read(rib.take(PLENTY))
    peer.heard.clear()
    rib.refresh(IPV4)
    rib.change(IPV6, dict.fromkeys(SIX[:10]))
    while len(peer.table) > MANY:
        assert not peer.heard
        peer.read(rib.take(PLENTY)[:1])


def test_what_is_no_longer_wanted_nor_told_is_not_held() -> None:
    rib, said = Rib(), Attributes(local_pref=300)
    up(rib)
    before = getrefcount(said)
    rib.change(IPV4, {FOUR[0]: said})
    everything(rib)
    assert getrefcount(said) > before
    rib.change(IPV4, {FOUR[0]: ONE})
    everything(rib)
    assert getrefcount(said) == before
