"""Echo servers in the nodes' pods, and a client that asks them: who answered, and whom did the server see?"""

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from itertools import pairwise
from types import TracebackType
from typing import Literal, Self

from msgspec import Struct

from tests.lab.net import Host, Lan, inside

Protocol = Literal["TCP", "UDP"]
PORT = 8080
"""Where the pods listen."""
PAYLOAD = b"hello"
BYTES = 512


class Reply(Struct, frozen=True):
    """`node` whose pod answered, and the client's address as that pod saw it."""

    node: str
    seen: str


class Echo:
    """A real echo server in the pod of every node, TCP and UDP, IPv4 and IPv6; from enter to exit, in one thread."""

    def __init__(self, lan: Lan, port: int = PORT) -> None:
        self._lan, self._port = lan, port
        self._selector = selectors.DefaultSelector()
        self._wake, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="echo", daemon=True)

    def __enter__(self) -> Self:
        for node in self._lan.nodes:
            with inside(node.namespace):
                for address in (node.pod4, node.pod6):
                    self._listen(node, address)
        self._selector.register(self._end, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _listen(self, node: Host, address: str) -> None:
        stream = _socket(address, socket.SOCK_STREAM)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind((address, self._port))
        stream.listen(64)
        datagram = _socket(address, socket.SOCK_DGRAM)
        datagram.bind((address, self._port))
        for each, serve in ((stream, _greet), (datagram, _return)):
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ, (node, serve))

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                node, serve = key.data
                # Its link may be down at this very moment: the next client finds the server still there.
                with suppress(OSError):
                    serve(node, key.fileobj)


def _socket(address: str, kind: socket.SocketKind) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)


def _greet(node: Host, listener: socket.socket) -> None:
    """Serve one TCP client whole: each sends its line with the handshake's end, so the wait is short."""
    stream, peer = listener.accept()
    with stream:
        stream.settimeout(1.0)
        stream.sendall(_answer(node, peer[0], stream.recv(BYTES)))


def _return(node: Host, server: socket.socket) -> None:
    data, peer = server.recvfrom(BYTES)
    server.sendto(_answer(node, peer[0], data), peer)


def _answer(node: Host, seen: str, data: bytes) -> bytes:
    return f"{node.name} {seen} ".encode() + data


def ask(host: Host, address: str, port: int, protocol: Protocol, timeout: float = 1.0) -> Reply | None:
    """What a server behind `address` says to a client on `host`, or None when nothing comes in `timeout` seconds."""
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    with inside(host.namespace):
        client = _socket(address, kind)
    with client:
        client.settimeout(timeout)
        try:
            client.connect((address, port))
            client.sendall(PAYLOAD)
            return _reply(client.recv(BYTES))
        except OSError:
            return None


def _reply(data: bytes) -> Reply | None:
    node, seen, payload = data.split(b" ", 2)
    return Reply(node.decode(), str(ip_address(seen.decode()))) if payload == PAYLOAD else None


class Probe:
    """A client that asks `address` by UDP each `interval` seconds, from enter to exit; it notes when answers came."""

    def __init__(
        self, host: Host, address: str, port: int, clock: Callable[[], float], interval: float = 0.005
    ) -> None:
        with inside(host.namespace):
            self._client = _socket(address, socket.SOCK_DGRAM)
        self._client.settimeout(interval)
        self._clock, self._interval = clock, interval
        self._target = (address, port)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self.sent = 0
        self.answers: list[tuple[float, str]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        due = self._clock()
        while not self._ended.is_set():
            with suppress(OSError):
                self._client.sendto(PAYLOAD, self._target)
                self.sent += 1
            due += self._interval
            self._collect(due)

    def _collect(self, until: float) -> None:
        while (left := until - self._clock()) > 0:
            self._client.settimeout(left)
            try:
                found = _reply(self._client.recv(BYTES))
            except TimeoutError:
                return
            except OSError:
                self._ended.wait(left)
                return
            if found:
                self.answers.append((self._clock(), found.node))

    @property
    def silence(self) -> float:
        """The longest time in seconds between two answers."""
        times = [when for when, _ in self.answers]
        return max((b - a for a, b in pairwise(times)), default=float("inf"))
