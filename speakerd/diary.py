"""The ring of events on disk: appended to, turned over when it is large, and read again by the next life."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from speakerd import events
from speakerd.events import Event, Ring

NAME, OLDER = "events", "events.1"
MODE = 0o600
FILE_BYTES = 1 << 20
"""At which the file is turned over: with the one before it there are always KEPT events of 250 bytes."""
READ_BYTES = 2 * FILE_BYTES
"""Of one file, from its end: it may be larger than we let it grow, by whoever wrote to it."""


class Diary:
    """Holds the events, and keeps what is added to them; `problem`: why the last could not be written, "" for none."""

    def __init__(self, folder: Path) -> None:
        self._path, self._older = folder / NAME, folder / OLDER
        self.problem = ""
        self.ring = Ring(events.read(_end_of(self._older) + b"\n" + _end_of(self._path)))

    def add(self, found: Iterable[Event]) -> list[Event]:
        """Number events and write them down; as they are kept. One that cannot be written is in memory all the same."""
        kept = self.ring.add(found)
        if kept:
            try:
                self._append(b"".join(map(events.line, kept)))
                self.problem = ""
            except OSError as fault:
                self.problem = f"{self._path}: {fault.strerror or fault}"
        return kept

    def _append(self, data: bytes) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self._path, flags, MODE)
        try:
            size = os.fstat(file).st_size
            if size and os.pread(file, 1, size - 1) != b"\n":
                data = b"\n" + data  # what a predecessor did not finish is a line of its own
            os.write(file, data)
        finally:
            os.close(file)
        if size + len(data) > FILE_BYTES:
            self._path.replace(self._older)


def _end_of(path: Path) -> bytes:
    """The last READ_BYTES of a file; nothing where it cannot be read."""
    with suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - READ_BYTES))
        return file.read(READ_BYTES)
    return b""
