"""No question for a VIP of ours is kept from us, a take-over loads one program, and in calm the kernel is exact."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.layer2 import ndp
from speakerd.layer2.sieve import CALM, Sieve
from tests.unit.layer2.bpf import Meta, accepts, decoded
from tests.unit.layer2.frames import ASKER, OURS, solicitation, v6, who_has

POOL = [IPv4Address("10.0.0.0") + number for number in range(100)]
POOL6 = [IPv6Address("fd00::100") + number for number in range(100)]
TO_US = Meta(packet_type=0)


def packed(addresses: Iterable[IPv4Address | IPv6Address]) -> frozenset[bytes]:
    return frozenset(each.packed for each in addresses)


def lets_ask(sieve: Sieve, address: IPv4Address | IPv6Address) -> bool:
    """Whether a question for `address` gets through."""
    if address.version == 4:
        return accepts(decoded(sieve.arp), who_has(str(address), sender="192.0.2.1"))
    return accepts(decoded(sieve.ndp), solicitation(str(address)))


def lets_speak(sieve: Sieve, address: IPv4Address | IPv6Address) -> bool:
    """Whether it gets through that a stranger says it has `address`."""
    if address.version == 4:
        return accepts(decoded(sieve.arp), who_has("192.0.2.1", sender=str(address), op=2))
    return accepts(decoded(sieve.ndp), ndp.announcement(address.packed, ASKER, v6("fe80::aaa")))


@pytest.mark.parametrize("pool", [POOL, POOL6])
def test_in_calm_questions_for_ours_alone_pass_and_what_is_said_of_all_vips(
    pool: list[IPv4Address | IPv6Address],
) -> None:
    sieve = Sieve()
    sieve.apply(packed(pool[::3]), packed(pool), 0.0)
    sieve.wake(CALM)
    assert [each for each in pool if lets_ask(sieve, each)] == pool[::3]
    assert all(lets_speak(sieve, each) for each in pool)
    assert not lets_ask(sieve, pool[-1] + 1)
    assert not lets_speak(sieve, pool[-1] + 1)


@pytest.mark.parametrize("pool", [POOL, POOL6])
def test_a_take_over_in_many_steps_needs_one_new_program_and_misses_no_question(
    pool: list[IPv4Address | IPv6Address],
) -> None:
    sieve = Sieve()
    sieve.apply(packed(pool[::3]), packed(pool), 0.0)
    sieve.wake(CALM)
    loaded = {(sieve.arp, sieve.ndp)}
    ours = pool[::3]
    for step in range(0, 60, 6):
        ours = [*ours, *pool[step : step + 6]]
        sieve.apply(packed(ours), packed(pool), 10.0 + step / 100)
        loaded.add((sieve.arp, sieve.ndp))
        assert all(lets_ask(sieve, each) for each in ours)
    assert len(loaded) == 2


def test_after_a_take_over_the_kernel_is_exact_again_a_second_later_and_has_no_more_to_do() -> None:
    sieve = Sieve()
    sieve.apply(packed(POOL[:1]), packed(POOL), 5.0)
    assert lets_ask(sieve, POOL[50])
    assert sieve.deadline() == 5.0 + CALM
    sieve.wake(5.9)
    assert lets_ask(sieve, POOL[50])
    sieve.wake(6.0)
    assert not lets_ask(sieve, POOL[50])
    assert lets_ask(sieve, POOL[0])
    assert sieve.deadline() is None


def test_what_was_given_away_is_kept_from_us_in_calm_and_costs_no_program_before() -> None:
    sieve = Sieve()
    sieve.apply(packed(POOL), packed(POOL), 0.0)
    sieve.wake(CALM)
    before = sieve.arp
    sieve.apply(packed(POOL[:50]), packed(POOL), 2.0)
    assert sieve.arp == before
    sieve.wake(2.0 + CALM)
    assert [each for each in POOL if lets_ask(sieve, each)] == POOL[:50]


def test_a_vip_still_ours_though_no_longer_on_standby_is_asked_for_and_spoken_of() -> None:
    sieve = Sieve()
    sieve.apply(packed(POOL[:2]), packed(POOL[:1]), 0.0)
    sieve.wake(CALM)
    assert lets_ask(sieve, POOL[1])
    assert lets_speak(sieve, POOL[1])
    assert sieve.known == packed(POOL[:2])


def test_a_new_vip_on_standby_is_heard_of_at_once() -> None:
    sieve = Sieve()
    sieve.apply(frozenset(), packed(POOL[:1]), 0.0)
    sieve.wake(CALM)
    sieve.apply(frozenset(), packed(POOL[:2]), 5.0)
    assert lets_speak(sieve, POOL[1])


def test_on_standby_for_one_family_nothing_of_the_other_passes() -> None:
    sieve = Sieve()
    sieve.apply(frozenset(), packed(POOL), 0.0)
    assert not accepts(decoded(sieve.ndp), solicitation("fd00::1", to=v6("fd00::1")), TO_US)


@pytest.mark.parametrize("standby", [(), (POOL[0], POOL6[0])])
def test_whatever_is_replied_to_us_alone_passes_also_before_a_vip_is_known(
    standby: tuple[IPv4Address | IPv6Address, ...],
) -> None:
    sieve = Sieve()
    sieve.apply(frozenset(), packed(standby), 0.0)
    router = who_has("10.0.0.9", sender="172.16.0.1", op=2, to=OURS)
    advertised = ndp.advertisement(v6("fe80::1"), ASKER, v6("fe80::1"), ndp.SOLICITED, v6("fe80::bbb"), OURS)
    assert accepts(decoded(sieve.arp), router, TO_US)
    assert accepts(decoded(sieve.ndp), advertised, TO_US)
    assert not accepts(decoded(sieve.arp), router)
    assert not accepts(decoded(sieve.ndp), advertised)


def test_without_vips_no_question_passes_and_nothing_is_due() -> None:
    sieve = Sieve()
    sieve.apply(frozenset(), frozenset(), 0.0)
    assert not lets_ask(sieve, POOL[0])
    assert not lets_ask(sieve, POOL6[0])
    assert sieve.deadline() is None


SOME = st.sets(st.integers(0, 9))
WISH = st.tuples(SOME, SOME, st.floats(0.0, 2.0))


@given(st.lists(WISH, max_size=8))
def test_whatever_the_changes_no_question_for_ours_and_no_word_of_what_is_on_standby_is_lost(
    wishes: list[tuple[set[int], set[int], float]],
) -> None:
    sieve, now = Sieve(), 0.0
    for ours, standby, later in wishes:
        sieve.apply(packed(POOL[each] for each in ours), packed(POOL[each] for each in standby), now)
        assert all(lets_ask(sieve, POOL[each]) for each in ours)
        assert all(lets_speak(sieve, POOL[each]) for each in ours | standby)
        now += later
        due = sieve.deadline()
        if due is not None and due <= now:
            sieve.wake(now)
            assert {number for number in range(10) if lets_ask(sieve, POOL[number])} == ours


def test_a_third_of_a_thousand_vips_is_one_range_at_a_take_over_and_in_calm_all_that_the_kernel_has_room_for() -> None:
    pool = [IPv4Address("192.168.0.0") + number for number in range(1000)]
    sieve = Sieve()
    sieve.apply(packed(pool[::3]), packed(pool), 0.0)
    assert len(decoded(sieve.arp)) < 50
    sieve.wake(CALM)
    assert [each for each in pool[:600] if lets_ask(sieve, each)] == pool[:600:3]
    assert all(lets_ask(sieve, each) for each in pool[600::3])
