"""What the value of each path attribute must look like, and what it costs where one does not (RFC 7606 section 7)."""

from collections.abc import Callable
from enum import IntEnum
from struct import unpack

from msgspec import Struct

from speakerd.bgp import aspath
from speakerd.bgp.aspath import Path
from speakerd.bgp.attribute import LARGE, OPTIONAL, TRANSITIVE, Aggregator, Attribute, Origin
from speakerd.bgp.error import UpdateError
from speakerd.bgp.family import Negotiated
from speakerd.wire import DecodeError

MULTICAST = 224
"""First octet from which no IPv4 address is a host's."""
LEAST_AS4_PATH = 6
"""Octets (RFC 6793 section 6)."""


class Approach(IntEnum):
    """What an error costs, the harsher the larger (RFC 7606 section 2); where it costs the session, Fault is raised."""

    ATTRIBUTE_DISCARD = 1
    TREAT_AS_WITHDRAW = 2
    AFI_SAFI_DISABLE = 3


class Malformed(Exception):
    """A value is not as it must be, and by which subcode; the rule of its attribute says what that costs."""

    def __init__(self, subcode: UpdateError) -> None:
        super().__init__(subcode.words)
        self.subcode = subcode


class Rule(Struct, frozen=True):
    """One type of attribute: optional and transitive bit, what an error costs, how its value is read.

    `read` raises Malformed. `internal`: only a peer of our own AS may send it. `two`: only one who knows AS numbers of
    two octets may. Where others do, it is discarded.
    """

    flags: int
    approach: Approach
    read: Callable[[bytes, Negotiated], object]
    internal: bool = False
    two: bool = False

    def welcome(self, negotiated: Negotiated) -> bool:
        """Whether such a peer may send it (RFC 7606 sections 7.5, 7.9 and 7.10; RFC 6793 section 6)."""
        return not (self.internal and negotiated.external) and not (self.two and negotiated.four_octet)


def _sized(value: bytes, unit: int) -> None:
    """Refuse what is empty or no whole number of units."""
    if not value or len(value) % unit:
        raise Malformed(UpdateError.LENGTH)


def _exactly(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise Malformed(UpdateError.LENGTH)
    return value


def _origin(value: bytes, _: Negotiated) -> Origin:
    (number,) = _exactly(value, 1)
    if number > Origin.INCOMPLETE:
        raise Malformed(UpdateError.ORIGIN)
    return Origin(number)


def _path(value: bytes, negotiated: Negotiated) -> Path:
    """A confederation is nobody's business outside it (RFC 5065 section 5)."""
    path = _decoded(value, 4 if negotiated.four_octet else 2, UpdateError.AS_PATH)
    if negotiated.external and aspath.unconfederated(path) != path:
        raise Malformed(UpdateError.AS_PATH)
    return path


def _as4_path(value: bytes, _: Negotiated) -> Path:
    """Segments of a confederation in it are dropped (RFC 6793 section 6)."""
    if len(value) < LEAST_AS4_PATH:
        raise Malformed(UpdateError.LENGTH)
    return aspath.unconfederated(_decoded(value, 4, UpdateError.OPTIONAL))


def _decoded(value: bytes, width: int, subcode: UpdateError) -> Path:
    try:
        return aspath.decode(value, width)
    except DecodeError:
        raise Malformed(subcode) from None


def _next_hop(value: bytes, _: Negotiated) -> bytes:
    if not 0 < _exactly(value, 4)[0] < MULTICAST:
        raise Malformed(UpdateError.NEXT_HOP)
    return value


def _number(value: bytes, _: Negotiated) -> int:
    return int.from_bytes(_exactly(value, 4))


def _nothing(value: bytes, _: Negotiated) -> bool:
    return not _exactly(value, 0)


def _aggregator(value: bytes, negotiated: Negotiated) -> Aggregator:
    return _aggregated(value, 4 if negotiated.four_octet else 2)


def _as4_aggregator(value: bytes, _: Negotiated) -> Aggregator:
    return _aggregated(value, 4)


def _aggregated(value: bytes, width: int) -> Aggregator:
    """Nobody is AS 0 (RFC 7607)."""
    _exactly(value, width + 4)
    asn = int.from_bytes(value[:width])
    if not asn:
        raise Malformed(UpdateError.OPTIONAL)
    return Aggregator(asn, value[width:])


def _communities(value: bytes, _: Negotiated) -> tuple[int, ...]:
    _sized(value, 4)
    return unpack(f"!{len(value) // 4}I", value)


def _large(value: bytes, _: Negotiated) -> tuple[tuple[int, ...], ...]:
    _sized(value, LARGE.size)
    return tuple(LARGE.iter_unpack(value))


def _cluster_list(value: bytes, _: Negotiated) -> None:
    _sized(value, 4)


def _extended(value: bytes, _: Negotiated) -> None:
    _sized(value, 8)


WITHDRAW, DISCARD, BOTH = Approach.TREAT_AS_WITHDRAW, Approach.ATTRIBUTE_DISCARD, OPTIONAL | TRANSITIVE
RULES: dict[int, Rule] = {
    Attribute.ORIGIN: Rule(TRANSITIVE, WITHDRAW, _origin),
    Attribute.AS_PATH: Rule(TRANSITIVE, WITHDRAW, _path),
    Attribute.NEXT_HOP: Rule(TRANSITIVE, WITHDRAW, _next_hop),
    Attribute.MULTI_EXIT_DISC: Rule(OPTIONAL, WITHDRAW, _number),
    Attribute.LOCAL_PREF: Rule(TRANSITIVE, WITHDRAW, _number, internal=True),
    Attribute.ATOMIC_AGGREGATE: Rule(TRANSITIVE, DISCARD, _nothing),
    Attribute.AGGREGATOR: Rule(BOTH, DISCARD, _aggregator),
    Attribute.COMMUNITIES: Rule(BOTH, WITHDRAW, _communities),
    Attribute.ORIGINATOR_ID: Rule(OPTIONAL, WITHDRAW, _number, internal=True),
    Attribute.CLUSTER_LIST: Rule(OPTIONAL, WITHDRAW, _cluster_list, internal=True),
    Attribute.EXTENDED_COMMUNITIES: Rule(BOTH, WITHDRAW, _extended),
    Attribute.AS4_PATH: Rule(BOTH, DISCARD, _as4_path, two=True),
    Attribute.AS4_AGGREGATOR: Rule(BOTH, DISCARD, _as4_aggregator, two=True),
    Attribute.LARGE_COMMUNITIES: Rule(BOTH, WITHDRAW, _large),
}
"""All but the two that carry routes. Extended communities are passed over, but must be well formed (RFC 7606 7.14);
large ones: RFC 8092 section 6."""
