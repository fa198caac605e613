"""Prefixes on the wire, many in one message: a length in bits, then as many octets as it needs (RFC 4271 section 4.3).

A prefix is held as the very octets it is sent as. They are made once, when a route comes to be; after that packing
10,000 of them is adding up lengths and one join a message, and a table of what was sent has them as its keys.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from speakerd.wire import DecodeError


def encode(network: IPv4Network | IPv6Network) -> bytes:
    """The prefix as it is sent."""
    bits = network.prefixlen
    return bytes((bits,)) + network.network_address.packed[: (bits + 7) >> 3]


def count(data: bytes, bits: int) -> int:
    """How many prefixes of addresses of `bits` bits these are, each looked at. Raises DecodeError (RFC 7606 5.3)."""
    at = found = 0
    size = len(data)
    while at < size:
        length = data[at]
        if length > bits:
            raise DecodeError(f"a prefix of {length} bits")
        at += (length + 15) >> 3
        found += 1
    if at > size:
        raise DecodeError("a prefix is cut short")
    return found


def packed(prefixes: Iterable[bytes], room: int) -> Iterator[bytes]:
    """The prefixes in their order, joined to pieces of at most `room` octets, each as full as the next one allows.

    Where all have one length, as host routes do, no order gives fewer. Raises ValueError where one does not fit alone.
    """
    piece: list[bytes] = []
    left = room
    for prefix in prefixes:
        size = len(prefix)
        if size > left:
            if size > room:
                raise ValueError(f"no room for a prefix in {room} octets")
            yield b"".join(piece)
            piece, left = [], room
        piece.append(prefix)
        left -= size
    if piece:
        yield b"".join(piece)
