"""Frames as others send them, built with dpkt and not with our own code."""

from ipaddress import IPv4Address, IPv6Address

from dpkt.arp import ARP, ARP_OP_REQUEST
from dpkt.ethernet import ETH_TYPE_ARP, ETH_TYPE_IP6, Ethernet
from dpkt.icmp6 import ICMP6
from dpkt.ip6 import IP6

ASKER = bytes.fromhex("020000000aaa")
OURS = bytes.fromhex("020000000bbb")
BROADCAST = b"\xff" * 6
UNSPECIFIED = "::"


def v4(text: str) -> bytes:
    return IPv4Address(text).packed


def v6(text: str) -> bytes:
    return IPv6Address(text).packed


def who_has(
    target: str, *, sender: str = "10.0.0.100", to: bytes = BROADCAST, op: int = ARP_OP_REQUEST, mac: bytes = ASKER
) -> bytes:
    arp = ARP(op=op, sha=mac, spa=v4(sender), tha=bytes(6), tpa=v4(target))
    return bytes(Ethernet(dst=to, src=mac, type=ETH_TYPE_ARP, data=arp))


def group_of(target: str) -> bytes:
    return v6("ff02::1:ff00:0")[:13] + v6(target)[13:]


def solicitation(
    target: str,
    *,
    source: str = "fe80::aaa",
    to: bytes | None = None,
    option: bytes = b"\x01\x01" + ASKER,
    hops: int = 255,
    code: int = 0,
) -> bytes:
    destination = group_of(target) if to is None else to
    body = ICMP6(type=135, code=code, data=bytes(4) + v6(target) + option)
    packet = IP6(src=v6(source), dst=destination, nxt=58, hlim=hops, plen=len(body), data=body)
    packet.extension_hdrs = {}
    mac = b"\x33\x33" + destination[12:] if destination[0] == 0xFF else OURS
    return bytes(Ethernet(dst=mac, src=ASKER, type=ETH_TYPE_IP6, data=packet))


def parsed(frame: bytes) -> Ethernet:
    """`frame` read by dpkt; ARP and IPv6 by name, since what else it knows depends on how it was imported."""
    found = Ethernet(frame)
    found.data = {ETH_TYPE_ARP: ARP, ETH_TYPE_IP6: IP6}[found.type](frame[14:])
    return found
