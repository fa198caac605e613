"""Where peers may open connections: a listening socket for each family and VRF in which there is one that might.

A port that another speaker has (Calico's BIRD, Cilium) is told, tried again, and does no harm: we dial.
"""

import errno
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from speakerd.bgp import tcp
from speakerd.bgp.reach import Ends
from speakerd.bgp.transport import ends

ACCEPTED_A_TURN = 16
"""Of one socket, before others have their turn."""
AGAIN = 3.0
"""Seconds until a port that could not be had is tried again."""

PORT_TAKEN, NOT_LISTENING = "bgp-port-taken", "bgp-not-listening"

Place = tuple[int, str]
"""IP version and VRF ("": none)."""


class Listener:
    """Listens at the places asked for. `take` gets what is accepted, and where; whether it has a use for it.

    `counters`: connections accepted, and those of strangers, which are closed at once. `problems`: detail by word.
    """

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        take: Callable[[socket.socket, Place, Ends, float], bool],
    ) -> None:
        self._register, self._unregister, self._take = register, unregister, take
        self._port = 0
        self._wanted: Mapping[Place, Mapping[str, bytes]] = {}
        self._sockets: dict[Place, socket.socket] = {}
        self._signed: dict[Place, dict[str, bytes]] = {}
        self._again_at: float | None = None
        self.counters: Counter[str] = Counter()
        self.problems: dict[str, str] = {}

    def apply(self, port: int, wanted: Mapping[Place, Mapping[str, bytes]], now: float) -> None:
        """Listen on `port` at exactly these places; the passwords of peers there, by address."""
        gone = set(self._sockets) if port != self._port else self._sockets.keys() - wanted.keys()
        for place in gone:
            self._close(place)
        before, self._wanted, self._port = (self._wanted, self._port), wanted, port
        for place in self._sockets:
            self._sign(place)
        if before != (wanted, port):
            self._open(now)

    def close(self) -> None:
        """Stop listening."""
        self._wanted, self._again_at = {}, None
        for place in tuple(self._sockets):
            self._close(place)

    def _close(self, place: Place) -> None:
        end = self._sockets.pop(place)
        del self._signed[place]
        self._unregister(end.fileno())
        end.close()

    def _open(self, now: float) -> None:
        self._again_at = None
        self.problems.clear()
        for place in self._wanted.keys() - self._sockets.keys():
            version, device = place
            try:
                end = self._sockets[place] = tcp.listening(version, self._port, device)
            except OSError as fault:
                self._refused(place, fault, now)
            else:
                self._signed[place] = {}
                self._sign(place)
                self._register(end.fileno(), partial(self._accept, place, end))

    def _refused(self, place: Place, fault: OSError, now: float) -> None:
        where = f"{place[1]}, port {self._port}/tcp" if place[1] else f"port {self._port}/tcp"
        if fault.errno == errno.EADDRINUSE:
            self.problems[PORT_TAKEN] = f"{where} taken"
        else:
            self.problems[NOT_LISTENING] = f"IPv{place[0]}, {where}: {fault.strerror}"
        self._again_at = now + AGAIN

    def _sign(self, place: Place) -> None:
        """Have the kernel ask for signatures of exactly those peers that have a password."""
        wanted, signed = self._wanted[place], self._signed[place]
        for address in signed.keys() - wanted.keys():
            with suppress(OSError):
                tcp.sign(self._sockets[place], address, b"")
            del signed[address]
        for address, key in wanted.items():
            if signed.get(address) != key:
                try:
                    tcp.sign(self._sockets[place], address, key)
                except OSError as fault:
                    self.problems[NOT_LISTENING] = f"{address}: no signed connections: {fault.strerror}"
                else:
                    signed[address] = key

    def _accept(self, place: Place, listener: socket.socket, now: float) -> None:
        for _ in range(ACCEPTED_A_TURN):
            if self._sockets.get(place) is not listener:
                return
            try:
                end = listener.accept()[0]
            except BlockingIOError:
                return
            except OSError as fault:
                self.counters["not-accepted"] += 1
                if fault.errno != errno.ECONNABORTED:
                    # No file or memory is left: it would be ready, and fail, for ever.
                    self._close(place)
                    self._refused(place, fault, now)
                return
            self._welcome(place, end, now)

    def _welcome(self, place: Place, end: socket.socket, now: float) -> None:
        end.setblocking(False)
        try:
            known = self._take(end, place, ends(end), now)
        except OSError:
            known = False
        self.counters["accepted" if known else "stranger"] += 1
        if not known:
            end.close()

    def deadline(self) -> float | None:
        """When a port that could not be had is tried again."""
        return self._again_at

    def wake(self, now: float) -> None:
        """Try it again."""
        if self._again_at is not None and self._again_at <= now:
            self._open(now)
