"""The OPEN, with which a speaker says who it is and what it can do (RFC 4271 section 4.2).

0         1       3           5            9                  10 octets, after the header
| version | my AS | hold time | identifier | length of params | parameters |
                                           | 255 | 255 | length in 2 octets | parameters |      RFC 9072, from 256 on
A parameter is type, length (in 1 octet, or 2 in the second form), value; there is one type, capabilities.
"""

from struct import Struct as Form

from msgspec import Struct

from speakerd.bgp import capability
from speakerd.bgp.aspath import AS_TRANS, MOST_TWO
from speakerd.bgp.capability import Capabilities, Sheet
from speakerd.bgp.error import Code, Fault, OpenError
from speakerd.bgp.frame import MOST, Kind, framed
from speakerd.wire import DecodeError, Reader

VERSION = 4
HEAD = Form("!BHH4s")
EXTENDED = 255
CAPABILITIES = 2
"""The one parameter in use (RFC 5492 section 4)."""
SHORTEST_HOLD = 3
"""Seconds; 0 is without timers, 1 and 2 must be refused (RFC 4271 section 6.2)."""
NOBODY = bytes(4)


class Open(Struct, frozen=True):
    """Who speaks: true AS number, offered hold time in seconds (0: none), BGP identifier, capabilities."""

    asn: int
    hold_time: int
    identifier: bytes
    capabilities: Capabilities = Capabilities()


def encode(said: Open) -> bytes:
    """The message. Raises ValueError where it would be longer than any OPEN may be (RFC 8654 section 4)."""
    two = said.asn if said.asn <= MOST_TWO else AS_TRANS
    value = capability.encode(said.capabilities)
    size = len(value) + 2
    if not value:
        tail = b"\0"
    elif size <= EXTENDED - 1:
        tail = bytes((size, CAPABILITIES, len(value))) + value
    else:
        tail = bytes((EXTENDED, EXTENDED)) + (size + 1).to_bytes(2) + bytes((CAPABILITIES,)) + len(value).to_bytes(2)
        tail += value
    message = framed(Kind.OPEN, HEAD.pack(VERSION, two, said.hold_time, said.identifier) + tail)
    if len(message) > MOST:
        raise ValueError(f"an OPEN of {len(message)} octets")
    return message


def decode(body: bytes) -> Open:
    """The OPEN whose body this is. Raises Fault (RFC 4271 section 6.2); whether it is the right peer, others judge."""
    reader = Reader(body)
    version, two, hold_time, identifier = reader.unpack(HEAD)
    if version != VERSION:
        raise Fault(Code.OPEN, OpenError.VERSION, VERSION.to_bytes(2))
    if 0 < hold_time < SHORTEST_HOLD:
        raise Fault(Code.OPEN, OpenError.HOLD_TIME)
    if identifier == NOBODY:
        raise Fault(Code.OPEN, OpenError.IDENTIFIER)
    try:
        sheet = _parameters(reader)
    except Fault:
        raise
    except DecodeError:
        raise Fault(Code.OPEN, OpenError.UNSPECIFIC) from None
    said = sheet.capabilities()
    # The two numbers are one speaker's (RFC 6793 section 4.1), and nobody is AS 0 (RFC 7607).
    if not two or sheet.zero_asn or (said.asn and two not in {said.asn, AS_TRANS}):
        raise Fault(Code.OPEN, OpenError.PEER_AS)
    return Open(said.asn or two, hold_time, identifier, said)


def _parameters(reader: Reader) -> Sheet:
    """The capabilities in all parameters. Raises DecodeError from malformed ones, Fault from unknown ones."""
    (size,) = reader.take(1)
    tail = reader.take(reader.left)
    width = 1
    # RFC 9072 section 2: by the type that is none it is known, whatever length of up to 255 stands before, but 0.
    if size and tail[:1] == bytes((EXTENDED,)):
        width, size, tail = 2, int.from_bytes(Reader(tail[1:]).take(2)), tail[3:]
    if size != len(tail):
        raise DecodeError("the length of the parameters is not theirs")
    sheet = Sheet()
    left = Reader(tail)
    while left.left:
        (kind,) = left.take(1)
        value = left.take(int.from_bytes(left.take(width)))
        if kind != CAPABILITIES:
            raise Fault(Code.OPEN, OpenError.PARAMETER)
        sheet.read(value)
    return sheet
