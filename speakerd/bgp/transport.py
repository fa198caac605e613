"""How sessions reach the wire: TCP connections by number, that are dialled, accepted, read and written without waiting.

Whatever one peer does or leaves undone, others are served between two pieces of it: reading takes a piece a turn and a
share of the time, and what a socket does not take is kept until it does.
"""

import errno
import os
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from speakerd.bgp import tcp
from speakerd.bgp.reach import Ends, Reach
from speakerd.deadlines import soonest

PIECE_BYTES = 8192
"""Read of one connection in a turn: 2 ms of the shortest UPDATEs."""
SHARE_BYTES, SHARE_TIME = 2 * PIECE_BYTES, 1 / 32
"""Read of one connection in so many seconds: a full table (50 MB) takes a fifth of a core for 100 s. In small shares,
for this process goes before all others: a second's at once would keep a core from them for a tenth of a second."""
LAST_BYTES, LAST_PIECES = 1 << 16, 64
"""Thrown away unread when a connection is closed, up to 4 MiB: what is left would make the kernel reset it, and the
peer might lose the NOTIFICATION."""

LAST_WORDS, MOST_PARTING = 0.5, 64
"""Seconds in which a peer may read what it was told last and end the connection itself, and how many are waited for at
a time. FRR hears of the end before it has worked off what came before, and would keep our routes (RFC 4724)."""


class Taker(Protocol):
    """Who is told what becomes of a connection."""

    def connected(self, number: int, now: float) -> None:
        """What was dialled stands."""

    def closed(self, number: int, why: str, now: float) -> None:
        """It ended, or never came about; it is to be closed here too."""

    def received(self, number: int, data: bytes, now: float) -> None:
        """Octets came."""

    def relieved(self, number: int, now: float) -> None:
        """All that waited has been written."""


class Line:
    """One connection. `held`: not written yet, since `held_since` or the last time that some of it was."""

    def __init__(self, end: socket.socket, taker: Taker, ttl: int) -> None:
        self.end, self.taker, self.ttl = end, taker, ttl
        self.held = bytearray()
        self.held_since: float | None = None
        self.read_since = 0.0
        self.read = 0
        self.up = False
        self.paused = False
        self.ends_at: float | None = None


