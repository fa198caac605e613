"""Echo packets as they lie on the wire, byte for byte, and what the kernel is told to let through."""

from ipaddress import ip_address

import pytest

from speakerd.bfd.effects import CONTROL_PORT, ECHO_PORT
from speakerd.bfd.frame import NOTHING, checksum, framed, program, unframed
from tests.unit.layer2.bpf import Meta, accepts, decoded

TARGET, SOURCE = b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x01"
IPV4, IPV6 = ip_address("192.0.2.1").packed, ip_address("2001:db8::1").packed
PAYLOAD = bytes(range(20))
# By hand from RFC 791, 768, 8200: CS6, 255 hops, source and destination alike; checksums as dpkt has them.
ON_IPV4 = bytes.fromhex(
    "020000000002 020000000001 0800"
    "45c00030 00004000 ff11f6f9 c0000201 c0000201"
    "0ec9 0ec9 001c 03bd 000102030405060708090a0b0c0d0e0f10111213"
)
ON_IPV6 = bytes.fromhex(
    "020000000002 020000000001 86dd"
    "6c000000 001c11ff 20010db8000000000000000000000001 20010db8000000000000000000000001"
    "0ec9 0ec9 001c 2c4c 000102030405060708090a0b0c0d0e0f10111213"
)
FRAMES = {4: ON_IPV4, 16: ON_IPV6}
US = Meta(packet_type=0, interface=7)


@pytest.mark.parametrize(("local", "frame"), [(IPV4, ON_IPV4), (IPV6, ON_IPV6)])
def test_a_frame_goes_to_the_neighbour_and_its_packet_to_ourselves(local: bytes, frame: bytes) -> None:
    assert framed(TARGET, SOURCE, local, PAYLOAD) == frame
    assert unframed(frame) == PAYLOAD


def test_what_fills_a_short_frame_up_is_none_of_it() -> None:
    assert unframed(ON_IPV4 + bytes(20)) == PAYLOAD


@pytest.mark.parametrize("frame", FRAMES.values())
def test_of_a_frame_that_is_cut_there_is_less_and_no_error(frame: bytes) -> None:
    for length in range(len(frame)):
        assert len(unframed(frame[:length])) < len(PAYLOAD)


def test_a_checksum_is_that_of_rfc_1071() -> None:
    # Section 3: the words 0001 f203 f4f5 f6f7 come to ddf2.
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2
    assert checksum(bytes.fromhex("ffff")) == 0
    assert checksum(IPV4 + b"\0\1") != checksum(IPV4)


def test_a_checksum_that_would_be_zero_is_said_the_other_way() -> None:
    """0 says in IPv4 that there is none, and is forbidden in IPv6 (RFC 768, RFC 8200 section 8.1)."""
    sums = {framed(TARGET, SOURCE, IPV6, number.to_bytes(2) + bytes(18))[60:62] for number in range(1 << 16)}
    assert b"\0\0" not in sums
    assert b"\xff\xff" in sums


def changed(frame: bytes, at: int, value: int, size: int = 2) -> bytes:
    return frame[:at] + value.to_bytes(size) + frame[at + size :]


@pytest.mark.parametrize("family", FRAMES)
def test_echo_packets_are_let_through_and_nothing_else(family: int) -> None:
    code, frame = decoded(program(7, family)), FRAMES[family]
    port, protocol = (36, 23) if family == 4 else (56, 20)
    assert accepts(code, frame, US)
    assert not accepts(code, changed(frame, port, CONTROL_PORT), US)
    assert not accepts(code, changed(frame, protocol, 6, 1), US)
    assert not accepts(code, frame[:port], US)
    assert not accepts(code, frame, Meta(packet_type=3, interface=7))
    assert not accepts(code, frame, Meta(packet_type=0, interface=8))


def test_ipv4_with_options_is_let_be_since_its_ports_lie_elsewhere() -> None:
    assert not accepts(decoded(program(7, 4)), changed(ON_IPV4, 14, 0x46, 1), US)


def test_who_only_speaks_hears_nothing() -> None:
    assert not accepts(decoded(NOTHING), ECHO_PORT.to_bytes(64), US)
