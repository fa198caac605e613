"""Two ends with BFD and a line between them that loses, delays and reorders; a number for a clock."""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from speakerd.bfd import packet
from speakerd.bfd.effects import ECHO_PORT, Changed, Effect, Ended, Path, Send
from speakerd.bfd.packet import Packet, State
from speakerd.bfd.sessions import Sessions
from speakerd.peering import BfdProfile

PATHS = Path(b"\x0a\0\0\2", 7), Path(b"\x0a\0\0\1", 7)
"""From either end to the other."""
FAST = BfdProfile("fast", receive_interval=50, transmit_interval=50)
COMES_UP = 1.1
"""Seconds in which both are up, where nothing is lost: a first word, a slow interval at most, and answers at once."""


class Line:
    """`cut`: the ends whose packets are lost. `sent`: (when, packet) of either end. `altered`: what the line does."""

    def __init__(
        self,
        one: BfdProfile = FAST,
        other: BfdProfile = FAST,
        *,
        seed: int = 0,
        delay: float = 0.001,
        wander: float = 0.0,
        loss: float = 0.0,
        cut: frozenset[int] = frozenset(),
    ) -> None:
        self.random = Random(seed)
        self.delay, self.wander, self.loss = delay, wander, loss
        self.now = 0.0
        self.cut = cut
        self.altered: Callable[[int, Packet], Packet] = lambda _end, heard: heard
        self.sent: tuple[list[tuple[float, Packet]], list[tuple[float, Packet]]] = ([], [])
        self.echoes: list[float] = []
        self.changes: tuple[list[Changed], list[Changed]] = ([], [])
        self.ended: list[int] = []
        self._under_way: list[tuple[float, int, int, int, bytes]] = []
        self._count = 0
        self.ends = tuple(Sessions(self.random.random, lambda: self.random.getrandbits(32)) for _ in range(2))
        for end, profile in enumerate((one, other)):
            self.wish(end, profile)

    def wish(self, end: int, profile: BfdProfile | None) -> None:
        """Have an end keep a session by `profile`, or none."""
        self._do(end, self.ends[end].apply({PATHS[end]: profile} if profile else {}, self.now))

    def states(self) -> tuple[State, State]:
        """In which state either end last said it was."""
        one, other = (changes[-1].state if changes else State.DOWN for changes in self.changes)
        return one, other

    def run(self, seconds: float, *, asleep: int | None = None) -> None:
        """Let time pass; what comes to an end that is `asleep` waits, and its deadlines pass."""
        until = self.now + seconds
        while True:
            awake = [end for end in range(2) if end != asleep]
            due = [(at, end) for end in awake if (at := self.ends[end].deadline()) is not None]
            arrives = self._under_way[0][0] if self._under_way else until
            at = min([arrives, until, *(at for at, _ in due)])
            if at >= until:
                self.now = until
                return
            self.now = max(self.now, at)
            # Bytes first, as the engine has it.
            if arrives <= self.now:
                _, _, end, port, data = heappop(self._under_way)
                if end == asleep:
                    self._later(until, end, port, data)
                else:
                    self._arrive(end, port, data)
            else:
                end = min(due)[1]
                self._do(end, self.ends[end].wake(self.now))

    def _arrive(self, end: int, port: int, data: bytes) -> None:
        if port == ECHO_PORT:
            self._do(end, self.ends[end].receive_echo(data, self.now))
        else:
            self._do(end, self.ends[end].receive(data, PATHS[end], 255, self.now))

    def _do(self, end: int, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(end, effect)
                case Changed():
                    self.changes[end].append(effect)
                case Ended():
                    self.ended.append(end)

    def _send(self, end: int, send: Send) -> None:
        back = send.port == ECHO_PORT
        data = send.data
        if back:
            self.echoes.append(self.now)
        else:
            said = self.altered(end, packet.decode(data))
            self.sent[end].append((self.now, said))
            data = packet.encode(said)
        lost = bool(self.cut) if back else end in self.cut
        if not lost and self.random.random() >= self.loss:
            takes = self.delay + self.wander * self.random.random()
            self._later(self.now + (2 if back else 1) * takes, end if back else 1 - end, send.port, data)

    def _later(self, at: float, end: int, port: int, data: bytes) -> None:
        self._count += 1
        heappush(self._under_way, (at, self._count, end, port, data))


def up(one: BfdProfile = FAST, other: BfdProfile = FAST, *, seed: int = 0, delay: float = 0.001) -> Line:
    """A line whose ends are up, and have agreed on their intervals."""
    line = Line(one, other, seed=seed, delay=delay)
    line.run(COMES_UP + 4.0)
    assert line.states() == (State.UP, State.UP)
    return line
