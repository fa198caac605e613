"""Parts and a router on loopback, real sockets and all, turned by one engine until something is so."""

import os
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_network

from speakerd.bgp import nlri
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.effects import Close, Effect, Received, Send, Up
from speakerd.bgp.family import IPV4
from speakerd.bgp.fsm import Session
from speakerd.bgp.part import Bgp
from speakerd.bgp.terms import Terms
from speakerd.bgp.transport import LAST_WORDS, Wire
from speakerd.bgp.update import Update
from speakerd.engine import Engine
from speakerd.model import Interface
from speakerd.peering import BgpSettings, Neighbour, Password, Peer, Prefix, SessionSeen, Wording
from tests.unit.bgp.golden import networks

PATIENCE = 20.0
"""Seconds after which what is waited for will not come."""
LEFT, RIGHT = "127.0.0.1", "127.0.0.2"
PLAIN = Wording()
LO = Interface(1, "lo", ipv4=(LEFT, RIGHT), ipv6=("::1",))


def free_port() -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port


class Loop:
    """An engine that turns until something is so; `parts` are on it. `happened`: word and peer."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.engine.add(self)
        self.parts: list[Bgp] = []
        self.strangers: list[Router | Listening] = []
        self.happened: list[tuple[str, str]] = []
        self._tick = 0.0

    def deadline(self) -> float:
        return self._tick

    def wake(self, now: float) -> None:
        self._tick = now + 0.02

    def until(self, what: Callable[[], object]) -> int:
        """How many turns it took."""
        end, turns = time.monotonic() + PATIENCE, 0
        while not what():
            assert time.monotonic() < end, "it does not come"
            self.engine.turn()
            turns += 1
        return turns

    def part(self) -> Bgp:
        writable = self.engine.await_writable
        made = Bgp(self.engine.register, self.engine.unregister, writable, lambda: 0.5, self._told)
        made.interfaces((LO,), 0.0)
        self.engine.add(made)
        self.parts.append(made)
        return made

    def _told(self, word: str, peer: str, _detail: str) -> None:
        self.happened.append((word, peer))

    def close(self) -> None:
        for part in self.parts:
            part.configure((), BgpSettings(), time.monotonic())
            part.wake(time.monotonic() + LAST_WORDS)
        for each in self.strangers:
            each.close()
        self.engine.__exit__()


def neighbour(name: str, ours: int, theirs: int, address: str, port: int, **more: object) -> Neighbour:
    password = more.pop("password", None)
    assert isinstance(password, bytes | None)
    peer = Peer(name, ours, theirs, address=address, port=port, **more)  # type: ignore[arg-type]
    return Neighbour(peer, Password(password) if password else None)


def settings(port: int, number: int, **more: object) -> BgpSettings:
    return BgpSettings(port=port, router_id=f"192.0.2.{number}", **more)  # type: ignore[arg-type]


def prefix(text: str, *names: str, said: Wording = PLAIN) -> Prefix:
    network = ip_network(text)
    return Prefix(network.version, nlri.encode(network), ((said, names),))


def prefixes(*all_of_them: Prefix) -> dict[bytes, Prefix | None]:
    return {each.key: each for each in all_of_them}


def hosts(count: int, *names: str) -> dict[bytes, Prefix | None]:
    said = ((PLAIN, names),)
    made = [Prefix(4, bytes((32, 10)) + i.to_bytes(3), said) for i in range(count)]
    return prefixes(*made)


def of(part: Bgp, name: str) -> SessionSeen:
    return next(each for each in part.seen if each.peer == name)


def up(part: Bgp, *names: str) -> bool:
    return all(of(part, name).state == "Established" for name in names)


class Pair:
    """Two parts, left and right, each the other's neighbour."""

    def __init__(self, loop: Loop, six: bool = False, **more: object) -> None:
        self.loop = loop
        self.ports = free_port(), free_port()
        left, right = ("::1", "::1") if six else (LEFT, RIGHT)
        self.left, self.right = loop.part(), loop.part()
        self.to_right = neighbour("right", 65001, 65002, right, self.ports[1], source_address=left, **more)
        self.to_left = neighbour("left", 65002, 65001, left, self.ports[0], source_address=right, **more)

    def start(self) -> "Pair":
        now = time.monotonic()
        self.left.configure((self.to_right,), settings(self.ports[0], 1), now)
        self.right.configure((self.to_left,), settings(self.ports[1], 2), now)
        return self

    def up(self) -> bool:
        return up(self.left, "right") and up(self.right, "left")


