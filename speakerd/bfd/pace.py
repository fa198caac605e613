"""How often a session speaks and how long it waits, as both ends agreed (RFC 5880 sections 6.5 and 6.8.2 to 6.8.4).

What is said and what is in force are two things: until the neighbour has answered a Poll, it may not know that packets
will be rarer, nor that it is to send more of them.
"""

from collections.abc import Callable
from enum import Enum

from msgspec import Struct

from speakerd.bfd.packet import Packet

SECOND = 1_000_000
"""In microseconds."""
JITTER = 0.25
"""How much earlier than agreed a packet may go, at most (RFC 5880 section 6.8.7)."""
LEAST_JITTER_OF_ONE = 0.1
"""How much earlier it must go, where one lost packet is a failure."""


class Terms(Struct, frozen=True):
    """What one end says of itself: Detect Mult, Desired Min TX and Required Min RX Interval in microseconds."""

    multiplier: int
    desired_tx: int
    required_rx: int


class Poll(Enum):
    """How far a Poll Sequence has come (RFC 5880 section 6.5).

    SETTLING: a Final came; until a packet without one does, another might be of the same Poll (section 6.8.3).
    """

    IDLE = "idle"
    DUE = "due"
    SENT = "sent"
    SETTLING = "settling"


class Pace:
    """The intervals of one session. `random` gives numbers from 0 to 1; `remote`: the neighbour's last packet, if any.

    `said`: what our packets tell.
    """

    def __init__(self, terms: Terms, random: Callable[[], float]) -> None:
        self.said = self._wish = terms
        self._tx, self._rx = terms.desired_tx, terms.required_rx
        self._random = random
        self._up = False
        self.poll = Poll.IDLE
        self.remote: Packet | None = None

    # -- what changes it

    def want(self, terms: Terms, *, up: bool) -> None:
        """Have our packets tell other terms, at once or, while a session that is Up polls already, after that."""
        self._wish = terms
        stays_up = up and self._up
        self._up = up
        if not stays_up or self.poll is Poll.IDLE:
            self._say()

    def _say(self) -> None:
        """Longer intervals of ours, and shorter ones of the neighbour, count only after it has answered."""
        terms, before, self.said = self._wish, self.said, self._wish
        if not self._up or terms.desired_tx < self._tx:
            self._tx = terms.desired_tx
        if not self._up or terms.required_rx > self._rx:
            self._rx = terms.required_rx
        if terms != before and self.remote is not None:
            self.poll = Poll.DUE

    def hear(self, packet: Packet) -> None:
        """Take what a packet says of the neighbour, and whether it answers our Poll."""
        self.remote = packet
        if self.poll is Poll.SENT and packet.final:
            self.poll = Poll.SETTLING
            self._tx, self._rx = self.said.desired_tx, self.said.required_rx
        elif self.poll is Poll.SETTLING and not packet.final:
            self.poll = Poll.IDLE
            if self._wish != self.said:
                self._say()

    def lose(self) -> None:
        """Nothing was heard for a Detection Time: what the neighbour said counts no longer (RFC 5880 section 6.8.1)."""
        self.remote = None
        self.poll = Poll.IDLE

    def polled(self) -> bool:
        """Whether the packet that leaves now polls."""
        if self.poll is Poll.DUE:
            self.poll = Poll.SENT
        return self.polls

    # -- what it comes to

    @property
    def polls(self) -> bool:
        """Whether a Poll waits to be sent or answered."""
        return self.poll in (Poll.DUE, Poll.SENT)

    @property
    def interval(self) -> float | None:
        """Seconds between our packets, jitter aside; None: the neighbour wants nothing periodic."""
        if self.remote is None:
            return self._tx / SECOND
        return max(self._tx, self.remote.required_rx) / SECOND if self.remote.required_rx else None

    @property
    def detection(self) -> float:
        """Seconds without a packet after which the neighbour counts as gone; 0 where none was heard lately."""
        if self.remote is None:
            return 0.0
        return self.remote.multiplier * max(self._rx, self.remote.desired_tx) / SECOND

    @property
    def detection_of_us(self) -> float:
        """Seconds of silence after which the neighbour thinks that we are gone; 0 where none was heard lately."""
        if self.remote is None:
            return 0.0
        return self.said.multiplier * max(self.said.desired_tx, self.remote.required_rx) / SECOND

    def jitter(self) -> float:
        """The part of the interval after which the next packet goes, drawn anew for each (RFC 5880 section 6.8.7)."""
        least = LEAST_JITTER_OF_ONE if self.said.multiplier == 1 else 0.0
        return 1.0 - least - (JITTER - least) * self._random()
