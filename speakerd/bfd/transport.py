"""How BFD reaches the wire: a UDP socket for each port, family and VRF to hear by, and one a session to speak by.

A port that somebody else has, an address or a device that is not there: weather, told and tried again. What a network
refuses to take is lost, as on any network.
"""

import errno
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from struct import Struct as Form

from msgspec import Struct

from speakerd.bfd.effects import CONTROL_PORT, ECHO_PORT, MULTIHOP_PORT, SOURCE_PORTS, TTL, Path, Send
from speakerd.bfd.frame import CS6, NOTHING
from speakerd.bfd.mirror import Mirror, waiting
from speakerd.packet import attach

PACKET_BYTES = 256
"""More than a Control packet can say that it has."""
ANCILLARY_BYTES = 128
"""Room for the two notes that the kernel adds to a packet."""
QUEUE_BYTES = 1 << 18
"""What the kernel keeps while this process does not run, as far as net.core.rmem_max allows: some 300 packets."""
AGAIN = 3.0
"""Seconds until what could not be opened is tried again."""
MOST_TOLD = 5
"""Details of one problem: who reads the first ones knows what to do."""
TRIES = 64
"""Source ports that are tried at a time, since others may have some of them."""
EVERYWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104

# linux/in.h: not in Python's socket module
IP_PKTINFO, IP_RECVTTL = 8, 12
NOTES = {
    socket.AF_INET: ((socket.IPPROTO_IP, IP_PKTINFO), (socket.IPPROTO_IP, IP_RECVTTL)),
    socket.AF_INET6: ((socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO), (socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT)),
}
PKTINFO, PKTINFO6 = Form("@i4s4s"), Form("@16sI")
"""Interface, address of this host there, destination; destination, interface."""

PORT_TAKEN, NOT_SENDING = "bfd-port-taken", "bfd-not-sending"

Register = Callable[[int, Callable[[float], None]], None]
Ear = tuple[socket.AddressFamily, int, str]
"""Family, port, and the VRF's name, "" outside of all."""


class Mouth(Struct, frozen=True):
    """What a session speaks by, from `source`, one of SOURCE_PORTS, to `target` as sendto has it."""

    end: socket.socket
    source: int
    target: tuple[str | int, ...]


class Wire:
    """`register`, `unregister`: the engine's. `random` gives numbers from 0 to 1.

    `receive` gets payload, way and TTL of a Control packet, `receive_echo` what came back. `counters`: what was lost;
    `problems`: detail by word, of what stands now.
    """

    def __init__(
        self,
        register: Register,
        unregister: Callable[[int], None],
        random: Callable[[], float],
        receive: Callable[[bytes, Path, int, float], None],
        receive_echo: Callable[[bytes, float], None],
    ) -> None:
        self._register, self._unregister, self._random, self._receive = register, unregister, random, receive
        self._mirror = Mirror(register, unregister, receive_echo)
        self._paths: frozenset[Path] = frozenset()
        self._ears: dict[Ear, socket.socket] = {}
        self._mouths: dict[Path, Mouth] = {}
        self._again_at: float | None = None
        self.counters: Counter[str] = Counter()
        self.problems: dict[str, str] = {}

    def want(self, paths: Iterable[Path], now: float, *, echo: bool) -> None:
        """Hear and speak by exactly these paths; `echo`: whether by any of them echo packets may go."""
        self._paths = frozenset(paths)
        for path in self._mouths.keys() - self._paths:
            self._mouths.pop(path).end.close()
            self._mirror.forget(path)
        for ear in self._ears.keys() - set(map(_ear, self._paths)):
            self._deafen(ear)
        if not echo:
            self._mirror.close()
        self._open(now)

    def forget(self, path: Path) -> None:
        """The neighbour may be another station from now on."""
        self._mirror.forget(path)

    def deadline(self) -> float | None:
        """When what could not be opened is tried again."""
        return self._again_at

    def wake(self, now: float) -> None:
        """Try it again."""
        if self._again_at is not None and self._again_at <= now:
            self._open(now)

    @property
    def sources(self) -> dict[Path, int]:
        """The port that each session speaks from."""
        return {path: mouth.source for path, mouth in self._mouths.items()}

    # -- sockets

    def _open(self, now: float) -> None:
        """Whatever is not open yet, as far as it can be had."""
        unheard, unsaid = [], []
        for ear in sorted(set(map(_ear, self._paths)) - self._ears.keys()):
            try:
                self._ears[ear] = end = self._listening(ear)
            except OSError as fault:
                unheard.append(_detail(ear, fault))
            else:
                self._register(end.fileno(), partial(self._drain, end, ear))
        for path in self._paths - self._mouths.keys():
            try:
                self._mouths[path] = self._speaking(path)
            except OSError as fault:
                unsaid.append(f"to {_text(path.address)}: {fault.strerror}")
        found = {PORT_TAKEN: unheard, NOT_SENDING: sorted(unsaid)}
        self.problems = {word: "; ".join(details[:MOST_TOLD]) for word, details in found.items() if details}
        self._again_at = now + AGAIN if self.problems else None

    def _listening(self, ear: Ear) -> socket.socket:
        """A socket in a VRF and one outside of all share a port only if both agree.

        They agree while one of them is bound and not for longer, or other programs would be let in. Raises OSError.
        """
        family, port, vrf = ear
        ours = [end for (other, number, _), end in self._ears.items() if (other, number) == (family, port)]
        end = _listener(family, vrf)
        try:
            _agree(True, *ours, *([end] if ours else []))
            end.bind((EVERYWHERE[family], port))
        except OSError:
            end.close()
            raise
        finally:
            _agree(False, *ours)
        _agree(False, end)
        return end

    def _deafen(self, ear: Ear) -> None:
        end = self._ears.pop(ear)
        self._unregister(end.fileno())
        end.close()

    def _speaking(self, path: Path) -> Mouth:
        """From a port of its own among all sessions (RFC 5881 section 4). Raises OSError."""
        used = {mouth.source for mouth in self._mouths.values()}
        first = int(self._random() * len(SOURCE_PORTS))
        free = (each for at in range(TRIES) if (each := SOURCE_PORTS[(first + at) % len(SOURCE_PORTS)]) not in used)
        end = _speaker(path)
        try:
            source = _bound(end, path, free)
        except OSError:
            end.close()
            raise
        port = MULTIHOP_PORT if path.multihop else CONTROL_PORT
        return Mouth(end, source, _address(path.address, port, path.index))

    # -- what comes in

    def _drain(self, end: socket.socket, ear: Ear, now: float) -> None:
        """Hand over what waits, up to a turn's share."""
        family, port, vrf = ear
        noted = _noted if family == socket.AF_INET else _noted6
        multihop = port == MULTIHOP_PORT
        for data, notes, _, source in waiting(partial(end.recvmsg, PACKET_BYTES, ANCILLARY_BYTES)):
            index, local, ttl = noted(notes)
            way = Path(socket.inet_pton(family, source[0]), index, multihop, local, vrf)
            self._receive(data, way, ttl, now)

    # -- what goes out

    def send(self, each: Send, now: float) -> None:
        """Send, or lose it."""
        if each.port == ECHO_PORT:
            if not self._mirror.send(each, now):
                self.counters["echo-not-sent"] += 1
            return
        mouth = self._mouths.get(each.path)
        if mouth is None:
            self.counters["not-sent"] += 1
            return
        try:
            mouth.end.sendto(each.data, mouth.target)
        except OSError as fault:
            self.counters["not-sent"] += 1
            if fault.errno in (errno.ENODEV, errno.ENXIO):
                self._gone(each.path, now)

    def _gone(self, path: Path, now: float) -> None:
        """The device that its sockets are bound to is no more; one of the same name may come."""
        self._mouths.pop(path).end.close()
        if path.vrf and _ear(path) in self._ears:
            self._deafen(_ear(path))
        self._again_at = now + AGAIN


