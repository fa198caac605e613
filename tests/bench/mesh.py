"""Many members in one process, over real UDP on loopback: packets and processor time of each, by their number."""

import gc
import random
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from speakerd.exchange import Key, Member, MembershipSettings
from speakerd.membership.envelope import Envelope, Post
from speakerd.membership.keys import key_id
from speakerd.membership.transport import Mail
from speakerd.mesh import Mesh
from speakerd.outbox import Effect
from speakerd.settings import PRESETS
from tests.bench.figures import Options, Outcome, at_most

SIZES = (10, 30, 100)
"""From ten members up each has as many observers as it ever will."""
SECONDS = {10: 20.0, 30: 20.0, 100: 60.0}
WARM, PATIENCE = 5.0, 150.0
"""Seconds until members have found each other, at least and at most: one that is not observed is heard by chance."""
PRESET = "normal"
"""What one processor can do for a hundred; `fast` sends more often, and is otherwise the same."""
INTERVAL, MISSES, QUESTIONS = PRESETS[PRESET]
PACKETS = 150 * PRESETS["fast"][0] / INTERVAL
"""That each sends in a second, as promised: 150 with preset `fast`."""
FLAT = 1.2
"""What the largest number of members may cost each of them, against the smallest."""
SECRET = b"a secret of many members"
KEY = Key(key_id(SECRET), SECRET)


class Station:
    """One member: its mail, on an address of its own, and its core."""

    def __init__(self, number: int, port: int, loop: "Loop", now: float) -> None:
        self.name, self.address = f"n{number:03}", f"127.0.{1 + number // 250}.{1 + number % 250}"
        self._settings = MembershipSettings(
            bind=self.address, port=port, interval=INTERVAL, misses=MISSES, questions=QUESTIONS
        )
        boot = number + 1
        self.mesh = Mesh(boot, random.random, {}, now)
        detector = self.mesh.detector
        self.mail = Mail(
            boot,
            lambda fileno, callback: loop.register(fileno, callback, self),
            loop.unregister,
            self._received,
            detector.takes,
            detector.heard_by_udp,
        )

    def join(self, members: tuple[Member, ...], now: float) -> None:
        """Take everybody's records; nothing else is wished."""
        self.mail.apply(self.name, members, self._settings, (KEY,), now)
        self._do(self.mesh.configure(self.name, members, self._settings, now), now)
        self._do(self.mesh.wanted(now), now)

    def wake(self, now: float) -> None:
        """Do what is due."""
        self._do(self.mesh.wake(now), now)

    def _received(self, envelope: Envelope, now: float) -> None:
        self._do(self.mesh.receive(envelope, now), now)

    def _do(self, effects: Iterable[Effect], now: float) -> None:
        for each in effects:
            if isinstance(each, Post):
                self.mail.send(each, now)


class Loop:
    """Serves all of them: bytes first, deadlines then; a member is looked at only where something happened to it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, tuple[Callable[[float], None], Station]] = {}
        self._due: dict[Station, float] = {}
        self.latest = 0.0

    def register(self, fileno: int, callback: Callable[[float], None], station: Station) -> None:
        """Call `callback` where `fileno` is readable."""
        self._epoll.register(fileno, select.EPOLLIN)
        self._callbacks[fileno] = (callback, station)

    def unregister(self, fileno: int) -> None:
        """Forget it."""
        del self._callbacks[fileno]
        self._epoll.unregister(fileno)

    def look(self, station: Station) -> None:
        """Learn when it is to be woken."""
        due = station.mesh.deadline()
        self._due[station] = float("inf") if due is None else due

    def run(self, until: float) -> None:
        """Turn until then."""
        while (now := time.monotonic()) < until:
            for fileno, _ in self._epoll.poll(max(0.0, min(until, *self._due.values()) - now)):
                callback, station = self._callbacks[fileno]
                callback(time.monotonic())
                self.look(station)
            now = time.monotonic()
            for station in [each for each, due in self._due.items() if due <= now]:
                self.latest = max(self.latest, now - self._due[station])
                station.wake(now)
                self.look(station)

    def close(self) -> None:
        """Let go of the file."""
        self._epoll.close()


def run(_options: Options) -> Outcome:
    """By the number of members; always with this Python."""
    outcome = Outcome(figures={}, goals=[])
    found = {size: _measure(size, SECONDS[size], outcome) for size in SIZES}
    small, large = found[min(SIZES)], found[max(SIZES)]
    outcome["goals"] += [
        at_most(f"packets a member sends, {max(SIZES)} members", large[0], PACKETS, "/s"),
        at_most(f"packets, {max(SIZES)} members against {min(SIZES)}", large[0] / small[0], FLAT, "x"),
        at_most(f"CPU of a member, {max(SIZES)} members against {min(SIZES)}", large[1] / small[1], FLAT, "x"),
    ]
    return outcome


def _measure(size: int, seconds: float, outcome: Outcome) -> tuple[float, float]:
    """Packets sent and share of a processor, of each member, in a second."""
    with _members(size) as (loop, stations):
        began = time.monotonic()
        loop.run(began + WARM)
        while _known(stations) < 1 and time.monotonic() < began + PATIENCE:
            loop.run(time.monotonic() + 1.0)
        found = time.monotonic() - began
        before, used, start = _sent(stations), time.process_time(), time.monotonic()
        loop.latest = 0.0
        loop.run(start + seconds)
        elapsed = time.monotonic() - start
        packets = (_sent(stations) - before) / size / elapsed
        cpu = (time.process_time() - used) / size / elapsed
        known = _known(stations)
    figures = {
        "packets.per.member.per.s": round(packets, 1),
        "cpu.per.member.percent": round(100 * cpu, 3),
        "cpu.per.packet.us": round(1e6 * cpu / packets, 1),
        "latest.ms": round(loop.latest * 1000, 1),
        "found.s": round(found, 1),
        "known.percent": round(100 * known, 2),
    }
    outcome["figures"] |= {f"{size}.{word}": value for word, value in figures.items()}
    outcome["goals"].append(at_most(f"{size} members: not known to be alive", 100 - 100 * known, 0, "%"))
    return packets, cpu


@contextmanager
def _members(size: int) -> Iterator[tuple[Loop, Sequence[Station]]]:
    loop, now, port = Loop(), time.monotonic(), _free_port()
    stations = [Station(number, port, loop, now) for number in range(size)]
    records = tuple(Member(each.name, (each.address,), keys=(KEY.id,)) for each in stations)
    for each in stations:
        each.join(records, now)
        loop.look(each)
    gc.collect()
    gc.disable()  # as the announcer has it
    try:
        yield loop, stations
    finally:
        gc.enable()
        for each in stations:
            each.mail.close()
        loop.close()


def _sent(stations: Iterable[Station]) -> int:
    return sum(each.mail.counters["sent"] for each in stations)


def _known(stations: Sequence[Station]) -> float:
    """Which share of all members, as each of them sees the others, is alive."""
    now = time.monotonic()
    alive = sum(seen.state == "alive" for each in stations for seen in each.mesh.members_seen(now))
    return alive / (len(stations) * (len(stations) - 1))


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port
