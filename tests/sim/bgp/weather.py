"""Two BGP speakers and a line between them on which everything goes wrong that can, all of it drawn from one seed.

Both are whole: session and routes. Their clocks differ. After the last fault they are left in peace, and what has to be
so is looked at: here, while it goes on; in `settled`, at the end.
"""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random

from msgspec.structs import replace

from speakerd.bgp.attribute import Attributes
from speakerd.bgp.effects import Close, Dial, Down, Effect, Failed, Received, Send, Up
from speakerd.bgp.family import IPV4
from speakerd.bgp.frame import MOST_EXTENDED
from speakerd.bgp.fsm import Session
from speakerd.bgp.message import RouteRefresh
from speakerd.bgp.nlri import ONE
from speakerd.bgp.rib import Rib
from speakerd.bgp.terms import Terms
from speakerd.bgp.update import Update

TERMS = (
    Terms(65001, bytes((192, 0, 2, 1)), peer_asn=65002),
    Terms(65002, bytes((192, 0, 2, 2)), peer_asn=65001),
)
HOPS = {IPV4: bytes((192, 0, 2, 9))}
PEACE = 300.0
"""Seconds in which all must be well: those for a first word that was lost, the longest wait, a dial unanswered."""
SYSTEM = 12.0, 900.0
"""Seconds after which a kernel tells that nobody takes what it sends; the patient one leaves that to BGP's timers."""
PREFIXES = [bytes((32, 10, 0, 0, number)) for number in range(40)]


class Wire:
    """A TCP connection. `ends`: the number of each side's end, 0 before there is one."""

    def __init__(self, dialler: int, number: int) -> None:
        self.ends = [0, 0]
        self.ends[dialler] = number
        self.broken = False
        self.arrives = [0.0, 0.0]


class Speaker:
    """One end, in one life; `told` is the table that the other end's UPDATEs come to."""

    def __init__(self, side: int, terms: Terms, weather: "Weather") -> None:
        self.side, self.weather = side, weather
        self.terms = terms
        self.skew = weather.random.uniform(0.0, 1e6)
        self.session = Session(terms, weather.number, weather.random.random, self.now)
        self.rib = Rib()
        self.up: int | None = None
        self.open: set[int] = set()
        self.closed: set[int] = set()
        self.told: dict[bytes, Attributes] = {}
        self.waits: list[Callable[[], None]] = []
        self.still = False

    @property
    def now(self) -> float:
        """By its own clock."""
        return self.weather.now + self.skew

    def deadline(self) -> float | None:
        """By the weather's."""
        due = self.session.deadline()
        return None if due is None or self.still else due - self.skew


