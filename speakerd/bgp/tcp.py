"""TCP sockets as BGP wants them: signed (RFC 2385), marked CS6, with a hop limit, bound to a VRF, never blocking."""

import socket
from struct import Struct as Form

from speakerd.bgp.reach import Reach

TCP_MD5SIG = 14
SIGNING = Form("=128sBBHi80s")
"""struct tcp_md5sig (linux/tcp.h): address, flags, prefix length, length of the key, interface, key."""
LONGEST_KEY = 80
INET, INET6 = Form("=HH4s"), Form("=HHI16sI")
"""struct sockaddr_in and sockaddr_in6; port and flow mean nothing to a signature."""
CS6 = 48 << 2
"""DSCP of routing protocols (RFC 4594 section 3.2), as the octet that it is in."""
BACKLOG = 64
"""Connections that wait to be accepted: as many neighbours begin at once."""
EVERYWHERE = {4: "0.0.0.0", 6: "::"}  # noqa: S104
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def dialling(reach: Reach) -> socket.socket:
    """A socket that is connecting. Raises OSError."""
    end = _made(reach.version, reach.device)
    try:
        if reach.ttl:
            limit(end, reach.ttl)
        if reach.password is not None:
            sign(end, reach.address, reach.password.octets)
        if reach.source:
            end.bind(_place(reach.version, reach.source, 0, reach.interface))
        end.connect(_place(reach.version, reach.address, reach.port, reach.interface))
    except BlockingIOError:
        return end
    except OSError:
        end.close()
        raise
    return end


def listening(version: int, port: int, device: str) -> socket.socket:
    """A socket that listens to all addresses of one family; in a VRF, or outside of all (""). Raises OSError."""
    end = _made(version, device)
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What answers a SYN, before the peer is known; one that checks for nearness gets what it expects.
        limit(end, 255)
        end.bind((EVERYWHERE[version], port))
        end.listen(BACKLOG)
    except OSError:
        end.close()
        raise
    return end


def limit(end: socket.socket, ttl: int) -> None:
    """Let what is sent from now on live for so many hops. Raises OSError."""
    if end.family == socket.AF_INET6:
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        end.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def sign(end: socket.socket, address: str, key: bytes) -> None:
    """Sign segments to and ask for signed ones from `address`; no longer with an empty key. Raises OSError."""
    if len(key) > LONGEST_KEY:
        raise OSError(0, f"a password of more than {LONGEST_KEY} octets cannot sign")
    packed = socket.inet_pton(end.family, address)
    if end.family == socket.AF_INET6:
        where = INET6.pack(socket.AF_INET6, 0, 0, packed, 0)
    else:
        where = INET.pack(socket.AF_INET, 0, packed)
    end.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, SIGNING.pack(where, 0, 0, len(key), 0, key))


def _made(version: int, device: str) -> socket.socket:
    end = socket.socket(FAMILIES[version], socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if device:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if version == 6:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CS6)
        else:
            end.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CS6)
    except OSError:
        end.close()
        raise
    return end


def _place(version: int, address: str, port: int, interface: str) -> tuple[str, int] | tuple[str, int, int, int]:
    if version == 4:
        return address, port
    return address, port, 0, socket.if_nametoindex(interface) if interface else 0
