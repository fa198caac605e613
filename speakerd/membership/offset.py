"""How far another host's clock is from ours: if ours stood still, messages come earlier than they ever did; a core.

A message that was late on its way says nothing: later ones are held against the earliest of the last while. Those of
one moment are not held against each other: all that came while our clock stood still is read at once.
"""

WHILE = 30_000_000
"""Microseconds; clocks that differ by 1 in 1,000 are 60 ms apart in twice that, and nobody notices."""
MOMENTS = 4
"""Of which `steady` is made."""
AHEAD = 2
"""Intervals a member's clock may go further than ours between two messages, until we believe that ours stood still."""


class Offset:
    """The least times (our clock minus the sender's) of this while and of the one before, and of this moment."""

    def __init__(self) -> None:
        self._least: list[int] = []
        self._moment: int | None = None
        self._began = self._moment_began = self._last = 0

    def ahead(self, sent: int, received: int, steady: int) -> int:
        """By how many microseconds a message came earlier than any of late.

        0 for the first one, and where none came for longer than `steady`: what is heard rarely may have been late.
        """
        if received - self._last > steady:
            self._least, self._moment = [], None
        self._last = received
        if self._moment is not None and received - self._moment_began >= steady // MOMENTS:
            self._take(self._moment, received)
            self._moment = None
        offset = received - sent
        ahead = max(0, min(self._least) - offset) if self._least else 0
        if self._moment is None:
            self._moment, self._moment_began = offset, received
        self._moment = min(self._moment, offset)
        return ahead

    def _take(self, offset: int, received: int) -> None:
        """Let a moment count that is over."""
        if not self._least or received - self._began >= WHILE:
            self._least = [*self._least[-1:], offset]
            self._began = received
        self._least[-1] = min(self._least[-1], offset)


class Standstill:
    """Whether our clock stood still, told once: all that came meanwhile shows it."""

    def __init__(self) -> None:
        self._told_at = float("-inf")

    def shows(self, ahead: float, interval: float, now: float) -> bool:
        """Whether a message that came `ahead` seconds too early tells it for the first time."""
        if ahead <= AHEAD * interval or now - self._told_at < interval:
            return False
        self._told_at = now
        return True
