"""Between controller and announcer: shared memory for what is so, a socket that only says something is new.

A `Board` is an anonymous shared map that outlives both children. It has two slots; the writer fills the one nobody
reads and turns the header over, so a writer killed half-way leaves the last whole revision behind.

    header    2 x { revision u64, sections u32, crc32 u32 of the directory }
    slot      directory: sections x { offset u32, length u32, crc32 u32 }, then the sections

Sections are keyed frames, so that one change among 10,000 VIPs re-encodes and decodes only its own few kilobytes.
"""

import mmap
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from struct import Struct as Form
from typing import Generic, Self, TypeVar
from zlib import crc32

import msgspec
from msgspec.structs import replace

from speakerd.bell import Bell, Pulse
from speakerd.exchange import (
    Candidate,
    Claim,
    Counters,
    Facts,
    Happening,
    Key,
    Layer2Settings,
    Member,
    MemberSeen,
    MembershipSettings,
    Observed,
    Stake,
    Vip,
    Wanted,
)
from speakerd.model import Interface

HEADER = Form("=QII")
ENTRY = Form("=III")
SLOT_BYTES = 16 << 20
"""Room for 100,000 VIPs at 150 bytes; pages never touched cost nothing."""
SECTIONS = 256
"""Fixed, so that an address never changes its section: 10,000 VIPs are 40 a section, decoded in under 0.2 ms."""

T = TypeVar("T")


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


class Ends(msgspec.Struct, frozen=True):
    """What one side holds: the board it writes, the board it reads, its bell.

    `notes`: what the process wants to find again when it is started anew.
    """

    out: Board
    into: Board
    bell: Bell
    notes: Board
    pulse: Pulse


class Link:
    """Made once by the supervisor, inherited by every child it starts."""

    def __init__(self) -> None:
        self._down, self._up, self._notes = Board(), Board(), Board()
        self._pulse = Pulse()
        upper, lower = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._upper, self._lower = Bell(upper), Bell(lower)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._upper.close()
        self._lower.close()

    def controller(self) -> Ends:
        """The controller's side: writes Wanted, reads what is observed."""
        return Ends(self._down, self._up, self._upper, self._notes, self._pulse)

    def announcer(self) -> Ends:
        """The announcer's side; what it wants to find again is what it shows."""
        return Ends(self._up, self._down, self._lower, self._up, self._pulse)


class Head(msgspec.Struct, frozen=True, array_like=True):
    """Section 0 of the way down: all of Wanted that is not a VIP."""

    me: str
    members: tuple[Member, ...]
    layer2: Layer2Settings
    membership: MembershipSettings
    keys: tuple[Key, ...]
    drained: bool
    blind: int = 0
    configuration: str = ""


class Shard(msgspec.Struct, frozen=True, array_like=True):
    """A section of VIPs with the candidate sets they point to (names once a section, not once a VIP)."""

    sets: tuple[tuple[Candidate, ...], ...]
    vips: tuple[Vip, ...]


class Sight(msgspec.Struct, frozen=True, array_like=True):
    """Section 0 of the way up: all that is observed but VIPs and their counters."""

    interfaces: tuple[Interface, ...]
    facts: Facts
    members: tuple[MemberSeen, ...] = ()
    happenings: tuple[Happening, ...] = ()
    mesh: dict[str, int] = {}
    conditions: dict[str, str] = {}
    strangers: dict[bytes, bytes] = {}


class Sharded(Generic[T]):
    """Sorts keyed values into sections; encodes those anew in which a value is another object than before."""

    def __init__(self, encode: Callable[[list[T]], bytes]) -> None:
        self._encode = encode
        self._values: Mapping[bytes, T] = {}
        self._shards: list[dict[bytes, T]] = [{} for _ in range(SECTIONS)]
        self._encoded = [encode([])] * SECTIONS

    def sections(self, values: Mapping[bytes, T], *, anew: bool = False) -> list[bytes]:
        """The sections for `values`; `anew` encodes them all."""
        touched = set(range(SECTIONS)) if anew else set()
        before = self._values
        for key, value in values.items():
            if before.get(key) is not value:
                touched.add(self._put(key, value))
        if len(before) != len(values) or touched:
            touched.update(self._drop(key) for key in before.keys() - values.keys())
        if touched:
            self._values = dict(values)
        for number in touched:
            self._encoded[number] = self._encode(list(self._shards[number].values()))
        return self._encoded

    def _put(self, key: bytes, value: T) -> int:
        number = crc32(key) % SECTIONS
        self._shards[number][key] = value
        return number

    def _drop(self, key: bytes) -> int:
        number = crc32(key) % SECTIONS
        del self._shards[number][key]
        return number


