"""What happened lately in the announcer, numbered without gaps, for the controller to tell."""

from collections import deque

from speakerd.exchange import Happening

KEPT = 64
"""The controller looks ten times a second."""


class Chronicle:
    """The last happenings; `number` is that of the newest."""

    def __init__(self) -> None:
        self.number = 0
        self._kept: deque[Happening] = deque(maxlen=KEPT)

    @property
    def happenings(self) -> tuple[Happening, ...]:
        """Oldest first."""
        return tuple(self._kept)

    def note(self, now: float, word: str, subject: str, detail: str) -> None:
        """Keep one."""
        self.number += 1
        self._kept.append(Happening(self.number, now, word, subject, detail))
