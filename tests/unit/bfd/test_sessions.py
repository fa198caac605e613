"""Whose packet it is, and what a stranger's costs: nothing."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.bfd.effects import Changed, Path, Send
from speakerd.bfd.packet import Packet, Refusal, State, decode, encode
from speakerd.bfd.sessions import Sessions
from tests.unit.bfd.line import FAST

NEAR, OTHER, FAR = Path(b"\x0a\0\0\2", 7), Path(b"\x0a\0\0\3", 7), Path(b"\x0a\0\0\2", multihop=True)
ANYWHERE = Path(b"\x0a\0\0\4")
HELLO = Packet(State.DOWN, 0x99, 0, 3, 1_000_000, 50_000)


def sessions() -> Sessions:
    """Four of them, whose discriminators are 1 to 4 in this order."""
    numbers = count()
    core = Sessions(lambda: 0.5, lambda: next(numbers))
    core.apply(dict.fromkeys((NEAR, OTHER, FAR, ANYWHERE), FAST), 0.0)
    return core


def answered(core: Sessions, packet: Packet, way: Path, ttl: int = 255) -> list[Path]:
    """Whose state the packet changes."""
    found = core.receive(encode(packet), way, ttl, 0.1)
    return [effect.path for effect in found if isinstance(effect, Changed)]


def test_a_first_word_is_of_the_session_with_its_source_and_interface() -> None:
    assert answered(sessions(), HELLO, NEAR) == [NEAR]
    assert answered(sessions(), HELLO, OTHER) == [OTHER]
    assert answered(sessions(), HELLO, FAR) == [FAR]
    assert answered(sessions(), HELLO, replace(ANYWHERE, index=3)) == [ANYWHERE]


def test_all_others_are_of_the_session_whose_discriminator_they_name() -> None:
    core = sessions()
    assert answered(core, replace(HELLO, yours=2), NEAR) == [OTHER]
    assert answered(core, replace(HELLO, yours=3), FAR) == [FAR]


@pytest.mark.parametrize(
    ("packet", "way", "ttl", "why"),
    [
        (HELLO, Path(b"\x0a\0\0\2", 8), 255, Refusal.STRANGER),
        (HELLO, Path(b"\x0a\0\0\x09", 7), 255, Refusal.STRANGER),
        (HELLO, NEAR, 254, Refusal.FROM_AFAR),
        (HELLO, FAR, 253, Refusal.FROM_AFAR),
        (replace(HELLO, yours=5), NEAR, 255, Refusal.STRANGER),
        (replace(HELLO, yours=1), Path(b"\x0a\0\0\2", 8), 255, Refusal.STRANGER),
        (replace(HELLO, yours=1), FAR, 255, Refusal.STRANGER),
        (replace(HELLO, yours=3), NEAR, 255, Refusal.STRANGER),
        (replace(HELLO, state=State.UP), NEAR, 255, Refusal.NO_SESSION),
    ],
)
def test_a_packet_that_is_nobodys_changes_nothing_and_is_counted(
    packet: Packet, way: Path, ttl: int, why: Refusal
) -> None:
    core = sessions()
    before = core.deadline()
    assert core.receive(encode(packet), way, ttl, 0.1) == []
    assert (core.deadline(), len(core)) == (before, 4)
    assert core.counters == {why: 1}


@settings(max_examples=100)
@given(st.binary(max_size=100), st.sampled_from([NEAR, FAR, Path(b"\x0a\0\0\x09", 7)]), st.integers(0, 255))
def test_arbitrary_bytes_change_nothing(data: bytes, way: Path, ttl: int) -> None:
    core = sessions()
    # Discriminators of four octets are not guessed; here they are 1 to 4.
    known = data[8:12] in [number.to_bytes(4) for number in range(5)]
    found = core.receive(data, way, ttl, 0.1)
    assert found == [] or known
    assert core.receive_echo(data, 0.1) == []
    assert len(core) == 4


@settings(max_examples=100)
@given(st.integers(1, 0xFFFFFFFF), st.integers(0, 31), st.integers(1, 255), *[st.integers(0, 0xFFFFFFFF)] * 3)
def test_whatever_a_neighbour_says_has_an_answer_and_a_next_deadline(
    mine: int, diagnostic: int, multiplier: int, desired_tx: int, required_rx: int, echo: int
) -> None:
    core = sessions()
    said = Packet(State.DOWN, mine, 0, multiplier, desired_tx, required_rx, echo, diagnostic, poll=True)
    for state in (State.DOWN, State.INIT, State.UP):
        yours = 0 if state is State.DOWN else 1
        found = core.receive(encode(replace(said, state=state, yours=yours)), NEAR, 255, 0.1)
        assert sum(isinstance(effect, Send) for effect in found) == 1
    assert core.deadline() is not None


def test_no_two_sessions_share_a_discriminator_and_none_has_zero() -> None:
    numbers = iter([0, 5, 5, 0, 6])
    core = Sessions(lambda: 0.5, lambda: next(numbers))
    found = core.apply({NEAR: FAST, OTHER: FAST}, 0.0)
    assert [decode(each.data).mine for each in found if isinstance(each, Send)] == [5, 6]


def test_the_same_wish_again_does_nothing() -> None:
    core = sessions()
    assert core.apply(dict.fromkeys((NEAR, OTHER, FAR, ANYWHERE), FAST), 0.1) == []


def test_it_is_woken_for_the_session_that_is_due_first() -> None:
    core = Sessions(lambda: 0.0, iter([1, 2]).__next__)
    core.apply({NEAR: FAST}, 0.0)
    core.apply({NEAR: FAST, OTHER: FAST}, 0.5)
    assert core.deadline() == 1.0
    assert [each.path for each in core.wake(1.0) if isinstance(each, Send)] == [NEAR]
    assert core.deadline() == 1.5


def test_without_sessions_there_is_nothing_to_wake_for() -> None:
    core = Sessions(lambda: 0.0, lambda: 1)
    assert core.deadline() is None
    assert core.wake(1.0) == []


def test_a_session_that_nobody_has_heard_of_ends_at_once() -> None:
    core = sessions()
    core.apply({}, 1.0)
    core.wake(1.0)
    assert len(core) == 0
    assert core.deadline() is None
