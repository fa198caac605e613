"""The kernel lets exactly the questions for our VIPs through, whatever the set of VIPs."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.layer2 import filter as bpf
from tests.unit.layer2.bpf import Meta, accepts
from tests.unit.layer2.frames import solicitation, who_has

IPV4 = st.integers(0, 2**32 - 1)
LAN = st.integers(0x0A000000, 0x0A0003FF)
IPV6 = st.integers(0xFD000000000000000000000000000000, 0xFD0000000000000000000000000003FF)


def asks(number: int) -> bytes:
    return who_has(str(IPv4Address(number)))


def solicits(number: int) -> bytes:
    return solicitation(str(IPv6Address(number)))


@given(st.sets(LAN | IPV4, max_size=60), st.lists(LAN | IPV4, max_size=30))
def test_arp_for_ours_passes_and_for_others_does_not(ours: set[int], asked: list[int]) -> None:
    program = bpf.arp(bpf.merged(ours))
    for number in [*asked, *ours]:
        assert accepts(program, asks(number)) == (number in ours)


@given(st.sets(IPV6, max_size=40), st.lists(IPV6, max_size=20))
def test_solicitations_for_ours_pass_and_for_others_do_not(ours: set[int], asked: list[int]) -> None:
    program = bpf.ndp(bpf.exactly(ours))
    for number in [*asked, *ours]:
        assert accepts(program, solicits(number)) == (number in ours)


def test_vips_of_two_prefixes_are_told_apart() -> None:
    ours = [int(IPv6Address(text)) for text in ("fd00:1::10", "2001:db8::1")]
    program = bpf.ndp(bpf.exactly(ours))
    assert all(accepts(program, solicits(number)) for number in ours)
    others = ("fd00:3::10", "fd00:1::11", "fd00:1:0:1::10", "fd00:1:0:0:1::10", "2001:db8::10")
    assert not any(accepts(program, solicitation(text)) for text in others)


@given(st.sets(st.integers(0, 2**128 - 1) | IPV6, min_size=1, max_size=40), IPV6)
def test_of_more_prefixes_the_lowest_bits_count_and_no_vip_is_lost(ours: set[int], other: int) -> None:
    ours = {number for number in ours if number >> 120 != 0xFF}
    program = bpf.ndp(bpf.exactly(ours))
    assert all(accepts(program, solicits(number)) for number in ours)
    if other & 0xFFFFFFFF not in {number & 0xFFFFFFFF for number in ours}:
        assert not accepts(program, solicits(other))


def test_addresses_on_either_side_of_the_middle_of_all_numbers_are_one_range() -> None:
    program = bpf.arp(((0x7FFFFFFE, 0x80000001),))
    passed = [number for number in range(0x7FFFFFF0, 0x80000010) if accepts(program, asks(number))]
    assert passed == [0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0x80000001]


@given(st.sets(LAN | IPV4, max_size=30), st.sets(LAN | IPV4, max_size=30), LAN | IPV4, LAN | IPV4)
def test_arp_passes_for_what_it_asks_or_for_whom_it_speaks_and_for_nothing_else(
    asked: set[int], spoken_for: set[int], target: int, sender: int
) -> None:
    program = bpf.arp(bpf.merged(asked), bpf.merged(spoken_for))
    for about, by in [(target, sender), *((each, sender) for each in asked), *((target, each) for each in spoken_for)]:
        frame = who_has(str(IPv4Address(about)), sender=str(IPv4Address(by)))
        assert accepts(program, frame) == (about in asked or by in spoken_for)
        answer = who_has(str(IPv4Address(about)), sender=str(IPv4Address(by)), op=2)
        assert accepts(program, answer) == (by in spoken_for)


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 5000])
def test_any_number_of_scattered_vips_fits_the_kernels_limit_and_all_pass(count: int) -> None:
    ours = [0x0A000000 + 7 * number for number in range(count)]
    program = bpf.arp(bpf.merged(ours))
    assert len(program) <= bpf.MOST
    assert len(bpf.encoded(program)) == 8 * len(program)
    for number in (ours[0], ours[count // 2], ours[-1]):
        assert accepts(program, asks(number))
    assert not accepts(program, asks(ours[0] - 1))
    assert not accepts(program, asks(ours[-1] + 1))


def test_ten_thousand_prefixes_fit_by_leaving_the_judgement_to_us() -> None:
    ours = [(number << 64) + 1 for number in range(10_000)]
    program = bpf.ndp(bpf.exactly(ours))
    assert len(program) <= bpf.MOST
    assert accepts(program, solicits(ours[77]))
    assert not accepts(program, solicits(ours[77] + 1))


@given(st.sets(IPV4, min_size=1), st.integers(1, 20))
def test_merging_keeps_every_address_within_the_number_of_ranges_allowed(ours: set[int], most: int) -> None:
    ranges = bpf.merged(ours, most)
    assert len(ranges) <= most
    assert all(any(first <= number <= last for first, last in ranges) for number in ours)


def test_neighbours_are_one_range() -> None:
    assert bpf.merged(range(100, 1100)) == ((100, 1099),)


@pytest.mark.parametrize(
    ("meta", "passes"),
    [
        (Meta(packet_type=0), True),
        (Meta(packet_type=1), True),
        (Meta(packet_type=3), False),
        (Meta(packet_type=4), False),
        (Meta(vlan=0xE000), True),
        (Meta(vlan=100), False),
    ],
)
def test_frames_for_others_our_own_and_of_a_vlan_are_dropped(meta: Meta, passes: bool) -> None:
    assert accepts(bpf.arp(((1, 1),)), asks(1), meta) == passes


@given(st.binary(max_size=100))
def test_random_and_truncated_frames_are_dropped(frame: bytes) -> None:
    assert not accepts(bpf.arp(((0, 2**32 - 1),)), frame)
    assert not accepts(bpf.ndp(bpf.exactly([1])), frame)


def test_answers_are_not_questions() -> None:
    assert not accepts(bpf.arp(((0, 2**32 - 1),)), who_has("10.0.0.1", op=2))


@given(LAN | IPV4, IPV6)
def test_without_vips_no_question_passes(ipv4: int, ipv6: int) -> None:
    assert not accepts(bpf.arp(()), asks(ipv4))
    assert not accepts(bpf.ndp({}), solicits(ipv6))


def test_what_came_in_by_an_interface_on_top_of_ours_does_not_pass() -> None:
    program = [*bpf.only_from(3), *bpf.arp(((1, 1),))]
    assert accepts(program, asks(1), Meta(interface=3))
    assert not accepts(program, asks(1), Meta(interface=4))
