"""How echo packets leave for the neighbour's MAC and come back: a packet socket for each interface and family.

An interface that goes away, or a neighbour that the kernel has not found: weather. The packet is lost, which is what
echo packets are there to tell.
"""

import socket
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from msgspec import Struct

from speakerd.bfd.effects import Path, Send
from speakerd.bfd.frame import TYPES, framed, program, unframed
from speakerd.bfd.neighbours import Neighbours
from speakerd.packet import packet_socket

FRAME_BYTES = 256
A_TURN = 64
"""Of one socket, before others have their turn."""
QUEUE_BYTES = 1 << 16
"""Frames the kernel keeps while this process does not run."""
AGAIN = 1.0
"""Seconds until the kernel is asked again for a neighbour that it did not know."""
LINK_LOCAL = 0xFE80
"""The first ten bits of addresses that no router forwards to."""

T = TypeVar("T")


class Route(Struct, frozen=True):
    """By what an echo packet leaves; b"" for `target`: not known, to be asked again at `until`."""

    way: Path
    target: bytes
    until: float = 0.0


class Mirror:
    """`register`, `unregister`: the engine's. `receive` gets what came back. `counters`: what was lost, by word."""

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        receive: Callable[[bytes, float], None],
    ) -> None:
        self._register, self._unregister, self._receive = register, unregister, receive
        self._neighbours: Neighbours | None = None
        self._sockets: dict[tuple[int, int], socket.socket] = {}
        self._routes: dict[Path, Route] = {}

    def send(self, each: Send, now: float) -> bool:
        """Whether it left."""
        route = self._route(each, now)
        index, local = route.way.index, route.way.local
        if not route.target:
            return False
        end = self._sockets.get((index, len(local))) or self._open(index, len(local))
        if end is None:
            return False
        try:
            end.send(framed(route.target, end.getsockname()[4], local, each.data))
        except OSError:
            return False
        return True

    def forget(self, path: Path) -> None:
        """Ask anew where the neighbour is: it may be another one when it is heard again."""
        self._routes.pop(path, None)

    def close(self) -> None:
        """Let go of all sockets; each of them stops this process for some 10 ms."""
        for end in self._sockets.values():
            self._unregister(end.fileno())
            end.close()
        self._sockets.clear()
        self._routes.clear()
        if self._neighbours is not None:
            self._neighbours.close()
            self._neighbours = None

    def _route(self, each: Send, now: float) -> Route:
        """As it was when the kernel was last asked, unless the neighbour's packets come another way since."""
        known = self._routes.get(each.path)
        if known is None or known.way != each.way or (not known.target and known.until <= now):
            known = self._routes[each.path] = Route(each.way, self._target(each.way), now + AGAIN)
        return known

    def _target(self, way: Path) -> bytes:
        """The neighbour's MAC, where packets to our address there can come back at all."""
        if not way.index or not way.local or (len(way.local) == 16 and _link_local(way.local)):
            return b""
        if self._neighbours is None:
            self._neighbours = Neighbours()
        return self._neighbours.mac(way.index, way.address)

    def _open(self, index: int, family: int) -> socket.socket | None:
        try:
            name = socket.if_indextoname(index)
        except OSError:
            return None
        end = packet_socket(name, TYPES[family], program(index, family), QUEUE_BYTES)
        if end is not None:
            self._sockets[index, family] = end
            self._register(end.fileno(), partial(self._drain, end))
        return end

    def _drain(self, end: socket.socket, now: float) -> None:
        for frame in waiting(partial(end.recv, FRAME_BYTES)):
            self._receive(unframed(frame), now)


def waiting(read: Callable[[], T]) -> Iterator[T]:
    """What waits in a socket, up to a turn's share, and no more once the socket was closed or its interface is down."""
    for _ in range(A_TURN):
        try:
            found = read()
        except OSError:
            return
        yield found


def _link_local(address: bytes) -> bool:
    return int.from_bytes(address[:2]) & 0xFFC0 == LINK_LOCAL
