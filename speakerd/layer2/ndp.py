"""Neighbor Discovery over Ethernet (RFC 4861): the solicitations we answer, and our advertisements.

0        14          18     20 21 22       38            54 55 56       58         62      78
| Ethernet | 6 class | length|nh|hl| source | destination |ty|cd|checksum| reserved |target | options
"""

import sys
from struct import Struct as Form

from msgspec import Struct

from speakerd.wire import DecodeError, Reader

ETHERTYPE = b"\x86\xdd"
ICMPV6 = 58
SOLICITATION, ADVERTISEMENT = 135, 136
HOP_LIMIT = 255
"""A packet from another link has less: no router passes it on unchanged (RFC 4861 section 7.1.1)."""
SOURCE_LINK_ADDRESS, TARGET_LINK_ADDRESS = 1, 2
SOLICITED, OVERRIDE = 0x40000000, 0x20000000
UNSPECIFIED = bytes(16)
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")
MULTICAST = 0xFF
OPTIONS = 16
"""More options in a solicitation than any host sends; the rest of a frame is not looked at for ever."""

ETHERNET = Form("!6s6s2s")
IPV6 = Form("!IHBB16s16s")
ICMP = Form("!BBHI16s")


class Solicitation(Struct, frozen=True):
    """A valid Neighbor Solicitation: who asks, from where, for what."""

    target: bytes
    source: bytes
    mac: bytes


class Packet(Struct, frozen=True):
    """A message of Neighbor Discovery: Ethernet and IPv6 source, IPv6 destination, flags, target, and its options."""

    mac: bytes
    source: bytes
    destination: bytes
    flags: int
    target: bytes
    options: bytes


def decode(frame: bytes) -> Solicitation:
    """The solicitation in `frame`, checked as RFC 4861 section 7.1.1 demands. Raises DecodeError."""
    packet = _packet(frame, SOLICITATION)
    link = _link_address(Reader(packet.options), SOURCE_LINK_ADDRESS)
    if packet.source == UNSPECIFIED and (link or not packet.destination.startswith(SOLICITED_NODE)):
        raise DecodeError("a solicitation without source must go to the group, and name no source")
    return Solicitation(packet.target, packet.source, link or packet.mac)


def speaker(frame: bytes) -> tuple[bytes, bytes] | None:
    """(address, MAC) that an advertisement says belong together; None from an invalid one (RFC 4861 section 7.1.2)."""
    try:
        packet = _packet(frame, ADVERTISEMENT)
        mac = _link_address(Reader(packet.options), TARGET_LINK_ADDRESS) or packet.mac
    except DecodeError:
        return None
    to_many = packet.destination[0] == MULTICAST
    return None if mac[0] & 1 or (to_many and packet.flags & SOLICITED) else (packet.target, mac)


def is_advertisement(frame: bytes) -> bool:
    """Whether `frame` may be one: no extension header stands before it, as the kernel's filter has it."""
    return frame[54:55] == bytes((ADVERTISEMENT,))


def _packet(frame: bytes, wanted: int) -> Packet:
    """A solicitation or an advertisement, checked as far as both are alike. Raises DecodeError."""
    reader = Reader(frame)
    _, mac, ethertype = reader.unpack(ETHERNET)
    start, length, following, hops, source, destination = reader.unpack(IPV6)
    if ethertype != ETHERTYPE or start >> 28 != 6 or following != ICMPV6 or hops != HOP_LIMIT:
        raise DecodeError("no neighbor discovery of this link")
    body = reader.take(length)
    kind, code, _, flags, target = Reader(body).unpack(ICMP)
    if kind != wanted or code != 0 or target[0] == MULTICAST or source[0] == MULTICAST:
        raise DecodeError("not about an address, or not by one")
    if checksum(source, destination, body) != 0:
        raise DecodeError("checksum")
    return Packet(mac, source, destination, flags, target, body[ICMP.size :])


def _link_address(options: Reader, wanted: int) -> bytes:
    """A link-layer address option's, or nothing. An option of length zero makes the packet invalid."""
    found = b""
    for _ in range(OPTIONS):
        if not options.left:
            break
        kind, units = options.take(2)
        value = options.take(units * 8 - 2)
        if kind == wanted and units == 1:
            found = value
    return found


def checksum(source: bytes, destination: bytes, body: bytes) -> int:
    """Of an ICMPv6 message with its pseudo-header (RFC 8200 section 8.1); 0 where the one inside is right."""
    data = source + destination + len(body).to_bytes(4) + ICMPV6.to_bytes(4) + body
    total = sum(memoryview(data + bytes(len(data) % 2)).cast("H"))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~int.from_bytes(total.to_bytes(2, sys.byteorder)) & 0xFFFF


def answer(asked: Solicitation, mac: bytes, link_local: bytes) -> bytes:
    """The advertisement that answers: to the asker, or to all nodes where an address is being tested (source ::)."""
    if asked.source == UNSPECIFIED:
        return advertisement(asked.target, mac, link_local, OVERRIDE, ALL_NODES, multicast_mac(ALL_NODES))
    return advertisement(asked.target, mac, link_local, SOLICITED | OVERRIDE, asked.source, asked.mac)


def question(target: bytes, mac: bytes, source: bytes, to: bytes) -> bytes:
    """A solicitation of `target` (RFC 4861 section 7.2.2), to its group or to the MAC `to` alone.

    Without a source it names none and goes to the group, whatever its frame does (section 7.1.1); all nodes are told.
    """
    group = solicited_node(target)
    body = ICMP.pack(SOLICITATION, 0, 0, 0, target)
    if source == UNSPECIFIED:
        return _framed(body, source, group, mac, to or multicast_mac(group))
    body += bytes((SOURCE_LINK_ADDRESS, 1)) + mac
    return _framed(body, source, target if to else group, mac, to or multicast_mac(group))


def announcement(target: bytes, mac: bytes, link_local: bytes) -> bytes:
    """An unsolicited advertisement to all nodes (RFC 4861 section 7.2.6)."""
    return advertisement(target, mac, link_local, OVERRIDE, ALL_NODES, multicast_mac(ALL_NODES))


def advertisement(target: bytes, mac: bytes, link_local: bytes, flags: int, to: bytes, to_mac: bytes) -> bytes:
    """A Neighbor Advertisement for `target` at `mac`.

    Its source is the interface's link-local address; an interface without one speaks as the VIP itself, which for the
    neighbours is an address of that interface just as well.
    """
    source = link_local or target
    body = ICMP.pack(ADVERTISEMENT, 0, 0, flags, target) + bytes((TARGET_LINK_ADDRESS, 1)) + mac
    return _framed(body, source, to, mac, to_mac)


def _framed(body: bytes, source: bytes, to: bytes, mac: bytes, to_mac: bytes) -> bytes:
    """An ICMPv6 message in its packet and frame, the checksum filled in."""
    body = body[:2] + checksum(source, to, body).to_bytes(2) + body[4:]
    head = IPV6.pack(6 << 28, len(body), ICMPV6, HOP_LIMIT, source, to)
    return ETHERNET.pack(to_mac, mac, ETHERTYPE) + head + body


def multicast_mac(group: bytes) -> bytes:
    """Where Ethernet carries an IPv6 group (RFC 2464 section 7)."""
    return b"\x33\x33" + group[12:]


def solicited_node(ip: bytes) -> bytes:
    """The group in which solicitations for `ip` arrive (RFC 4291 section 2.7.1)."""
    return SOLICITED_NODE + ip[13:]
