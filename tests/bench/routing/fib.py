"""What a router has put into its kernel, and when: its own view of us, for which it is asked nothing.

The kernel tells whoever listens of each route (rtnetlink), so the time is that of the event itself. To ask vtysh or
birdc again and again would cost the router up to 50 ms each time, and a peer that is a script has no RIB. A route is in
the kernel after it is in the RIB: times are a little long, never short.
"""

import socket
import threading
import time
from collections.abc import Iterator
from struct import Struct as Form
from types import TracebackType
from typing import Self

from msgspec import Struct

from tests.lab.net import Host, inside

GROUP_IPV4 = 0x40
NEW, GONE = 24, 25
MAIN = 254
DESTINATION, GATEWAY, MULTIPATH = 1, 5, 9
FORCED, ROOM = 33, 64 << 20
"""SO_RCVBUFFORCE: many thousand routes come at once."""
HEAD, ROUTE, ATTRIBUTE, HOP = Form("=IHHII"), Form("=8BI"), Form("=HH"), Form("=HBBi")
PATIENCE = 0.2
"""Seconds of a read, so that the end is noticed."""


class Turn(Struct, frozen=True):
    """A route is another from `when` (time.time()) on: by these next hops, none once it is gone."""

    when: float
    prefix: str
    hops: frozenset[str]


class Fib:
    """The IPv4 routes that come and go in a router's kernel, from enter to exit; those there before are not known."""

    def __init__(self, host: Host) -> None:
        with inside(host.namespace):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, FORCED, ROOM)
        self._socket.bind((0, GROUP_IPV4))
        self._socket.settimeout(PATIENCE)
        self._thread = threading.Thread(target=self._read, name="fib", daemon=True)
        self._running = True
        self.turns: list[Turn] = []
        self.now: dict[str, frozenset[str]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running = False
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        while self._running:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            when = time.time()
            for prefix, hops in _routes(data):
                self.turns.append(Turn(when, prefix, hops))
                if hops:
                    self.now[prefix] = hops
                else:
                    self.now.pop(prefix, None)

    def hops(self, prefix: str) -> frozenset[str]:
        """By which next hops it goes now."""
        return self.now.get(prefix, frozenset())

    def ways(self, prefix: str, since: float) -> list[float]:
        """When it had a first next hop from `since` on, a second and so on."""
        found: list[float] = []
        for each in self._of(prefix, since):
            found += [each.when] * (len(each.hops) - len(found))
        return found

    def without(self, prefix: str, hop: str, since: float) -> float:
        """When it went by `hop` no longer, first from `since` on; 0: not yet."""
        return next((each.when for each in self._of(prefix, since) if hop not in each.hops), 0.0)

    def _of(self, prefix: str, since: float) -> Iterator[Turn]:
        return (each for each in self.since(since) if each.prefix == prefix)

    def since(self, when: float) -> list[Turn]:
        """All turns from `when` on, in their order."""
        found: list[Turn] = []
        for each in reversed(self.turns[:]):
            if each.when < when:
                break
            found.append(each)
        return found[::-1]


def _routes(data: bytes) -> Iterator[tuple[str, frozenset[str]]]:
    """Prefix and next hops of each message about the main table."""
    at = 0
    while at + HEAD.size <= len(data):
        size, kind, *_ = HEAD.unpack_from(data, at)
        _, length, _, _, table, *_ = ROUTE.unpack_from(data, at + HEAD.size)
        said = dict(_attributes(data[at + HEAD.size + ROUTE.size : at + size]))
        if kind in (NEW, GONE) and table == MAIN and DESTINATION in said:
            hops = frozenset(_hops(said)) if kind == NEW else frozenset[str]()
            yield f"{socket.inet_ntoa(said[DESTINATION])}/{length}", hops
        at += (size + 3) & ~3


def _hops(said: dict[int, bytes]) -> Iterator[str]:
    if GATEWAY in said:
        yield socket.inet_ntoa(said[GATEWAY])
    several, at = said.get(MULTIPATH, b""), 0
    while at + HOP.size <= len(several):
        size, *_ = HOP.unpack_from(several, at)
        inner = dict(_attributes(several[at + HOP.size : at + size]))
        if GATEWAY in inner:
            yield socket.inet_ntoa(inner[GATEWAY])
        at += (size + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + ATTRIBUTE.size <= len(data):
        size, kind = ATTRIBUTE.unpack_from(data, at)
        yield kind & 0x3FFF, data[at + ATTRIBUTE.size : at + size]
        at += max(ATTRIBUTE.size, (size + 3) & ~3)
