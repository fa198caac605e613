"""Before a first answer: ask the wire whether somebody has the address already.

A core. RFC 5227 probes for seconds; this is shorter on purpose, since an address just given out is seldom taken, and a
conflict that shows later is defended.
"""

from msgspec import Struct

from speakerd.ownership.effects import AskWire

ASKS = 3
AGAIN = 0.5
"""Seconds until an address that somebody else answers for is asked again."""
SOONER = 0.15
"""Seconds until it is asked again when nobody answered: a busy host, or a lost frame, is no silence yet."""
SILENCES = 3
"""Times in a row that nobody must answer where somebody did before: with the pauses, less than a second."""
AT_ONCE = 12
"""Addresses probed at a time: with 12 ms each, 1,000 a second."""


class Other(Struct, frozen=True):
    """Who else answers for an address, and how often in a row it did not."""

    mac: bytes
    silences: int = 0


class Probe:
    """Questions for one address."""

    def __init__(self, began: float, seconds: float) -> None:
        self.began, self._pause = began, seconds / ASKS
        self._asked = 0
        self.other: Other | None = None

    def at(self) -> float:
        """When to go on; after the last question that is the verdict."""
        return self.began + self._asked * self._pause

    @property
    def over(self) -> bool:
        """Whether all was asked, so that who comes back at `at` may judge."""
        return self._asked >= ASKS

    def ask(self, ip: bytes, indexes: tuple[int, ...]) -> list[AskWire]:
        """The next question, on each interface."""
        self._asked += 1
        return [AskWire(index, ip) for index in indexes]
