"""An UPDATE says what its figure says, both ways."""

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bgp import nlri, update
from speakerd.bgp.aspath import Path, Segment, SegmentKind
from speakerd.bgp.attribute import Aggregator, Attributes, Origin
from speakerd.bgp.error import Fault, Notification
from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.frame import MOST
from speakerd.bgp.tolerance import Routes
from speakerd.bgp.update import Update
from tests.unit.bgp.golden import (
    BOTH,
    BY_SIX,
    HOP,
    NET,
    NET_SIX,
    OLD,
    ORIGIN,
    PATH,
    PATH_TWO,
    TERMS,
    UPDATES,
    block,
    networks,
    octets,
    sensible,
)

SEQUENCE = (Segment(SegmentKind.SEQUENCE, (65000,)),)
BY_FOUR = octets("c0000201")
RICH = Attributes(
    Origin.IGP,
    SEQUENCE,
    med=100,
    atomic=True,
    aggregator=Aggregator(65001, octets("c0000202")),
    communities=(0xFDE80064,),
    large=((65000, 1, 2),),
    other=((99, b"\xab\xcd"),),
)

NUMBERS = st.integers(1, 4294967295)
WORDS = st.integers(0, 4294967295)
SEGMENTS = st.builds(
    Segment,
    st.sampled_from((SegmentKind.SET, SegmentKind.SEQUENCE)),
    st.lists(NUMBERS, min_size=1, max_size=9).map(tuple),
)
SAID = st.builds(
    Attributes,
    st.sampled_from(Origin),
    st.lists(SEGMENTS, max_size=4).map(tuple),
    st.none() | WORDS,
    st.none() | WORDS,
    st.booleans(),
    st.none() | st.builds(Aggregator, NUMBERS, st.binary(min_size=4, max_size=4)),
    st.lists(WORDS, max_size=70).map(tuple),
    st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=9).map(tuple),
    st.dictionaries(st.integers(100, 255), st.binary(max_size=300), max_size=3).map(
        lambda each: tuple(sorted(each.items()))
    ),
)
FOURS = st.builds(
    lambda address, bits: IPv4Network((address, bits), strict=False), st.integers(0, 2**32 - 1), st.integers(0, 32)
)
SIXES = st.builds(
    lambda address, bits: IPv6Network((address, bits), strict=False), st.integers(0, 2**128 - 1), st.integers(0, 128)
)
INTERNAL = Negotiated(four_octet=True, families=BOTH, extended_next_hop=True, external=False)


def read(message: bytes, negotiated: Negotiated = TERMS) -> Update:
    found = update.decode(message[19:], negotiated)
    sensible(found)
    return found


def prefixes(*texts: str) -> list[bytes]:
    return [nlri.encode(ip_network(text)) for text in texts]


def path(*numbers: int) -> Path:
    return (Segment(SegmentKind.SEQUENCE, numbers),)


def test_an_announcement_of_ipv4_looks_as_its_figure_says() -> None:
    said, both = Attributes(path=SEQUENCE), prefixes("203.0.113.0/24", "203.0.113.7/32")
    assert list(update.announced(said, IPV4, BY_FOUR, both, TERMS, MOST)) == [UPDATES["announce"]]
    routes = Routes(IPV4, octets(f"{NET} 20 cb007107"), 2, BY_FOUR)
    assert read(UPDATES["announce"]) == Update((routes,), attributes=said)


def test_a_withdrawal_of_ipv4_looks_as_its_figure_says() -> None:
    both = prefixes("203.0.113.0/24", "203.0.113.7/32")
    assert list(update.withdrawn(IPV4, both, MOST)) == [UPDATES["withdraw"]]
    assert read(UPDATES["withdraw"]) == Update(withdrawn=(Routes(IPV4, b"".join(both), 2),))


def test_an_announcement_of_ipv6_puts_its_routes_first() -> None:
    said, one = Attributes(path=SEQUENCE), prefixes("2001:db8:1::/64")
    routes = Routes(IPV6, octets(NET_SIX), 1, octets(BY_SIX))
    (made,) = update.announced(said, IPV6, octets(BY_SIX), one, TERMS, MOST)
    assert read(made) == read(UPDATES["announce six"]) == Update((routes,), attributes=said)
    assert made[19:] == block(f"90 0e 001e 0002 01 10 {BY_SIX} 00 {NET_SIX}", ORIGIN, PATH)


