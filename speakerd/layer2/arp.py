"""ARP over Ethernet (RFC 826): the questions we answer, and what we say.

0             6             12    14    16    18 19 20    22           28        32           38        42
| destination | source      | 0806| htype ptype |6 |4 |op |sender MAC  |sender IP|target MAC  |target IP|
"""

from speakerd import lean

lean.package("dpkt")
from dpkt.arp import ARP, ARP_OP_REPLY, ARP_OP_REQUEST  # noqa: E402

BROADCAST = b"\xff" * 6
NOBODY = bytes(6)
NO_ADDRESS = bytes(4)
LENGTH = 42
ETHERTYPE = b"\x08\x06"
REQUEST_HEAD = ETHERTYPE + bytes(ARP(op=ARP_OP_REQUEST))[:8]
REPLY_HEAD = ETHERTYPE + bytes(ARP(op=ARP_OP_REPLY))[:8]
"""All that frames of a kind have in common: built once, since a take-over says a thousand in a second."""


def is_request(frame: bytes) -> bool:
    """Whether `frame` is an Ethernet ARP request for IPv4, whole; what follows it is padding."""
    return len(frame) >= LENGTH and frame[12:22] == REQUEST_HEAD


def reply_head(mac: bytes, ip: bytes) -> bytes:
    """The part of every reply for `ip` from `mac` that does not depend on who asks: bytes 6 to 32."""
    return mac + REPLY_HEAD + mac + ip


def reply(head: bytes, asker: bytes, asker_ip: bytes) -> bytes:
    """The reply, unicast to `asker`; an asker without an address (a probe, RFC 5227) is answered alike."""
    return asker + head + asker + asker_ip


def speaker(frame: bytes) -> tuple[bytes, bytes] | None:
    """(IPv4 address, MAC) that an ARP frame says belong together, a question or an answer; None where it says nothing.

    A probe has no sender address (RFC 5227 section 2.1.1).
    """
    if len(frame) < LENGTH or frame[12:20] != REQUEST_HEAD[:8] or frame[20:22] not in (b"\0\1", b"\0\2"):
        return None
    mac, ip = frame[22:28], frame[28:32]
    return (ip, mac) if ip != NO_ADDRESS and not mac[0] & 1 else None


def question(mac: bytes, source: bytes, ip: bytes, to: bytes) -> bytes:
    """Who has `ip`? `source`: an address of ours, or 0.0.0.0; `to`: a MAC, or all."""
    return (to or BROADCAST) + mac + REQUEST_HEAD + mac + source + NOBODY + ip


def announcement(mac: bytes, ip: bytes) -> bytes:
    """A gratuitous request: the ARP Announcement of RFC 5227 section 2.3."""
    return BROADCAST + mac + REQUEST_HEAD + mac + ip + NOBODY + ip


def unasked_reply(mac: bytes, ip: bytes) -> bytes:
    """A gratuitous reply, for hosts that heed no request (RFC 5227 section 3 on why either is in use)."""
    return BROADCAST + mac + REPLY_HEAD + mac + ip + BROADCAST + ip
