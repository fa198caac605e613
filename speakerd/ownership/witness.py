"""Ask the wire before taking over: is the suspect silent where it announces, and would we hear it if it were not?

A core. An inquiry begins at the first missed heartbeat, so that its verdict is there when the votes are. A signed
answer needs no rule here: it is a sign of life like any other.
"""

from collections.abc import Callable, Collection
from enum import Enum

from msgspec import Struct

from speakerd.ownership.circle import Circle
from speakerd.ownership.effects import AskWire, Effect, Tell
from speakerd.ownership.message import Question

APART = 0.010
"""Seconds between two questions, and after the last one until silence is silence."""
LAPSE = 1.5
"""Seconds after which an inquiry is no longer of use: heartbeats have come since, or it begins anew."""


class Verdict(Enum):
    """What the wire says of a suspect."""

    PENDING = "pending"
    SILENT = "silent"
    HELD = "held"
    DEAF = "deaf"


class Host(Struct, frozen=True):
    """Somebody on the segment of interface `index` who answers for `ip`: a gateway, a client."""

    index: int
    ip: bytes
    mac: bytes


class Inquiry:
    """Questions to one suspect on the segments where its frames were heard."""

    def __init__(self, suspect: str, indexes: tuple[int, ...], vip: bytes, questions: int, now: float) -> None:
        self.suspect, self.vip, self.began = suspect, vip, now
        self._indexes, self._questions = indexes, questions
        self._asked = 0
        self._judged = False
        self._at = now
        self._companions: tuple[str, ...] = ()
        self._hosts: tuple[Host, ...] = ()
        self._wire_alive = False
        self._mac_at = 0.0

    def deadline(self) -> float | None:
        """The next question, then the verdict; nothing after that."""
        return None if self._judged else self._at

    def wake(self, circle: Circle, hosts: Collection[Host], nonce: Callable[[], bytes], now: float) -> list[Effect]:
        """Ask what is due."""
        if self._judged or now < self._at:
            return []
        if self._asked == self._questions:
            self._judged = True
            return []
        self._asked += 1
        self._at = now + APART
        return [effect for index in self._indexes for effect in self._ask(index, circle, hosts, nonce, now)]

    def _ask(
        self, index: int, circle: Circle, hosts: Collection[Host], nonce: Callable[[], bytes], now: float
    ) -> list[Effect]:
        """The suspect, one of its VIPs, and somebody who shows that we hear: no member that does not hear us."""
        found: list[Effect] = [Tell(self.suspect, Question(nonce()), index)]
        last = self._asked == self._questions
        macs = () if last else circle.macs(self.suspect)
        found += [AskWire(index, self.vip, mac) for mac in macs or (b"",)]
        others = (name for name in sorted(circle.living()) if name != self.suspect)
        if companion := next((name for name in others if circle.meets(name, (index,), now)), ""):
            self._companions = (*self._companions, companion)
            return [*found, Tell(companion, Question(nonce()), index)]
        host = next((each for each in hosts if each.index == index), None)
        if host:
            self._hosts = (*self._hosts, host)
            found.append(AskWire(index, host.ip, host.mac))
        return found

    def answered(self, name: str) -> None:
        """A member was heard on a segment."""
        self._wire_alive |= name in self._companions

    def heard(self, ip: bytes, mac: bytes, suspects: tuple[bytes, ...], now: float) -> None:
        """Somebody spoke for an address."""
        if ip == self.vip and mac in suspects:
            self._mac_at = now
        self._wire_alive |= any((host.ip, host.mac) == (ip, mac) for host in self._hosts)

    def verdict(self, now: float) -> Verdict:
        """What there is to say now."""
        if not self._indexes:
            return Verdict.SILENT
        if self._asked < self._questions or now < self._at:
            return Verdict.PENDING
        if self._mac_at:
            return Verdict.HELD
        if (self._companions or self._hosts) and not self._wire_alive:
            return Verdict.DEAF
        return Verdict.SILENT

    def over(self, now: float) -> bool:
        """Whether it is of no more use."""
        return now - self.began > LAPSE
