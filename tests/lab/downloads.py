"""Long TCP transfers from the nodes' pods to a client: which node serves each, and whether it comes whole."""

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.lab.net import Host, Lan, inside
from tests.lab.waiting import eventually

SOURCE_PORT = 8081
"""Where the pods listen."""
LINE = 1024
"""Octets of each piece: who sends it and which one it is, filled up."""
PACE = 0.05
"""Seconds between two pieces."""
PATIENCE = 5.0
"""Seconds without a piece after which a client gives up."""


class Source:
    """A server in the pod of every node that sends pieces to whoever connects, until `finish`; from enter to exit."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan
        self._done = threading.Event()
        self._listeners: list[socket.socket] = []

    def __enter__(self) -> Self:
        for node in self._lan.nodes:
            with inside(node.namespace):
                listener = socket.create_server((node.pod4, SOURCE_PORT), backlog=64)
            self._listeners.append(listener)
            threading.Thread(target=self._accept, args=(node, listener), name="source", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
        for each in self._listeners:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def finish(self) -> None:
        """End every transfer, as a server does that has sent all."""
        self._done.set()

    def _accept(self, node: Host, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                stream, _ = listener.accept()
                threading.Thread(target=self._send, args=(node, stream), name="sender", daemon=True).start()

    def _send(self, node: Host, stream: socket.socket) -> None:
        with suppress(OSError), stream:
            number = 0
            while not self._done.is_set():
                stream.sendall(piece(node.name, number))
                number += 1
                self._done.wait(PACE)
            stream.sendall(piece(node.name, number, last=True))


def piece(node: str, number: int, *, last: bool = False) -> bytes:
    """What is sent as one."""
    return f"{node} {number} {'end' if last else 'more'}".encode().ljust(LINE)


class Download:
    """One connection from `host`, read until it ends; `node`: who serves it, once that is known.

    `pieces`: how many came, in order and unharmed. `whole`: whether the last one was among them.
    """

    def __init__(self, host: Host, address: str, port: int) -> None:
        with inside(host.namespace):
            self._stream = socket.create_connection((address, port), timeout=PATIENCE)
        self.source_port = int(self._stream.getsockname()[1])
        self.node, self.pieces, self.whole = "", 0, False
        self._thread = threading.Thread(target=self._read, name="download", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream, suppress(OSError), self._stream.makefile("rb") as file:
            while len(data := file.read(LINE)) == LINE:
                node, number, word = data.decode().split()
                self.node = self.node or node
                if (node, int(number)) != (self.node, self.pieces):
                    return
                self.pieces += 1
                self.whole = word == "end"

    def join(self) -> None:
        """Wait until it has ended, well or not."""
        self._thread.join()


def begun(host: Host, address: str, port: int, many: int) -> list[Download]:
    """So many at once, each of which has brought something."""
    found = [Download(host, address, port) for _ in range(many)]
    eventually(lambda: all(each.pieces for each in found), "all downloads have begun")
    return found


def go_on(downloads: Sequence[Download], more: int) -> None:
    """Wait until each of them has brought so much more. AssertionError."""
    before = [each.pieces for each in downloads]
    eventually(
        lambda: all(each.pieces >= had + more for each, had in zip(downloads, before, strict=True)),
        "all downloads go on",
    )
