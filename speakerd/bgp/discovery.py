"""Who is at the other end of an interface: routers tell by router advertisements (RFC 4861), and so do we.

An unnumbered peer has no address in the configuration. It shows its link-local one by advertisements, as FRR does, and
waits for ours to learn where to call. Ours have a lifetime of 0: nobody takes this host for a way to anywhere.
"""

import os
import socket
from collections.abc import Callable, Collection, Mapping
from struct import Struct as Form

ADVERTISEMENT = Form("!BBHBBHII")
"""Type, code, checksum (the kernel's business), hop limit, flags, lifetime, two times (RFC 4861 section 4.2)."""
SOLICITATION = Form("!BBHI")
"""Type, code, checksum, reserved (RFC 4861 section 4.1)."""
ADVERTISES, SOLICITS = 134, 133
SOURCE_OPTION = b"\x01\x01"
"""Source link-layer address, in units of 8 octets (RFC 4861 section 4.6.1)."""
NODES, ROUTERS = "ff02::1", "ff02::2"
NEAR = 255
"""The hop limit of what nobody has forwarded."""

ICMP6_FILTER = 1
"""linux/icmpv6.h; a bit that is set keeps a type out."""
ONLY_ADVERTISEMENTS = b"".join(
    (0xFFFFFFFF & ~(1 << (ADVERTISES & 31)) if word == ADVERTISES >> 5 else 0xFFFFFFFF).to_bytes(4, "little")
    for word in range(8)
)
HOPS = Form("=i")
MESSAGE_BYTES, ASIDE_BYTES = 1500, 64
MESSAGES_A_TURN = 16

PACE = 10.0
"""Seconds between our advertisements; FRR's between its own."""
FORGOTTEN = 6 * PACE
"""Seconds without a word after which another router may take the place of the one known on an interface."""

UNDISCOVERED = "bgp-no-discovery"


def advertises(data: bytes, hops: int, address: str) -> bool:
    """Whether this is a router's word, from this very link (RFC 4861 section 6.1.2)."""
    whole = len(data) >= ADVERTISEMENT.size and data[:2] == bytes((ADVERTISES, 0))
    return whole and hops == NEAR and address.startswith("fe80:")


class Known:
    """The router of each interface: the first that shows itself, for as long as it goes on."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, float]] = {}

    def keep(self, indexes: Collection[int]) -> None:
        """Forget all other interfaces."""
        self._known = {index: known for index, known in self._known.items() if index in indexes}

    def hear(self, index: int, address: str, now: float) -> bool:
        """A router shows itself; whether it is the one."""
        known, last = self._known.get(index, (address, now))
        found = known == address or now - last >= FORGOTTEN
        if found:
            self._known[index] = address, now
        return found


class Discovery:
    """Looks on the interfaces that it is told of; `learn` gets the interface's name and its router's address.

    `problems`: detail by word, of what stands now.
    """

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        learn: Callable[[str, str, float], None],
    ) -> None:
        self._register, self._unregister, self._learn = register, unregister, learn
        self._socket: socket.socket | None = None
        self._where: Mapping[int, tuple[str, bytes]] = {}
        self._known = Known()
        self._speak_at: float | None = None
        self.problems: dict[str, str] = {}

    def apply(self, where: Mapping[int, tuple[str, bytes]], now: float) -> None:
        """Look, and be seen, on exactly these interfaces: index -> name and MAC address."""
        if where == self._where:
            return
        self._where = where
        self._known.keep(where)
        if not where:
            self.close()
            return
        if self._socket is None:
            self._open()
        if self._socket is not None:
            for index in where:
                self._send(SOLICITATION.pack(SOLICITS, 0, 0, 0), ROUTERS, index)
            self._speak(now)

    def close(self) -> None:
        """Look no more."""
        self._speak_at = None
        self.problems.clear()
        if self._socket is not None:
            self._unregister(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _open(self) -> None:
        """Without raw sockets peers that call are known by the interface that they come from, and no others."""
        self.problems.clear()
        try:
            end = socket.socket(
                socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMPV6
            )
        except OSError as fault:
            self.problems[UNDISCOVERED] = os.strerror(fault.errno or 0)
            return
        end.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, ONLY_ADVERTISEMENTS)
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, NEAR)
        end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        self._socket = end
        self._register(end.fileno(), self._readable)

    def _readable(self, now: float) -> None:
        for _ in range(MESSAGES_A_TURN):
            if self._socket is None:
                return
            try:
                data, aside, _, source = self._socket.recvmsg(MESSAGE_BYTES, ASIDE_BYTES)
            except OSError:
                return  # nothing waits, or an interface went
            hops = next((HOPS.unpack(value)[0] for _, kind, value in aside if kind == socket.IPV6_HOPLIMIT), 0)
            address, index = source[0].partition("%")[0], source[3]
            if index in self._where and advertises(data, hops, address) and self._known.hear(index, address, now):
                self._learn(self._where[index][0], address, now)

    def deadline(self) -> float | None:
        """When it is time to be seen again."""
        return self._speak_at

    def wake(self, now: float) -> None:
        """Be seen."""
        if self._speak_at is not None and self._speak_at <= now:
            self._speak(now)

    def _speak(self, now: float) -> None:
        self._speak_at = now + PACE
        for index, (_, mac) in self._where.items():
            option = SOURCE_OPTION + mac if len(mac) == 6 else b""
            self._send(ADVERTISEMENT.pack(ADVERTISES, 0, 0, 0, 0, 0, 0, 0) + option, NODES, index)

    def _send(self, data: bytes, to: str, index: int) -> None:
        """An interface that cannot send now gets the next one."""
        assert self._socket is not None
        try:
            self._socket.sendto(data, (to, 0, 0, index))
        except OSError:
            return
