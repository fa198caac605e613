"""The way a route came: segments of AS numbers, in two octets or four (RFC 4271 section 4.3, RFC 6793).

0      1       2 octets
| kind | count | count AS numbers, of 2 or 4 octets each |  and so on
"""

from collections.abc import Iterator
from enum import IntEnum
from struct import unpack_from

from msgspec import Struct

from speakerd.wire import DecodeError

AS_TRANS = 23456
"""What stands for a number of four octets where only two fit (RFC 6793 section 9)."""
MOST_TWO = 65535
FORMS = {2: "H", 4: "I"}
MOST = 256
"""Segments of a path. Routes on the Internet have one or two; 10,000 fit a message, and would take too long to read."""


class SegmentKind(IntEnum):
    """RFC 4271 section 4.3; 3 and 4: RFC 5065 section 3."""

    SET = 1
    SEQUENCE = 2
    CONFED_SEQUENCE = 3
    CONFED_SET = 4


CONFEDERATION = frozenset({SegmentKind.CONFED_SEQUENCE, SegmentKind.CONFED_SET})


class Segment(Struct, frozen=True):
    """Numbers of one kind, 1 to 255."""

    kind: SegmentKind
    numbers: tuple[int, ...]


Path = tuple[Segment, ...]


def encode(path: Path, width: int) -> bytes:
    """The path, `width` octets a number; where two do not hold one, AS_TRANS stands for it."""
    pieces = []
    for segment in path:
        pieces.append(bytes((segment.kind, len(segment.numbers))))
        pieces += [(each if each <= MOST_TWO or width == 4 else AS_TRANS).to_bytes(width) for each in segment.numbers]
    return b"".join(pieces)


def decode(data: bytes, width: int) -> Path:
    """The path. Raises DecodeError where it is malformed (RFC 7606 section 7.2), has AS 0 (RFC 7607), or is endless."""
    return tuple(_segments(data, width))


def _segments(data: bytes, width: int) -> Iterator[Segment]:
    at = count = 0
    while at < len(data):
        count += 1
        end = at + 2 + data[at + 1] * width if at + 1 < len(data) else at
        if not at + 2 < end <= len(data) or not 1 <= data[at] <= len(SegmentKind) or count > MOST:
            raise DecodeError("a segment that is empty, cut short, of no kind, or one too many")
        numbers = unpack_from(f"!{data[at + 1]}{FORMS[width]}", data, at + 2)
        if 0 in numbers:
            raise DecodeError("AS 0")
        yield Segment(SegmentKind(data[at]), numbers)
        at = end


def needs_four(path: Path) -> bool:
    """Whether two octets lose something of it."""
    return any(max(segment.numbers) > MOST_TWO for segment in path)


def unconfederated(path: Path) -> Path:
    """The path without what concerns a confederation alone: an AS4_PATH has none of that (RFC 6793 section 3)."""
    return tuple(segment for segment in path if segment.kind not in CONFEDERATION)


def length(path: Path) -> int:
    """As paths are compared: a set counts as one, a confederation not at all (RFC 4271 9.1.2.2, RFC 5065 5.3)."""
    return sum(_weight(segment) for segment in path)


def _weight(segment: Segment) -> int:
    match segment.kind:
        case SegmentKind.SEQUENCE:
            return len(segment.numbers)
        case SegmentKind.SET:
            return 1
    return 0


def merged(path: Path, four: Path) -> Path:
    """The true path, of AS_PATH in two octets and AS4_PATH (RFC 6793 section 4.2.3): the front of one, then the other.

    An AS4_PATH that is longer is ignored: somebody on the way shortened the path and did not know of it.
    """
    missing = length(path) - length(four)
    if missing < 0 or not four:
        return path
    front: list[Segment] = []
    for segment in path:
        if missing < 1 and segment.kind not in CONFEDERATION:
            break
        weight = _weight(segment)
        cut = segment.kind is SegmentKind.SEQUENCE and weight > missing
        front.append(Segment(segment.kind, segment.numbers[:missing]) if cut else segment)
        missing -= min(weight, missing)
        if cut:
            break
    return (*front, *four)
