"""Between processes: a bell that says something is new, and a pulse that says when somebody last turned."""

import mmap
import socket
from contextlib import suppress
from struct import Struct as Form

PULSE = Form("=d")
RINGS = 4096
"""Taken at a time."""
NEWS, COUNT = b"!", b"?"
"""What a ring says: the board has something new; or, down only: count what was asked and answered, and show it."""


class Bell:
    """One end of a socket pair: `ring` never blocks (a full socket is being read, or its reader is restarted)."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end

    def close(self) -> None:
        """Give the socket back."""
        self._end.close()

    def fileno(self) -> int:
        """For the loop that waits."""
        return self._end.fileno()

    def ring(self, word: bytes = NEWS) -> None:
        """Tell the other side `word`."""
        with suppress(BlockingIOError, ConnectionError):
            self._end.send(word)

    def rung(self) -> bytes:
        """Take all rings so far: each word that was among them, once."""
        words: set[int] = set()
        with suppress(BlockingIOError, ConnectionError):
            while heard := self._end.recv(RINGS):
                words.update(heard)
        return bytes(words)


class Pulse:
    """When the announcer last turned (CLOCK_BOOTTIME, seconds): one that is started anew learns how long nobody did."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, mmap.PAGESIZE)

    def beat(self, now: float) -> None:
        """It turns."""
        PULSE.pack_into(self._map, 0, now)

    def last(self) -> float:
        """When it last did, 0 never."""
        (at,) = PULSE.unpack_from(self._map)
        return float(at)
