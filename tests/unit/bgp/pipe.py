"""Two sessions that talk by way of a pretended TCP: with delay, with a cut, with simultaneous opening."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from msgspec import Struct

from speakerd.bgp.effects import Close, Dial, Down, Effect, Failed, Received, Send, Up
from speakerd.bgp.fsm import Session
from speakerd.bgp.terms import Terms

LEFT = Terms(65001, bytes((192, 0, 2, 1)), peer_asn=65002)
RIGHT = Terms(65002, bytes((192, 0, 2, 2)), peer_asn=65001)


class End(Struct, eq=False):
    """One end of a TCP connection."""

    side: int
    number: int
    alive: bool = True
    other: "End | None" = None
    arrives: float = 0.0


class Pipe:
    """Sessions 0 and 1. `delay(side)`: seconds that something from there takes; each connection keeps its order.

    `told`: what each had to tell, and when. Fails where an Established end has more than one connection.
    """

    def __init__(
        self, left: Terms = LEFT, right: Terms = RIGHT, delay: Callable[[int], float] = lambda _: 0.01
    ) -> None:
        numbers = count(1)
        self.now = 0.0
        self.cut = False
        self.told: list[list[tuple[float, Effect]]] = [[], []]
        self.wrote: list[list[tuple[float, bytes]]] = [[], []]
        self._numbers = numbers.__next__
        self.sessions = [Session(terms, self._numbers, lambda: 0.5, 0.0) for terms in (left, right)]
        self._delay = delay
        self._ends: dict[int, End] = {}
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def start(self, *sides: int) -> "Pipe":
        for side in sides:
            self.do(side, self.sessions[side].start(self.now))
        return self

    def run(self, until: float) -> "Pipe":
        """Hand over what arrives, then wake whom it is time for; so until then."""
        while True:
            times = [each for each in (session.deadline() for session in self.sessions) if each is not None]
            at = min(times + ([self._heap[0][0]] if self._heap else []), default=until + 1)
            if at > until:
                self.now = until
                return self
            self.now = max(self.now, at)
            while self._heap and self._heap[0][0] <= self.now:
                heappop(self._heap)[2]()
            for side, session in enumerate(self.sessions):
                due = session.deadline()
                if due is not None and due <= self.now:
                    self.do(side, session.wake(self.now))

    def do(self, side: int, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Dial():
                    self._dial(side, effect.connection)
                case Send():
                    self.wrote[side].append((self.now, effect.data))
                    self._carry(self._ends[effect.connection], effect.data)
                case Close():
                    end = self._ends.get(effect.connection)
                    if end is not None and end.alive:
                        end.alive = False
                        self._carry(end, None)
                case Up() | Down() | Failed() | Received():
                    self.told[side].append((self.now, effect))
        open_ends = [end for end in self._ends.values() if end.side == side and end.alive]
        if self.sessions[side].state.name == "ESTABLISHED":
            assert len(open_ends) == 1

    def _later(self, delay: float, what: Callable[[], None]) -> None:
        heappush(self._heap, (self.now + delay, next(self._order), what))

    def _dial(self, side: int, number: int) -> None:
        """SYN there, SYN and ACK back, ACK there: who dials knows first."""
        end = self._ends[number] = End(side, number)
        if not self.cut:
            self._later(self._delay(side) + self._delay(1 - side), lambda: self._stand(end))

    def _stand(self, end: End) -> None:
        if not end.alive:
            return
        far = end.other = End(1 - end.side, self._numbers(), other=end)
        self._ends[far.number] = far
        far.alive = False
        end.arrives = self.now + self._delay(end.side)
        self._later(end.arrives - self.now, lambda: self._accept(far))
        self.do(end.side, self.sessions[end.side].connected(end.number, self.now))

    def _accept(self, far: End) -> None:
        far.alive = True
        self.do(far.side, self.sessions[far.side].accepted(far.number, self.now))

    def _carry(self, end: End, data: bytes | None) -> None:
        """None: the end of the stream."""
        far = end.other
        if far is None or self.cut:
            return
        end.arrives = max(end.arrives, self.now + self._delay(end.side))
        self._later(end.arrives - self.now, lambda: self._arrive(far, data))

    def _arrive(self, far: End, data: bytes | None) -> None:
        if not far.alive:
            return
        session = self.sessions[far.side]
        if data is None:
            far.alive = False
            self.do(far.side, session.closed(far.number, "connection closed", self.now))
        else:
            self.do(far.side, session.receive(far.number, data, self.now))

    @property
    def states(self) -> list[str]:
        return [session.state.name for session in self.sessions]

    def of(self, side: int, kind: type[Effect]) -> list[tuple[float, Effect]]:
        return [(at, each) for at, each in self.told[side] if isinstance(each, kind)]
