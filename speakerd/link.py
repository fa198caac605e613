"""Between controller and announcer: shared memory for what is so, a socket that only says something is new.

A `Board` holds sections, which are keyed frames, so that one change among 10,000 VIPs or prefixes encodes and decodes
only its own few kilobytes.

    down      Head, BgpHead, SECTIONS x Shard of VIPs, SECTIONS x PrefixShard
    up        Sight, counters, SECTIONS x claims
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from sys import intern
from typing import Generic, Self, TypeVar
from zlib import crc32

import msgspec
from msgspec.structs import replace

from speakerd.bell import Bell, Pulse
from speakerd.board import Board, Sections
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
from speakerd.peering import BgpSettings, Neighbour, Prefix, Said, SessionSeen

SECTIONS = 256
"""Fixed, so that an address never changes its section: 10,000 VIPs are 40 a section, decoded in under 0.2 ms."""
HEAD, BGP, FIRST = 0, 1, 2
PREFIXES = FIRST + SECTIONS
"""Of the way down: numbers of Head, BgpHead, and the first sections of VIPs and of prefixes."""

T = TypeVar("T")


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
    """Section 0 of the way down: all of Wanted but VIPs and BGP."""

    me: str
    members: tuple[Member, ...]
    layer2: Layer2Settings
    membership: MembershipSettings
    keys: tuple[Key, ...]
    drained: bool
    blind: int = 0
    configuration: str = ""


class BgpHead(msgspec.Struct, frozen=True, array_like=True):
    """Section 1 of the way down: with whom this node speaks BGP, and how."""

    settings: BgpSettings = BgpSettings()
    neighbours: tuple[Neighbour, ...] = ()


class Shard(msgspec.Struct, frozen=True, array_like=True):
    """A section of VIPs with the candidate sets they point to (names once a section, not once a VIP)."""

    sets: tuple[tuple[Candidate, ...], ...]
    vips: tuple[Vip, ...]


class PrefixShard(msgspec.Struct, frozen=True, array_like=True):
    """A section of prefixes, (version, nlri, number of what is said of it): that once a section, not once a prefix."""

    said: tuple[Said, ...]
    prefixes: tuple[tuple[int, bytes, int], ...]


class Changes(msgspec.Struct, frozen=True):
    """What a section of the way down changes: new and changed values by their keys, and None for what is gone."""

    vips: dict[bytes, Stake | None] = {}
    prefixes: dict[bytes, Prefix | None] = {}


class Sight(msgspec.Struct, frozen=True, array_like=True):
    """Section 0 of the way up: all that is observed but VIPs and their counters."""

    interfaces: tuple[Interface, ...]
    facts: Facts
    members: tuple[MemberSeen, ...] = ()
    happenings: tuple[Happening, ...] = ()
    mesh: dict[str, int] = {}
    conditions: dict[str, str] = {}
    strangers: dict[bytes, bytes] = {}
    sessions: tuple[SessionSeen, ...] = ()


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
        self._prefixes: Sharded[Prefix] = Sharded(self._prefix_shard)
        self._sets: tuple[tuple[Candidate, ...], ...] = ()
        self._bgp = BgpHead()
        self._bgp_encoded = self._encode(self._bgp)
        self._routed: tuple[Mapping[bytes, Prefix], list[bytes]] = ({}, self._prefixes.sections({}))
        self._written: list[bytes] = []

    def apply(self, wanted: Wanted) -> bool:
        """Put `wanted` on the board and ring, unless the board says so already. Raises LinkFull."""
        anew = wanted.candidate_sets[: len(self._sets)] != self._sets
        self._sets = wanted.candidate_sets
        body = self._sharded.sections(wanted.vips, anew=anew)
        settings = (wanted.layer2, wanted.membership, wanted.keys)
        head = Head(wanted.me, wanted.members, *settings, wanted.drained, wanted.blind, wanted.configuration)
        sections = [self._encode(head), self._spoken_to(wanted), *body, *self._announced(wanted.prefixes)]
        if sections == self._written:
            return False
        self._ends.out.write(sections)
        self._written = sections
        self._ends.bell.ring()
        return True

    def _spoken_to(self, wanted: Wanted) -> bytes:
        """BgpHead as a section; encoded where it is of other objects than before."""
        if wanted.bgp is not self._bgp.settings or wanted.neighbours is not self._bgp.neighbours:
            self._bgp = BgpHead(wanted.bgp, wanted.neighbours)
            self._bgp_encoded = self._encode(self._bgp)
        return self._bgp_encoded

    def _announced(self, prefixes: Mapping[bytes, Prefix]) -> list[bytes]:
        """The prefixes' sections; the same mapping is not looked at again: what was published never changes."""
        if prefixes is not self._routed[0]:
            self._routed = prefixes, self._prefixes.sections(prefixes)
        return self._routed[1]

    def _prefix_shard(self, prefixes: list[Prefix]) -> bytes:
        """`prefixes`, with what is said of them once."""
        numbers: dict[Said, int] = {}
        rows = tuple((each.version, each.nlri, numbers.setdefault(each.said, len(numbers))) for each in prefixes)
        return self._encode(PrefixShard(tuple(numbers), rows))

    def _shard(self, vips: list[Vip]) -> bytes:
        """`vips` with their candidate sets, renumbered within the section."""
        local = {number: i for i, number in enumerate(dict.fromkeys(vip.candidates for vip in vips))}
        renumbered = tuple(replace(vip, candidates=local[vip.candidates]) for vip in vips)
        return self._encode(Shard(tuple(self._sets[number] for number in local), renumbered))