def _ear(path: Path) -> Ear:
    return _family(path.address), MULTIHOP_PORT if path.multihop else CONTROL_PORT, path.vrf


def _family(address: bytes) -> socket.AddressFamily:
    return socket.AF_INET6 if len(address) == 16 else socket.AF_INET


def _text(address: bytes) -> str:
    return socket.inet_ntop(_family(address), address)


def _address(address: bytes, port: int, index: int) -> tuple[str | int, ...]:
    """As the calls of a socket have it; the interface counts for link-local addresses alone."""
    return (_text(address), port, 0, index) if len(address) == 16 else (_text(address), port)


def _detail(ear: Ear, fault: OSError) -> str:
    family, port, vrf = ear
    where = f"port {port}/udp of {'IPv6' if family == socket.AF_INET6 else 'IPv4'}" + (f" in VRF {vrf}" if vrf else "")
    return f"{where} taken" if fault.errno == errno.EADDRINUSE else f"{where}: {fault.strerror}"


def _datagrams(family: socket.AddressFamily, device: str) -> socket.socket:
    """A UDP socket of one family, for packets of one device where it has a name. Raises OSError."""
    end = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if device:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    except OSError:
        end.close()
        raise
    return end


def _listener(family: socket.AddressFamily, vrf: str) -> socket.socket:
    """One that is told by the kernel of each packet where it came to, and with how many hops left. Raises OSError."""
    end = _datagrams(family, vrf)
    try:
        for level, option in NOTES[family]:
            end.setsockopt(level, option, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
    except OSError:
        end.close()
        raise
    return end


def _agree(shared: bool, *ends: socket.socket) -> None:
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, shared)


def _speaker(path: Path) -> socket.socket:
    """One that takes no packet in, and whose own leave with TTL and CS6. Raises OSError."""
    family = _family(path.address)
    end = _datagrams(family, socket.if_indextoname(path.index) if path.index else path.vrf)
    try:
        attach(end, NOTHING)
        if family == socket.AF_INET6:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL)
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CS6)
        else:
            end.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
            end.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, CS6)
    except OSError:
        end.close()
        raise
    return end


def _bound(end: socket.socket, path: Path, ports: Iterable[int]) -> int:
    """The first of `ports` that is to be had. Raises OSError."""
    for port in ports:
        try:
            local = path.local or bytes(len(path.address))
            end.bind(_address(local, port, path.index))
        except OSError as fault:
            if fault.errno != errno.EADDRINUSE:
                raise
        else:
            return port
    raise OSError(errno.EADDRINUSE, "no source port is free")


Note = tuple[int, int, bytes]


def _noted(notes: list[Note]) -> tuple[int, bytes, int]:
    """Interface, our address and TTL, as the kernel says of a packet; what it does not say is 0."""
    index, local, ttl = 0, b"", 0
    for level, kind, data in notes:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(data) == PKTINFO.size:
            index, _, local = PKTINFO.unpack(data)
        elif level == socket.IPPROTO_IP and kind == socket.IP_TTL:
            ttl = _number(data)
    return index, local, ttl


def _noted6(notes: list[Note]) -> tuple[int, bytes, int]:
    """The same of IPv6."""
    index, local, ttl = 0, b"", 0
    for level, kind, data in notes:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(data) == PKTINFO6.size:
            local, index = PKTINFO6.unpack(data)
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT:
            ttl = _number(data)
    return index, local, ttl


def _number(data: bytes) -> int:
    """An int in the host's order."""
    return int.from_bytes(data, sys.byteorder, signed=True)
