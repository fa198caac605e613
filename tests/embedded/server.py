"""The embedded API server on a socket: HTTP/1.1 by h11, watches pushed as changes happen, faults on demand."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Mapping
from itertools import count

import h11
import msgspec
from msgspec import Struct

from tests.embedded.api import Answer, Api, Request, Watch
from tests.embedded.refusals import Refusal
from tests.embedded.store import Change, encoded

SLOW_READER = 16 << 20
"""Bytes a watcher may leave unread until it is cut off, as the real server does."""
REMEMBERED = 64
"""Connections of which it is told when they first asked."""


class Faults(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong. POST /_faults replaces them all, DELETE heals.

    `match`: only requests whose "METHOD /path" contains this. `hang`: seconds in which nothing is answered and
    watches are silent; what came in is answered afterwards. `slow`: seconds before each answer. `fail`: how many
    requests get `code` (and `retry_after`). `lose`: how many requests are carried out, but the connection ends before
    the answer. `refuse`: seconds in which all connections are reset and none accepted. `cut`: end all watches now.
    `compact`: forget history now, so that what resumes gets 410.
    """

    match: str = ""
    hang: float = 0.0
    slow: float = 0.0
    fail: int = 0
    code: int = 500
    retry_after: int = 0
    lose: int = 0
    refuse: float = 0.0
    cut: bool = False
    compact: bool = False


class Server:
    """Accepts connections; `tokens`: who each bearer token is, none: anybody may.

    `first`: who sent the first request of each of the last connections, and when (CLOCK_MONOTONIC, seconds).
    """

    def __init__(self, api: Api, tokens: Mapping[str, str], bookmarks: float) -> None:
        self.api = api
        self.bookmarks = bookmarks
        self.faults = Faults()
        self.connections: set[Connection] = set()
        self.watches: dict[Connection, Watch] = {}
        self.first: deque[tuple[str, float]] = deque(maxlen=REMEMBERED)
        self._tokens = tokens
        self._listener: asyncio.Server | None = None
        self._where: tuple[str, int, ssl.SSLContext | None] = ("", 0, None)
        self._hanging: asyncio.TimerHandle | None = None
        self._left = {"fail": 0, "lose": 0}
        api.store.listeners.add(self._changed)

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None = None) -> int:
        """Start to accept connections; the port, which is chosen where `port` is 0."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), host, port, ssl=context, backlog=1024)
        port = int(self._listener.sockets[0].getsockname()[1])
        self._where = host, port, context
        return port

    def close(self) -> None:
        """Stop accepting and reset all connections."""
        if self._listener:
            self._listener.close()
        for connection in list(self.connections):
            connection.abort()

    @property
    def hanging(self) -> bool:
        return self._hanging is not None

    def user(self, authorization: str) -> str | None:
        """Whose token it is; None: nobody's."""
        if not self._tokens:
            return "anonymous"
        return self._tokens.get(authorization.removeprefix("Bearer "))

    def side(self, request: Request) -> Answer:
        """The tests' own paths: faults, writes seen, figures."""
        match request.method, request.path:
            case "POST", "/_faults":
                try:
                    self._set(msgspec.json.decode(request.body, type=Faults))
                except msgspec.DecodeError as fault:
                    return Answer(400, encoded({"error": str(fault)}))
                return Answer(200, b"{}")
            case "DELETE", "/_faults":
                self._set(Faults())
                return Answer(200, b"{}")
            case "GET", "/_writes":
                return Answer(200, encoded(list(self.api.writes)))
            case "GET", "/_stats":
                return Answer(200, encoded(self._stats()))
        return Answer(404, b"{}")

    def struck(self, kind: str, request: Request) -> bool:
        """Whether this request is one of those that are to fail or be lost."""
        if self._left[kind] and self.matches(request):
            self._left[kind] -= 1
            return True
        return False

    def matches(self, request: Request) -> bool:
        """Whether the faults concern this request."""
        return self.faults.match in f"{request.method} {request.path}"

    def _stats(self) -> Mapping[str, object]:
        return {
            "connections": len(self.connections),
            "watches": len(self.watches),
            "reads": dict(self.api.reads),
            "writes": len(self.api.writes),
            "revision": self.api.store.revision,
            "first": list(self.first),
        }

    def _set(self, faults: Faults) -> None:
        self.faults = faults
        self._left = {"fail": faults.fail, "lose": faults.lose}
        loop = asyncio.get_running_loop()
        if faults.compact:
            self.api.store.compact()
        if faults.cut:
            for connection in list(self.watches):
                connection.abort()
        if self._hanging:
            self._hanging.cancel()
            self._go_on()
        if faults.hang:
            self._hanging = loop.call_later(faults.hang, self._go_on)
        if faults.refuse:
            # In the next turn: the one who asks for it is to get an answer.
            loop.call_soon(self.close)
            loop.call_later(faults.refuse, lambda: loop.create_task(self.listen(*self._where), name="listen-again"))

    def _go_on(self) -> None:
        self._hanging = None
        for connection in list(self.connections):
            connection.go_on()

    def _changed(self, change: Change) -> None:
        for connection, watch in list(self.watches.items()):
            if line := watch.line(change):
                connection.push(line)


