"""An OPEN is read as it was meant, or refused in the words of RFC 4271 section 6.2."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bgp import capability, opening
from speakerd.bgp.capability import Capabilities, Restart
from speakerd.bgp.error import Fault, Notification
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.opening import Open
from tests.unit.bgp.golden import OPENS, octets

IDENTIFIER = octets("c0000201")
CAPABLE = Open(
    4200000000,
    90,
    IDENTIFIER,
    Capabilities(
        families=(IPV4, IPV6),
        asn=4200000000,
        route_refresh=True,
        extended_message=True,
        next_hops=((IPV4, 2),),
        restart=Restart(120, ((IPV4, True),), restarted=True, notifies=True),
        other=((70, b""),),
    ),
)
FAMILIES = st.builds(Family, st.integers(0, 65535), st.integers(0, 255))
KNOWN = {1, 2, 5, 6, 64, 65}
RESTARTS = st.builds(
    Restart,
    st.integers(0, 4095),
    st.lists(st.tuples(FAMILIES, st.booleans()), max_size=9).map(tuple),
    st.booleans(),
    st.booleans(),
)
CODES = st.integers(0, 255).filter(lambda code: code not in KNOWN)


@st.composite
def opens(draw: st.DrawFn) -> Open:
    wide = draw(st.booleans())
    asn = draw(st.integers(1, 4294967295 if wide else 65535))
    said = Capabilities(
        draw(st.lists(FAMILIES, max_size=30, unique=True).map(tuple)),
        asn if wide else 0,
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.lists(st.tuples(FAMILIES, st.integers(0, 65535)), max_size=9, unique=True).map(tuple)),
        draw(st.none() | RESTARTS),
        draw(st.lists(st.tuples(CODES, st.binary(max_size=60)), max_size=9, unique=True).map(tuple)),
    )
    return Open(asn, draw(st.just(0) | st.integers(3, 65535)), draw(st.binary(min_size=4, max_size=4)), said)


def refusal(body: str) -> Notification:
    with pytest.raises(Fault) as caught:
        opening.decode(octets(body))
    return caught.value.notification


def capable(said: str) -> str:
    """An OPEN of AS 65000 with these capabilities."""
    size = len(octets(said))
    return f"04 fde8 005a c0000201 {size + 2:02x} 02 {size:02x} {said}"


def test_an_open_without_capabilities_looks_as_its_figure_says() -> None:
    said = Open(65000, 90, IDENTIFIER)
    assert opening.encode(said) == OPENS["plain"]
    assert opening.decode(OPENS["plain"][19:]) == said


def test_every_capability_looks_as_its_figure_says() -> None:
    assert opening.encode(CAPABLE) == OPENS["capable"]
    assert opening.decode(OPENS["capable"][19:]) == CAPABLE


@pytest.mark.parametrize("size", ["ff", "01"])
def test_long_parameters_are_known_by_their_type_whatever_length_stands_before(size: str) -> None:
    body = f"04 fde8 0000 c0000201 {size} ff 0007 02 0004 02 00 46 00"
    said = opening.decode(octets(body))
    assert said.capabilities == Capabilities(route_refresh=True, other=((70, b""),))


def test_parameters_that_one_octet_cannot_measure_are_sent_in_the_long_form() -> None:
    said = Open(65000, 0, IDENTIFIER, Capabilities(other=((200, bytes(250)),)))
    assert opening.encode(said)[28:31] == octets("fe 02 fc")
    longer = Open(65000, 0, IDENTIFIER, Capabilities(other=((200, bytes(251)),)))
    assert opening.encode(longer)[28:38] == octets("ff ff 0100 02 00fd c8 fb 00")
    assert opening.decode(opening.encode(longer)[19:]) == longer


def test_an_open_longer_than_any_may_be_is_not_made() -> None:
    other = tuple((200, bytes((i,)) * 255) for i in range(16))
    with pytest.raises(ValueError, match="an OPEN of"):
        opening.encode(Open(65000, 0, IDENTIFIER, Capabilities(other=other)))


@given(opens())
@settings(max_examples=60)
def test_decode_gives_what_was_encoded(said: Open) -> None:
    if said.identifier != bytes(4):
        assert opening.decode(opening.encode(said)[19:]) == said


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("03 fde8 005a c0000201 00", Notification(2, 1, b"\0\x04")),
        ("05 fde8 005a c0000201 00", Notification(2, 1, b"\0\x04")),
        ("04 0000 005a c0000201 00", Notification(2, 2)),
        (capable("41 04 00000000"), Notification(2, 2)),
        (capable("41 04 0000fde9"), Notification(2, 2)),
        ("04 fde8 005a 00000000 00", Notification(2, 3)),
        ("04 fde8 005a c0000201 02 01 00", Notification(2, 4)),
        ("04 fde8 005a c0000201 04 63 02 0000", Notification(2, 4)),
        ("04 fde8 0001 c0000201 00", Notification(2, 6)),
        ("04 fde8 0002 c0000201 00", Notification(2, 6)),
        ("04 fde8 005a c0000201 01", Notification(2, 0)),
        ("04 fde8 005a c0000201 00 00", Notification(2, 0)),
        ("04 fde8 005a c0000201 02 02 01", Notification(2, 0)),
        ("04 fde8 005a c0000201 03 02 01 02", Notification(2, 0)),
        ("04 fde8 005a c0000201 ff ff 00", Notification(2, 0)),
        ("04 fde8 005a c0000201 ff ff 0003 02 00", Notification(2, 0)),
        (capable("01 03 0001 00"), Notification(2, 0)),
        (capable("01 05 0001 00 01 00"), Notification(2, 0)),
        (capable("02 01 00"), Notification(2, 0)),
        (capable("05 05 0001 0001 00"), Notification(2, 0)),
        (capable("06 01 00"), Notification(2, 0)),
        (capable("40 01 00"), Notification(2, 0)),
        (capable("40 03 0000 00"), Notification(2, 0)),
        (capable("41 02 fde8"), Notification(2, 0)),
        (capable("46 05 00"), Notification(2, 0)),
    ],
)
def test_what_cannot_be_meant_is_refused_in_the_words_of_the_rfc(body: str, expected: Notification) -> None:
    assert refusal(body) == expected


@pytest.mark.parametrize("hold_time", ["0000", "0003", "ffff"])
def test_no_hold_time_and_three_seconds_are_acceptable(hold_time: str) -> None:
    assert opening.decode(octets(f"04 fde8 {hold_time} c0000201 00")).hold_time == int(hold_time, 16)


def test_what_is_said_twice_counts_once_and_of_graceful_restart_the_last() -> None:
    said = opening.decode(octets(capable("01 04 0001 00 01 02 00 01 04 0001 00 01 40 02 8001 40 02 4002")))
    expected = Capabilities((IPV4,), route_refresh=True, restart=Restart(2, notifies=True))
    assert said.capabilities == expected


def test_capabilities_may_stand_in_many_parameters() -> None:
    said = opening.decode(octets("04 fde8 005a c0000201 0c 02 02 02 00 02 06 41 04 0000fde8"))
    assert said == Open(65000, 90, IDENTIFIER, Capabilities(asn=65000, route_refresh=True))


def test_an_unsupported_capability_is_named_as_the_rfc_has_it() -> None:
    assert capability.multiprotocol(IPV6) == octets("01 04 0002 00 01")
