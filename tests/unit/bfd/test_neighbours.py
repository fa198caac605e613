"""What the kernel is asked for a neighbour's MAC, and what is made of its answer."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bfd.neighbours import answer, question

IPV4, IPV6 = ip_address("10.0.0.2").packed, ip_address("fd00::2").packed
MAC = b"\x02\0\0\0\0\x02"
NEW_NEIGHBOUR, ERROR = 28, 2
DESTINATION, LINK_ADDRESS, CACHE_INFO = 1, 2, 3


def message(kind: int, *attributes: tuple[int, bytes]) -> bytes:
    """As rtnetlink(7) has it: nlmsghdr, ndmsg, attributes on multiples of four."""
    body = struct.pack("=BBHiHBB", 2, 0, 0, 7, 0x02, 0, 1)
    for number, value in attributes:
        body += struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 9, 0) + body


@pytest.mark.parametrize(("address", "family"), [(IPV4, 2), (IPV6, 10)])
def test_the_kernel_is_asked_for_one_entry(address: bytes, family: int) -> None:
    asked = question(7, address, 9)
    assert struct.unpack_from("=IHHII", asked) == (len(asked), 30, 1, 9, 0)
    assert struct.unpack_from("=BBHiHBB", asked, 16) == (family, 0, 0, 7, 0, 0, 0)
    assert asked[28:] == struct.pack("=HH", 4 + len(address), DESTINATION) + address


def test_the_mac_is_found_wherever_it_stands() -> None:
    others = (DESTINATION, IPV4), (CACHE_INFO, bytes(15))
    assert answer(message(NEW_NEIGHBOUR, *others, (LINK_ADDRESS, MAC))) == MAC
    assert answer(message(NEW_NEIGHBOUR, (LINK_ADDRESS, MAC), *others)) == MAC


@pytest.mark.parametrize(
    "data",
    [
        message(NEW_NEIGHBOUR, (DESTINATION, IPV4)),
        message(ERROR, (LINK_ADDRESS, MAC)),
        message(NEW_NEIGHBOUR, (LINK_ADDRESS, bytes(20))),
        message(NEW_NEIGHBOUR, (LINK_ADDRESS, MAC))[:-3],
        message(NEW_NEIGHBOUR)[:20],
    ],
    ids=["not found yet", "an error", "no Ethernet", "cut", "shorter than a header"],
)
def test_without_a_mac_there_is_none(data: bytes) -> None:
    assert answer(data) == b""


@settings(max_examples=100)
@given(st.binary(max_size=60))
def test_no_answer_is_read_for_ever_or_beyond_its_end(tail: bytes) -> None:
    assert len(answer(message(NEW_NEIGHBOUR) + tail)) in (0, 6)
