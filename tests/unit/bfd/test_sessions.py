"""Whose packet it is, and what a stranger's costs: nothing."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.bfd.effects import Changed, Path, Send
from speakerd.bfd.packet import Diagnostic, Packet, Refusal, State, decode, encode
from speakerd.bfd.sessions import Sessions
from speakerd.peering import BfdSeen
from tests.unit.bfd.line import FAST

NEAR, OTHER, FAR = Path(b"\x0a\0\0\2", 7), Path(b"\x0a\0\0\3", 7), Path(b"\x0a\0\0\2", multihop=True)
ANYWHERE = Path(b"\x0a\0\0\4")
NONE = dict.fromkeys(("control-sent", "control-heard", "echo-sent", "echo-heard", "ups", "downs"), 0)
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


def test_sessions_with_one_neighbour_are_told_apart_by_our_address_and_by_the_vrf() -> None:
    ours, second = b"\x0a\0\0\1", b"\x0a\0\0\x0b"
    came = replace(NEAR, local=ours)
    paths = came, replace(came, local=second), replace(came, vrf="red"), NEAR
    numbers = count()
    core = Sessions(lambda: 0.5, lambda: next(numbers))
    core.apply(dict.fromkeys(paths, FAST), 0.0)
    for path in paths[:3]:
        assert answered(core, HELLO, path) == [path]
    assert answered(core, HELLO, replace(came, local=b"\x0a\0\0\x63")) == [NEAR]
    assert answered(core, HELLO, replace(came, vrf="blue")) == []
    assert answered(core, replace(HELLO, yours=1), paths[1]) == []
    assert answered(core, replace(HELLO, yours=1), paths[2]) == []
    assert core.counters == {Refusal.STRANGER: 3}


@pytest.mark.parametrize("index", [0, 7])
@pytest.mark.parametrize("local", [b"", b"\x0a\0\0\1"])
def test_what_a_path_leaves_open_matches_any_packet_and_is_known_once_one_came(index: int, local: bytes) -> None:
    path, came = Path(NEAR.address, index, local=local), replace(NEAR, local=b"\x0a\0\0\1")
    core = Sessions(lambda: 0.5, lambda: 1)
    core.apply({path: FAST}, 0.0)
    found = core.receive(encode(HELLO), came, 255, 0.1)
    assert [each.way for each in found if isinstance(each, Send)] == [came]


def test_what_is_seen_of_a_session_is_in_the_words_of_the_rfc() -> None:
    core = sessions()
    assert core.seen(Path(b"\x0a\0\0\x09")) is None
    told = replace(HELLO, mine=9)
    core.receive(encode(told), NEAR, 255, 0.1)
    core.receive(encode(replace(told, state=State.UP, yours=1)), NEAR, 255, 0.2)
    seen = core.seen(NEAR)
    assert seen == BfdSeen("Up", 0.2, "", {**NONE, "control-sent": 3, "control-heard": 2, "ups": 1})
    core.receive(encode(replace(told, yours=1, diagnostic=2)), NEAR, 255, 0.3)
    seen = core.seen(NEAR)
    assert seen
    assert (seen.state, seen.since, seen.why) == ("Down", 0.3, "Neighbor Signaled Session Down: Echo Function Failed")
    assert (seen.counted["ups"], seen.counted["downs"]) == (1, 1)


@pytest.mark.parametrize(
    ("diagnostic", "remote", "said", "why"),
    [
        (Diagnostic.NO_DIAGNOSTIC, State.INIT, 1, ""),
        (Diagnostic.CONTROL_DETECTION_TIME_EXPIRED, State.DOWN, 5, "Control Detection Time Expired"),
        (Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN, State.DOWN, 0, "Neighbor Signaled Session Down"),
        (Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN, State.DOWN, 9, "Neighbor Signaled Session Down: Diagnostic 9"),
        (
            Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN,
            State.ADMIN_DOWN,
            0,
            "Neighbor Signaled Session Down: Administratively Down",
        ),
    ],
)
def test_why_a_session_changed_names_the_neighbours_reason_where_it_is_the_reason(
    diagnostic: Diagnostic, remote: State, said: int, why: str
) -> None:
    assert Changed(NEAR, State.DOWN, diagnostic, remote, 0.0, said).why == why


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
