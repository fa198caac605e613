"""Connections share the loop: each is read for its share of a second, and what a peer does not take yet is kept."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from speakerd.bgp.transport import LAST_BYTES, LAST_WORDS, SHARE_BYTES, SHARE_TIME, Wire


class Polls:
    """What an engine would call."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[[float], None]] = {}
        self.writers: dict[int, Callable[[float], None]] = {}

    def unregister(self, fileno: int) -> None:
        del self.readers[fileno]

    def await_writable(self, fileno: int, callback: Callable[[float], None] | None) -> None:
        if callback is None:
            self.writers.pop(fileno, None)
        else:
            self.writers[fileno] = callback


class Taker:
    def __init__(self) -> None:
        self.read = 0
        self.ended: list[str] = []
        self.relief: list[float] = []

    def connected(self, number: int, now: float) -> None:
        pass

    def closed(self, _number: int, why: str, _now: float) -> None:
        self.ended.append(why)

    def received(self, _number: int, data: bytes, _now: float) -> None:
        self.read += len(data)

    def relieved(self, _number: int, now: float) -> None:
        self.relief.append(now)


class Held:
    """One connection on a wire, and its far end."""

    def __init__(self) -> None:
        self.polls, self.taker = Polls(), Taker()
        self.wire = Wire(self.polls.readers.__setitem__, self.polls.unregister, self.polls.await_writable)
        end, self.far = socket.socketpair()
        end.setblocking(False)
        self.far.setblocking(False)
        self.number = self.wire.adopt(end, 0, self.taker)
        self.fileno = end.fileno()

    def fill(self) -> None:
        while self.wire.held_since(self.number) is None:
            self.wire.send(self.number, bytes(1 << 16))
            self.wire.flush(1.0)


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held()
    yield made
    made.wire.close(made.number)
    made.far.close()


def test_a_peer_that_never_stops_is_read_for_its_share_of_the_time_and_then_again(held: Held) -> None:
    while (read := held.polls.readers.get(held.fileno)) is not None:
        held.far.send(bytes(4096))
        read(5.0)
    assert SHARE_BYTES <= held.taker.read < SHARE_BYTES + 8192
    assert held.wire.counters["reading-paused"] == 1
    assert held.wire.deadline() == 5.0 + SHARE_TIME
    held.wire.wake(5.0 + SHARE_TIME / 2)
    assert not held.polls.readers
    held.wire.wake(5.0 + SHARE_TIME)
    assert list(held.polls.readers) == [held.fileno]
    assert held.wire.deadline() is None


def test_a_slow_talker_is_never_paused(held: Held) -> None:
    for second in range(300):
        held.far.send(bytes(4096))
        held.polls.readers[held.fileno](float(second))
    assert held.taker.read == 300 * 4096
    assert held.wire.deadline() is None


def test_what_is_not_taken_is_kept_and_written_in_its_order(held: Held) -> None:
    held.fill()
    held.wire.send(held.number, b"last words")
    held.wire.flush(2.0)
    assert held.wire.held_since(held.number) == 1.0
    heard = b""
    while held.polls.writers:
        heard += held.far.recv(1 << 16)
        held.polls.writers[held.fileno](3.0)
    with suppress(BlockingIOError):
        while True:
            heard += held.far.recv(1 << 16)
    assert heard.endswith(b"\0last words")
    assert held.taker.relief == [3.0]
    assert held.wire.held_since(held.number) is None


def test_the_clock_of_a_stuck_peer_begins_anew_with_whatever_it_takes(held: Held) -> None:
    held.fill()
    held.polls.writers[held.fileno](2.0)
    assert held.wire.held_since(held.number) == 1.0
    held.far.recv(1 << 16)
    held.polls.writers[held.fileno](3.0)
    assert held.wire.held_since(held.number) in (3.0, None)


def test_what_is_said_last_leaves_before_the_connection_ends(held: Held) -> None:
    held.far.send(bytes(3 * LAST_BYTES // 2))
    held.wire.send(held.number, b"goodbye")
    held.wire.close(held.number)
    held.wire.flush(1.0)
    assert held.far.recv(100) == b"goodbye"
    with pytest.raises(BlockingIOError):
        held.far.recv(100)
    assert held.wire.deadline() == 1.0 + LAST_WORDS
    held.wire.wake(1.0 + LAST_WORDS)
    assert held.far.recv(100) == b""
    assert (held.polls.readers, held.polls.writers, held.wire.parting) == ({}, {}, False)


def test_a_peer_that_was_told_the_end_is_heard_no_more_and_waited_for_until_it_ends(held: Held) -> None:
    held.wire.send(held.number, b"goodbye")
    held.wire.close(held.number)
    held.far.send(b"more")
    held.polls.readers[held.fileno](1.0)
    assert held.wire.parting
    assert held.taker.read == 0
    held.far.close()
    held.polls.readers[held.fileno](1.1)
    assert (held.polls.readers, held.wire.parting, held.taker.ended) == ({}, False, [])


def test_where_nothing_was_said_last_the_connection_ends_at_once(held: Held) -> None:
    held.wire.close(held.number)
    assert held.far.recv(100) == b""
    assert not held.wire.parting


def test_an_end_and_an_error_are_told_as_the_system_calls_them(held: Held) -> None:
    held.far.close()
    held.polls.readers[held.fileno](1.0)
    assert held.taker.ended == ["connection closed"]


def test_who_is_gone_is_sent_nothing_and_closed_twice_for_nothing(held: Held) -> None:
    held.wire.close(held.number)
    held.wire.send(held.number, b"x")
    held.wire.flush(1.0)
    held.wire.close(held.number)
    assert held.wire.ends(held.number) is None
    assert held.wire.held_since(held.number) is None
