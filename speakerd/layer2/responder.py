"""How this node speaks for its VIPs: answers, and announces at a take-over, a few times after it, and then rarely.

A core: frames and `now` come in, frames go out. Times are seconds of one monotonic clock.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv6Address
from itertools import chain

from msgspec import Struct

from speakerd.layer2 import arp, ndp
from speakerd.model import Counters, Interface
from speakerd.wire import DecodeError

REPEAT_EVERY = 1.0
REPEAT_FOR = 5.0
"""Seconds between repeats after a take-over, and for how long: a lost first frame is made good."""
REPEAT_RATE = 200.0
"""Repeats a second, of all VIPs together."""
REFRESH_RATE = 20.0
"""Refreshes a second of a node, at most; with more VIPs each is refreshed more rarely."""
BURST = 0.05
"""Seconds of a rate that may go out at once."""

Pair = tuple[int, bytes]
"""Interface index and packed VIP."""


class Drop(StrEnum):
    """Why a frame was not answered."""

    MALFORMED = "malformed"
    NOT_OURS = "not-ours"
    NOT_TO_US = "not-to-us"
    ITS_OWN = "announces-our-address"


class Send(Struct, frozen=True):
    """Put `frame` on the interface."""

    index: int
    frame: bytes


class Bucket:
    """Lets `rate` things a second through, with a burst of BURST seconds' worth (the generic cell rate algorithm)."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._even = float("-inf")

    def next(self) -> float:
        """When the next may go."""
        return self._even - BURST

    def take(self, now: float) -> bool:
        """Whether one more may go now; if so it counts as gone."""
        if now < self.next():
            return False
        self._even = max(self._even, now) + 1.0 / self.rate
        return True


class Port:
    """One usable interface: what is answered there. `answers` maps an IPv4 VIP to the head of its reply."""

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        self.mac = interface.mac
        self.link_local = IPv6Address(interface.link_local).packed if interface.link_local else b""
        self.answers: dict[bytes, bytes] = {}
        self.ipv6: set[bytes] = set()

    def speaks_as(self, interface: Interface) -> bool:
        """Whether what was announced here still holds for `interface`."""
        return (self.mac, self.interface.link_local) == (interface.mac, interface.link_local)

    def add(self, ip: bytes) -> None:
        """Answer for `ip`."""
        if len(ip) == 4:
            self.answers[ip] = arp.reply_head(self.mac, ip)
        else:
            self.ipv6.add(ip)

    def drop(self, ip: bytes) -> None:
        """Answer for `ip` no more."""
        self.answers.pop(ip, None)
        self.ipv6.discard(ip)

    def __contains__(self, ip: bytes) -> bool:
        return ip in self.answers or ip in self.ipv6

    def __iter__(self) -> Iterator[bytes]:
        return chain(self.answers, self.ipv6)


class Repeat(Struct, frozen=True):
    """A VIP to be announced again at `due`, the last time before `until`."""

    due: float
    until: float
    pair: Pair


