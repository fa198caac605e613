"""Bytes are served before deadlines are judged, and what is due is woken."""

import os
from collections.abc import Iterator

import pytest

from speakerd.engine import Engine


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
