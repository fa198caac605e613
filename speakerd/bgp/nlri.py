"""Prefixes on the wire, many in one message: a length in bits, then as many octets as it needs (RFC 4271 section 4.3).

A prefix is held as the very octets it is sent as. They are made once, when a route comes to be; after that packing
10,000 of them is adding up lengths and one join a message, and a table of what was sent has them as its keys.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network

from speakerd.wire import DecodeError

PIECE = 64
"""Prefixes that are found at once where they are only counted."""


def _one(bits: int) -> bytes:
    """A prefix as a regular expression: after a length as many octets as it needs, at most those of `bits` bits."""
    sized = [b"[\\x%02x-\\x%02x].{%d}" % (8 * size - 7, 8 * size, size) for size in range(1, bits // 8 + 1)]
    return b"|".join([b"\\x00", *sized])


# 65,000 prefixes fit a message, and whoever sends them must not hold us up: a loop over them takes four times as long.
ONE = {bits: re.compile(_one(bits), re.DOTALL) for bits in (32, 128)}
SOME = {bits: re.compile(b"(?:%b){1,%d}+" % (_one(bits), PIECE), re.DOTALL) for bits in (32, 128)}
PIECES = {bits: re.compile(b"%b|.+" % SOME[bits].pattern, re.DOTALL) for bits in (32, 128)}
"""Pieces one after another, all full but the last; which has all that is left from the first octet that is none on."""


def encode(network: IPv4Network | IPv6Network) -> bytes:
    """The prefix as it is sent."""
    bits = network.prefixlen
    return bytes((bits,)) + network.network_address.packed[: (bits + 7) >> 3]


def count(data: bytes, bits: int) -> int:
    """How many prefixes of addresses of `bits` bits these are, each looked at. Raises DecodeError (RFC 7606 5.3)."""
    if not data:
        return 0
    *full, last = PIECES[bits].findall(data)
    if not SOME[bits].fullmatch(last):
        raise DecodeError("a prefix that is too long or cut short")
    return len(full) * PIECE + len(ONE[bits].findall(last))


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
