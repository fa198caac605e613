"""Prefixes on the wire, many in one message: a length in bits, then as many octets as it needs (RFC 4271 section 4.3).

A prefix is held as the very octets it is sent as. They are made once, when a route comes to be; after that packing
10,000 of them is adding up lengths and one join a message, and a table of what was sent has them as its keys.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from speakerd.wire import DecodeError

BEYOND = 1 << 16
"""Octets that no message has: where a prefix leads that is longer than an address."""
STEPS = {bits: tuple((n + 15) >> 3 if n <= bits else BEYOND for n in range(256)) for bits in (32, 128)}
"""Octets of a prefix by its length; 65,000 prefixes fit a message, and each is looked at."""


def encode(network: IPv4Network | IPv6Network) -> bytes:
    """The prefix as it is sent."""
    bits = network.prefixlen
    return bytes((bits,)) + network.network_address.packed[: (bits + 7) >> 3]


def count(data: bytes, bits: int) -> int:
    """How many prefixes of addresses of `bits` bits these are, each looked at. Raises DecodeError (RFC 7606 5.3)."""
    at = found = 0
    size, steps = len(data), STEPS[bits]
    while at < size:
        at += steps[data[at]]
        found += 1
    if at > size:
        raise DecodeError("a prefix that is too long or cut short")
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