class Router:
    """Who waits to be called, and keeps what it is told. `order` gets its name with each message of routes."""

    def __init__(self, loop: Loop, number: int, order: list[str] | None = None) -> None:
        self.name, self.address = f"router{number}", f"127.0.0.{number}"
        self.table: dict[str, tuple[Attributes, bytes]] = {}
        self.told: dict[str, list[Attributes]] = defaultdict(list)
        self.ended = False
        self._order = order if order is not None else []
        engine = loop.engine
        self.wire = Wire(engine.register, engine.unregister, engine.await_writable)
        engine.add(self.wire)
        terms = Terms(65100, socket.inet_aton(self.address), 65001, families=(IPV4,), dials=False)
        self.session = Session(terms, self.wire.numbers, lambda: 0.5, 0.0)
        self.session.start(0.0)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind((self.address, 0))
        self.listener.listen()
        self._engine = engine
        loop.strangers.append(self)
        self.port: int = self.listener.getsockname()[1]
        engine.register(self.listener.fileno(), self._accept)

    def neighbour(self, **more: object) -> Neighbour:
        return neighbour(self.name, 65001, 65100, self.address, self.port, **more)

    def _accept(self, now: float) -> None:
        end, _ = self.listener.accept()
        end.setblocking(False)
        self._fileno = end.fileno()
        self._number = self.wire.adopt(end, 0, self)
        self._do(self.session.accepted(self._number, now), now)

    def peer_says_restarted(self) -> bool:
        said = self._agreement.peer.capabilities.restart
        return said is not None and said.restarted

    def stop_reading(self) -> None:
        self._engine.unregister(self._fileno)

    def read_on(self) -> None:
        self._engine.register(self._fileno, lambda now: self.received(self._number, os.read(self._fileno, 8192), now))

    def close(self) -> None:
        self._do(self.session.stop(0.0), 0.0)
        self.wire.wake(LAST_WORDS)
        self._engine.unregister(self.listener.fileno())
        self.listener.close()

    def say(self, messages: list[bytes]) -> None:
        self._do(self.session.say(messages, time.monotonic()), time.monotonic())

    def connected(self, number: int, now: float) -> None:
        self._do(self.session.connected(number, now), now)

    def closed(self, number: int, why: str, now: float) -> None:
        self._do([*self.session.closed(number, why, now), Close(number)], now)

    def received(self, number: int, data: bytes, now: float) -> None:
        self._do(self.session.receive(number, data, now), now)

    def relieved(self, number: int, now: float) -> None:
        pass

    def _do(self, effects: list[Effect], now: float) -> None:
        for effect in effects:
            match effect:
                case Send(number, data):
                    self.wire.send(number, data)
                case Close(number):
                    self.wire.close(number)
                case Up(_, agreement):
                    self._agreement = agreement
                case Received(Update() as said):
                    self._learn(said)
        self.wire.flush(now)

    def _learn(self, said: Update) -> None:
        self._order.append(self.name)
        self.ended |= said.end_of_rib is not None
        for routes in said.withdrawn:
            for network in networks(routes):
                self.table.pop(str(network), None)
        for routes in said.announced:
            assert said.attributes
            for network in networks(routes):
                self.table[str(network)] = said.attributes, routes.next_hop
                self.told[str(network)].append(said.attributes)


class Listening:
    """A port that the kernel accepts connections for; what is done with each is `serve`'s business."""

    def __init__(self, loop: Loop, number: int, serve: Callable[[socket.socket], None] = lambda _: None) -> None:
        self.name, self.address = f"odd{number}", f"127.0.0.{number}"
        self.ends: list[socket.socket] = []
        self._serve = serve
        self._listener = socket.socket()
        self._listener.bind((self.address, 0))
        self._listener.listen()
        self.port: int = self._listener.getsockname()[1]
        loop.strangers.append(self)
        loop.engine.register(self._listener.fileno(), self._accept)

    def neighbour(self, **more: object) -> Neighbour:
        return neighbour(self.name, 65001, 65100, self.address, self.port, **more)

    def _accept(self, _now: float) -> None:
        end, _ = self._listener.accept()
        self.ends.append(end)
        with suppress(OSError):
            self._serve(end)

    def close(self) -> None:
        for end in (self._listener, *self.ends):
            end.close()