class WantedReader:
    """Announcer's side of the way down: what changed, a section at a time.

    `head`, `bgp`: the newest that were handed out; other objects only where they have changed.
    """

    def __init__(self, ends: Ends) -> None:
        self._sections = Sections(ends.into)
        self._heads = msgspec.msgpack.Decoder(Head)
        self._bgp_heads = msgspec.msgpack.Decoder(BgpHead)
        self._shards = msgspec.msgpack.Decoder(Shard)
        self._prefix_shards = msgspec.msgpack.Decoder(PrefixShard)
        self._held: dict[int, dict[bytes, Stake]] = {}
        self._routed: dict[int, dict[bytes, Prefix]] = {}
        self.head: Head | None = None
        self.bgp = BgpHead()

    def look(self) -> None:
        """Note what the newest revision has changed."""
        self._sections.look()

    @property
    def pending(self) -> bool:
        """Whether `changes` has more to give."""
        return bool(self._sections)

    def within(self, until: float, clock: Callable[[], float]) -> Iterator[Changes]:
        """`changes` until `clock` says `until`, once at least; where some are left after that, they are `pending`."""
        while self.pending:
            yield self.changes()
            if clock() > until:
                return

    def changes(self) -> Changes:
        """What the next section changes; nothing where it is none of VIPs or prefixes."""
        found = self._sections.next()
        if found is None:
            return Changes()
        number, data = found
        if number == HEAD:
            self.head = self._heads.decode(data)
        elif number == BGP:
            self.bgp = self._bgp_heads.decode(data)
        elif number < PREFIXES:
            return Changes(vips=_changed(self._held, number, self._stakes(data)))
        else:
            return Changes(prefixes=_changed(self._routed, number, self._prefixes(data)))
        return Changes()

    def _stakes(self, data: bytes) -> dict[bytes, Stake]:
        shard = self._shards.decode(data)
        return {vip.ip: Stake(_thrifty(vip), shard.sets[vip.candidates]) for vip in shard.vips}

    def _prefixes(self, data: bytes) -> dict[bytes, Prefix]:
        shard = self._prefix_shards.decode(data)
        found = (Prefix(version, nlri, shard.said[number]) for version, nlri, number in shard.prefixes)
        return {each.key: each for each in found}


def _changed(held: dict[int, dict[bytes, T]], number: int, now: dict[bytes, T]) -> dict[bytes, T | None]:
    """What a section holds that it did not before, None for what it no longer holds; it is remembered."""
    before, held[number] = held.get(number, {}), now
    gone: dict[bytes, T | None] = dict.fromkeys(before.keys() - now.keys())
    return gone | {key: value for key, value in now.items() if before.get(key) != value}


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
        sight = self._encode(Sight(seen.interfaces, seen.facts, seen.members, seen.happenings, *told, seen.sessions))
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
                self._held[number] = list(map(_compact, self._claims.decode(data)))
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
            sight.sessions,
        )


def _thrifty(vip: Vip) -> Vip:
    """The same; what other VIPs have as well is one object for all."""
    rank_by = vip.ip if vip.rank_by == vip.ip else vip.rank_by
    names = _names(vip.interfaces), _names(vip.segments)
    owner, heir = intern(vip.owner), intern(vip.heir)
    return replace(vip, rank_by=rank_by, interfaces=names[0], segments=names[1], owner=owner, heir=heir)


def _compact(claim: Claim) -> Claim:
    """The same; names that thousands of claims have in common are one object for all."""
    return replace(
        claim,
        owner=intern(claim.owner),
        cause=intern(claim.cause),
        heir=intern(claim.heir),
        previous=intern(claim.previous),
        interfaces=_names(claim.interfaces),
    )


@lru_cache(maxsize=1024)
def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The one tuple that equals `names`."""
    return names
