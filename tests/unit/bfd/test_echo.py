"""Echo packets: sent where they are allowed, and missed only by who once had them back."""

import pytest
from msgspec.structs import replace

from speakerd.bfd import echo
from speakerd.bfd.echo import Echo
from speakerd.bfd.effects import ECHO_PORT, Path, Send
from speakerd.bfd.packet import Diagnostic, Packet, State
from speakerd.bfd.session import Session
from speakerd.peering import BfdProfile
from speakerd.wire import DecodeError
from tests.unit.bfd.line import COMES_UP, FAST, Line

ECHOING = replace(FAST, echo_mode=True, echo_interval=20)
LOOPS = 30_000
"""Microseconds that the neighbour asks for between echo packets."""


def looping(end: int, said: Packet) -> Packet:
    return replace(said, required_echo_rx=LOOPS) if end == 1 else said


def echoing(profile: BfdProfile = ECHOING) -> Line:
    """Up, with a neighbour that loops echo packets back, and all agreed."""
    line = Line(profile)
    line.altered = looping
    line.run(COMES_UP + 10.0)
    assert line.states() == (State.UP, State.UP)
    return line


def test_echo_packets_go_as_often_as_the_neighbour_allows_jitter_aside() -> None:
    line = echoing()
    seen = len(line.echoes)
    line.run(3.0)
    assert 3.0 / 0.03 <= len(line.echoes) - seen <= 3.0 / (0.75 * 0.03) + 1


def test_while_they_come_back_the_neighbours_control_packets_are_slow() -> None:
    line = echoing()
    since = line.now
    line.run(10.0)
    assert len([at for at, _ in line.sent[1] if at > since]) <= 14
    assert line.states() == (State.UP, State.UP)


def test_a_cut_is_noticed_by_what_does_not_come_back() -> None:
    line = echoing()
    line.cut, at = frozenset([0]), line.now
    line.run(1.0)
    failed = next(each for each in line.changes[0] if each.state is State.DOWN)
    assert failed.diagnostic is Diagnostic.ECHO_FUNCTION_FAILED
    assert failed.since - at <= 4 * 0.03
    sent = len(line.echoes)
    line.run(5.0)
    assert len(line.echoes) == sent


def test_a_process_that_stood_still_misses_no_echo_that_it_did_not_send() -> None:
    line = echoing()
    line.run(0.5, asleep=0)
    line.run(0.5)
    assert line.states() == (State.UP, State.UP)


@pytest.mark.parametrize("profile", [FAST, replace(ECHOING, echo_mode=False)])
def test_without_echo_mode_there_are_none(profile: BfdProfile) -> None:
    assert echoing(profile).echoes == []


def test_a_neighbour_that_does_not_allow_them_gets_none() -> None:
    line = Line(ECHOING)
    line.run(5.0)
    assert line.states() == (State.UP, State.UP)
    assert line.echoes == []


def test_when_the_neighbour_allows_them_no_longer_they_cease_and_control_packets_are_fast_again() -> None:
    line = echoing()
    line.altered = lambda _end, said: said
    line.run(10.0)
    sent, since = len(line.echoes), line.now
    line.run(1.0)
    assert len(line.echoes) == sent
    assert len([at for at, _ in line.sent[1] if at > since]) >= 20
    assert all(len(changes) <= 2 for changes in line.changes)


def test_over_several_hops_there_are_none() -> None:
    core = Session(Path(b"\x0a\0\0\2", multihop=True), ECHOING, 1, lambda: 0.5, 0.0)
    for state in (State.DOWN, State.INIT):
        core.receive(Packet(state, 2, 1, 3, 50_000, 50_000, LOOPS), 0.0)
    assert core.state is State.UP
    assert not any(isinstance(each, Send) and each.port == ECHO_PORT for each in core.wake(0.05))


def test_those_that_never_came_back_fail_nothing() -> None:
    core = Echo(1, lambda: 0.5)
    core.pace(0.05, 0.0)
    for number in range(10):
        assert not core.failed(3, float(number))
        assert core.take(float(number))


def test_one_that_came_back_counts_once_and_only_of_this_run() -> None:
    core = Echo(1, lambda: 0.5)
    core.pace(0.05, 0.0)
    data = core.take(0.0)
    assert data
    payload = echo.decode(data)
    for forged in (replace(payload, nonce=1), replace(payload, discriminator=2), replace(payload, count=2)):
        assert not core.receive(forged)
    assert core.receive(payload)
    assert not core.receive(payload)
    core.pace(None, 0.1)
    assert (core.deadline(), core.works) == (None, False)
    assert not core.receive(payload)


@pytest.mark.parametrize("length", [*range(20), 21, 100])
def test_what_has_another_length_is_no_echo_of_ours(length: int) -> None:
    with pytest.raises(DecodeError):
        echo.decode(bytes(length))
