"""The path attributes of an UPDATE as they come: each checked in full, an error made no dearer than RFC 7606 makes it.

A NOTIFICATION ends the session and takes every route of the peer with it, where most errors spoil one attribute or the
routes of one UPDATE. Those are told as Flaws; Fault is raised where nothing less than the session will do.
"""

from typing import Any

from msgspec import Struct

from speakerd.bgp import aspath, nlri
from speakerd.bgp.aspath import AS_TRANS
from speakerd.bgp.attribute import EXTENDED, OPTIONAL, TRANSITIVE, Attribute, Attributes, Origin
from speakerd.bgp.error import Code, Fault, Notification, UpdateError
from speakerd.bgp.family import IPV4, Family, Negotiated
from speakerd.bgp.values import RULES, Approach, Malformed
from speakerd.wire import DecodeError

MANDATORY = Attribute.ORIGIN, Attribute.AS_PATH
"""With every route (RFC 4760 section 3)."""
MANDATORY_OUTSIDE = (*MANDATORY, Attribute.NEXT_HOP)
"""With routes that stand outside the attributes (RFC 4271 section 5)."""
KIND = OPTIONAL | TRANSITIVE
HEAD = 4
"""Octets before a value of which the length is said in two."""
MANY = 2
"""Attributes of one type that are as many as more would be."""
CARRIERS = {Attribute.MP_REACH_NLRI, Attribute.MP_UNREACH_NLRI}


class Flaw(Struct, frozen=True):
    """An error that the session outlives: what it costs, and the NOTIFICATION that would have told it."""

    approach: Approach
    notification: Notification


class Routes(Struct, frozen=True):
    """Prefixes of one family as they came (see `nlri`), and how many; without `next_hop` they are withdrawn."""

    family: Family
    prefixes: bytes
    count: int
    next_hop: bytes = b""


