"""BGP speakers that do what a test says: an address each, a thread each connection, and speakerd's own codec.

What they say is up to the script of each; `Good` is the one that behaves, and notes when it hears of a prefix.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from speakerd.bgp import nlri, opening, tcp, update
from speakerd.bgp.capability import Capabilities
from speakerd.bgp.family import IPV4, Negotiated
from speakerd.bgp.frame import Frame, Frames, Kind
from speakerd.bgp.message import KEEPALIVE
from speakerd.bgp.opening import Open
from tests.lab.net import Host, inside, tool

PORT = 179
PIECE = 65536
FOUR = Negotiated(four_octet=True)


class Talk:
    """One connection with a node, on which a script says what it likes. `over`: the test has ended."""

    def __init__(self, end: socket.socket, address: str, over: threading.Event) -> None:
        self.end, self.address, self.over = end, address, over
        self.node: str = end.getpeername()[0]
        self._frames = Frames()

    def hear(self) -> Frame:
        """The next message. Raises OSError once there will be none."""
        while (frame := self._frames.take()) is None:
            data = self.end.recv(PIECE)
            if not data:
                raise ConnectionResetError("closed")
            self._frames.feed(data)
        return frame

    def greet(self, asn: int) -> None:
        """Come to be Established, as the speaker of `asn`, without timers. Raises OSError where that is refused."""
        self.end.sendall(opening.encode(Open(asn, 0, socket.inet_aton(self.address), Capabilities((IPV4,), asn))))
        while self.hear().kind is not Kind.OPEN:
            pass
        self.end.sendall(KEEPALIVE)
        while self.hear().kind is not Kind.KEEPALIVE:
            pass

    def ignore(self) -> None:
        """Take what comes, and say nothing, until the node ends it."""
        while self.end.recv(PIECE):
            pass


Script = Callable[[Talk], None]
"""Says what it likes, and returns when it has done; OSError ends it, too."""


class Scripted:
    """Speakers on `host`, from enter to exit, each at an address that is added there."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._over = threading.Event()
        self._ends: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._over.set()
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def add(self, address: str) -> None:
        """Have an address, where nobody listens so far."""
        tool("ip", "-n", self._host.namespace, "addr", "add", f"{address}/16", "dev", "eth0")

    def listen(self, address: str, script: Script, signed: Sequence[tuple[str, bytes]] = ()) -> None:
        """Follow `script` with each node that calls `address`; `signed`: by whom segments must be signed, and how."""
        with inside(self._host.namespace):
            listener = socket.create_server((address, PORT))
        for node, key in signed:
            tcp.sign(listener, node, key)
        self._run(self._accept, listener, address, script)

    def call(self, address: str, node: str, script: Script, pause: float) -> None:
        """Call `node` from `address` and follow `script`, again and again, `pause` seconds after it has ended."""
        self._run(self._calls, address, node, script, pause)

    def _run(self, does: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=does, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, address: str, script: Script) -> None:
        with self._held(listener), suppress(OSError):
            while not self._over.is_set():
                self._run(self._follow, listener.accept()[0], address, script)

    def _calls(self, address: str, node: str, script: Script, pause: float) -> None:
        with inside(self._host.namespace):
            while not self._over.is_set():
                with suppress(OSError):
                    self._follow(socket.create_connection((node, PORT), 5.0, (address, 0)), address, script)
                self._over.wait(pause)

    def _follow(self, end: socket.socket, address: str, script: Script) -> None:
        end.settimeout(None)
        with self._held(end), suppress(OSError):
            script(Talk(end, address, self._over))

    @contextmanager
    def _held(self, end: socket.socket) -> Iterator[None]:
        """Closed with the block; the end of the test wakes who waits for it."""
        with end:
            with self._lock:
                if self._over.is_set():
                    return
                self._ends.add(end)
            try:
                yield
            finally:
                with self._lock:
                    self._ends.discard(end)


class Good:
    """A speaker that behaves. Whoever asks is told when it heard of a prefix last, by `time.monotonic`."""

    def __init__(self, asn: int) -> None:
        self._asn = asn
        self.up: set[str] = set()
        self.downs = 0
        self._heard: dict[tuple[str, str, bool], float] = {}

    def script(self, talk: Talk) -> None:
        """What it does with each node."""
        talk.greet(self._asn)
        self.up.add(talk.node)
        try:
            while True:
                self._hear(talk)
        finally:
            self.up.discard(talk.node)
            self.downs += not talk.over.is_set()

    def _hear(self, talk: Talk) -> None:
        frame = talk.hear()
        now = time.monotonic()
        if frame.kind is Kind.UPDATE:
            said = update.decode(frame.body, FOUR)
            for found, come in ((said.withdrawn, False), (said.announced, True)):
                for prefix in (each for routes in found for each in _addresses(routes.prefixes)):
                    self._heard[talk.node, prefix, come] = now

    def heard(self, nodes: Sequence[Host], address: str, since: float, *, come: bool) -> float:
        """When the last of `nodes` had told of an address, or taken it back, after `since`; 0.0: not all have."""
        times = [self._heard.get((node.ipv4, address, come), 0.0) for node in nodes]
        return max(times) if min(times) > since else 0.0


def _addresses(prefixes: bytes) -> Iterator[str]:
    """Those of host routes."""
    for each in nlri.ONE[32].findall(prefixes):
        if each[0] == 32:
            yield socket.inet_ntoa(each[1:])
