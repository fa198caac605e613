"""How layer 2 reaches the wire: packet sockets with filters, and membership in solicited-node groups.

An interface that goes away or down meanwhile is weather: netlink will say so.
"""

import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from struct import Struct as Form

from speakerd.layer2 import filter as bpf
from speakerd.layer2.ndp import solicited_node
from speakerd.packet import WEATHER, attach, packet_socket

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
FRAME_BYTES = 2048
"""More than a question can have; what is longer arrives cut, and is judged by what is there."""
FRAMES_A_TURN = 64
"""Of one socket, before others have their turn."""
QUEUE_BYTES = 1 << 20
"""Questions the kernel keeps while this process does not run: 2,500, or the 500 that net.core.rmem_max often allows."""
GROUPS_A_SOCKET = 300
"""The kernel charges memberships to a socket's option memory, 20 KiB where it is least: 365 of them."""
CHANGES_A_TURN = 64
"""Memberships changed at a time: 2 ms."""
GROUP = Form("@16sI")

Receive = Callable[[int, bytes], bytes | None]
"""A core's `receive_arp` or `receive_ndp`: interface index and frame in, the reply out."""
Membership = tuple[int, bytes]
"""Interface index and group."""


class Wire:
    """Packet sockets of one protocol, one an interface; `after` is called when a socket was read.

    An interface that is not to be used for a while, its cable pulled, keeps its socket and only goes deaf: closing one
    stops this process for 10 ms.
    """

    def __init__(
        self,
        protocol: int,
        receive: Receive,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        after: Callable[[float], None],
    ) -> None:
        self._protocol = protocol
        self._after = after
        self._receive = receive
        self._register = register
        self._unregister = unregister
        self._sockets: dict[int, socket.socket] = {}
        self._deaf: set[int] = set()
        self._nothing = bpf.encoded(bpf.NOTHING)
        self._program = self._nothing

    def listen(self, names: Mapping[int, str], present: Collection[int]) -> None:
        """Listen on exactly these interfaces (index -> name); of all others only those `present` keep their socket."""
        for index in [index for index in self._sockets if index not in present]:
            self._close(index)
        for index in self._sockets.keys() - names.keys() - self._deaf:
            self._deaf.add(index)
            attach(self._sockets[index], self._nothing)
        for index in names.keys() & self._deaf:
            self._deaf.remove(index)
            attach(self._sockets[index], self._filter(index))
        for index in names.keys() - self._sockets.keys():
            self._open(index, names[index])

    def let_through(self, program: bytes) -> None:
        """Replace the filter of all sockets, now and to come."""
        if program != self._program:
            self._program = program
            for index in self._sockets.keys() - self._deaf:
                attach(self._sockets[index], self._filter(index))

    def _filter(self, index: int) -> bytes:
        return bpf.encoded(bpf.only_from(index)) + self._program

    def send(self, index: int, frame: bytes) -> None:
        """Send, or lose what an interface that is going down would lose anyway."""
        if end := self._sockets.get(index):
            with suppress(OSError):
                end.send(frame)

    def _open(self, index: int, name: str) -> None:
        end = packet_socket(name, self._protocol, self._filter(index), QUEUE_BYTES)
        if end is None:
            return
        self._sockets[index] = end
        self._register(end.fileno(), lambda now: self._drain(index, end, now))

    def _close(self, index: int) -> None:
        end = self._sockets.pop(index)
        self._deaf.discard(index)
        self._unregister(end.fileno())
        end.close()

    def _drain(self, index: int, end: socket.socket, now: float) -> None:
        """Answer what waits, up to a turn's share; then tell of what else was said."""
        try:
            for _ in range(FRAMES_A_TURN):
                reply = self._receive(index, end.recv(FRAME_BYTES))
                if reply is not None:
                    end.send(reply)
        except OSError as fault:
            if fault.errno not in WEATHER:
                raise
        self._after(now)


class Groups:
    """Memberships in the solicited-node groups of VIPs: the kernel reports them (MLD) and lets their frames in.

    Each takes the kernel 30 us under a lock that all network configuration shares, so thousands are joined in slices.
    """

    def __init__(self) -> None:
        self._sockets: list[tuple[socket.socket, set[Membership]]] = []
        self._asked: tuple[frozenset[int], frozenset[bytes]] | None = None
        self._missing: set[Membership] = set()
        self._refused: set[Membership] = set()
        self._excess: list[tuple[int, Membership]] = []

    @property
    def pending(self) -> bool:
        """Whether `work` has something left to do."""
        return bool(self._missing or self._excess)

    def ask(self, indexes: Collection[int], vips: Collection[bytes]) -> None:
        """Have `work` make this host a member of the groups of exactly these VIPs on exactly these interfaces."""
        asked = frozenset(indexes), frozenset(vips)
        if asked == self._asked:
            self._missing |= self._refused
            self._refused.clear()
            return
        self._asked = asked
        self._refused.clear()
        wanted = {(index, group) for group in map(solicited_node, asked[1]) for index in asked[0]}
        self._excess = [(number, pair) for number, (_, joined) in enumerate(self._sockets) for pair in joined - wanted]
        self._missing = wanted.difference(*(joined for _, joined in self._sockets))

    def work(self) -> None:
        """Join and leave some; what an interface refuses (it goes, or has IPv6 disabled) waits for the next `ask`."""
        for _ in range(CHANGES_A_TURN):
            if self._missing:
                self._join(self._missing.pop())
            elif self._excess:
                self._leave(*self._excess.pop())
            else:
                return

    def _join(self, pair: Membership) -> None:
        end, joined = self._roomy()
        try:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, GROUP.pack(pair[1], pair[0]))
        except OSError:
            self._refused.add(pair)
        else:
            joined.add(pair)

    def _leave(self, number: int, pair: Membership) -> None:
        end, joined = self._sockets[number]
        joined.discard(pair)
        with suppress(OSError):
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, GROUP.pack(pair[1], pair[0]))

    def _roomy(self) -> tuple[socket.socket, set[Membership]]:
        for found in self._sockets:
            if len(found[1]) < GROUPS_A_SOCKET:
                return found
        self._sockets.append((socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC), set()))
        return self._sockets[-1]
