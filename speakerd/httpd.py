"""HTTP for scrapers and probes: /metrics, /healthz, /readyz on this host, and /metrics alone where others may ask.

One request a connection: scrapers come every few seconds, and what is never kept open need not be counted. A port that
is taken is told and tried again; nothing here can stop the controller.
"""

import asyncio
import hmac
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import h11
import structlog
from msgspec import Struct

from speakerd.settings import Http

log = structlog.get_logger()

HEAD_BYTES = 8 << 10
"""Request line and headers: a scraper sends some 300 bytes, with the largest token 4 KiB."""
READ_BYTES = 4096
PATIENCE = 10.0
"""Seconds for a request to arrive, and for its answer to be taken."""
CLIENTS = 16
"""Connections at once for each address; more are closed unanswered."""
AGAIN = 10.0
"""Seconds until an address that could not be bound is tried again."""
TEXT = "text/plain; charset=utf-8"


class Page(Struct, frozen=True):
    """What a path is answered with."""

    body: bytes
    status: int = 200
    content_type: str = TEXT


Pages = Mapping[str, Callable[[], Awaitable[Page]]]


class Httpd:
    """Serves `pages`, of which /metrics also at the second address. `problem`: why an address is not served, by it."""

    def __init__(self, settings: Http, pages: Pages) -> None:
        self._settings = settings
        self._pages = pages
        self._changed = asyncio.Event()
        self.problem: dict[str, str] = {}

    def apply(self, settings: Http) -> None:
        """Serve so from now on; a certificate is read anew."""
        if settings != self._settings or settings.metrics.cert_file:
            self._settings = settings
            self._changed.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._changed.clear()
            async with AsyncExitStack() as stack:
                for bind, opened in self._addresses(self._settings).items():
                    await self._bound(stack, bind, opened)
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN if self.problem else None):
                        await self._changed.wait()

    def _addresses(self, settings: Http) -> dict[str, Callable[[str], Awaitable[asyncio.Server]]]:
        """How to open each address; where both are one, scrapers' rules hold for all."""
        chosen = settings.metrics

        async def host(bind: str) -> asyncio.Server:
            return await _opened(bind, Door(self._pages))

        async def scrapers(bind: str) -> asyncio.Server:
            only = {"/metrics": self._pages["/metrics"]}
            context = _context(chosen.cert_file, chosen.key_file) if chosen.cert_file else None
            _token(chosen.token_file)
            return await _opened(bind, Door(only, chosen.token_file), context)

        return {bind: opened for bind, opened in {settings.bind: host, chosen.bind: scrapers}.items() if bind}

    async def _bound(
        self, stack: AsyncExitStack, bind: str, opened: Callable[[str], Awaitable[asyncio.Server]]
    ) -> None:
        """Listen on an address, or say why not, once as long as it stays the same."""
        try:
            server = await opened(bind)
        except OSError as fault:
            why = fault.strerror or str(fault)
            if self.problem.get(bind) != why:
                log.warning("http.refused", address=bind, what=why, remedy="set http.bind, or http.metrics")
            self.problem[bind] = why
        else:
            stack.push_async_callback(_closed, server)
            self.problem.pop(bind, None)


async def _opened(bind: str, door: "Door", context: ssl.SSLContext | None = None) -> asyncio.Server:
    host, _, port = bind.rpartition(":")
    return await asyncio.start_server(door.answer, host.strip("[]"), int(port), limit=HEAD_BYTES, ssl=context)


async def _closed(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()


def _token(path: str) -> bytes:
    """What a file of that name says. Raises OSError where it says nothing."""
    token = Path(path).read_bytes().strip() if path else b""
    if path and not token:
        raise OSError(f"{path} is empty")
    return token


def _context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Door:
    """Answers at one address. `token_file`: what who asks must bear; read each time, since tokens are renewed."""

    def __init__(self, pages: Pages, token_file: str = "") -> None:
        self._pages = pages
        self._token_file = token_file
        self._clients = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of one client."""
        self._clients += 1
        try:
            if self._clients <= CLIENTS:
                async with asyncio.timeout(PATIENCE):
                    await self._answer(reader, writer)
        except (TimeoutError, OSError, h11.RemoteProtocolError):
            pass  # who asks so, or goes away, gets no answer
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(READ_BYTES))
        if not isinstance(event, h11.Request):
            return
        page = await self._page(event)
        headers = [
            ("Content-Type", page.content_type),
            ("Content-Length", str(len(page.body))),
            ("Connection", "close"),
            *([("WWW-Authenticate", "Bearer")] if page.status == UNAUTHORIZED else ()),
        ]
        writer.write(connection.send(h11.Response(status_code=page.status, headers=headers)) or b"")
        if event.method != b"HEAD":
            writer.write(page.body)
        await writer.drain()

    async def _page(self, request: h11.Request) -> Page:
        if self._token_file and not self._admitted(request):
            return Page(b"a bearer token is needed\n", UNAUTHORIZED)
        if request.method not in (b"GET", b"HEAD"):
            return Page(b"only GET\n", 405)
        path = request.target.partition(b"?")[0].decode("latin-1")
        if path not in self._pages:
            return Page(f"here are {', '.join(sorted(self._pages))}\n".encode(), 404)
        return await self._pages[path]()

    def _admitted(self, request: h11.Request) -> bool:
        """Whether the right token came along; a wrong one takes as long wherever it differs."""
        given = next((value for name, value in request.headers if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return hmac.compare_digest(token.strip(), _token(self._token_file)) and scheme.lower() == b"bearer"


UNAUTHORIZED = 401
