"""Shared memory with one writer and one reader in different processes, which outlives both.

A `Board` is an anonymous shared map with two slots; the writer fills the one nobody reads and turns the header over, so
a writer killed half-way leaves the last whole revision behind.

    header    2 x { revision u64, sections u32, crc32 u32 of the directory }
    slot      directory: sections x { offset u32, length u32, crc32 u32 }, then the sections
"""

import mmap
from collections import deque
from collections.abc import Sequence
from struct import Struct as Form
from zlib import crc32

import msgspec

HEADER = Form("=QII")
ENTRY = Form("=III")
SLOT_BYTES = 16 << 20
"""Room for 100,000 VIPs at 150 bytes; pages never touched cost nothing."""


class LinkFull(Exception):
    """What should be said does not fit the map; what was said before stands."""


class Section(msgspec.Struct, frozen=True):
    """Where a section lies in its slot, and its checksum: equal ones need not be decoded again."""

    offset: int
    length: int
    crc: int


class Board:
    """A shared map with one writer and one reader in different processes."""

    def __init__(self, slot_bytes: int = SLOT_BYTES) -> None:
        self._slot_bytes = slot_bytes
        self._map = mmap.mmap(-1, mmap.PAGESIZE + 2 * slot_bytes)

    def write(self, sections: Sequence[bytes]) -> None:
        """Replace all sections. Raises LinkFull where they do not fit."""
        revision, slot = self._newest()
        slot = 1 - slot
        offset = ENTRY.size * len(sections)
        if offset + sum(map(len, sections)) > self._slot_bytes:
            raise LinkFull(f"{sum(map(len, sections))} bytes in {len(sections)} sections")
        start = self._start(slot)
        directory = bytearray()
        for section in sections:
            directory += ENTRY.pack(offset, len(section), crc32(section))
            self._map[start + offset : start + offset + len(section)] = section
            offset += len(section)
        self._map[start : start + len(directory)] = bytes(directory)
        HEADER.pack_into(self._map, slot * HEADER.size, revision + 1, len(sections), crc32(directory))

    def directory(self) -> tuple[Section, ...]:
        """The newest whole revision's sections; none before the first write."""
        revision, slot = self._newest()
        if not revision:
            return ()
        _, count, _ = HEADER.unpack_from(self._map, slot * HEADER.size)
        start = self._start(slot)
        raw = self._map[start : start + count * ENTRY.size]
        return tuple(Section(start + o, length, crc) for o, length, crc in ENTRY.iter_unpack(raw))

    def section(self, section: Section) -> bytes | None:
        """Its bytes, or None where the writer has written over it since: a newer directory is there then."""
        data = self._map[section.offset : section.offset + section.length]
        return data if crc32(data) == section.crc else None

    def _start(self, slot: int) -> int:
        return mmap.PAGESIZE + slot * self._slot_bytes

    def _newest(self) -> tuple[int, int]:
        """(revision, slot) of the newest header whose directory is whole."""
        found = (0, 1)
        for slot in (0, 1):
            revision, count, crc = HEADER.unpack_from(self._map, slot * HEADER.size)
            start = self._start(slot)
            size = count * ENTRY.size
            if revision > found[0] and size <= self._slot_bytes and crc32(self._map[start : start + size]) == crc:
                found = (revision, slot)
        return found


class Sections:
    """A reader's memory of one board: which sections are new, handed out one at a time."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._seen: dict[int, tuple[int, int]] = {}
        self._directory: tuple[Section, ...] = ()
        self._pending: deque[int] = deque()

    def look(self) -> None:
        """Note which sections of the newest revision differ from what was handed out."""
        self._directory = self._board.directory()
        self._pending = deque(i for i, s in enumerate(self._directory) if self._seen.get(i) != (s.length, s.crc))

    def __bool__(self) -> bool:
        """Whether there is more to hand out."""
        return bool(self._pending)

    def next(self) -> tuple[int, bytes] | None:
        """(number, bytes) of the next new section; None where the writer was faster: look again, it has rung."""
        number = self._pending.popleft()
        section = self._directory[number]
        data = self._board.section(section)
        if data is None:
            self.look()
            return None
        self._seen[number] = (section.length, section.crc)
        return number, data
