"""Mail of one node with its sockets, served when the test says so, and what came in."""

import select
import socket
from collections.abc import Callable

from speakerd.exchange import Key, Member, MembershipSettings
from speakerd.membership.envelope import Carrier, Envelope, Kind, Post
from speakerd.membership.transport import Mail, boot_time
from tests.unit.membership.mesh_keys import NEW

NOW = 1000.0
TURNS = 1000
"""More than a test has messages for."""


def free_port() -> int:
    """A UDP port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("127.0.0.1", 0))
        port: int = end.getsockname()[1]
        return port


class Box:
    """`name`, its mail and what it `received`; it takes what is newer than all it had from that sender by that way."""

    def __init__(self, name: str, boot: int = 1, clock: Callable[[], int] = boot_time) -> None:
        self.name = name
        self.callbacks: dict[int, Callable[[float], None]] = {}
        self.received: list[Envelope] = []
        self.hears_us = True
        self._last: dict[tuple[str, Carrier, int], int] = {}
        self.mail = Mail(
            boot,
            self.callbacks.__setitem__,
            self.callbacks.__delitem__,
            lambda envelope, _now: self.received.append(envelope),
            self._takes,
            lambda _name, _now: self.hears_us,
            clock,
        )

    def _takes(self, envelope: Envelope) -> bool:
        way = (envelope.sender, envelope.carrier, envelope.index)
        new = envelope.sequence > self._last.get(way, 0)
        if new:
            self._last[way] = envelope.sequence
        return new

    def apply(
        self,
        members: tuple[Member, ...],
        settings: MembershipSettings,
        keys: tuple[Key, ...] = (NEW,),
        now: float = NOW,
    ) -> None:
        """Take records, settings and keys."""
        self.mail.apply(self.name, members, settings, keys, now)

    def turn(self, now: float = NOW, timeout: float = 0.0) -> bool:
        """Serve each socket that is ready within `timeout` seconds once; whether there was one."""
        ready, _, _ = select.select(list(self.callbacks), [], [], timeout)
        for fileno in ready:
            self.callbacks[fileno](now)
        return bool(ready)

    def drain(self, now: float = NOW) -> list[Envelope]:
        """Serve sockets until nothing waits; what has come in by now."""
        for _ in range(TURNS):
            if not self.turn(now):
                return self.received
        raise AssertionError("sockets that are never empty")

    def say(self, to: str, body: bytes = b"body", carrier: Carrier = Carrier.UDP, index: int = 0) -> None:
        """Send a heartbeat."""
        self.mail.send(Post(to, carrier, index, Kind.HEARTBEAT, body), NOW)

    def close(self) -> None:
        """Let go of all sockets."""
        self.mail.close()
