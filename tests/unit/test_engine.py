"""Bytes are served before deadlines are judged, and what is due is woken."""

import os
import resource
import select
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from speakerd.engine import BUSY, Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(lambda: 10.0) as made:
        yield made


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


class Alarm:
    def __init__(self, at: float | None) -> None:
        self.at = at
        self.woken: list[float] = []

    def deadline(self) -> float | None:
        return self.at

    def wake(self, now: float) -> None:
        self.woken.append(now)
        self.at = None


def test_a_due_core_is_woken_once(engine: Engine) -> None:
    due, later = Alarm(9.5), Alarm(11.0)
    engine.add(due)
    engine.add(later)
    engine.turn()
    assert due.woken == [10.0]
    assert later.woken == []


class Restless(Alarm):
    def wake(self, now: float) -> None:
        self.woken.append(now)


def waits(engine: Engine, turns: int) -> int:
    """How often this process gave its processor away in so many turns."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    for _ in range(turns):
        engine.turn()
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before


def test_a_core_that_is_due_whatever_it_does_leaves_the_processor_to_others(engine: Engine) -> None:
    restless = Restless(9.5)
    engine.add(restless)
    assert waits(engine, BUSY) < BUSY / 10
    assert waits(engine, 50) >= 50
    assert len(restless.woken) == BUSY + 50


def test_after_one_calm_turn_nothing_due_has_to_wait(engine: Engine) -> None:
    restless = Restless(9.5)
    engine.add(restless)
    waits(engine, BUSY + 1)
    restless.at = 10.001
    engine.turn()
    restless.at = 9.5
    assert waits(engine, 50) < 50


def test_waiting_bytes_are_served_before_a_missed_deadline_is_judged(engine: Engine, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    order = []
    alarm = Alarm(1.0)

    def read(_now: float) -> None:
        order.append(os.read(reader, 1))
        alarm.at = 20.0

    engine.register(reader, read)
    engine.add(alarm)
    os.write(writer, b"x")
    engine.turn()
    assert order == [b"x"]
    assert alarm.woken == []


def test_a_flood_does_not_keep_a_deadline_waiting_for_ever(engine: Engine, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"never read")
    served: list[float] = []
    engine.register(reader, served.append)
    alarm = Alarm(1.0)
    engine.add(alarm)
    engine.turn()
    assert alarm.woken == [10.0]
    assert len(served) < 100


def test_lateness_is_the_worst_wake_up(engine: Engine) -> None:
    engine.add(Alarm(9.75))
    engine.turn()
    assert engine.lateness == 0.25


def test_a_stopped_engine_returns_after_its_turn(engine: Engine, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    engine.register(reader, lambda _: engine.stop())
    os.write(writer, b"x")
    engine.run()


def test_an_unregistered_file_is_not_served(engine: Engine, pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    served: list[float] = []
    engine.register(reader, served.append)
    engine.unregister(reader)
    os.write(writer, b"x")
    engine.add(Alarm(1.0))
    engine.turn()
    assert served == []


def test_a_process_that_stood_still_is_told_before_it_gets_the_bytes_that_waited(pipe: tuple[int, int]) -> None:
    steady = iter([0.0, 0.0, 0.0, 7.0, 7.0])
    told: list[str] = []
    reader, writer = pipe
    with Engine(lambda: 10.0, lambda: next(steady, 7.0)) as engine:
        engine.notice_gaps(0.1, lambda seconds, _now: told.append(f"stood still {seconds:g}"))
        engine.register(reader, lambda _now: told.append(os.read(reader, 1).decode()))
        engine.add(Alarm(10.0))
        engine.turn()
        os.write(writer, b"x")
        engine.add(Alarm(10.0))
        engine.turn()
    assert told == ["stood still 7", "x"]


def test_waiting_that_was_meant_is_no_gap() -> None:
    steady = iter([0.0, 0.0, 0.05, 0.05])
    told: list[float] = []
    with Engine(lambda: 10.0, lambda: next(steady, 0.05)) as engine:
        engine.notice_gaps(0.04, lambda seconds, _now: told.append(seconds))
        engine.add(Alarm(10.02))
        engine.turn()
    assert told == []


def filled(end: socket.socket) -> socket.socket:
    end.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            end.send(bytes(1 << 16))
    return end


def test_a_writer_is_called_once_there_is_room_and_not_before(engine: Engine) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        called: list[float] = []
        alarm = Alarm(1.0)
        engine.add(alarm)
        engine.await_writable(filled(ours).fileno(), called.append)
        engine.turn()
        filled(theirs)  # what the peer writes is no room for us
        alarm.at = 1.0
        engine.turn()
        assert called == []
        while select.select([], [ours], [], 0)[1] == []:
            theirs.recv(1 << 16)
        engine.turn()
        assert called[:1] == [10.0]


def test_who_no_longer_waits_to_write_is_called_no_more(engine: Engine) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        called: list[str] = []
        engine.await_writable(ours.fileno(), lambda _: called.append("old"))
        engine.await_writable(ours.fileno(), lambda _: called.append("new"))
        engine.turn()
        engine.await_writable(ours.fileno(), None)
        engine.await_writable(ours.fileno(), None)
        engine.add(Alarm(1.0))
        engine.turn()
        assert called == ["new"]


def test_a_file_is_read_and_written_each_by_its_own_callback(engine: Engine) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        called: list[str] = []

        def write(_now: float) -> None:
            called.append("write")
            engine.await_writable(ours.fileno(), None)

        def read(_now: float) -> None:
            called.append(ours.recv(9).decode())

        engine.register(ours.fileno(), read)
        engine.await_writable(ours.fileno(), write)
        engine.turn()
        theirs.send(b"read")
        engine.turn()
        engine.unregister(ours.fileno())
        theirs.send(b"unread")
        engine.await_writable(ours.fileno(), write)
        engine.turn()
        assert called == ["write", "read", "write"]


def test_a_socket_that_cannot_be_written_any_more_is_told_to_its_writer(engine: Engine) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        called: list[float] = []
        engine.await_writable(filled(ours).fileno(), called.append)
        theirs.close()
        engine.turn()
        assert called == [10.0]
