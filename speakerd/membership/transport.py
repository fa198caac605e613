"""How members' messages reach the wire: UDP sockets, and a packet socket on every interface that may announce.

Names become addresses here, sequence numbers are given, signatures made and checked. An interface that goes, a firewall
that lets nothing out, a port that somebody else has: weather, counted or told, tried again.
"""

import errno
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TypeVar

from speakerd.exchange import Key, Member, MembershipSettings
from speakerd.membership import message
from speakerd.membership.envelope import Carrier, Envelope, Post
from speakerd.membership.frame import ETHERTYPE, HEADER_BYTES, encoded, framed, unframed
from speakerd.membership.keys import Keyring
from speakerd.membership.message import MOST
from speakerd.membership.ways import Ways
from speakerd.model import Interface
from speakerd.packet import packet_socket
from speakerd.wire import DecodeError

DATAGRAM_BYTES = MOST + 1
"""What is longer arrives cut to this, and is longer than a message still."""
FRAME_BYTES = HEADER_BYTES + MOST
MESSAGES_A_TURN = 64
"""Of one socket, before others have their turn."""
QUEUE_BYTES = 1 << 18
"""What the kernel keeps while this process does not run, as far as net.core.rmem_max allows: some 500 messages."""
WAITING = 1024
"""Messages of one socket thrown away at a time: more than its queue holds, so that a flood does not keep us."""
AGAIN, SOON, MANY = 3.0, 0.01, 10
"""Seconds until a port that was taken is tried again; the first times soon: a dead predecessor may have it still."""
EVERYWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104

PORT_TAKEN, NOT_LISTENING = "membership-port-taken", "membership-not-listening"

T = TypeVar("T")
Register = Callable[[int, Callable[[float], None]], None]


