"""ARP and NDP as another host on the LAN sees them: ask who has an address, and watch who says so."""

import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from types import TracebackType
from typing import Literal, Self

from msgspec import Struct

from tests.lab.net import Host, inside

ETH_ARP, ETH_IPV6 = 0x0806, 0x86DD
ARP_REQUEST, ARP_REPLY = 1, 2
ICMPV6, SOLICITATION, ADVERTISEMENT = 58, 135, 136
SOLICITED = 0x40
SO_TIMESTAMPNS = 35
"""asm-generic/socket.h; struct timespec of CLOCK_REALTIME: when the frame arrived, however late this thread wakes."""
BROADCAST = b"\xff" * 6
KEPT = 500_000
"""Sightings kept: an hour of asking once in 10 ms."""
BUFFER = 8 << 20

Kind = Literal["gratuitous", "answer"]


class Sighting(Struct, frozen=True):
    """A host said at `when` (seconds of time.time()) that `ip` is at `mac`: unasked (gratuitous) or as an answer."""

    when: float
    ip: str
    mac: str
    kind: Kind


def _raw(host: Host, protocol: int) -> socket.socket:
    with inside(host.namespace):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        raw.bind(("eth0", protocol))
    return raw


def _received(raw: socket.socket) -> tuple[float, bytes]:
    data, ancillary, _, _ = raw.recvmsg(2048, socket.CMSG_SPACE(16))
    seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
    return seconds + nanoseconds / 1e9, data


def decode(frame: bytes, when: float = 0.0) -> Sighting | None:
    """What `frame` says about who has an address; None where it says nothing."""
    kind = int.from_bytes(frame[12:14])
    if kind == ETH_ARP and len(frame) >= 42:
        return _arp(frame, when)
    if kind == ETH_IPV6 and len(frame) >= 78 and frame[20] == ICMPV6 and frame[54] == ADVERTISEMENT:
        word: Kind = "answer" if frame[58] & SOLICITED else "gratuitous"
        target = frame[62:78]
        option = frame[80:86] if frame[78:80] == b"\x02\x01" else frame[6:12]
        return Sighting(when, str(IPv6Address(target)), option.hex(":"), word)
    return None


def _arp(frame: bytes, when: float) -> Sighting | None:
    operation, mac, sender, target = int.from_bytes(frame[20:22]), frame[22:28], frame[28:32], frame[38:42]
    if sender == target:
        return Sighting(when, str(IPv4Address(sender)), mac.hex(":"), "gratuitous")
    if operation == ARP_REPLY:
        return Sighting(when, str(IPv4Address(sender)), mac.hex(":"), "answer")
    return None


def who_has(mac: bytes, sender: str, target: str) -> bytes:
    """A broadcast ARP request (RFC 826)."""
    head = BROADCAST + mac + struct.pack("!HHHBBH", ETH_ARP, 1, 0x0800, 6, 4, ARP_REQUEST)
    return head + mac + IPv4Address(sender).packed + bytes(6) + IPv4Address(target).packed


def solicitation(mac: bytes, sender: str, target: str) -> bytes:
    """A neighbour solicitation to the solicited-node group (RFC 4861 section 4.3)."""
    wanted = IPv6Address(target).packed
    group = bytes.fromhex("ff0200000000000000000001ff") + wanted[13:]
    body = bytes([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]) + wanted + b"\x01\x01" + mac
    source = IPv6Address(sender).packed
    total = _sum(source + group + struct.pack("!II", len(body), ICMPV6) + body)
    body = body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]
    header = struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + source + group
    return b"\x33\x33" + group[12:] + mac + struct.pack("!H", ETH_IPV6) + header + body


def _sum(data: bytes) -> int:
    """The Internet checksum's one's complement sum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def question(host: Host, mac: bytes, target: str) -> bytes:
    """The frame by which `host` asks for `target`, of either family."""
    return solicitation(mac, host.ipv6, target) if ":" in target else who_has(mac, host.ipv4, target)


def answers(host: Host, address: str, patience: float = 1.0) -> list[Sighting]:
    """Who answers one question for `address` put by `host`: the first within `patience` s and all 50 ms after it."""
    raw = _raw(host, ETH_IPV6 if ":" in address else ETH_ARP)
    with raw:
        raw.send(question(host, raw.getsockname()[4], address))
        found: list[Sighting] = []
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            raw.settimeout(left)
            try:
                when, frame = _received(raw)
            except TimeoutError:
                break
            seen = decode(frame, when)
            if seen and seen.kind == "answer" and seen.ip == str(ip_address(address)):
                until = until if found else time.monotonic() + 0.05
                found.append(seen)
        return found


class Watch:
    """Writes down, from enter to exit, every frame heard by `host` that says who has an address.

    With `ask`, it also puts a broadcast question for each of these addresses every `interval` seconds; `asked`: how
    often it did.
    """

    def __init__(self, host: Host, ask: Iterable[str] = (), interval: float = 0.01) -> None:
        self._host, self._interval = host, interval
        self._asked: Sequence[str] = tuple(ask)
        self._wake, self._end = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._sockets: dict[int, socket.socket] = {}
        self.sightings: deque[Sighting] = deque(maxlen=KEPT)
        self.asked = 0

    def __enter__(self) -> Self:
        for protocol in (ETH_ARP, ETH_IPV6):
            self._sockets[protocol] = raw = _raw(self._host, protocol)
            raw.setblocking(False)
            self._selector.register(raw, selectors.EVENT_READ)
        self._selector.register(self._end, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.close()
        self._thread.join()
        self._selector.close()
        self._end.close()
        for raw in self._sockets.values():
            raw.close()

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            if self._asked and time.monotonic() >= due:
                due += self._interval
                for address in self._asked:
                    self.question(address)
                self.asked += 1
            timeout = max(0.0, due - time.monotonic()) if self._asked else None
            for key, _ in self._selector.select(timeout):
                if key.fileobj is self._end:
                    return
                assert isinstance(key.fileobj, socket.socket)
                self._drain(key.fileobj)

    def question(self, address: str) -> None:
        """Ask for `address` once."""
        raw = self._sockets[ETH_IPV6 if ":" in address else ETH_ARP]
        raw.send(question(self._host, raw.getsockname()[4], address))

    def _drain(self, raw: socket.socket) -> None:
        while True:
            try:
                when, frame = _received(raw)
            except BlockingIOError:
                return
            if seen := decode(frame, when):
                self.sightings.append(seen)

    def answers(self) -> list[Sighting]:
        """All answers so far, in order."""
        return [each for each in list(self.sightings) if each.kind == "answer"]

    def of(self, address: str, kind: Kind) -> list[Sighting]:
        """All of `kind` about `address` so far, in order."""
        wanted = str(ip_address(address))
        return [each for each in list(self.sightings) if each.ip == wanted and each.kind == kind]

    def silence(self, address: str) -> float:
        """The longest time in seconds between two answers for `address`; infinite with fewer than two."""
        times = [each.when for each in self.of(address, "answer")]
        return max((b - a for a, b in pairwise(times)), default=float("inf"))

    def speakers(self, address: str) -> list[str]:
        """The MACs that answered for `address`, in the order they came up, without repetition of neighbours."""
        found: list[str] = []
        for each in self.of(address, "answer"):
            if not found or found[-1] != each.mac:
                found.append(each.mac)
        return found
