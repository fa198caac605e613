"""The UPDATE: routes withdrawn, routes announced with what is said of them (RFC 4271 section 4.3).

0        2           +2         octets, after the header
| length | withdrawn | length | path attributes | announced |

Withdrawn and announced are IPv4; other routes are in attributes (RFC 4760), as is IPv4 by way of IPv6 (RFC 8950).
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from speakerd.bgp import attribute, nlri
from speakerd.bgp.attribute import EXTENDED, OPTIONAL, Attribute, Attributes
from speakerd.bgp.error import Code, Fault, UpdateError
from speakerd.bgp.family import IPV4, Family, Negotiated
from speakerd.bgp.frame import HEAD, Kind, framed
from speakerd.bgp.tolerance import MANDATORY, MANDATORY_OUTSIDE, Block, Flaw, Routes
from speakerd.bgp.values import Approach
from speakerd.wire import DecodeError

EMPTY = HEAD.size + 4
"""Octets of an UPDATE that says nothing."""
CARRIER = 4
"""Octets of the head of an attribute with its length in two."""


class Update(Struct, frozen=True):
    """What a peer said, errors already paid for: routes that had to be treated as withdrawn stand with the withdrawn.

    `attributes`: of the announced, None without any. `flaws`: what was wrong. `disabled`: families whose routes must
    all be forgotten, and be left out of what is listened to for the rest of the session (RFC 4760 section 7).
    `end_of_rib`: the family of which now all is told (RFC 4724 section 2).
    """

    announced: tuple[Routes, ...] = ()
    withdrawn: tuple[Routes, ...] = ()
    attributes: Attributes | None = None
    flaws: tuple[Flaw, ...] = ()
    disabled: frozenset[Family] = frozenset()
    end_of_rib: Family | None = None


def decode(body: bytes, negotiated: Negotiated) -> Update:
    """The UPDATE whose body this is. Raises Fault where the session must end (RFC 4271 6.3, RFC 7606)."""
    gone, said, come = _parts(body)
    withdrawn = _classic(gone, negotiated)
    announced = _classic(come, negotiated)
    block = Block(said, negotiated)
    if not (gone or said or come):
        return Update(end_of_rib=IPV4)
    if come or block.announced:
        block.require(MANDATORY_OUTSIDE if come else MANDATORY)
    _endurable(block, reaches=bool(come) or block.reaches)
    here = [Routes(each.family, each.prefixes, each.count, block.next_hop) for each in announced] + block.announced
    away = withdrawn + block.withdrawn
    if any(flaw.approach is Approach.TREAT_AS_WITHDRAW for flaw in block.flaws):
        away += [Routes(each.family, each.prefixes, each.count) for each in here]
        here = []
    here, away = ([each for each in routes if each.family not in block.disabled] for routes in (here, away))
    return Update(
        tuple(here),
        tuple(away),
        block.attributes() if here else None,
        tuple(block.flaws),
        frozenset(block.disabled),
        block.ended if block.seen == {Attribute.MP_UNREACH_NLRI: 1} and not (gone or come or block.flaws) else None,
    )


def _parts(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Withdrawn, attributes, announced. Raises Fault where their lengths do not fit (RFC 7606 section 3 b)."""
    first = 2 + int.from_bytes(body[:2])
    second = first + 2 + int.from_bytes(body[first : first + 2])
    if second > len(body) or len(body) < first + 2:
        raise Fault(Code.UPDATE, UpdateError.ATTRIBUTE_LIST)
    return body[2:first], body[first + 2 : second], body[second:]


def _classic(prefixes: bytes, negotiated: Negotiated) -> list[Routes]:
    """The IPv4 routes outside the attributes, if we listen to any. Raises Fault (RFC 7606 sections 3 i and j)."""
    try:
        count = nlri.count(prefixes, IPV4.bits)
    except DecodeError:
        raise Fault(Code.UPDATE, UpdateError.NETWORK) from None
    return [Routes(IPV4, prefixes, count)] if count and IPV4 in negotiated.families else []


def _endurable(block: Block, *, reaches: bool) -> None:
    """Raises Fault where attributes are malformed and no route is there: it may be what was lost (RFC 7606 5.2)."""
    if reaches or not block.seen.keys() - {Attribute.MP_UNREACH_NLRI}:
        return
    for flaw in block.flaws:
        if flaw.approach is not Approach.ATTRIBUTE_DISCARD:
            said = flaw.notification
            raise Fault(said.code, said.subcode, said.data)


def announced(
    said: Attributes, family: Family, next_hop: bytes, prefixes: Iterable[bytes], negotiated: Negotiated, longest: int
) -> Iterator[bytes]:
    """Messages of at most `longest` octets that announce `prefixes`, in their order; as few as `nlri.packed` says.

    `next_hop`: 4 octets for IPv4; 16 or 32, global and link-local, for IPv6 (RFC 2545) and for IPv4 with extended next
    hops. Raises ValueError where the attributes leave no room.
    """
    if family == IPV4 and len(next_hop) == 4:
        block = attribute.encode(said, next_hop, negotiated)
        for piece in nlri.packed(prefixes, longest - EMPTY - len(block)):
            yield _update(b"", block, piece)
        return
    block = attribute.encode(said, b"", negotiated)
    head = _family(family) + bytes((len(next_hop),)) + next_hop + b"\0"
    for piece in nlri.packed(prefixes, longest - EMPTY - len(block) - CARRIER - len(head)):
        # Routes come first, so that whoever meets an error behind them still knows which they were (RFC 7606 5.1).
        yield _update(b"", _carrier(Attribute.MP_REACH_NLRI, head + piece) + block, b"")


def withdrawn(family: Family, prefixes: Iterable[bytes], longest: int) -> Iterator[bytes]:
    """Messages of at most `longest` octets that withdraw `prefixes`; IPv4 by whatever next hop as RFC 4271 has it."""
    if family == IPV4:
        for piece in nlri.packed(prefixes, longest - EMPTY):
            yield _update(piece, b"", b"")
        return
    for piece in nlri.packed(prefixes, longest - EMPTY - CARRIER - 3):
        yield _update(b"", _carrier(Attribute.MP_UNREACH_NLRI, _family(family) + piece), b"")


def end_of_rib(family: Family) -> bytes:
    """The message after which all is told (RFC 4724 section 2)."""
    block = b"" if family == IPV4 else attribute.one(OPTIONAL, Attribute.MP_UNREACH_NLRI, _family(family))
    return _update(b"", block, b"")


def _update(gone: bytes, block: bytes, come: bytes) -> bytes:
    return framed(Kind.UPDATE, len(gone).to_bytes(2) + gone + len(block).to_bytes(2) + block + come)


def _family(family: Family) -> bytes:
    return family.afi.to_bytes(2) + bytes((family.safi,))


def _carrier(number: int, value: bytes) -> bytes:
    """An attribute with its length in two octets, however short: its room is known before it is filled."""
    return bytes((OPTIONAL | EXTENDED, number)) + len(value).to_bytes(2) + value