class WantedWriter:
    """Controller's side of the way down."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._encode = msgspec.msgpack.Encoder().encode
        self._sharded: Sharded[Vip] = Sharded(self._shard)
        self._sets: tuple[tuple[Candidate, ...], ...] = ()
        self._written: list[bytes] = []

    def apply(self, wanted: Wanted) -> bool:
        """Put `wanted` on the board and ring, unless the board says so already. Raises LinkFull."""
        anew = wanted.candidate_sets[: len(self._sets)] != self._sets
        self._sets = wanted.candidate_sets
        body = self._sharded.sections(wanted.vips, anew=anew)
        settings = (wanted.layer2, wanted.membership, wanted.keys)
        head = Head(wanted.me, wanted.members, *settings, wanted.drained, wanted.blind, wanted.configuration)
        sections = [self._encode(head), *body]
        if sections == self._written:
            return False
        self._ends.out.write(sections)
        self._written = sections
        self._ends.bell.ring()
        return True

    def _shard(self, vips: list[Vip]) -> bytes:
        """`vips` with their candidate sets, renumbered within the section."""
        local = {number: i for i, number in enumerate(dict.fromkeys(vip.candidates for vip in vips))}
        renumbered = tuple(replace(vip, candidates=local[vip.candidates]) for vip in vips)
        return self._encode(Shard(tuple(self._sets[number] for number in local), renumbered))


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


class WantedReader:
    """Announcer's side of the way down: what changed, a section at a time."""

    def __init__(self, ends: Ends) -> None:
        self._sections = Sections(ends.into)
        self._heads = msgspec.msgpack.Decoder(Head)
        self._shards = msgspec.msgpack.Decoder(Shard)
        self._held: dict[int, dict[bytes, Stake]] = {}
        self.head: Head | None = None

    def look(self) -> None:
        """Note what the newest revision has changed."""
        self._sections.look()

    @property
    def pending(self) -> bool:
        """Whether `changes` has more to give."""
        return bool(self._sections)

    def changes(self) -> dict[bytes, Stake | None]:
        """New, changed and gone (None) VIPs of the next section; empty where only the head changed."""
        found = self._sections.next()
        if found is None:
            return {}
        number, data = found
        if number == 0:
            self.head = self._heads.decode(data)
            return {}
        shard = self._shards.decode(data)
        stakes = {vip.ip: Stake(vip, shard.sets[vip.candidates]) for vip in shard.vips}
        before = self._held.get(number, {})
        self._held[number] = stakes
        gone: dict[bytes, Stake | None] = dict.fromkeys(before.keys() - stakes.keys())
        return gone | {ip: stake for ip, stake in stakes.items() if before.get(ip) != stake}


class SightWriter:
    """Announcer's side of the way up."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        encode = msgspec.msgpack.Encoder().encode
        self._encode = encode
        self._claims: Sharded[Claim] = Sharded(encode)

    def apply(self, seen: Observed) -> None:
        """Put what is observed on the board and ring."""
        told = (dict(seen.mesh), dict(seen.conditions), dict(seen.strangers))
        sight = self._encode(Sight(seen.interfaces, seen.facts, seen.members, seen.happenings, *told))
        counters = self._encode(list(seen.counters.values()))
        self._ends.out.write([sight, counters, *self._claims.sections(seen.claims)])
        self._ends.bell.ring()


class SightReader:
    """Controller's side of the way up; also what a restarted announcer reads of its predecessor's claims."""

    def __init__(self, board: Board) -> None:
        self._sections = Sections(board)
        self._sights = msgspec.msgpack.Decoder(Sight)
        self._counters = msgspec.msgpack.Decoder(list[Counters])
        self._claims = msgspec.msgpack.Decoder(list[Claim])
        self._counted: dict[bytes, Counters] = {}
        self._held: dict[int, list[Claim]] = {}
        self._sight = Sight((), Facts())

    def observed(self) -> Observed:
        """The newest observation; equal sections are not decoded again."""
        self._sections.look()
        while self._sections:
            found = self._sections.next()
            if found is None:
                continue
            number, data = found
            if number == 0:
                self._sight = self._sights.decode(data)
            elif number == 1:
                self._counted = {each.ip: each for each in self._counters.decode(data)}
            else:
                self._held[number] = self._claims.decode(data)
        claims = {claim.ip: claim for held in self._held.values() for claim in held}
        sight = self._sight
        return Observed(
            sight.interfaces,
            claims,
            self._counted,
            sight.facts,
            sight.members,
            sight.happenings,
            sight.mesh,
            sight.conditions,
            sight.strangers,
        )
