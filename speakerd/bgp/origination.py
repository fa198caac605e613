"""What is said of our own routes to a peer: path, preference and communities by what it is to us (RFC 4271 section 5).

A router passes routes on; we only ever begin them. So the path is ourselves, and nothing depends on what others told.
"""

import msgspec
from msgspec import Struct

from speakerd.bgp.aspath import Path, Segment, SegmentKind
from speakerd.bgp.attribute import Attributes
from speakerd.peering import Wording

PREFERENCE = 100
"""LOCAL_PREF of a route that asks for none: what routers take a route without one to have."""
GRACEFUL_SHUTDOWN = 0xFFFF0000
"""65535:0, by which whoever hears it prefers every other way (RFC 8326 section 5)."""
LONGEST_SEGMENT = 255
"""Numbers of a segment: their count is one octet (RFC 4271 section 4.3)."""
LARGE = "large:"
Large = tuple[int, int, int]


class Side(Struct, frozen=True):
    """Who we are to a peer: `asn` it knows us by (localASN where one is set); `external`: the peer is of another AS."""

    asn: int
    external: bool


def attributes(wording: Wording, side: Side) -> Attributes:
    """What is said to a peer; equal for equal arguments. Raises ValueError where a text is no community.

    Peers of another AS get a path that begins with us (RFC 4271 5.1.2) and no LOCAL_PREF (5.1.5). Those of our own get
    LOCAL_PREF and an empty path: prepending is left out, since there our number would look like a loop (9.1.2).
    """
    numbers = [number(each) for each in wording.communities if not each.startswith(LARGE)]
    larges = [large(each) for each in wording.communities if each.startswith(LARGE)]
    return Attributes(
        path=_repeated(side.asn, 1 + wording.prepend) if side.external else (),
        med=wording.med,
        local_pref=None if side.external else wording.local_pref or PREFERENCE,
        communities=tuple(sorted(set(numbers))),
        large=tuple(sorted(set(larges))),
    )


def shutdown(said: Attributes) -> Attributes:
    """The same of a route that is about to go: GRACEFUL_SHUTDOWN, and the least preference to peers that are told one.

    The preference is 0 (RFC 8326 section 4), and counts even where nobody configured what the community means.
    """
    return msgspec.structs.replace(
        said,
        local_pref=None if said.local_pref is None else 0,
        communities=tuple(sorted({*said.communities, GRACEFUL_SHUTDOWN})),
    )


def number(text: str) -> int:
    """The community a:b, a well-known one included, as 32 bits (RFC 1997). Raises ValueError where it is none."""
    high, low = _parts(text, 2, 16)
    return high << 16 | low


def large(text: str) -> Large:
    """The three numbers of large:a:b:c (RFC 8092 section 3). Raises ValueError where it is none."""
    first, second, third = _parts(text.removeprefix(LARGE), 3, 32)
    return first, second, third


def _parts(text: str, count: int, bits: int) -> list[int]:
    parts = text.split(":")
    if len(parts) != count or not all(each.isascii() and each.isdecimal() for each in parts):
        raise ValueError(f"{text!r} is no community")
    numbers = [int(each) for each in parts]
    if max(numbers) >> bits:
        raise ValueError(f"{text!r} is no community: its parts have {bits} bits")
    return numbers


def _repeated(asn: int, times: int) -> Path:
    """One number many times; a segment that is full is followed by another (RFC 4271 section 5.1.2)."""
    sizes = [min(LONGEST_SEGMENT, times - at) for at in range(0, times, LONGEST_SEGMENT)]
    return tuple(Segment(SegmentKind.SEQUENCE, (asn,) * size) for size in sizes)
