"""BGP sessions as the wire has them: TCP put in order, cut into messages by RFC 4271's header and nothing of ours."""

import selectors
import socket
import threading
from collections.abc import Iterable
from ipaddress import ip_address
from types import TracebackType
from typing import Self

import dpkt
from msgspec import Struct

from tests.lab.net import Host, inside

ETH_ALL = 3
BUFFER = 8 << 20
HEADER = 19
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = range(1, 6)
Flow = tuple[str, int, str, int]


class Said(Struct, frozen=True):
    """One whole message, header included, and between which addresses."""

    sender: str
    receiver: str
    data: bytes

    @property
    def kind(self) -> int:
        """Its type."""
        return self.data[18]

    @property
    def body(self) -> bytes:
        """All after its header."""
        return self.data[HEADER:]


class Stream:
    """One direction of a connection: segments in any order, twice or overlapping."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._waiting: dict[int, bytes] = {}
        self._ready = bytearray()

    def segment(self, sequence: int, data: bytes) -> None:
        """Take one in; what was there before counts."""
        self._waiting[sequence] = max(data, self._waiting.get(sequence, b""), key=len)
        while (found := next((each for each in self._waiting if self._ahead(each) <= 0), None)) is not None:
            piece, behind = self._waiting.pop(found), -self._ahead(found)
            self._ready += piece[behind:]
            self._next = (self._next + max(len(piece) - behind, 0)) % (1 << 32)

    def _ahead(self, sequence: int) -> int:
        """How far it is from where the stream goes on, numbers running round (RFC 9293 section 3.4)."""
        return (sequence - self._next + (1 << 31)) % (1 << 32) - (1 << 31)

    def messages(self) -> list[bytes]:
        """All that became whole."""
        found = []
        while len(self._ready) >= HEADER:
            size = int.from_bytes(self._ready[16:18])
            if size < HEADER or len(self._ready) < size:
                break
            found.append(bytes(self._ready[:size]))
            del self._ready[:size]
        return found


class Streams:
    """Frames of Ethernet in, messages out."""

    def __init__(self, ports: Iterable[int]) -> None:
        self._ports = frozenset(ports)
        self._flows: dict[Flow, Stream] = {}

    def frame(self, data: bytes) -> list[Said]:
        """The messages that this frame completes."""
        packet = dpkt.ethernet.Ethernet(data).data
        if not isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6)) or not isinstance(packet.data, dpkt.tcp.TCP):
            return []
        tcp = packet.data
        if not self._ports & {tcp.sport, tcp.dport}:
            return []
        sender, receiver = str(ip_address(packet.src)), str(ip_address(packet.dst))
        flow = sender, tcp.sport, receiver, tcp.dport
        if tcp.flags & dpkt.tcp.TH_SYN:
            self._flows[flow] = Stream((tcp.seq + 1) % (1 << 32))
        if not tcp.data or flow not in self._flows:
            return []
        stream = self._flows[flow]
        stream.segment(tcp.seq, bytes(tcp.data))
        return [Said(sender, receiver, each) for each in stream.messages()]


class Capture:
    """Every message of BGP that passes `interface` of `host`, from enter to exit, of sessions that begin within."""

    def __init__(self, host: Host, interface: str = "eth0", ports: Iterable[int] = (179,)) -> None:
        self._host, self._interface = host, interface
        self._streams = Streams(ports)
        self._wake, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self.messages: list[Said] = []

    def __enter__(self) -> Self:
        with inside(self._host.namespace):
            self._raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            self._raw.bind((self._interface, ETH_ALL))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.close()
        self._thread.join()
        self._end.close()
        self._raw.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in (self._raw, self._end):
                selector.register(each, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._raw in ready:
                    self.messages += self._streams.frame(self._raw.recv(1 << 17))
                elif self._end in ready:
                    return

    def of(self, sender: str, kind: int) -> list[Said]:
        """What `sender` said of that type so far, in order."""
        return [each for each in list(self.messages) if each.sender == sender and each.kind == kind]