class Block:
    """What the attributes of one UPDATE say.

    `announced`, `withdrawn`: routes in attributes. `reaches`: some are or may be announced there, known to us or not.
    `disabled`: families whose routes could not be read (RFC 4760 section 7). `ended`: the family of which all is told.
    `seen`: how often each type came, `MANY` for more too. `flaws`: three a type at most.
    """

    def __init__(self, data: bytes, negotiated: Negotiated) -> None:
        """Read them. Raises Fault."""
        self.announced: list[Routes] = []
        self.withdrawn: list[Routes] = []
        self.reaches = False
        self.disabled: set[Family] = set()
        self.ended: Family | None = None
        self.flaws: list[Flaw] = []
        self.seen: dict[int, int] = {}
        self._negotiated = negotiated
        self._values: dict[int, Any] = {}
        self._other: list[tuple[int, bytes]] = []
        self._walk(data)

    def _walk(self, data: bytes) -> None:
        """One after another; one of a type that was before costs next to nothing, and 20,000 fit a message."""
        at, end = 0, len(data)
        seen = self.seen
        # A head that is cut short is read from here too, and ends behind the end.
        padded = data + bytes(HEAD)
        while at < end:
            flags, number, size = padded[at], padded[at + 1], padded[at + 2]
            start = at + 3
            if flags & EXTENDED:
                start = at + HEAD
                size = size << 8 | padded[at + 3]
            following = start + size
            if following > end:
                self._cut(data[at:])
                return
            times = seen.get(number, 0)
            if times < MANY:
                seen[number] = times + 1
                if times:
                    self._again(number)
                else:
                    self._one(flags, number, data[start:following], data[at:following])
            at = following

    def _cut(self, rest: bytes) -> None:
        """The last one claims more than there is (RFC 7606 section 4); if it holds routes, the session cannot go on."""
        if len(rest) > 1 and rest[1] in CARRIERS:
            raise Fault(Code.UPDATE, UpdateError.OPTIONAL, rest)
        self._flaw(Approach.TREAT_AS_WITHDRAW, UpdateError.LENGTH, rest)
        self.seen.setdefault(rest[1] if len(rest) > 1 else 0, 1)

    def _again(self, number: int) -> None:
        """The first one counts; routes may not come twice (RFC 7606 section 3 g)."""
        if number in CARRIERS:
            raise Fault(Code.UPDATE, UpdateError.ATTRIBUTE_LIST)
        self._flaw(Approach.ATTRIBUTE_DISCARD, UpdateError.ATTRIBUTE_LIST)

    def _flaw(self, approach: Approach, subcode: UpdateError, data: bytes = b"") -> None:
        self.flaws.append(Flaw(approach, Notification(int(Code.UPDATE), int(subcode), data)))

    def _one(self, flags: int, number: int, value: bytes, whole: bytes) -> None:
        if number in CARRIERS:
            self._carrier(flags, number, value, whole)
            return
        rule = RULES.get(number)
        if rule is None:
            self._unknown(flags, number, value, whole)
        elif not rule.welcome(self._negotiated):
            self._flaw(Approach.ATTRIBUTE_DISCARD, UpdateError.ATTRIBUTE_LIST, whole)
        elif flags & KIND != rule.flags:
            self._flaw(Approach.TREAT_AS_WITHDRAW, UpdateError.FLAGS, whole)
        else:
            try:
                self._values[number] = rule.read(value, self._negotiated)
            except Malformed as fault:
                self._flaw(rule.approach, fault.subcode, whole)

    def _unknown(self, flags: int, number: int, value: bytes, whole: bytes) -> None:
        """A well-known one must be known (RFC 4271 section 6.3); others are ignored, transitive ones kept."""
        if not flags & OPTIONAL:
            raise Fault(Code.UPDATE, UpdateError.UNRECOGNIZED, whole)
        if flags & TRANSITIVE:
            self._other.append((number, value))

    def _carrier(self, flags: int, number: int, value: bytes, whole: bytes) -> None:
        """MP_REACH_NLRI or MP_UNREACH_NLRI (RFC 4760 sections 3 and 4); passed over if of a family not agreed on."""
        reach = number == Attribute.MP_REACH_NLRI
        if flags & KIND != OPTIONAL:
            self._flaw(Approach.TREAT_AS_WITHDRAW, UpdateError.FLAGS, whole)
        if len(value) < 3:
            raise Fault(Code.UPDATE, UpdateError.OPTIONAL, whole)
        family = Family(int.from_bytes(value[:2]), value[2])
        if family not in self._negotiated.families:
            self.reaches |= reach
            return
        try:
            routes = _reached(family, value, self._negotiated) if reach else _routes(family, value[3:])
        except DecodeError:
            self.reaches |= reach
            self.disabled.add(family)
            self._flaw(Approach.AFI_SAFI_DISABLE, UpdateError.OPTIONAL, whole)
            return
        if routes.count:
            self.reaches |= reach
            (self.announced if reach else self.withdrawn).append(routes)
        elif not reach:
            self.ended = family

    def require(self, numbers: tuple[Attribute, ...]) -> None:
        """What must be said of a route: missing, it is a flaw (RFC 7606 section 3 d); malformed, it is one already."""
        for number in numbers:
            if number not in self.seen:
                self._flaw(Approach.TREAT_AS_WITHDRAW, UpdateError.MISSING, bytes((number,)))

    @property
    def next_hop(self) -> bytes:
        """Of routes outside the attributes; nothing where none was said."""
        found: bytes = self._values.get(Attribute.NEXT_HOP, b"")
        return found

    def attributes(self) -> Attributes:
        """All others, AS numbers of four octets put back in their places (RFC 6793 section 4.2.3)."""
        known = self._values
        path, aggregator = known.get(Attribute.AS_PATH, ()), known.get(Attribute.AGGREGATOR)
        four = known.get(Attribute.AS4_AGGREGATOR)
        # One who knows two octets only has aggregated since, and what was said before of path and aggregator is void.
        if not (four and aggregator and aggregator.asn != AS_TRANS):
            path = aspath.merged(path, known.get(Attribute.AS4_PATH, ()))
            aggregator = aggregator and (four or aggregator)
        return Attributes(
            origin=known.get(Attribute.ORIGIN, Origin.INCOMPLETE),
            path=path,
            med=known.get(Attribute.MULTI_EXIT_DISC),
            local_pref=known.get(Attribute.LOCAL_PREF),
            atomic=known.get(Attribute.ATOMIC_AGGREGATE, False),
            aggregator=aggregator,
            communities=known.get(Attribute.COMMUNITIES, ()),
            large=known.get(Attribute.LARGE_COMMUNITIES, ()),
            other=tuple(self._other),
        )


def _routes(family: Family, prefixes: bytes, next_hop: bytes = b"") -> Routes:
    return Routes(family, prefixes, nlri.count(prefixes, family.bits), next_hop)


def _reached(family: Family, value: bytes, negotiated: Negotiated) -> Routes:
    """The routes of an MP_REACH_NLRI. Raises DecodeError: without its next hop they cannot be found (RFC 7606 7.11)."""
    size = value[3] if len(value) > 3 else 0
    sizes = {4} if family == IPV4 else {16, 32}
    if negotiated.extended_next_hop:
        sizes |= {16, 32}
    # One octet, reserved, stands between next hop and routes.
    if size not in sizes or len(value) < 5 + size:
        raise DecodeError(f"a next hop of {size} octets")
    return _routes(family, value[5 + size :], value[4 : 4 + size])