class Wire:
    """All connections. `register`, `unregister` and `await_writable` are the engine's."""

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        await_writable: Callable[[int, Callable[[float], None] | None], None],
    ) -> None:
        self._register, self._unregister, self._await = register, unregister, await_writable
        self._lines: dict[int, Line] = {}
        self._paused: dict[int, float] = {}
        self._unwritten: dict[int, None] = {}
        self._parting: dict[int, Line] = {}
        self._number = 0
        self.counters: Counter[str] = Counter()

    # -- how connections begin and end

    def numbers(self) -> int:
        """A number that no connection ever had."""
        self._number += 1
        return self._number

    def dial(self, number: int, reach: Reach, taker: Taker) -> str:
        """Connect, as connection `number`; why that is impossible, or ""."""
        try:
            end = tcp.dialling(reach)
        except OSError as fault:
            return _said(fault)
        self._lines[number] = Line(end, taker, 0)
        self._await(end.fileno(), partial(self._dialled, number))
        return ""

    def adopt(self, end: socket.socket, ttl: int, taker: Taker) -> int:
        """Take over a connection that was accepted; its number. Raises OSError where it is gone already."""
        if ttl:
            tcp.limit(end, ttl)
        number = self.numbers()
        self._lines[number] = Line(end, taker, ttl)
        self._stands(number)
        return number

    def close(self, number: int) -> None:
        """Write what waits as far as that is possible at once, and close; a number that is no more means nothing.

        Who is told something to the last is left to end the connection for a moment, until after the next `flush`.
        """
        line = self._lines.pop(number, None)
        if line is None:
            return
        self._unwritten.pop(number, None)
        self._paused.pop(number, None)
        self._await(line.end.fileno(), None)
        if line.up and not line.paused:
            self._unregister(line.end.fileno())
        try:
            told = line.end.send(line.held) if line.held else 0
        except OSError:
            told = 0
        if told and line.up and len(self._parting) < MOST_PARTING:
            self._parting[number] = line
            self._register(line.end.fileno(), partial(self._parted, number))
        else:
            _end(line.end)

    @property
    def parting(self) -> bool:
        """Whether some peer has yet to end a connection that is over."""
        return bool(self._parting)

    def _parted(self, number: int, _now: float) -> None:
        """Heed nothing but the end of a connection that is over."""
        line = self._parting[number]
        with suppress(OSError):
            try:
                # MSG_TRUNC: the kernel only counts it off (tcp(7)).
                if line.end.recv_into(bytearray(LAST_BYTES), LAST_BYTES, socket.MSG_TRUNC):
                    return
            except BlockingIOError:
                return
        self._part(number)

    def _part(self, number: int) -> None:
        line = self._parting.pop(number)
        self._unregister(line.end.fileno())
        _end(line.end)

    def _dialled(self, number: int, now: float) -> None:
        line = self._lines[number]
        self._await(line.end.fileno(), None)
        fault = line.end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault:
            line.taker.closed(number, os.strerror(fault), now)
            return
        self._stands(number)
        line.taker.connected(number, now)

    def _stands(self, number: int) -> None:
        line = self._lines[number]
        line.up = True
        self._register(line.end.fileno(), partial(self._readable, number))

    def ends(self, number: int) -> Ends | None:
        """Its addresses; None where it does not stand."""
        line = self._lines.get(number)
        try:
            return ends(line.end) if line and line.up else None
        except OSError:
            return None

    # -- what comes in

    def _readable(self, number: int, now: float) -> None:
        line = self._lines[number]
        try:
            data = line.end.recv(PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError as fault:
            line.taker.closed(number, _said(fault), now)
            return
        if not data:
            line.taker.closed(number, "connection closed", now)
            return
        self._count(number, line, len(data), now)
        line.taker.received(number, data, now)

    def _count(self, number: int, line: Line, size: int, now: float) -> None:
        """Leave the rest in the socket once it has had its share, and TCP makes the peer wait."""
        if now - line.read_since >= SHARE_TIME:
            line.read_since, line.read = now, 0
        line.read += size
        if line.read >= SHARE_BYTES:
            self._unregister(line.end.fileno())
            line.paused = True
            self._paused[number] = line.read_since + SHARE_TIME
            self.counters["reading-paused"] += 1

    # -- what goes out

    def send(self, number: int, data: bytes) -> None:
        """Have it written by the next `flush`; of a connection that is no more it is lost."""
        line = self._lines.get(number)
        if line is not None:
            line.held += data
            self._unwritten[number] = None

    def flush(self, now: float) -> None:
        """Write what was sent, as far as sockets take it; the rest follows by itself."""
        for line in self._parting.values():
            line.ends_at = line.ends_at or now + LAST_WORDS
        unwritten, self._unwritten = self._unwritten, {}
        for number in unwritten:
            line = self._lines[number]
            if line.held_since is None:
                line.held_since = now
                self._write(number, line, now)

    def _write(self, number: int, line: Line, now: float) -> None:
        try:
            done = line.end.send(line.held)
        except BlockingIOError:
            done = 0
        except OSError:
            # What is to be read will tell how it ended.
            self._await(line.end.fileno(), None)
            return
        if done:
            del line.held[:done]
            line.held_since = now
        if line.held:
            self._await(line.end.fileno(), partial(self._writable, number))
        else:
            line.held_since = None
            self._await(line.end.fileno(), None)

    def _writable(self, number: int, now: float) -> None:
        line = self._lines[number]
        self._write(number, line, now)
        if not line.held:
            line.taker.relieved(number, now)

    def held_since(self, number: int) -> float | None:
        """Since when the peer has taken nothing of what waits for it; None where nothing waits."""
        line = self._lines.get(number)
        return line.held_since if line else None

    # -- time

    def deadline(self) -> float | None:
        """When one may be read again, or is to end."""
        return soonest(*self._paused.values(), *(each.ends_at for each in self._parting.values()))

    def wake(self, now: float) -> None:
        """Read on where a share is due again, and end what its peer did not."""
        for number in [number for number, each in self._parting.items() if each.ends_at and each.ends_at <= now]:
            self._part(number)
        for number in [number for number, at in self._paused.items() if at <= now]:
            del self._paused[number]
            line = self._lines[number]
            line.paused = False
            self._register(line.end.fileno(), partial(self._readable, number))


def _end(end: socket.socket) -> None:
    """Close, and leave nothing unread behind."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_WR)
        _throw_away(end)
    end.close()


def _throw_away(end: socket.socket) -> None:
    """What has arrived. Raises OSError where that is all."""
    nothing = bytearray(LAST_BYTES)
    for _ in range(LAST_PIECES):
        # MSG_TRUNC: the kernel only counts it off (tcp(7)).
        if not end.recv_into(nothing, LAST_BYTES, socket.MSG_TRUNC):
            return


def ends(end: socket.socket) -> Ends:
    """The addresses of a connection. Raises OSError where it is gone."""
    local, peer = end.getsockname(), end.getpeername()
    here = local[0].partition("%")[0]
    scope = local[3] if len(local) == 4 and here.startswith("fe80:") else 0
    return Ends(here, peer[0].partition("%")[0], scope)


def _said(fault: OSError) -> str:
    """As the system calls it."""
    known = fault.errno in errno.errorcode
    return os.strerror(fault.errno) if known and fault.errno else str(fault.strerror or fault)
