"""The API server as few connections: short requests share up to four, each watch has its own."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec

from speakerd.kube import tls
from speakerd.kube.credentials import Credentials
from speakerd.kube.http import Answer, Connection, Header, Silent, Stale, Stream, Target, TooLarge, Unreachable
from speakerd.kube.objects import JSON, Status
from speakerd.wire import UNDECODABLE

__all__ = ["Client", "Response", "Silent", "TooLarge", "Unreachable", "Withheld"]

CONNECTIONS = 4
"""For short requests; opened on demand, all but one closed when idle."""
PATIENCE = 10.0
"""Seconds without a byte after which a request has failed."""
IDLE = 30.0
"""Seconds after which a spare connection is closed."""
LINE_BYTES = 8 << 20
"""A line of a watch is one object; etcd takes none over 1.5 MiB, JSON may double it."""
WATCH, UNANSWERED = "WATCH", "0"
"""In place of a method; in place of a code."""
RETRY_AFTER = 60.0
"""Seconds: no longer pause is taken from a server, however it is set up."""


class Withheld(Unreachable):
    """A request that its guard held back when its turn came; nothing was sent."""


class Response(msgspec.Struct, frozen=True):
    """What the API answered; `retry_after`: seconds it wants to be left alone."""

    status: int
    body: bytes
    retry_after: float = 0.0

    @property
    def reason(self) -> str:
        """Reason and message of a metav1.Status, for people."""
        try:
            status = msgspec.json.decode(self.body, type=Status)
        except UNDECODABLE:
            return self.body[:100].decode(errors="replace").strip()
        return f"{status.reason}: {status.message}" if status.message else status.reason


class Client:
    """Requests and watches; `connections`: how many are open now; `credentials`: what it calls with."""

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._target = _target(credentials)
        self._headers = _fixed_headers(credentials)
        self._token = ""
        self._watching: set[Connection] = set()
        self._outdated: set[Connection] = set()
        self._free: list[tuple[float, Connection]] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._lost = False
        self._again = asyncio.Event()
        self.counts: Counter[tuple[str, str]] = Counter()
        """Requests by method and code of the answer; watches when they end."""
        self.heard = 0.0
        """When the API last answered or sent a line, by the monotonic clock; 0: never."""

    @property
    def connections(self) -> int:
        """How many are open."""
        return sum(not each.closed for each in self._open)

    @property
    def idle(self) -> int:
        """How many of them wait for the next request."""
        return len(self._free)

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "application/json",
        *,
        guard: Callable[[], bool] | None = None,
        accept: bytes = JSON,
    ) -> Response:
        """One request. Raises Unreachable; whatever the API answers, errors too, is a Response.

        `guard` is asked right before the bytes leave, after any wait for a connection: false raises Withheld. What was
        sent on a connection that had just been closed is sent once more, so that every request must bear being
        carried out twice.
        """
        headers = self._all_headers(accept)
        if body:
            headers.append((b"Content-Type", kind.encode()))
        try:
            async with self._slots:
                answer = await self._asked(method, path, headers, body or b"", guard)
        except Withheld:
            raise
        except Unreachable:
            self.counts[method, UNANSWERED] += 1
            raise
        self.counts[method, str(answer.status)] += 1
        self._hear()
        return _response(answer)

    async def watch(
        self, path: str, take: Callable[[list[bytes]], None], patience: float, accept: bytes = JSON
    ) -> Response:
        """Hand whole lines to `take` until the API ends the stream; all that arrive at once in one call.

        No lines: the stream has begun. Raises Unreachable when it is cut, Silent after `patience` seconds of silence.
        """
        connection = await self._connect()

        def heard(lines: list[bytes]) -> None:
            self._hear()
            take(lines)

        stream = Stream(Lines(heard).feed, patience)
        self._watching.add(connection)
        try:
            answer = await connection.request("GET", self._path(path), self._all_headers(accept), b"", PATIENCE, stream)
        except Unreachable:
            self._lost = True
            self.counts[WATCH, UNANSWERED] += 1
            raise
        finally:
            self._watching.discard(connection)
            self._drop(connection, "watch ended")
        self.counts[WATCH, str(answer.status)] += 1
        return _response(answer)

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the API answers again after it did not, or `stir` is called."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()

    def stir(self) -> None:
        """End all pauses: something makes it likely that asking is worth it now."""
        waiting, self._again = self._again, asyncio.Event()
        waiting.set()

    def use(self, credentials: Credentials) -> None:
        """Call with these from now on: watches begin again where they were, a request under way may end as it is.

        Raises CredentialsProblem, and then nothing has changed.
        """
        self._target = _target(credentials)
        self.credentials = credentials
        self._headers, self._token = _fixed_headers(credentials), ""
        for connection in (*(each for _, each in self._free), *self._watching):
            self._drop(connection, "other credentials")
        self._free.clear()
        self._outdated = set(self._open)
        self.stir()

    def close(self) -> None:
        """End all connections."""
        if self._sweep:
            self._sweep.cancel()
        for connection in self._open:
            connection.close("client closed")
        self._open.clear()

    def _path(self, path: str) -> str:
        return self.credentials.prefix + path

    def _all_headers(self, accept: bytes) -> list[Header]:
        headers = [*self._headers, (b"Accept", accept)]
        # Where its file cannot be read any more, the last one may still be good.
        self._token = self.credentials.bearer() or self._token
        return [*headers, (b"Authorization", f"Bearer {self._token}".encode())] if self._token else headers

    async def _asked(
        self, method: str, path: str, headers: list[Header], body: bytes, guard: Callable[[], bool] | None
    ) -> Answer:
        """The answer; on a connection that is open, or on a new one where that had just been closed."""
        try:
            return await self._ask(await self._take(), method, path, headers, body, guard)
        except Stale:
            return await self._ask(await self._connect(), method, path, headers, body, guard)

    async def _ask(
        self,
        connection: Connection,
        method: str,
        path: str,
        headers: list[Header],
        body: bytes,
        guard: Callable[[], bool] | None,
    ) -> Answer:
        if guard is not None and not guard():
            self._give_back(connection)
            raise Withheld(f"{method} {path}")
        try:
            return await connection.request(method, self._path(path), headers, body, PATIENCE)
        except Unreachable:
            self._lost = True
            raise
        finally:
            self._give_back(connection)

    def _hear(self) -> None:
        self.heard = time.monotonic()
        if self._lost:
            self._lost = False
            self.stir()

    async def _connect(self) -> Connection:
        try:
            connection = await Connection.open(self._target)
        except Unreachable:
            self._lost = True
            raise
        self._open.add(connection)
        return connection

    def _drop(self, connection: Connection, why: str) -> None:
        connection.close(why)
        self._open.discard(connection)

    async def _take(self) -> Connection:
        while self._free:
            _, connection = self._free.pop()
            if not connection.closed:
                return connection
            self._open.discard(connection)
        return await self._connect()

    def _give_back(self, connection: Connection) -> None:
        if connection.closed or connection in self._outdated:
            self._outdated.discard(connection)
            self._drop(connection, "not needed")
            return
        loop = asyncio.get_running_loop()
        self._free.append((loop.time(), connection))
        if len(self._free) > 1 and self._sweep is None:
            self._sweep = loop.call_later(IDLE, self._close_spare)

    def _close_spare(self) -> None:
        """Close connections that idle, but the one used last."""
        self._sweep = None
        loop = asyncio.get_running_loop()
        spare = [each for each in self._free[:-1] if each[0] <= loop.time() - IDLE]
        self._free = [each for each in self._free if each not in spare]
        for _, connection in spare:
            self._drop(connection, "spare")
        if len(self._free) > 1:
            self._sweep = loop.call_later(IDLE, self._close_spare)


class Lines:
    """Cuts a stream into lines; one over LINE_BYTES ends it."""

    def __init__(self, take: Callable[[list[bytes]], None]) -> None:
        self._take = take
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Hand on the lines that are whole now; no data: none, but the stream is there. Raises TooLarge."""
        *lines, rest = data.split(b"\n")
        if not data:
            self._take([])
        if lines:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts, self._size = [], 0
        self._parts.append(rest)
        self._size += len(rest)
        if whole := [line for line in lines if line]:
            self._take(whole)
        if self._size > LINE_BYTES:
            raise TooLarge(f"a line of over {LINE_BYTES >> 20} MiB")


def _target(credentials: Credentials) -> Target:
    """Where to call, and how. Raises CredentialsProblem."""
    name = credentials.server_name or credentials.host
    return Target(credentials.host, credentials.port, tls.context(credentials), name)


def _fixed_headers(credentials: Credentials) -> tuple[Header, ...]:
    """What every request begins with."""
    return (
        (b"Host", credentials.authority.encode()),
        (b"User-Agent", b"speakerd"),
    )


def _response(answer: Answer) -> Response:
    after = answer.headers.get(b"retry-after", b"")
    seconds = min(float(after), RETRY_AFTER) if after.isdigit() else 0.0
    return Response(answer.status, bytes(answer.body), seconds)
