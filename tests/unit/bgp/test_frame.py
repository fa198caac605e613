"""A stream is cut into messages at the right places, and a header that lies ends it in the words of RFC 4271 6.1."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.bgp.error import Fault, Notification
from speakerd.bgp.frame import MOST, MOST_EXTENDED, Frame, Frames, Kind, framed
from tests.unit.bgp.golden import GOLDENS, MARK, octets

STREAM = b"".join(GOLDENS.values())


def taken(frames: Frames) -> list[Frame]:
    found = []
    while each := frames.take():
        found.append(each)
    return found


def fault(header: str, longest: int = MOST) -> Notification:
    frames = Frames()
    frames.longest = longest
    frames.feed(octets(header))
    with pytest.raises(Fault) as caught:
        frames.take()
    return caught.value.notification


def test_a_message_is_marker_length_type_and_body() -> None:
    assert framed(Kind.NOTIFICATION, b"\x06\x04") == octets(f"{MARK} 0015 03 0604")


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_however_a_stream_is_cut_its_messages_are_the_same(cuts: list[int]) -> None:
    frames, found, bounds = Frames(), [], [0, *sorted(cuts), len(STREAM)]
    for start, end in pairwise(bounds):
        frames.feed(STREAM[start:end])
        found += taken(frames)
    assert [framed(each.kind, each.body) for each in found] == list(GOLDENS.values())


@pytest.mark.parametrize("name", GOLDENS)
def test_a_message_that_is_not_all_here_is_waited_for(name: str) -> None:
    for size in range(len(GOLDENS[name])):
        frames = Frames()
        frames.feed(GOLDENS[name][:size])
        assert frames.take() is None


@pytest.mark.parametrize("at", range(16))
def test_a_marker_that_is_not_all_ones_is_not_synchronized(at: int) -> None:
    marker = bytearray(b"\xff" * 16)
    marker[at] = 0xFE
    assert fault(f"{marker.hex()} 0013 04") == Notification(1, 1)


@pytest.mark.parametrize(
    ("header", "longest"),
    [
        ("0000 04", MOST),
        ("0012 04", MOST),
        ("0014 04", MOST),
        ("1001 02", MOST),
        ("ffff 02", MOST),
        ("1001 01", MOST_EXTENDED),
        ("001c 01", MOST),
        ("0016 02", MOST),
        ("0014 03", MOST),
        ("0016 05", MOST),
        ("0018 05", MOST),
    ],
)
def test_a_length_that_cannot_be_is_told_back(header: str, longest: int) -> None:
    assert fault(f"{MARK} {header}", longest) == Notification(1, 2, octets(header)[:2])


@pytest.mark.parametrize("kind", ["00", "06", "ff"])
def test_a_type_that_nobody_knows_is_told_back(kind: str) -> None:
    assert fault(f"{MARK} 0013 {kind}") == Notification(1, 3, octets(kind))


def test_longer_messages_are_taken_once_they_were_offered() -> None:
    data = framed(Kind.UPDATE, bytes(MOST_EXTENDED - 19))
    frames = Frames()
    frames.longest = MOST_EXTENDED
    frames.feed(data)
    assert frames.take() == Frame(Kind.UPDATE, data[19:])


def test_a_stream_that_is_lost_stays_lost() -> None:
    frames = Frames()
    frames.feed(bytes(19) + GOLDENS["keepalive"])
    for _ in range(2):
        with pytest.raises(Fault):
            frames.take()
