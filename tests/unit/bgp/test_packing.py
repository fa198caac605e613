"""As many prefixes in a message as fit, and none that does not."""

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bgp import nlri, update
from speakerd.bgp.aspath import Segment, SegmentKind
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.frame import MOST, MOST_EXTENDED
from speakerd.wire import DecodeError
from tests.unit.bgp.golden import BY_SIX, NET, TERMS, octets

SAID = Attributes(path=(Segment(SegmentKind.SEQUENCE, (65000,)),))
HOPS = {IPV4: octets("c0000201"), IPV6: octets(BY_SIX)}
HOSTS = {
    IPV4: [bytes((32, 10)) + i.to_bytes(3) for i in range(30000)],
    IPV6: [bytes((128,)) + bytes(12) + i.to_bytes(4) for i in range(30000)],
}


def announced(family: Family, count: int, longest: int) -> list[bytes]:
    return list(update.announced(SAID, family, HOPS[family], HOSTS[family][:count], TERMS, longest))


@pytest.mark.parametrize("longest", [MOST, MOST_EXTENDED])
@pytest.mark.parametrize(("family", "beside", "each"), [(IPV4, 23 + 20, 5), (IPV6, 23 + 13 + 4 + 21, 17)])
def test_a_message_is_filled_to_the_last_prefix_that_fits(family: Family, beside: int, each: int, longest: int) -> None:
    full = (longest - beside) // each
    assert [len(made) for made in announced(family, full, longest)] == [beside + full * each]
    assert [len(made) for made in announced(family, full + 1, longest)] == [beside + full * each, beside + each]


@pytest.mark.parametrize("family", [IPV4, IPV6])
@pytest.mark.parametrize("longest", [MOST, MOST_EXTENDED])
def test_ten_thousand_routes_are_told_once_each_in_order_and_in_full_messages(family: Family, longest: int) -> None:
    made = announced(family, 10000, longest)
    told = b"".join(r.prefixes for each in made for r in update.decode(each[19:], TERMS).announced)
    assert told == b"".join(HOSTS[family][:10000])
    assert all(longest - 17 < len(each) <= longest for each in made[:-1])
    gone = list(update.withdrawn(family, HOSTS[family][:10000], longest))
    told = b"".join(r.prefixes for each in gone for r in update.decode(each[19:], TERMS).withdrawn)
    assert told == b"".join(HOSTS[family][:10000])
    assert all(longest - 17 < len(each) <= longest for each in gone[:-1])


def test_ten_thousand_host_routes_are_thirteen_messages() -> None:
    assert len(announced(IPV4, 10000, MOST)) == 13
    assert len(announced(IPV4, 10000, MOST_EXTENDED)) == 1


def test_nothing_to_tell_is_no_message() -> None:
    assert announced(IPV4, 0, MOST) == list(update.withdrawn(IPV6, [], MOST)) == []


def test_messages_are_made_one_at_a_time() -> None:
    made = update.announced(SAID, IPV4, HOPS[IPV4], iter(HOSTS[IPV4]), TERMS, MOST)
    assert len(next(made)) > MOST - 5


def test_attributes_that_leave_no_room_are_refused_and_not_cut() -> None:
    large = Attributes(communities=tuple(range(1020)))
    with pytest.raises(ValueError, match="no room"):
        list(update.announced(large, IPV4, HOPS[IPV4], [octets(NET)], TERMS, MOST))
    assert list(update.announced(large, IPV4, HOPS[IPV4], [octets(NET)], TERMS, MOST_EXTENDED))


@given(st.lists(st.binary(min_size=1, max_size=17), max_size=60), st.integers(17, 90))
@settings(max_examples=100)
def test_pieces_are_whole_prefixes_in_order_and_none_would_take_the_next(prefixes: list[bytes], room: int) -> None:
    pieces = list(nlri.packed(prefixes, room))
    assert b"".join(pieces) == b"".join(prefixes)
    left = list(prefixes)
    for piece in pieces:
        size = 0
        while left and size + len(left[0]) <= room:
            size += len(left.pop(0))
        assert len(piece) == size <= room


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.0.0.0/0", "00"),
        ("10.0.0.0/8", "08 0a"),
        ("10.128.0.0/9", "09 0a80"),
        ("203.0.113.0/24", "18 cb0071"),
        ("203.0.113.128/25", "19 cb007180"),
        ("203.0.113.7/32", "20 cb007107"),
        ("::/0", "00"),
        ("2001:db8::/33", "21 20010db800"),
        ("2001:db8::1/128", "80 20010db8000000000000000000000001"),
    ],
)
def test_a_prefix_has_as_many_octets_as_its_length_needs(text: str, said: str) -> None:
    network = ip_network(text)
    assert nlri.encode(network) == octets(said)
    assert nlri.count(octets(said) * 3, network.max_prefixlen) == 3


@pytest.mark.parametrize(("said", "bits"), [("21", 32), ("81", 128), ("18 cb00", 32), ("01", 32), ("00 20 cb0071", 32)])
def test_what_is_no_prefix_is_refused(said: str, bits: int) -> None:
    with pytest.raises(DecodeError):
        nlri.count(octets(said), bits)


def plainly(data: bytes, bits: int) -> int | None:
    """How many prefixes these are, one by one; None where they are none."""
    found = 0
    while data:
        size = 1 + (data[0] + 7) // 8
        if data[0] > bits or size > len(data):
            return None
        data, found = data[size:], found + 1
    return found


def counted(data: bytes, bits: int) -> int | None:
    try:
        return nlri.count(data, bits)
    except DecodeError:
        return None


LENGTHS = st.one_of(st.integers(0, 32), st.integers(33, 128), st.sampled_from((0, 1, 7, 8, 9, 31, 32, 127, 128)))
PREFIXES = LENGTHS.map(lambda bits: bytes((bits,)) + b"\x0a" * ((bits + 7) // 8))


@given(
    st.lists(PREFIXES, max_size=5), st.integers(1, 3 * nlri.PIECE), st.binary(max_size=3), st.sampled_from((32, 128))
)
@settings(max_examples=200, deadline=None)
def test_counting_in_pieces_is_counting_one_by_one(some: list[bytes], times: int, rest: bytes, bits: int) -> None:
    data = b"".join(some) * times + rest
    assert counted(data, bits) == plainly(data, bits)


@given(st.binary(max_size=200), st.sampled_from((32, 128)))
@settings(max_examples=200, deadline=None)
def test_octets_that_are_no_prefixes_are_refused_as_they_are_one_by_one(data: bytes, bits: int) -> None:
    assert counted(data, bits) == plainly(data, bits)


@pytest.mark.parametrize("count", [nlri.PIECE - 1, nlri.PIECE, nlri.PIECE + 1, 3 * nlri.PIECE])
@pytest.mark.parametrize(("rest", "right"), [(b"", True), (b"\x21", False), (b"\x08", False), (b"\x18\x0a\x00", False)])
def test_what_follows_a_full_piece_is_looked_at_too(count: int, rest: bytes, *, right: bool) -> None:
    assert counted(b"\x08\x0a" * count + rest, 32) == (count if right else None)
    longer = b"\x08\x0a" * count + rest + b"\x00" * 200
    assert counted(longer, 32) == plainly(longer, 32)
