"""The Ethernet frame around a message, and which frames the kernel hands over; pure."""

from struct import pack

from speakerd.membership.message import MAGIC

ETHERTYPE = 0x88B5
"""For local experiments (IEEE 802): switches pass it on like any other."""
HEADER_BYTES = 14
BROADCAST = b"\xff" * 6
TYPE = ETHERTYPE.to_bytes(2)

LD_WORD, LD_BYTE, JEQ, JGT, RET = 0x20, 0x30, 0x15, 0x25, 0x06
"""linux/bpf_common.h."""
PACKET_TYPE, INTERFACE = 0xFFFFF004, 0xFFFFF008
"""linux/filter.h: what the kernel knows beside the bytes."""
MULTICAST = 2
"""if_packet.h: to us, to all, to a group; above are our own, frames for others, and those of a VLAN nobody is in."""
ACCEPT, DROP = 0xFFFF, 0


def framed(target: bytes, source: bytes, message: bytes) -> bytes:
    """The frame that carries `message` from one MAC to another."""
    return target + source + TYPE + message


def unframed(frame: bytes) -> tuple[bytes, bytes]:
    """The MAC it came from, and what it carries."""
    return frame[6:12], frame[HEADER_BYTES:]


def is_station(mac: bytes) -> bool:
    """Whether a frame can be sent to that one station: no group, and not nobody."""
    return len(mac) == 6 and not mac[0] & 1 and any(mac)


def program(index: int) -> tuple[tuple[int, int, int, int], ...]:
    """Classic BPF: lets messages through that came to interface `index` itself.

    A VLAN or macvlan interface on top has its frames delivered to sockets of the one below too, their tag taken off;
    the kernel then knows them by its index.
    """
    return (
        (LD_WORD, 0, 0, PACKET_TYPE),
        (JGT, 4, 0, MULTICAST),
        (LD_WORD, 0, 0, INTERFACE),
        (JEQ, 0, 2, index),
        (LD_BYTE, 0, 0, HEADER_BYTES),
        (JEQ, 1, 0, MAGIC[0]),
        (RET, 0, 0, DROP),
        (RET, 0, 0, ACCEPT),
    )


def encoded(index: int) -> bytes:
    """`program` as struct sock_filter[]."""
    return b"".join(pack("=HBBI", *instruction) for instruction in program(index))