class Connection(asyncio.Protocol):
    """One client, one request at a time."""

    _numbers = count()

    def __init__(self, server: Server) -> None:
        self._server = server
        self._http = h11.Connection(h11.SERVER)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._held: list[Request] = []
        self._unsent = bytearray()
        self._timers: list[asyncio.TimerHandle] = []
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)

    def connection_lost(self, _fault: Exception | None) -> None:
        self._server.connections.discard(self)
        self._server.watches.pop(self, None)
        for timer in self._timers:
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._http.receive_data(data)
            self._read()
        except h11.RemoteProtocolError:
            self.abort()

    def abort(self) -> None:
        """Reset the connection."""
        if self._transport:
            self._transport.abort()

    def go_on(self) -> None:
        """The server hangs no longer: answer what waits."""
        if self._transport and self._unsent:
            self._transport.write(bytes(self._unsent))
            self._unsent.clear()
        held, self._held = self._held, []
        for request in held:
            self._serve(request)

    def push(self, line: bytes) -> None:
        """A line of a watch."""
        self._write(self._http.send(h11.Data(data=line)) or b"")
        if self._transport and self._transport.get_write_buffer_size() > SLOW_READER:
            self.abort()

    def _read(self) -> None:
        while True:
            match self._http.next_event():
                case h11.Request() as head:
                    self._head, self._body = head, bytearray()
                case h11.Data(data=data):
                    self._body += data
                case h11.EndOfMessage():
                    self._take(self._whole())
                case _:
                    return

    def _whole(self) -> Request:
        assert self._head
        headers = {name.decode(): value.decode() for name, value in self._head.headers}
        user = self._server.user(headers.get("authorization", ""))
        target = self._head.target.decode()
        return Request(self._head.method.decode(), target, bytes(self._body), headers.get("content-type", ""), user)

    def _take(self, request: Request) -> None:
        server = self._server
        if not self._asked:
            self._asked = True
            server.first.append((request.user or "", time.monotonic()))
        if request.path.startswith("/_"):
            self._answer(server.side(request))
        elif server.hanging and server.matches(request):
            self._held.append(request)
        elif server.faults.slow and server.matches(request):
            self._timers.append(self._loop.call_later(server.faults.slow, self._serve, request))
        else:
            self._serve(request)

    def _serve(self, request: Request) -> None:
        server = self._server
        if request.user is None:
            self._answer(Answer(401, encoded(Refusal(401, "Unauthorized", "Unauthorized").status)))
        elif server.struck("fail", request):
            refusal = Refusal(server.faults.code, "InternalError", "told to fail")
            self._answer(Answer(refusal.code, encoded(refusal.status)), server.faults.retry_after)
        else:
            result = server.api.handle(request)
            if server.struck("lose", request):
                self.abort()
            elif isinstance(result, Watch):
                self._begin(result)
            else:
                self._answer(result)

    def _begin(self, watch: Watch) -> None:
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-cache, private")]
        self._write(self._http.send(h11.Response(status_code=200, headers=headers)) or b"")
        if watch.first:
            self.push(watch.first)
        if watch.seconds is not None:
            self._timers.append(self._loop.call_later(watch.seconds, self._end, watch))
        self._server.watches[self] = watch
        self._remind(watch)

    def _remind(self, watch: Watch) -> None:
        """Send a bookmark each interval, as long as the watch lasts."""
        if watch.bookmarks:
            self._timers = [each for each in self._timers if not each.cancelled()]
            self._timers.append(self._loop.call_later(self._server.bookmarks, self._bookmark, watch))

    def _bookmark(self, watch: Watch) -> None:
        if self in self._server.watches:
            self.push(watch.bookmark(self._server.api.store.revision))
            self._remind(watch)

    def _end(self, watch: Watch) -> None:
        if self._server.watches.pop(self, None) is None:
            return
        if watch.bookmarks and watch.seconds:
            self.push(watch.bookmark(self._server.api.store.revision))
        self._write(self._http.send(h11.EndOfMessage()) or b"")
        self._next()

    def _answer(self, answer: Answer, retry_after: int = 0) -> None:
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        if retry_after:
            headers.append(("Retry-After", str(retry_after)))
        parts = [
            self._http.send(h11.Response(status_code=answer.status, headers=headers)),
            self._http.send(h11.Data(data=answer.body)),
            self._http.send(h11.EndOfMessage()),
        ]
        self._write(b"".join(part or b"" for part in parts))
        self._next()

    def _next(self) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        elif self._transport:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._server.hanging and self in self._server.watches:
            self._unsent += data
        else:
            self._transport.write(data)
