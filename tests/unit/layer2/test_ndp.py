"""Solicitations are judged as RFC 4861 has it, and answered byte for byte as Linux does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.layer2 import ndp
from speakerd.wire import DecodeError
from tests.unit.layer2.frames import solicitation, v6

# Linux 6.18, fd00::b at 02:..:0b and fd00::a at 02:..:0a.
FIRST_QUESTION = bytes.fromhex(
    "3333ff00000a 02000000000b 86dd 6000000000203aff fd00000000000000000000000000000b"
    "ff0200000000000000000001ff00000a 87007d7300000000 fd00000000000000000000000000000a 010102000000000b"
)
ITS_ANSWER = bytes.fromhex(
    "02000000000b 02000000000a 86dd 6000000000203aff fd00000000000000000000000000000a"
    "fd00000000000000000000000000000b 88001c7860000000 fd00000000000000000000000000000a 020102000000000a"
)
PROBE_OF_A_NEIGHBOUR = bytes.fromhex(
    "02000000000a 02000000000b 86dd 6000000000203aff fe80000000000000000000fffe00000b"
    "fd00000000000000000000000000000a 87007df700000000 fd00000000000000000000000000000a 010102000000000b"
)
# With a nonce (RFC 7527), by which a host knows its own question when it comes back.
TEST_FOR_A_DUPLICATE = bytes.fromhex(
    "3333ff00000a 02000000000a 86dd 6000000000203aff 00000000000000000000000000000000"
    "ff0200000000000000000001ff00000a 8700c2d900000000 fd00000000000000000000000000000a 0e01031be1c7c7cd"
)
A, B = v6("fd00::a"), v6("fd00::b")
MAC_A, MAC_B = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
CAPTURED = (FIRST_QUESTION, PROBE_OF_A_NEIGHBOUR, TEST_FOR_A_DUPLICATE)


@pytest.mark.parametrize(
    ("frame", "source"),
    [(FIRST_QUESTION, "fd00::b"), (PROBE_OF_A_NEIGHBOUR, "fe80::ff:fe00:b"), (TEST_FOR_A_DUPLICATE, "::")],
)
def test_what_linux_asks_is_understood(frame: bytes, source: str) -> None:
    asked = ndp.decode(frame)
    assert (asked.target, asked.source, asked.mac) == (A, v6(source), frame[6:12])


def test_an_answer_is_the_one_linux_gives() -> None:
    assert ndp.answer(ndp.decode(FIRST_QUESTION), MAC_A, b"") == ITS_ANSWER


@pytest.mark.parametrize("frame", [FIRST_QUESTION, ITS_ANSWER, PROBE_OF_A_NEIGHBOUR, TEST_FOR_A_DUPLICATE])
def test_the_checksum_of_what_linux_sends_is_right(frame: bytes) -> None:
    assert ndp.checksum(frame[22:38], frame[38:54], frame[54:]) == 0


@given(st.binary(max_size=64))
def test_a_message_with_its_checksum_in_it_sums_up_to_zero(body: bytes) -> None:
    even = bytes(2) + body
    summed = ndp.checksum(A, B, even).to_bytes(2) + even[2:]
    assert ndp.checksum(A, B, summed) in (0, 0xFFFF)


@pytest.mark.parametrize("frame", CAPTURED)
def test_every_truncation_is_refused(frame: bytes) -> None:
    for length in range(len(frame)):
        with pytest.raises(DecodeError):
            ndp.decode(frame[:length])


@pytest.mark.parametrize("frame", CAPTURED)
def test_every_single_bit_is_guarded_from_the_hop_limit_on(frame: bytes) -> None:
    for bit in range(8 * 21, 8 * len(frame)):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DecodeError):
            ndp.decode(bytes(damaged))


def test_what_follows_the_packet_is_padding() -> None:
    assert ndp.decode(FIRST_QUESTION + bytes(18)) == ndp.decode(FIRST_QUESTION)


def test_the_last_source_option_counts_and_unknown_ones_are_passed_over() -> None:
    frame = solicitation("fd00::a", option=b"\x0e\x01" + bytes(6) + b"\x63\x02" + bytes(14) + b"\x01\x01" + MAC_B)
    assert ndp.decode(frame).mac == MAC_B


@pytest.mark.parametrize(
    "frame",
    [
        solicitation("fd00::a", source="ff02::1"),
        solicitation("fd00::a", option=b"\x01"),
        solicitation("fd00::a", option=b"\x63\x00" + bytes(6)),
        solicitation("fd00::a", source="::", option=b"\x01\x01" + MAC_B),
        solicitation("fd00::a", source="::", to=v6("ff02::1"), option=b""),
        ITS_ANSWER,
    ],
)
def test_what_no_host_may_send_is_refused(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        ndp.decode(frame)


def test_groups_and_their_macs_are_those_of_the_rfcs() -> None:
    group = ndp.solicited_node(v6("4037::01:800:200e:8c6c"))
    assert group == v6("ff02::1:ff0e:8c6c"), "the example of RFC 4291 section 2.7.1"
    assert ndp.multicast_mac(group) == bytes.fromhex("3333ff0e8c6c")
