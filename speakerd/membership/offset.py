"""How far another host's clock is from ours: if ours stood still, messages come earlier than they ever did; a core.

A message that was late on its way says nothing: later ones are held against the earliest of the last while.
"""

WHILE = 30_000_000
"""Microseconds; clocks that differ by 1 in 1,000 are 60 ms apart in twice that, and nobody notices."""


class Offset:
    """The least times (our clock minus the sender's) of this while and of the one before."""

    def __init__(self) -> None:
        self._least: list[int] = []
        self._began = self._last = 0

    def ahead(self, sent: int, received: int, steady: int) -> int:
        """By how many microseconds a message came earlier than any of late.

        0 for the first one, and where none came for longer than `steady`: what is heard rarely may have been late.
        """
        offset = received - sent
        if received - self._last > steady:
            self._least.clear()
        self._last = received
        ahead = max(0, min(self._least) - offset) if self._least else 0
        if not self._least or received - self._began >= WHILE:
            self._least = [*self._least[-1:], offset]
            self._began = received
        self._least[-1] = min(self._least[-1], offset)
        return ahead
