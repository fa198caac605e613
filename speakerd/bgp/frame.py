"""Where a message begins and ends in a stream of octets; what cannot be a message is refused by its header.

0        16       18     19 octets
| marker | length | type | body |        RFC 4271 section 4.1; the length is the whole message's
"""

from enum import IntEnum
from struct import Struct as Form

from msgspec import Struct

from speakerd.bgp.error import Code, Fault, HeaderError

MARKER = b"\xff" * 16
HEAD = Form("!16sHB")
MOST = 4096
"""Octets of a message (RFC 4271 section 4.1)."""
MOST_EXTENDED = 65535
"""Octets of an UPDATE, NOTIFICATION or ROUTE-REFRESH to one who can take it (RFC 8654 section 4)."""


class Kind(IntEnum):
    """RFC 4271 section 4.1; 5: RFC 2918 section 3."""

    OPEN = 1
    UPDATE = 2
    NOTIFICATION = 3
    KEEPALIVE = 4
    ROUTE_REFRESH = 5


BOUNDS = {
    Kind.OPEN: (29, MOST),
    Kind.UPDATE: (23, MOST_EXTENDED),
    Kind.NOTIFICATION: (21, MOST_EXTENDED),
    Kind.KEEPALIVE: (19, 19),
    Kind.ROUTE_REFRESH: (23, 23),
}
"""Least and most octets of each (RFC 4271 section 6.1, RFC 8654 section 4). Outbound route filters are not offered, so
a ROUTE-REFRESH carries none (RFC 5291)."""


class Frame(Struct, frozen=True):
    """One message: what it is, and all after its header."""

    kind: Kind
    body: bytes


class Frames:
    """A peer's stream, cut into messages. Holds what was fed and not taken: feed it pieces, and take all each time.

    `longest`: octets that a message may have: MOST, or MOST_EXTENDED once *we* have offered it.
    """

    def __init__(self) -> None:
        self.longest = MOST
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._held += data

    def take(self) -> Frame | None:
        """The next message, or None before all of it is here. Raises Fault, and then for ever: the stream is lost."""
        held = self._held
        if len(held) < HEAD.size:
            return None
        marker, size, number = HEAD.unpack_from(held)
        kind = _checked(marker, size, number, self.longest)
        if len(held) < size:
            return None
        body = bytes(held[HEAD.size : size])
        # A bytearray gives up its front without moving the rest: many small messages in one piece cost no more.
        del held[:size]
        return Frame(kind, body)


def framed(kind: Kind, body: bytes) -> bytes:
    """The message with its header."""
    return HEAD.pack(MARKER, HEAD.size + len(body), kind) + body


def _checked(marker: bytes, size: int, number: int, longest: int) -> Kind:
    """What a header announces. Raises Fault (RFC 4271 section 6.1)."""
    if marker != MARKER:
        raise Fault(Code.MESSAGE_HEADER, HeaderError.NOT_SYNCHRONIZED)
    if not HEAD.size <= size <= longest:
        raise Fault(Code.MESSAGE_HEADER, HeaderError.BAD_LENGTH, size.to_bytes(2))
    try:
        kind = Kind(number)
    except ValueError:
        raise Fault(Code.MESSAGE_HEADER, HeaderError.BAD_TYPE, bytes((number,))) from None
    least, most = BOUNDS[kind]
    if not least <= size <= most:
        raise Fault(Code.MESSAGE_HEADER, HeaderError.BAD_LENGTH, size.to_bytes(2))
    return kind
