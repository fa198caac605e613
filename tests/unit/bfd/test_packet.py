"""What is said by BFD, byte for byte as RFC 5880 section 4.1 draws it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speakerd.bfd.packet import Diagnostic, Packet, Refusal, State, decode, encode
from speakerd.wire import DecodeError

# By hand from the figure: version 1; Up, Poll; 3 times 50 ms, 300 ms.
POLLS = bytes.fromhex("20 e0 03 18 01020304 05060708 0000c350 000493e0 00000000")
# AdminDown, diagnostic 7, Final, Control Plane Independent, Demand; echo every 50 ms.
GOODBYE = bytes.fromhex("27 1a ff 18 ffffffff 00000000 000f4240 00000000 0000c350")

DECODERS = {*Refusal} - {Refusal.STRANGER, Refusal.FROM_AFAR, Refusal.NO_ECHO_OF_OURS}
WORD = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    Packet,
    state=st.sampled_from([State.ADMIN_DOWN, State.DOWN]) | st.sampled_from(State),
    mine=st.integers(1, 0xFFFFFFFF),
    yours=st.integers(1, 0xFFFFFFFF),
    multiplier=st.integers(1, 255),
    desired_tx=WORD,
    required_rx=WORD,
    required_echo_rx=WORD,
    diagnostic=st.integers(0, 31),
    poll=st.booleans(),
    final=st.booleans(),
    independent=st.booleans(),
    demand=st.booleans(),
)


def changed(at: int, value: int, data: bytes = POLLS) -> bytes:
    return data[:at] + bytes((value,)) + data[at + 1 :]


def refusal(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(data)
    return str(caught.value)


def test_a_poll_looks_as_in_the_figure() -> None:
    packet = Packet(State.UP, 0x01020304, 0x05060708, 3, 50_000, 300_000, poll=True)
    assert encode(packet) == POLLS
    assert decode(POLLS) == packet


def test_a_goodbye_looks_as_in_the_figure() -> None:
    packet = Packet(
        State.ADMIN_DOWN,
        0xFFFFFFFF,
        0,
        255,
        1_000_000,
        0,
        50_000,
        Diagnostic.ADMINISTRATIVELY_DOWN,
        final=True,
        independent=True,
        demand=True,
    )
    assert encode(packet) == GOODBYE
    assert decode(GOODBYE) == packet


@settings(max_examples=50)
@given(PACKETS)
def test_what_was_encoded_is_decoded_to_the_same(packet: Packet) -> None:
    assert decode(encode(packet)) == packet


@pytest.mark.parametrize("length", range(len(POLLS)))
def test_every_truncation_is_refused(length: int) -> None:
    assert refusal(POLLS[:length]) == Refusal.MALFORMED


@pytest.mark.parametrize("version", [0, 2, 7])
def test_another_version_is_refused_before_all_else(version: int) -> None:
    assert refusal(bytes((version << 5,))) == Refusal.OTHER_VERSION


@pytest.mark.parametrize(("length", "authenticated"), [(0, 0), (23, 0), (25, 0), (255, 0), (24, 4), (25, 4)])
def test_a_length_that_lies_is_refused(length: int, authenticated: int) -> None:
    assert refusal(changed(3, length, changed(1, 0xE0 | authenticated))) == Refusal.MALFORMED


def test_what_follows_a_packet_is_none_of_it() -> None:
    assert decode(POLLS + b"more") == decode(POLLS)
    assert decode(changed(3, 26, POLLS + b"more")) == decode(POLLS)


def test_an_authenticated_packet_is_refused_as_none_of_ours_is() -> None:
    assert refusal(changed(3, 26, changed(1, 0xE4, POLLS + b"\1\2"))) == Refusal.AUTHENTICATED


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (changed(2, 0), Refusal.NO_MULTIPLIER),
        (changed(1, 0xE1), Refusal.MULTIPOINT),
        (POLLS[:4] + bytes(4) + POLLS[8:], Refusal.NO_DISCRIMINATOR),
        (POLLS[:8] + bytes(4) + POLLS[12:], Refusal.NO_SESSION),
        (changed(1, 0x80, POLLS[:8] + bytes(4) + POLLS[12:]), Refusal.NO_SESSION),
    ],
)
def test_what_no_session_can_be_meant_by_is_refused(data: bytes, why: Refusal) -> None:
    assert refusal(data) == why


@pytest.mark.parametrize("state", [State.ADMIN_DOWN, State.DOWN])
def test_who_is_down_need_not_know_our_discriminator(state: State) -> None:
    assert decode(changed(1, state << 6, POLLS[:8] + bytes(4) + POLLS[12:])).state is state


@pytest.mark.parametrize("diagnostic", range(9, 32))
def test_a_diagnostic_that_others_define_is_no_fault(diagnostic: int) -> None:
    assert decode(changed(0, 0x20 | diagnostic)).diagnostic == diagnostic


@settings(max_examples=100)
@given(st.binary(max_size=60) | st.binary(min_size=23, max_size=40).map(lambda data: b"\x20" + data))
def test_bytes_are_a_packet_or_refused_in_a_word(data: bytes) -> None:
    try:
        packet = decode(data)
    except DecodeError:
        assert refusal(data) in DECODERS
    else:
        assert decode(encode(packet)) == packet
