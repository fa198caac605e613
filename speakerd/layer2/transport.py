"""How layer 2 reaches the wire: packet sockets with filters, and membership in solicited-node groups.

A socket gets its filter before it is bound, so that nothing unfiltered ever queues. An interface that goes away or down
meanwhile is weather: netlink will say so.
"""

import ctypes
import errno
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from struct import Struct as Form

from speakerd.layer2 import filter as bpf
from speakerd.layer2.ndp import solicited_node

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
SO_ATTACH_FILTER = 26
FPROG = Form("@HP")
FRAME_BYTES = 2048
"""More than a question can have; what is longer arrives cut, and is judged by what is there."""
FRAMES_A_TURN = 64
"""Of one socket, before others have their turn."""
QUEUE_BYTES = 1 << 20
"""Questions the kernel keeps while this process does not run: 4,000, about a second of a flood at 5,000/s."""
GROUPS_A_SOCKET = 300
"""The kernel charges memberships to a socket's option memory, 20 KiB by default."""
GROUP = Form("@16sI")
WEATHER = (errno.ENETDOWN, errno.ENODEV, errno.ENXIO, errno.ENOBUFS, errno.EAGAIN, errno.EADDRNOTAVAIL)

Receive = Callable[[int, bytes], bytes | None]
"""A core's `receive_arp` or `receive_ndp`: interface index and frame in, the reply out."""


class Wire:
    """Packet sockets of one protocol, one an interface."""

    def __init__(
        self,
        protocol: int,
        receive: Receive,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
    ) -> None:
        self._protocol = protocol
        self._receive = receive
        self._register = register
        self._unregister = unregister
        self._sockets: dict[int, socket.socket] = {}
        self._names: dict[int, str] = {}
        self._program = bpf.encoded(bpf.NOTHING)
        self._buffer = bytearray(FRAME_BYTES)

    def listen(self, names: dict[int, str]) -> None:
        """Listen on exactly these interfaces (index -> name)."""
        for index in [index for index in self._sockets if names.get(index) != self._names[index]]:
            self._close(index)
        for index, name in names.items():
            if index not in self._sockets:
                self._open(index, name)

    def let_through(self, program: bytes) -> None:
        """Replace the filter of all sockets, now and to come."""
        if program != self._program:
            self._program = program
            for end in self._sockets.values():
                attach(end, program)

    def send(self, index: int, frame: bytes) -> None:
        """Send, or lose what an interface that is going down would lose anyway."""
        if end := self._sockets.get(index):
            with suppress(OSError):
                end.send(frame)

    def _open(self, index: int, name: str) -> None:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
            attach(end, self._program)
            end.bind((name, self._protocol))
        except OSError as fault:
            end.close()
            if fault.errno not in WEATHER:
                raise
            return
        self._sockets[index], self._names[index] = end, name
        self._register(end.fileno(), lambda _now: self._drain(index, end))

    def _close(self, index: int) -> None:
        end = self._sockets.pop(index)
        del self._names[index]
        self._unregister(end.fileno())
        end.close()

    def _drain(self, index: int, end: socket.socket) -> None:
        """Answer what waits, up to a turn's share."""
        try:
            for _ in range(FRAMES_A_TURN):
                reply = self._receive(index, end.recv(FRAME_BYTES))
                if reply is not None:
                    end.send(reply)
        except OSError as fault:
            if fault.errno not in WEATHER:
                raise


def attach(end: socket.socket, program: bytes) -> None:
    """Let the kernel run `program` (struct sock_filter[]) on what this socket would get."""
    code = ctypes.create_string_buffer(program, len(program))
    prog = FPROG.pack(len(program) // bpf.INSTRUCTION.size, ctypes.addressof(code))
    end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, prog)


class Groups:
    """Memberships in the solicited-node groups of VIPs: the kernel reports them (MLD) and lets their frames in."""

    def __init__(self) -> None:
        self._sockets: list[tuple[socket.socket, set[tuple[int, bytes]]]] = []

    def join(self, indexes: Collection[int], vips: Collection[bytes]) -> None:
        """Be a member of the groups of exactly these VIPs on exactly these interfaces."""
        wanted = {(index, solicited_node(ip)) for index in indexes for ip in vips}
        for end, joined in self._sockets:
            for pair in joined - wanted:
                self._leave(end, joined, pair)
            wanted -= joined
        for pair in wanted:
            self._join(pair)

    def _join(self, pair: tuple[int, bytes]) -> None:
        end, joined = self._roomy()
        with suppress(OSError):
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, GROUP.pack(pair[1], pair[0]))
            joined.add(pair)

    @staticmethod
    def _leave(end: socket.socket, joined: set[tuple[int, bytes]], pair: tuple[int, bytes]) -> None:
        joined.discard(pair)
        with suppress(OSError):
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, GROUP.pack(pair[1], pair[0]))

    def _roomy(self) -> tuple[socket.socket, set[tuple[int, bytes]]]:
        for found in self._sockets:
            if len(found[1]) < GROUPS_A_SOCKET:
                return found
        self._sockets.append((socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC), set()))
        return self._sockets[-1]
