"""The Ethernet frame around an echo packet (RFC 5881 section 4), and which frames the kernel hands over; pure.

IP's source and destination are one address of ours: the neighbour's forwarding, that is asked to prove itself, sends
the packet back. The frame is read whole since IPv4 of Linux takes no packet from outside whose source is its own.
"""

from struct import Struct as Form
from struct import pack

from speakerd.bfd.effects import ECHO_PORT, TTL

ETHERNET = 14
"""Octets of a MAC header."""
TYPES = {4: 0x0800, 16: 0x86DD}
"""EtherType by the length of an address."""
IPV4, IPV6, UDP = Form("!BBHHHBBH4s4s"), Form("!IHBB16s16s"), Form("!HHHH")
UDP_PROTOCOL = 17
DONT_FRAGMENT = 0x4000
CS6 = 0xC0
"""The octet of DSCP CS6, network control: queued before what it watches over."""

# linux/bpf_common.h, linux/filter.h, linux/if_packet.h
LD_WORD, LD_HALF, LD_BYTE, JEQ, JGT, RET = 0x20, 0x28, 0x30, 0x15, 0x25, 0x06
PACKET_TYPE, INTERFACE = 0xFFFFF004, 0xFFFFF008
MULTICAST = 2
ACCEPT, DROP = 0xFFFF, 0
NOTHING = pack("=HBBI", RET, 0, 0, DROP)
"""A program that lets nothing through."""


def framed(target: bytes, source: bytes, local: bytes, payload: bytes) -> bytes:
    """The frame that carries `payload` from MAC to MAC, in UDP from `local`, a packed address, to `local`."""
    length = UDP.size + len(payload)
    pseudo = local + local + pack("!HH", UDP_PROTOCOL, length)
    datagram = UDP.pack(ECHO_PORT, ECHO_PORT, length, 0) + payload
    total = checksum(pseudo + datagram) or 0xFFFF
    mac = target + source + TYPES[len(local)].to_bytes(2)
    return mac + _header(local, length) + UDP.pack(ECHO_PORT, ECHO_PORT, length, total) + payload


def _header(local: bytes, length: int) -> bytes:
    if len(local) == 16:
        return IPV6.pack(6 << 28 | CS6 << 20, length, UDP_PROTOCOL, TTL, local, local)
    fields = 0x45, CS6, IPV4.size + length, 0, DONT_FRAGMENT, TTL, UDP_PROTOCOL
    return IPV4.pack(*fields, checksum(IPV4.pack(*fields, 0, local, local)), local, local)


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071), over words that are not all 0.

    2^16 is 1 modulo 2^16 - 1, so that the number as a whole leaves what the sum of its words with their carries does.
    """
    return -int.from_bytes(data) % 0xFFFF


def unframed(frame: bytes) -> bytes:
    """What a frame that `program` let through carries in UDP; less or nothing where it is cut."""
    start = ETHERNET + (IPV6.size if frame[12:14] == b"\x86\xdd" else IPV4.size)
    return frame[start + UDP.size : start + int.from_bytes(frame[start + 4 : start + 6])]


def program(index: int, family: int) -> bytes:
    """Classic BPF (struct sock_filter[]): lets UDP to ECHO_PORT through that came to interface `index` itself.

    `family`: the length of its addresses. What came by a VLAN on top of the interface has the index of that.
    """
    if family == 16:
        ours = [*_equal(LD_BYTE, 20, UDP_PROTOCOL), *_equal(LD_HALF, 56, ECHO_PORT)]
    else:
        ours = [*_equal(LD_BYTE, 14, 0x45), *_equal(LD_BYTE, 23, UDP_PROTOCOL), *_equal(LD_HALF, 36, ECHO_PORT)]
    stations = [(LD_WORD, 0, 0, PACKET_TYPE), (JGT, 0, 1, MULTICAST), (RET, 0, 0, DROP)]
    code = [*stations, *_equal(LD_WORD, INTERFACE, index), *ours, (RET, 0, 0, ACCEPT)]
    return b"".join(pack("=HBBI", *instruction) for instruction in code)


def _equal(load: int, at: int, value: int) -> list[tuple[int, int, int, int]]:
    """Drops what has another value there."""
    return [(load, 0, 0, at), (JEQ, 1, 0, value), (RET, 0, 0, DROP)]
