"""A NOTIFICATION says why in the words of the RFCs, and what a stranger writes in it harms no terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.bgp import error, message
from speakerd.bgp.error import Cease, Notification
from speakerd.bgp.family import IPV6, Family, Negotiated
from speakerd.bgp.frame import MOST
from speakerd.bgp.message import Keepalive, RouteRefresh
from tests.unit.bgp.golden import GOLDENS, OTHERS, frame, octets, whole

NONE = Negotiated()


def heard(data: bytes) -> message.Message:
    found = frame(data)
    assert found
    return message.decode(found, NONE)


@pytest.mark.parametrize(
    ("code", "subcode", "words"),
    [
        (1, 1, "Message Header Error/Connection Not Synchronized"),
        (1, 2, "Message Header Error/Bad Message Length"),
        (2, 2, "OPEN Message Error/Bad Peer AS"),
        (2, 7, "OPEN Message Error/Unsupported Capability"),
        (2, 0, "OPEN Message Error"),
        (3, 11, "UPDATE Message Error/Malformed AS_PATH"),
        (4, 0, "Hold Timer Expired"),
        (5, 3, "Finite State Machine Error/Receive Unexpected Message in Established State"),
        (6, 1, "Cease/Maximum Number of Prefixes Reached"),
        (6, 7, "Cease/Connection Collision Resolution"),
        (6, 9, "Cease/Hard Reset"),
        (6, 10, "Cease/BFD Down"),
        (7, 1, "ROUTE-REFRESH Message Error/Invalid Message Length"),
        (8, 0, "Send Hold Timer Expired"),
        (6, 77, "Cease/77"),
        (4, 5, "Hold Timer Expired/5"),
        (99, 3, "99/3"),
    ],
)
def test_every_reason_has_the_words_of_its_rfc(code: int, subcode: int, words: str) -> None:
    assert Notification(code, subcode).words == words


def test_the_short_messages_look_as_their_figures_say() -> None:
    shutdown = error.farewell(Cease.SHUTDOWN, "bye")
    assert message.notification(shutdown) == OTHERS["notification"]
    assert heard(OTHERS["notification"]) == shutdown
    assert OTHERS["keepalive"] == message.KEEPALIVE
    assert heard(OTHERS["keepalive"]) == Keepalive()
    assert message.route_refresh(IPV6) == OTHERS["route refresh"]
    assert heard(OTHERS["route refresh"]) == RouteRefresh(IPV6)


def test_a_refresh_of_another_kind_or_family_is_told_as_such() -> None:
    assert heard(whole("05", "0001 02 47")) == RouteRefresh(Family(1, 0x47), 2)


@given(st.binary(max_size=300), st.integers(0, 255), st.integers(0, 255))
def test_decode_gives_what_was_encoded_and_has_words_for_it(data: bytes, code: int, subcode: int) -> None:
    said = Notification(code, subcode, data)
    assert heard(message.notification(said)) == said
    assert (said.words + said.communication).isprintable()


def test_data_that_no_message_holds_are_cut() -> None:
    assert len(message.notification(Notification(3, 9, bytes(65000)))) == MOST


@pytest.mark.parametrize(
    ("text", "size"), [("", 0), ("x" * 300, 255), ("é" * 200, 254), ("€" * 100, 255), ("😀" * 70, 252)]
)
def test_a_farewell_is_cut_at_a_character(text: str, size: int) -> None:
    said = error.farewell(Cease.RESET, text)
    assert said.data[0] == size == len(said.data) - 1
    assert text.startswith(said.communication)


def test_a_farewell_that_is_no_text_is_told_all_the_same() -> None:
    assert error.farewell(Cease.SHUTDOWN, "\udcff").communication == "?"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", ""),
        ("00", ""),
        ("03 6279", ""),
        ("03 627965", "bye"),
        ("02 627965", "by"),
        ("02 c328", "\\xc3("),
        ("04 1b5b324a", "\\x1b[2J"),
        ("03 610a62", "a\\nb"),
        ("03 e280ae", "\\u202e"),
    ],
)
def test_what_an_operator_wrote_is_shown_fit_to_print(data: str, text: str) -> None:
    assert Notification(6, 2, octets(data)).communication == text


def test_only_a_shutdown_and_a_reset_carry_what_an_operator_wrote() -> None:
    assert Notification(6, 4, b"\x02hi").communication == "hi"
    assert Notification(6, 3, b"\x02hi").communication == ""
    assert Notification(3, 2, b"\x02hi").communication == ""


def test_a_hard_reset_encloses_its_reason() -> None:
    """RFC 8538 section 3."""
    assert Notification(6, 9, octets("06 02 03 627965")).within == error.farewell(Cease.SHUTDOWN, "bye")
    assert Notification(6, 9).within is Notification(6, 9, b"\x06").within is Notification(6, 2).within is None


@pytest.mark.parametrize("name", GOLDENS)
def test_every_golden_message_is_understood(name: str) -> None:
    heard(GOLDENS[name])