def test_a_withdrawal_of_ipv6_looks_as_its_figure_says() -> None:
    (made,) = update.withdrawn(IPV6, prefixes("2001:db8:1::/64"), MOST)
    assert made[19:] == block(f"90 0f 000c 0002 01 {NET_SIX}")
    expected = Update(withdrawn=(Routes(IPV6, octets(NET_SIX), 1),))
    assert read(made) == read(UPDATES["withdraw six"]) == expected


def test_ipv4_goes_by_way_of_ipv6_where_that_was_agreed_on() -> None:
    (made,) = update.announced(Attributes(path=SEQUENCE), IPV4, octets(BY_SIX), [octets(NET)], TERMS, MOST)
    assert made[19:] == block(f"90 0e 0019 0001 01 10 {BY_SIX} 00 {NET}", ORIGIN, PATH)
    expected = Update((Routes(IPV4, octets(NET), 1, octets(BY_SIX)),), attributes=Attributes(path=SEQUENCE))
    assert read(made) == read(UPDATES["announce four by six"]) == expected


def test_a_next_hop_may_be_a_global_and_a_link_local_address() -> None:
    both = octets(f"{BY_SIX} fe80 0000 0000 0000 0000 0000 0000 0001")
    (made,) = update.announced(Attributes(path=SEQUENCE), IPV6, both, [octets(NET_SIX)], TERMS, MOST)
    assert read(made).announced == (Routes(IPV6, octets(NET_SIX), 1, both),)


@pytest.mark.parametrize(("family", "name"), [(IPV4, "end of rib"), (IPV6, "end of rib six")])
def test_the_end_of_rib_of_each_family_looks_as_rfc_4724_has_it(family: Family, name: str) -> None:
    assert update.end_of_rib(family) == UPDATES[name]
    assert read(UPDATES[name]) == Update(end_of_rib=family)


def test_an_end_of_rib_in_the_attribute_counts_for_ipv4_too() -> None:
    assert update.decode(block("80 0f 03 0001 01"), TERMS) == Update(end_of_rib=IPV4)


@pytest.mark.parametrize("more", [{"gone": NET}, {"come": NET}])
def test_what_still_tells_routes_is_no_end(more: dict[str, str]) -> None:
    said = [ORIGIN, PATH, HOP] if "come" in more else []
    assert update.decode(block("80 0f 03 0002 01", *said, **more), TERMS).end_of_rib is None


def test_every_attribute_looks_as_its_figure_says() -> None:
    found = read(UPDATES["rich"])
    assert found.attributes == RICH
    assert not found.flaws
    (made,) = update.announced(RICH, IPV4, BY_FOUR, [octets(NET)], TERMS, MOST)
    passed_over = octets("c0 10 08 0002fde800000064")
    assert made[23:] == UPDATES["rich"][23:].replace(passed_over, b"")


def test_an_unknown_transitive_attribute_is_passed_on_as_partial_and_another_is_dropped() -> None:
    body = block(ORIGIN, PATH, HOP, "c0 63 01 aa", "80 64 01 bb", come=NET)
    said = update.decode(body, TERMS).attributes
    assert said
    assert said.other == ((99, b"\xaa"),)
    (made,) = update.announced(said, IPV4, BY_FOUR, [octets(NET)], TERMS, MOST)
    assert octets("e0 63 01 aa") in made


@given(SAID, st.lists(FOURS, min_size=1, max_size=40))
@settings(max_examples=60)
def test_decode_gives_what_was_encoded(said: Attributes, nets: list[IPv4Network]) -> None:
    messages = [*update.announced(said, IPV4, BY_FOUR, map(nlri.encode, nets), INTERNAL, MOST)]
    found = [read(each, INTERNAL) for each in messages]
    assert {each.attributes for each in found} == {said}
    assert [net for each in found for routes in each.announced for net in networks(routes)] == nets


@given(SAID, st.lists(SIXES, min_size=1, max_size=40))
@settings(max_examples=60)
def test_routes_in_attributes_come_back_as_well(said: Attributes, nets: list[IPv6Network]) -> None:
    sent = [nlri.encode(net) for net in nets]
    (there,) = [read(each, INTERNAL) for each in update.announced(said, IPV6, octets(BY_SIX), sent, INTERNAL, MOST)]
    (gone,) = [read(each, INTERNAL) for each in update.withdrawn(IPV6, sent, MOST)]
    assert there.attributes == said
    assert networks(there.announced[0]) == networks(gone.withdrawn[0]) == nets


