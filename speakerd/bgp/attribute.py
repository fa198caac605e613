"""Path attributes: what they are called, what they are worth to us, and how ours are written (RFC 4271 section 4.3).

0       1      2        3 octets
| flags | type | length | value |     the length in 2 octets where the flags say so
"""

from enum import IntEnum
from struct import Struct as Form

from msgspec import Struct

from speakerd.bgp import aspath
from speakerd.bgp.aspath import AS_TRANS, MOST_TWO, Path
from speakerd.bgp.family import Negotiated

OPTIONAL, TRANSITIVE, PARTIAL, EXTENDED = 0x80, 0x40, 0x20, 0x10
LARGE = Form("!III")


class Attribute(IntEnum):
    """RFC 4271 section 5, 1997, 4456 8, 4760 3 and 4, 4360 2, 6793 3, 8092 3."""

    ORIGIN = 1
    AS_PATH = 2
    NEXT_HOP = 3
    MULTI_EXIT_DISC = 4
    LOCAL_PREF = 5
    ATOMIC_AGGREGATE = 6
    AGGREGATOR = 7
    COMMUNITIES = 8
    ORIGINATOR_ID = 9
    CLUSTER_LIST = 10
    MP_REACH_NLRI = 14
    MP_UNREACH_NLRI = 15
    EXTENDED_COMMUNITIES = 16
    AS4_PATH = 17
    AS4_AGGREGATOR = 18
    LARGE_COMMUNITIES = 32


class Origin(IntEnum):
    """How a route came to be (RFC 4271 section 5.1.1)."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


class Aggregator(Struct, frozen=True):
    """Who made one route of several: AS number, BGP identifier."""

    asn: int
    identifier: bytes


class Attributes(Struct, frozen=True, cache_hash=True):
    """What is said of some routes, next hop aside; None: not said.

    `communities`: of 32 bits each; `large`: three numbers of 32 bits each. `other`: type and value of those unknown
    here that whoever passes the route on must keep, and mark as partial (RFC 4271 section 5).
    """

    origin: Origin = Origin.IGP
    path: Path = ()
    med: int | None = None
    local_pref: int | None = None
    atomic: bool = False
    aggregator: Aggregator | None = None
    communities: tuple[int, ...] = ()
    large: tuple[tuple[int, int, int], ...] = ()
    other: tuple[tuple[int, bytes], ...] = ()


def encode(said: Attributes, next_hop: bytes, negotiated: Negotiated) -> bytes:
    """All attributes in the order of their types (RFC 4271 section 5); without `next_hop`, none of that name."""
    width = 4 if negotiated.four_octet else 2
    pieces = [
        one(TRANSITIVE, Attribute.ORIGIN, bytes((said.origin,))),
        one(TRANSITIVE, Attribute.AS_PATH, aspath.encode(said.path, width)),
    ]
    if next_hop:
        pieces.append(one(TRANSITIVE, Attribute.NEXT_HOP, next_hop))
    if said.med is not None:
        pieces.append(one(OPTIONAL, Attribute.MULTI_EXIT_DISC, said.med.to_bytes(4)))
    if said.local_pref is not None:
        pieces.append(one(TRANSITIVE, Attribute.LOCAL_PREF, said.local_pref.to_bytes(4)))
    if said.atomic:
        pieces.append(one(TRANSITIVE, Attribute.ATOMIC_AGGREGATE, b""))
    return b"".join(pieces + _optional(said, width))


def _optional(said: Attributes, width: int) -> list[bytes]:
    """The optional transitive ones."""
    values: dict[int, bytes] = dict(said.other)
    if said.communities:
        values[Attribute.COMMUNITIES] = b"".join(each.to_bytes(4) for each in said.communities)
    if said.large:
        values[Attribute.LARGE_COMMUNITIES] = b"".join(LARGE.pack(*each) for each in said.large)
    path = aspath.unconfederated(said.path)
    if width == 2 and aspath.needs_four(path):
        values[Attribute.AS4_PATH] = aspath.encode(path, 4)
    if said.aggregator:
        asn, identifier = said.aggregator.asn, said.aggregator.identifier
        if width == 2 and asn > MOST_TWO:
            values[Attribute.AS4_AGGREGATOR] = asn.to_bytes(4) + identifier
            asn = AS_TRANS
        values[Attribute.AGGREGATOR] = asn.to_bytes(width) + identifier
    kept = dict(said.other)
    return [
        one(OPTIONAL | TRANSITIVE | PARTIAL * (number in kept), number, values[number]) for number in sorted(values)
    ]


def one(flags: int, number: int, value: bytes) -> bytes:
    """An attribute with its head."""
    if len(value) > 255:
        return bytes((flags | EXTENDED, number)) + len(value).to_bytes(2) + value
    return bytes((flags, number, len(value))) + value