def boot_time() -> int:
    """CLOCK_BOOTTIME in microseconds: it goes on while the machine is suspended, and over restarts of this process."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Mail:
    """A part. `boot`: of this host's life; `register` and `unregister` are the engine's.

    `receive` gets what is authentic and for this node; `takes` says before that whether it is none that was heard
    before: only then its sender is believed to be where it came from. `hears_us`: whether a member says that it hears
    this node by UDP. Without these two, messages go to all addresses of a member and all stations of a segment.
    `counters`: messages and refusals by word; `problems`: detail by word, of what stands now.
    """

    def __init__(
        self,
        boot: int,
        register: Register,
        unregister: Callable[[int], None],
        receive: Callable[[Envelope, float], None],
        takes: Callable[[Envelope], bool] = lambda _: False,
        hears_us: Callable[[str, float], bool] = lambda *_: False,
        clock: Callable[[], int] = boot_time,
    ) -> None:
        self._boot, self._register, self._unregister = boot, register, unregister
        self._receive, self._takes, self._clock = receive, takes, clock
        self._me = ""
        self._settings = MembershipSettings()
        self._keys: tuple[Key, ...] = ()
        self._members: tuple[Member, ...] = ()
        self._keyring = Keyring()
        self._bound: tuple[str, int] | None = None
        self._udp: dict[int, socket.socket] = {}
        self._again_at: float | None = None
        self._tries = 0
        self._frames: dict[int, socket.socket] = {}
        self._sources: dict[int, bytes] = {}
        self._sequence = 0
        self.ways = Ways(hears_us)
        self.counters: Counter[str] = Counter()
        self.problems: dict[str, str] = {}

    def apply(
        self, me: str, members: tuple[Member, ...], settings: MembershipSettings, keys: tuple[Key, ...], now: float
    ) -> None:
        """Take this node's name, the members' records, settings and keys, newest first."""
        if (keys, members) != (self._keys, self._members):
            self._keyring = Keyring(keys, members)
        if (members, settings) != (self._members, self._settings):
            self.ways.know(members, settings)
        self._me, self._members, self._settings, self._keys = me, members, settings, keys
        if (settings.bind, settings.port) != self._bound:
            self._bound, self._tries = (settings.bind, settings.port), 0
            self._let_go(self._udp, self._udp)
            self._listen(now)

    def interfaces(self, interfaces: Iterable[Interface]) -> None:
        """Speak and listen on exactly the usable ones of these; one that is there but not usable keeps its socket.

        (Its cable may be back soon, and closing a packet socket stops this process for 10 ms.)
        """
        present = {each.index: each for each in interfaces}
        self._sources = {index: each.mac for index, each in present.items() if each.usable}
        for index in self._frames.keys() - present.keys():
            self._let_go(self._frames, (index,))
            self.ways.gone(index)
        for index in self._sources.keys() - self._frames.keys():
            self._open(present[index])

    def close(self) -> None:
        """Let go of all sockets."""
        self._let_go(self._udp, self._udp)
        self._let_go(self._frames, self._frames)

    def deadline(self) -> float | None:
        """When a port that was taken is tried again."""
        return self._again_at

    def wake(self, now: float) -> None:
        """Try it again."""
        if self._again_at is not None and self._again_at <= now:
            self._listen(now)

    # -- sockets

    def _listen(self, now: float) -> None:
        """A UDP socket of each family that the host has; frames go on alone where none can be had."""
        self._again_at = None
        self.problems.clear()
        bind, port = self._settings.bind, self._settings.port
        for family, everywhere in EVERYWHERE.items():
            if family in self._udp or (bind and (":" in bind) != (family == socket.AF_INET6)):
                continue
            try:
                self._udp[family] = end = _datagrams(family, bind or everywhere, port)
            except OSError as fault:
                self._unheard(fault, now)
            else:
                self._register(end.fileno(), partial(self._drain_udp, end))

    def _unheard(self, fault: OSError, now: float) -> None:
        """A socket could not be had; a family that the host does not speak is none to be missed."""
        bind, port = self._settings.bind, self._settings.port
        if fault.errno == errno.EADDRINUSE:
            self.problems[PORT_TAKEN] = f"port {port}/udp taken"
        elif bind or fault.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            self.problems[NOT_LISTENING] = f"{bind or 'every address'}, port {port}/udp: {fault.strerror}"
        else:
            return
        self._tries += 1
        self._again_at = now + (SOON if self._tries <= MANY else AGAIN)

    def _open(self, interface: Interface) -> None:
        index = interface.index
        end = packet_socket(interface.name, ETHERTYPE, encoded(index), QUEUE_BYTES)
        if end is not None:
            self._frames[index] = end
            self._register(end.fileno(), partial(self._drain_frames, index, end))

    def _let_go(self, held: dict[int, socket.socket], keys: Iterable[int]) -> None:
        for key in tuple(keys):
            end = held.pop(key)
            self._unregister(end.fileno())
            end.close()

    # -- what comes in

    def discard(self) -> None:
        """Throw away what waits: this process stood still, and what was said meanwhile is old."""
        for end in (*self._udp.values(), *self._frames.values()):
            with suppress(OSError):
                for _ in range(WAITING):
                    end.recv(1)
                    self.counters["discarded"] += 1

    def _drain_udp(self, end: socket.socket, now: float) -> None:
        for data, address in self._waiting(partial(end.recvfrom, DATAGRAM_BYTES)):
            envelope = self._opened(data, Carrier.UDP, 0)
            if envelope is not None:
                if self._takes(envelope):
                    self.ways.heard_at(address, envelope.sender, now)
                self._receive(envelope, now)

    def _drain_frames(self, index: int, end: socket.socket, now: float) -> None:
        for frame in self._waiting(partial(end.recv, FRAME_BYTES)):
            if index not in self._sources:
                continue
            mac, data = unframed(frame)
            envelope = self._opened(data, Carrier.ETHERNET, index)
            if envelope is not None:
                if self._takes(envelope):
                    self.ways.heard_from(mac, envelope.sender, index, now)
                self._receive(envelope, now)

    def _waiting(self, read: Callable[[], T]) -> Iterator[T]:
        """What waits, up to a turn's share."""
        for _ in range(MESSAGES_A_TURN):
            try:
                yield read()
            except BlockingIOError:
                return
            except OSError:
                self.counters["not-received"] += 1  # its interface went down
                return

    def _opened(self, data: bytes, carrier: Carrier, index: int) -> Envelope | None:
        """The message, where it is authentic and for us; counted in any case."""
        try:
            envelope = message.decode(data, self._keyring, carrier, index, self._clock())
        except DecodeError as fault:
            self.counters[str(fault)] += 1
            return None
        self._keyring.heard(envelope.sender, message.key_of(data))
        if envelope.sender == self._me and envelope.boot == self._boot:
            self.counters["own"] += 1
        elif envelope.receiver not in (self._me, ""):
            self.counters["other-receiver"] += 1
        else:
            self.counters["received"] += 1
            return envelope
        return None

    # -- what goes out

    def send(self, post: Post, now: float) -> None:
        """Sign and send; what the network refuses is lost, as on any network. Without a key nothing is said."""
        signers = self._keyring.signers(post.to)
        if not signers:
            self.counters["no-key"] += 1
            return
        if len(post.body) > message.room(self._me, post.to):
            self.counters["too-long"] += 1
            return
        self._sequence = max(self._sequence + 1, self._clock())
        envelope = Envelope(self._me, self._boot, post.to, post.carrier, 0, self._sequence, post.kind, post.body)
        for signer in signers:
            data = message.encode(envelope, signer)
            if post.carrier is Carrier.UDP:
                self._send_udp(post.to, data, now)
            else:
                self._send_frame(post.to, post.index, data, now)

    def _send_udp(self, to: str, data: bytes, now: float) -> None:
        for address in self.ways.addresses(to, now):
            end = self._udp.get(socket.AF_INET if len(address) == 2 else socket.AF_INET6)
            if end is not None:
                self._sent(partial(end.sendto, data, address))

    def _send_frame(self, to: str, index: int, data: bytes, now: float) -> None:
        end, source = self._frames.get(index), self._sources.get(index)
        if end is not None and source is not None:
            self._sent(partial(end.send, framed(self.ways.mac(to, index, now), source, data)))

    def _sent(self, send: Callable[[], int]) -> None:
        try:
            send()
        except PermissionError:
            self.counters["blocked"] += 1
        except OSError:
            self.counters["not-sent"] += 1
        else:
            self.counters["sent"] += 1


def _datagrams(family: int, address: str, port: int) -> socket.socket:
    """A UDP socket of one family. Raises OSError."""
    end = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
        end.bind((address, port))
    except OSError:
        end.close()
        raise
    return end
