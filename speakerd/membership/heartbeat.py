"""What members tell one another about life: heartbeats, proofs of a boot, votes, refutations.

Bodies of messages as MessagePack arrays, which grow at their end alone (message.py); what a stranger could make long is
limited here.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from itertools import islice
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from speakerd.digest import sha256
from speakerd.wire import UNDECODABLE, DecodeError

ID_BYTES = 4
"""Of a member in a list: two of 200 members share one in five of a million clusters."""
MOST_NAMES = 24
"""Members in one list: twice the observers a member can have, and those that met it by chance."""
MOST_DEAD = 8
"""Deaths told in one heartbeat; older ones are known by then."""
MOST_MACS = 8
"""Interfaces a member announces on. All lists full, a heartbeat fits its message whatever the members are called."""

MOST_CONFIGURATION = 8
"""Octets that tell two configurations apart."""
MOST_DIGEST = 192
"""Octets that tell two tables of claims apart."""

Name = Annotated[str, Meta(max_length=253)]
Ids = Annotated[bytes, Meta(max_length=MOST_NAMES * ID_BYTES)]
Boot = Annotated[int, Meta(ge=0)]


class Phase(IntEnum):
    """What a member says of itself."""

    STARTING = 0
    RUNNING = 1
    LEAVING = 2


class Fate(Struct, frozen=True, array_like=True):
    """A member's life that has ended, as two votes found."""

    member: Annotated[bytes, Meta(min_length=ID_BYTES, max_length=ID_BYTES)]
    boot: Boot


class Heartbeat(Struct, frozen=True, array_like=True):
    """I live. `interval` and `age` in milliseconds: between two of these, and since this node started.

    `udp`, `frames`: ids of whom I hear lately by that carrier; `side`: the fewest members I held alive in 10 s;
    `echo`, `echo_age`: the receiver's last sequence I got, and microseconds since; `macs`: where I announce from;
    `digest`: of the claims I know; `able`: some interface of mine can announce; `configuration`: a digest of what my
    settings and the cluster's resources come to, b"" unknown.
    """

    phase: Phase
    interval: Annotated[int, Meta(ge=10, le=10_000)]
    age: Annotated[int, Meta(ge=0)]
    side: Annotated[int, Meta(ge=0)]
    udp: Ids
    frames: Ids
    dead: Annotated[tuple[Fate, ...], Meta(max_length=MOST_DEAD)]
    echo: Annotated[int, Meta(ge=0)]
    echo_age: Annotated[int, Meta(ge=0)]
    drained: bool
    able: bool
    macs: Annotated[tuple[Annotated[bytes, Meta(max_length=6)], ...], Meta(max_length=MOST_MACS)]
    digest: Annotated[bytes, Meta(max_length=MOST_DIGEST)]
    configuration: Annotated[bytes, Meta(max_length=MOST_CONFIGURATION)]


class Nonce(Struct, frozen=True, array_like=True):
    """HELLO asks a boot to sign `nonce`; PROOF does."""

    nonce: Annotated[bytes, Meta(min_length=8, max_length=16)]


class Vote(Struct, frozen=True, array_like=True):
    """I have missed `suspect`; `sequence` is the last I heard of that boot."""

    suspect: Name
    boot: Boot
    sequence: Annotated[int, Meta(ge=0)]


class Refutation(Struct, frozen=True, array_like=True):
    """`name` lives: this `sequence` of that boot was heard."""

    name: Name
    boot: Boot
    sequence: Annotated[int, Meta(ge=0)]


@lru_cache(maxsize=1024)
def member_id(name: str) -> bytes:
    """By what a member is listed."""
    return sha256(name.encode()).digest()[:ID_BYTES]


def ids(names: Iterable[str]) -> bytes:
    """A list of members, the first ones if they are too many; the same for the same members in any order."""
    return b"".join(sorted(member_id(name) for name in islice(names, MOST_NAMES)))


def listed(found: bytes) -> frozenset[bytes]:
    """The ids in a list."""
    return frozenset(found[at : at + ID_BYTES] for at in range(0, len(found), ID_BYTES))


T = TypeVar("T", bound=Struct)

encode = msgspec.msgpack.Encoder().encode
_decoders: dict[type[Struct], msgspec.msgpack.Decoder[Struct]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in (Heartbeat, Nonce, Vote, Refutation)
}


def decode(body: bytes, kind: type[T]) -> T:
    """`body` as a `kind`. Raises DecodeError."""
    try:
        found = _decoders[kind].decode(body)
    except UNDECODABLE as fault:
        raise DecodeError(str(fault)) from None
    assert isinstance(found, kind)
    return found
