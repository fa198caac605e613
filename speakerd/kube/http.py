"""One HTTP/1.1 connection: h11 over asyncio's plain TCP, TLS through memory BIOs.

asyncio's own TLS keeps 260 KiB of buffers a connection; here all connections share one receive buffer, and bytes are
decrypted, parsed and handed on in the same callback in which they arrived.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress

import h11
from msgspec import Struct

RECEIVE_BYTES = 1 << 16
HEAD_BYTES = 64 << 10
"""Status line and headers; the API server's are under 2 KiB."""
BODY_BYTES = 16 << 20
"""Some pages are larger: the reflector then asks for fewer objects. Five objects of the largest size etcd takes fit."""
CONNECT = 5.0
"""Seconds for TCP and TLS together."""
KEEPALIVE = ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))
"""A peer that vanished without a word is noticed within 50 s."""

Header = tuple[bytes, bytes]
_buffer = bytearray(RECEIVE_BYTES)


class Unreachable(Exception):
    """The API server cannot be asked now: refused, cut, silent, or not speaking HTTP. Later it may."""


class Stale(Unreachable):
    """Closed by the peer as a request went out on a connection that had served before: worth asking anew at once."""


class Silent(Unreachable):
    """Not a byte for as long as our patience lasts."""


class TooLarge(Unreachable):
    """The answer is larger than this process will hold."""


class Target(Struct, frozen=True):
    """Where to connect; `context` None: no TLS. `name`: what its certificate must say."""

    host: str
    port: int
    context: ssl.SSLContext | None
    name: str


class Stream(Struct, frozen=True):
    """What takes an endless body piece by piece, first of all an empty piece: it has begun.

    `patience`: seconds it may be silent from then on.
    """

    take: Callable[[bytes], None]
    patience: float


class Answer(Struct):
    """An HTTP response, filled as it arrives; `status` 0 while nothing has."""

    status: int = 0
    headers: dict[bytes, bytes] = {}
    body: bytearray = bytearray()


