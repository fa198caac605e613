"""Frames around messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.membership import frame

MAC = st.binary(min_size=6, max_size=6)


def test_a_frame_is_an_ethernet_header_and_the_message() -> None:
    made = frame.framed(frame.BROADCAST, bytes.fromhex("02000000000b"), b"message")
    assert made == bytes.fromhex("ffffffffffff 02000000000b 88b5") + b"message"


@given(MAC, MAC, st.binary(max_size=1200))
def test_unframed_gives_source_and_message(target: bytes, source: bytes, data: bytes) -> None:
    assert frame.unframed(frame.framed(target, source, data)) == (source, data)


@given(st.binary(max_size=20))
def test_a_frame_cut_short_is_no_fault(data: bytes) -> None:
    assert len(frame.unframed(data)[1]) == max(0, len(data) - 14)


@pytest.mark.parametrize(
    ("mac", "one"),
    [
        ("02000000000b", True),
        ("ffffffffffff", False),
        ("333300000001", False),
        ("000000000000", False),
        ("", False),
        ("0200", False),
    ],
)
def test_groups_and_nobody_are_no_stations(mac: str, one: bool) -> None:
    assert frame.is_station(bytes.fromhex(mac)) == one


def test_the_filter_is_what_the_kernel_takes_and_every_jump_stays_within_it() -> None:
    program = frame.program(7)
    assert len(frame.encoded(7)) == 8 * len(program)
    for at, (code, true, false, _) in enumerate(program):
        assert code == frame.RET or at + 1 + max(true, false) < len(program)
    assert program[-1][0] == program[-2][0] == frame.RET