class Weather:
    """`lines`: what happened, to be printed where a promise is broken.

    `cut`: whose messages are lost; a connection that lost one is never whole again, and its system tells so in the end.
    `refuses`: nobody listens. `dials`: how often either called. `wanted`: the routes of either.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.lines: list[str] = []
        self.cut = [False, False]
        self.refuses = False
        self.dials = 0
        self._numbers = count(1)
        self._order = count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._wires: dict[int, Wire] = {}
        self.wanted: list[dict[bytes, Attributes]] = [{}, {}]
        change = {"hold_time": self.random.choice((9, 30, 90)), "restart_time": self.random.choice((0, 20))}
        self.terms = [replace(each, **change) for each in TERMS]
        if self.random.random() < 0.3:
            self.terms[1] = replace(self.terms[1], dials=False)
        self.patience = self.random.choice(SYSTEM)
        self.slowest = self.random.choice((0.001, 0.02, 0.3))
        self.speakers = [Speaker(side, self.terms[side], self) for side in (0, 1)]

    def number(self) -> int:
        """One that no connection ever had."""
        return next(self._numbers)

    def say(self, side: int, what: object) -> None:
        """Note it."""
        self.lines.append(f"{self.now:9.3f} {'left right'.split()[side]} {what}")

    # -- what time brings

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have it happen."""
        heappush(self._heap, (self.now + seconds, next(self._order), what))

    def run(self, until: float) -> None:
        """What arrives is handed over first, then who is due is woken."""
        while True:
            due = [at for each in self.speakers if (at := each.deadline()) is not None]
            at = min([*due, self._heap[0][0] if self._heap else until, until])
            if at >= until:
                self.now = until
                return
            self.now = max(self.now, at)
            while self._heap and self._heap[0][0] <= self.now:
                heappop(self._heap)[2]()
            for each in self.speakers:
                when = each.deadline()
                if when is not None and when <= self.now + 1e-6:
                    self.do(each, each.session.wake(max(each.now, each.session.deadline() or 0.0)))

    def do(self, speaker: Speaker, effects: list[Effect]) -> None:
        """Carry out what a session wants."""
        for effect in effects:
            match effect:
                case Dial(number):
                    self.say(speaker.side, f"dials {number}")
                    assert number not in speaker.open | speaker.closed, "a number is given twice"
                    speaker.open.add(number)
                    self.dials += 1
                    self._dial(speaker, number)
                case Close(number):
                    self._close(speaker, number)
                case Send(number, data):
                    assert number in speaker.open, f"says something by {number}, which is closed"
                    self._send(speaker, number, data)
                case Up() | Down() | Received() | Failed():
                    self._hear(speaker, effect)
        assert (speaker.up is not None) == (speaker.session.state.name == "ESTABLISHED"), "Up and state differ"
        assert speaker.up is None or speaker.open == {speaker.up}, "Established, and not by one connection"
        self._pump(speaker)

    def _hear(self, speaker: Speaker, effect: Effect) -> None:
        match effect:
            case Up(number, agreement):
                assert speaker.up is None, "up twice"
                speaker.up = number
                self.say(speaker.side, f"is up by {number}")
                speaker.rib.up(agreement.negotiated, {IPV4}, HOPS, agreement.longest)
                speaker.told = {}
            case Down(why):
                assert speaker.up is not None, "down twice"
                speaker.up = None
                self.say(speaker.side, f"is down: {why.text}")
                speaker.rib.down()
                speaker.told = {}
            case Received(Update() as said):
                assert speaker.up is not None, "told something by nobody"
                self._learn(speaker, said)
            case Received(RouteRefresh(family)):
                speaker.rib.refresh(family)
            case _:
                pass

    def _learn(self, speaker: Speaker, said: Update) -> None:
        assert not said.flaws
        for routes in said.withdrawn:
            for prefix in ONE[32].findall(routes.prefixes):
                assert speaker.told.pop(prefix, None) is not None, "withdrawn, and never told"
        for routes in said.announced:
            assert said.attributes
            speaker.told |= dict.fromkeys(ONE[32].findall(routes.prefixes), said.attributes)

    def _pump(self, speaker: Speaker) -> None:
        while speaker.up is not None and speaker.rib.pending:
            messages = speaker.rib.take(MOST_EXTENDED)
            for effect in speaker.session.say(messages, speaker.now):
                assert isinstance(effect, Send)
                self._send(speaker, effect.connection, effect.data)

    # -- the line

    def delay(self) -> float:
        """Of one message."""
        return self.random.uniform(0.0001, self.slowest)

    def _dial(self, speaker: Speaker, number: int) -> None:
        wire = self._wires[number] = Wire(speaker.side, number)
        if self.refuses:
            self.later(self.delay(), lambda: self._lost(speaker, wire, "connection refused"))
        elif not any(self.cut):
            self.later(self.delay() + self.delay(), lambda: self._stand(speaker, wire))

    def _stand(self, speaker: Speaker, wire: Wire) -> None:
        """Who dials knows first that it stands."""
        number = wire.ends[speaker.side]
        if number not in speaker.open or speaker is not self.speakers[speaker.side]:
            return
        self._carry(speaker.side, wire, lambda far: self._accept(far, wire))
        self._deliver(speaker, lambda: self._connected(speaker, number))

    def _connected(self, speaker: Speaker, number: int) -> None:
        if number in speaker.open:
            self.do(speaker, speaker.session.connected(number, speaker.now))

    def _accept(self, far: Speaker, wire: Wire) -> None:
        number = wire.ends[far.side] = self.number()
        self._wires[number] = wire
        far.open.add(number)
        self.do(far, far.session.accepted(number, far.now))

    def _send(self, speaker: Speaker, number: int, data: bytes) -> None:
        wire = self._wires[number]

        def arrive(far: Speaker) -> None:
            end = wire.ends[far.side]
            if end in far.open:
                half = self.random.randrange(len(data) + 1)
                self.do(far, far.session.receive(end, data[:half], far.now))
                self.do(far, far.session.receive(end, data[half:], far.now))

        self._carry(speaker.side, wire, arrive)

    def _close(self, speaker: Speaker, number: int) -> None:
        # What a kernel has ended is closed once more by us, and what was never a connection of ours is not ours.
        assert number not in speaker.closed, f"closes {number} twice"
        if number not in speaker.open:
            return
        self.say(speaker.side, f"closes {number}")
        speaker.open.discard(number)
        speaker.closed.add(number)
        wire = self._wires[number]
        self._carry(speaker.side, wire, lambda far: self._lost(far, wire, "connection closed"))

    def _lost(self, speaker: Speaker, wire: Wire, why: str) -> None:
        number = wire.ends[speaker.side]
        if number in speaker.open:
            self._deliver(speaker, lambda: self._ended(speaker, number, why))

    def _ended(self, speaker: Speaker, number: int, why: str) -> None:
        if number in speaker.open:
            self.do(speaker, speaker.session.closed(number, why, speaker.now))

    def _carry(self, side: int, wire: Wire, what: Callable[[Speaker], None]) -> None:
        """To the other side, in its order, to the life that it belongs to; or, where the line is cut, nowhere."""
        far = self.speakers[1 - side]
        if wire.broken:
            return
        if self.cut[side]:
            # Nothing more of this connection gets through, and the system notices in the end.
            wire.broken = True
            for each in self.speakers:
                self.later(self.patience, partial(self._lost, each, wire, "connection timed out"))
            return
        wire.arrives[side] = max(wire.arrives[side] + 1e-9, self.now + self.delay())

        def arrive() -> None:
            if far is self.speakers[far.side]:
                self._deliver(far, lambda: what(far))
            else:
                self._lost(self.speakers[side], wire, "connection reset")

        self.later(wire.arrives[side] - self.now, arrive)

    def _deliver(self, speaker: Speaker, what: Callable[[], None]) -> None:
        if speaker.still:
            speaker.waits.append(what)
        else:
            what()

    # -- what faults do

    def abandon(self, old: Speaker) -> None:
        """Its process is dead: the system closes what it had."""
        for number in sorted(old.open):
            wire = self._wires[number]
            self._carry(old.side, wire, partial(self._lost, wire=wire, why="connection reset"))
        old.open.clear()

    def reset(self, speaker: Speaker, number: int) -> None:
        """A connection breaks, at both ends."""
        wire = self._wires[number]
        self.say(speaker.side, f"loses {number}")
        wire.broken = True
        for each in self.speakers:
            self.later(self.delay(), partial(self._lost, each, wire, "connection reset"))

    def other_end(self, number: int) -> int:
        """What the other side calls a connection."""
        one, other = self._wires[number].ends
        return other if number == one else one