class Connection(asyncio.BufferedProtocol):
    """One request at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self._transport: asyncio.Transport | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._secured = False
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._done: asyncio.Future[Answer] | None = None
        self._answer = Answer()
        self._stream: Stream | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._patience = 0.0
        self._heard = 0.0
        self._used = False
        self.closed = False

    @classmethod
    async def open(cls, target: Target) -> "Connection":
        """Connect, with TLS where the target wants it. Raises Unreachable."""
        connection = cls(target)
        try:
            async with asyncio.timeout(CONNECT):
                await connection._loop.create_connection(lambda: connection, target.host, target.port)
                await connection._opened
        except OSError as fault:
            why = f"no answer within {CONNECT:.0f} s" if isinstance(fault, TimeoutError) else _reason(fault)
            raise Unreachable(f"{target.host}:{target.port}: {why}") from fault
        finally:
            if not connection._opened.done() or connection._opened.cancelled():
                connection.close("not opened")
        return connection

    async def request(
        self,
        method: str,
        path: str,
        headers: Sequence[Header],
        body: bytes,
        patience: float,
        stream: Stream | None = None,
    ) -> Answer:
        """Send a request and wait for its answer; `patience`: seconds without a byte. Raises Unreachable.

        The bytes leave before the first wait, in one piece. `stream` gets the body of a 200 instead of it being kept.
        """
        if self.closed:
            raise Stale("connection closed")
        self._answer, self._stream, self._patience = Answer(headers={}, body=bytearray()), stream, patience
        self._done = self._loop.create_future()
        self._heard = self._loop.time()
        self._limit = self._loop.call_later(patience, self._check_patience)
        length = [(b"Content-Length", b"%d" % len(body))] if body else []
        parts = [self._http.send(h11.Request(method=method, target=path, headers=[*headers, *length]))]
        if body:
            parts.append(self._http.send(h11.Data(data=body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        self._send(b"".join(part for part in parts if part))
        try:
            return await self._done
        except asyncio.CancelledError:
            self.close("cancelled")
            raise
        finally:
            self._done, self._stream = None, None
            self._limit.cancel()

    def close(self, why: str) -> None:
        """End the connection; whoever waits on it learns why."""
        self._end(Unreachable(why))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is up: begin TLS, or be open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        end: socket.socket = transport.get_extra_info("socket")
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            end.setsockopt(socket.IPPROTO_TCP, option, value)
        if self._target.context is None:
            self._opened.set_result(None)
            return
        name = self._target.name
        # Of text, what prepares international names would be loaded, with tables of a megabyte.
        hostname = name.encode() if name.isascii() else name
        self._tls = self._target.context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)
        self._shake_hands()

    def get_buffer(self, _hint: int) -> bytearray:
        """One buffer for all connections: it is emptied before the next one reads."""
        return _buffer

    def buffer_updated(self, count: int) -> None:
        """Bytes arrived: decrypt, parse and hand on."""
        self._heard = self._loop.time()
        try:
            if self._tls is None:
                self._parse(bytes(_buffer[:count]))
                return
            self._incoming.write(_buffer[:count])
            if not self._secured:
                self._shake_hands()
            if self._secured:
                self._decrypt()
        except ssl.SSLError as fault:
            self.close(f"TLS: {fault.reason or fault}")
        except h11.RemoteProtocolError as fault:
            self.close(f"not HTTP as we know it: {fault}")
        except Unreachable as fault:
            self._end(fault)

    def eof_received(self) -> bool:
        """The peer has said all it will: an answer without a length ends here."""
        with suppress(h11.RemoteProtocolError):
            self._parse(b"")
        self._end(self._cut("closed by the API server"))
        return False

    def connection_lost(self, fault: Exception | None) -> None:
        """The connection is gone; a fault of our own in a callback reaches whoever waits."""
        own = fault is not None and not isinstance(fault, OSError)
        self._end(fault if fault and own else self._cut(_reason(fault) if fault else "connection closed"))

    def _cut(self, why: str) -> Unreachable:
        """What a cut by the peer is: stale where nothing of an answer had come on a connection used before."""
        return Stale(why) if self._used and not self._answer.status else Unreachable(why)

    def _end(self, fault: Exception) -> None:
        self.closed = True
        if self._transport:
            self._transport.abort()
        for waiting in (self._opened, self._done):
            if waiting and not waiting.done():
                waiting.set_exception(fault)
                # Marks it as seen: nobody may be waiting any more.
                waiting.exception()

    def _check_patience(self) -> None:
        """Close a connection that was silent for too long; bytes that came put it off without a new timer for each."""
        silent = self._loop.time() - self._heard
        if silent < self._patience:
            self._limit = self._loop.call_later(self._patience - silent, self._check_patience)
        else:
            self._end(Silent(f"silent for {self._patience:.0f} s"))

    def _shake_hands(self) -> None:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLCertVerificationError as fault:
            self._flush()
            self.close(f"TLS: the certificate of {self._target.name}: {fault.verify_message}")
            return
        self._flush()
        self._secured = True
        self._opened.set_result(None)

    def _decrypt(self) -> None:
        assert self._tls is not None
        try:
            while data := self._tls.read(RECEIVE_BYTES):
                self._parse(data)
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLZeroReturnError:
            pass
        self.eof_received()

    def _parse(self, data: bytes) -> None:
        self._http.receive_data(data)
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                self._keep(bytes(event.data))
            elif isinstance(event, h11.Response):
                self._answer.status = event.status_code
                self._answer.headers = dict(event.headers)
                if self._stream and event.status_code == 200:
                    self._patience = self._stream.patience
                    self._stream.take(b"")
            elif isinstance(event, h11.EndOfMessage):
                self._finish()
                return
            elif isinstance(event, h11.ConnectionClosed) or event in (h11.NEED_DATA, h11.PAUSED):
                return

    def _keep(self, data: bytes) -> None:
        if self._stream and self._answer.status == 200:
            self._stream.take(data)
            return
        self._answer.body += data
        if len(self._answer.body) > BODY_BYTES:
            raise TooLarge(f"an answer of over {BODY_BYTES >> 20} MiB")

    def _finish(self) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._used = True
        else:
            self.closed = True
            if self._transport:
                self._transport.close()
        if self._done and not self._done.done():
            self._done.set_result(self._answer)

    def _send(self, data: bytes) -> None:
        if self._tls is None:
            self._write(data)
            return
        self._tls.write(data)
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._write(self._outgoing.read())

    def _write(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


def _reason(fault: BaseException) -> str:
    return getattr(fault, "strerror", None) or str(fault)