class Responder:
    """Answers and announces the VIPs it was given last; `random` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._ports: dict[int, Port] = {}
        self._first: deque[Pair] = deque()
        self._repeats: deque[Repeat] = deque()
        self._rounds: deque[Pair] = deque()
        self._in_rounds: set[Pair] = set()
        self._refresh = 60.0
        self._refresh_at: float | None = None
        self._takeover = Bucket(1000)
        self._repeat = Bucket(REPEAT_RATE)
        self._counts: dict[bytes, list[int]] = {}
        self.drops = dict.fromkeys(Drop, 0)

    @property
    def counters(self) -> dict[bytes, Counters]:
        """What was asked, answered and announced, per VIP."""
        return {ip: Counters(ip, *counts) for ip, counts in self._counts.items()}

    def apply(
        self,
        interfaces: tuple[Interface, ...],
        vips: Mapping[bytes, tuple[str, ...]],
        rate: float,
        refresh: float,
        now: float,
    ) -> list[Send]:
        """Answer for exactly these `vips` (on the interfaces named, none: all that are usable) from now on."""
        self._refresh = refresh
        if rate != self._takeover.rate:
            self._takeover = Bucket(rate)
        usable = {each.index: each for each in interfaces if each.usable}
        for index in [index for index, port in self._ports.items() if not self._stands(port, usable.get(index))]:
            del self._ports[index]
        for index, interface in usable.items():
            port = self._ports.setdefault(index, Port(interface))
            port.interface = interface
            self._fit(index, port, vips)
        self._counts = {ip: self._counts.get(ip) or [0, 0, 0] for ip in vips}
        if self._rounds and self._refresh_at is None:
            self._refresh_at = now + self._pause()
        return self.wake(now)

    @staticmethod
    def _stands(port: Port, interface: Interface | None) -> bool:
        return interface is not None and port.speaks_as(interface)

    def _fit(self, index: int, port: Port, vips: Mapping[bytes, tuple[str, ...]]) -> None:
        """Bring a port in line with `vips`; what is new there is announced there."""
        for ip in [ip for ip in port if ip not in vips]:
            port.drop(ip)
        for ip, names in vips.items():
            wanted = not names or port.interface.name in names
            if wanted and ip not in port:
                port.add(ip)
                self._announce_first((index, ip))
            elif not wanted and ip in port:
                port.drop(ip)

    def _announce_first(self, pair: Pair) -> None:
        self._first.append(pair)
        if pair not in self._in_rounds:
            self._in_rounds.add(pair)
            self._rounds.append(pair)

    def receive_arp(self, index: int, frame: bytes) -> bytes | None:
        """The reply to an ARP frame that came in on interface `index`, if it is a question for one of ours."""
        port = self._ports.get(index)
        if port is None or not arp.is_request(frame):
            self.drops[Drop.MALFORMED] += 1
            return None
        target = frame[38:42]
        head = port.answers.get(target)
        if head is None:
            self.drops[Drop.NOT_OURS] += 1
            return None
        asker = frame[22:28]
        if frame[:6] not in (arp.BROADCAST, port.mac) or asker[0] & 1:
            self.drops[Drop.NOT_TO_US] += 1
            return None
        if frame[28:32] == target:
            self.drops[Drop.ITS_OWN] += 1
            return None
        counts = self._counts[target]
        counts[0] += 1
        counts[1] += 1
        return arp.reply(head, asker, frame[28:32])

    def receive_ndp(self, index: int, frame: bytes) -> bytes | None:
        """The answer to a Neighbor Solicitation that came in on interface `index`, if it asks for one of ours."""
        port = self._ports.get(index)
        try:
            asked = ndp.decode(frame)
        except DecodeError:
            self.drops[Drop.MALFORMED] += 1
            return None
        if port is None or asked.target not in port.ipv6:
            self.drops[Drop.NOT_OURS] += 1
            return None
        if asked.mac[0] & 1:
            self.drops[Drop.NOT_TO_US] += 1
            return None
        counts = self._counts[asked.target]
        counts[0] += 1
        counts[1] += 1
        return ndp.answer(asked, port.mac, port.link_local)

    def deadline(self) -> float | None:
        """When something is due to be announced."""
        due = [self._takeover.next()] if self._first else []
        if self._repeats:
            due.append(max(self._repeats[0].due, self._repeat.next()))
        if self._refresh_at is not None:
            due.append(self._refresh_at)
        return min(due, default=None)

    def wake(self, now: float) -> list[Send]:
        """Announce what is due: first what is new, then repeats, then refreshes."""
        frames: list[Send] = []
        while self._first and self._takeover.take(now):
            pair = self._first.popleft()
            if self._lives(pair):
                frames += self._announced(pair)
                self._repeats.append(Repeat(now + REPEAT_EVERY, now + REPEAT_FOR, pair))
        while self._repeats and self._repeats[0].due <= now and self._repeat.take(now):
            again = self._repeats.popleft()
            if now <= again.until and self._lives(again.pair):
                frames += self._announced(again.pair)
                self._repeats.append(Repeat(now + REPEAT_EVERY, again.until, again.pair))
        if self._refresh_at is not None and self._refresh_at <= now:
            frames += self._refreshed(now)
        return frames

    def _refreshed(self, now: float) -> list[Send]:
        """Announce the VIP whose turn it is; those no longer ours leave the round."""
        while self._rounds:
            pair = self._rounds.popleft()
            if self._lives(pair):
                self._rounds.append(pair)
                self._refresh_at = now + self._pause()
                return self._announced(pair)
            self._in_rounds.discard(pair)
        self._refresh_at = None
        return []

    def _pause(self) -> float:
        """Seconds to the next refresh, half to one and a half of the even share."""
        share = max(self._refresh / max(1, len(self._rounds)), 1 / REFRESH_RATE)
        return share * (0.5 + self._random())

    def _lives(self, pair: Pair) -> bool:
        index, ip = pair
        return index in self._ports and ip in self._ports[index]

    def _announced(self, pair: Pair) -> list[Send]:
        index, ip = pair
        port = self._ports[index]
        self._counts[ip][2] += 1
        if len(ip) == 4:
            return [Send(index, frame) for frame in arp.announcements(port.mac, ip)]
        return [Send(index, ndp.announcement(ip, port.mac, port.link_local))]