@given(SAID)
@settings(max_examples=60)
def test_numbers_of_four_octets_survive_one_who_knows_two(said: Attributes) -> None:
    old = Negotiated(external=False)
    (made,) = update.announced(said, IPV4, BY_FOUR, [octets(NET)], old, MOST)
    found = read(made, old).attributes
    assert found == said


def test_as_trans_stands_in_for_what_two_octets_cannot_hold() -> None:
    said = Attributes(path=path(4200000000, 65001), aggregator=Aggregator(4200000000, BY_FOUR))
    (made,) = update.announced(said, IPV4, BY_FOUR, [octets(NET)], OLD, MOST)
    expected = block(
        ORIGIN,
        "40 02 06 02 02 5ba0 fde9",
        HOP,
        "c0 07 06 5ba0 c0000201",
        "c0 11 0a 02 02 fa56ea00 0000fde9",
        "c0 12 08 fa56ea00 c0000201",
        come=NET,
    )
    assert made[19:] == expected


@pytest.mark.parametrize(
    ("two", "four", "expected"),
    [
        # RFC 6793 section 4.2.3: the front of AS_PATH makes up for what AS4_PATH lacks
        ("02 03 fde8 5ba0 fde9", "02 02 fa56ea00 0000fde9", (*path(65000), *path(4200000000, 65001))),
        ("02 02 5ba0 fde9", "02 02 fa56ea00 0000fde9", path(4200000000, 65001)),
        # a longer AS4_PATH is ignored
        ("02 01 5ba0", "02 02 fa56ea00 0000fde9", path(23456)),
        # a set counts as one
        (
            "01 02 fde8 fde9 02 01 5ba0",
            "02 01 fa56ea00",
            (Segment(SegmentKind.SET, (65000, 65001)), *path(4200000000)),
        ),
    ],
)
def test_the_true_path_is_put_together_from_both(two: str, four: str, expected: Path) -> None:
    def attribute(head: str, value: str) -> str:
        return f"{head} {len(octets(value)):02x} {value}"

    body = block(ORIGIN, attribute("40 02", two), HOP, attribute("c0 11", four), come=NET)
    said = update.decode(body, OLD)
    assert said.attributes
    assert said.attributes.path == expected
    assert not said.flaws


def test_an_aggregator_that_knows_no_four_octets_voids_what_came_before_it() -> None:
    """RFC 6793 section 4.2.3: AS4_PATH and AS4_AGGREGATOR are then ignored."""
    four = "c0 11 06 02 01 fa56ea00", "c0 12 08 fa56ea00 c0000201"
    body = block(ORIGIN, PATH_TWO, HOP, "c0 07 06 fde8 c0000201", *four, come=NET)
    said = update.decode(body, OLD).attributes
    assert said == Attributes(path=SEQUENCE, aggregator=Aggregator(65000, BY_FOUR))


def test_families_that_were_not_agreed_on_are_passed_over_whatever_they_say() -> None:
    body = block("80 0e 05 0001 02 00 ff", ORIGIN, PATH, "80 0f 04 4004 47 ff")
    assert update.decode(body, TERMS) == Update()
    only_six = Negotiated(four_octet=True, families=frozenset({IPV6}))
    assert read(UPDATES["announce"], only_six) == read(UPDATES["withdraw"], only_six) == Update()
    assert read(UPDATES["announce six"], Negotiated(four_octet=True)) == Update()


@pytest.mark.parametrize(
    "body", ["", "00", "0000", "0000 00", "0001 0000", "0000 0001", "ffff 0000", "0000 ffff", "0001 18 0001"]
)
def test_lengths_that_do_not_fit_end_the_session(body: str) -> None:
    assert fault(octets(body)) == Notification(3, 1)


@pytest.mark.parametrize("prefix", ["21 cb00710700", "ff", "18 cb00", "20 cb0071", "08"])
def test_an_ipv4_prefix_that_is_none_ends_the_session(prefix: str) -> None:
    assert fault(block(ORIGIN, PATH, HOP, come=f"{NET} {prefix}")) == Notification(3, 10)
    assert fault(block(gone=f"{NET} {prefix}")) == Notification(3, 10)


def fault(body: bytes, negotiated: Negotiated = TERMS) -> Notification:
    with pytest.raises(Fault) as caught:
        update.decode(body, negotiated)
    return caught.value.notification
