"""How this node speaks for its VIPs: it answers what is asked, and announces what is newly its own, and then rarely.

A core: frames and `now` come in, frames go out. Times are seconds of one monotonic clock.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, StrEnum
from heapq import heappop, heappush
from ipaddress import IPv6Address
from itertools import chain

from msgspec import Struct

from speakerd.layer2 import arp, ndp
from speakerd.model import Counters, Interface
from speakerd.wire import DecodeError

REPEAT_EVERY = 1.0
REPEATS = 5
"""Seconds between announcements after the first, and how many: a lost frame is made good."""
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
    SPEAKS_FOR_OURS = "speaks-for-our-address"


class Form(Enum):
    """How an IPv4 address is announced: as a request, or as the reply to none; some hosts heed only one."""

    REQUEST = "request"
    REPLY = "reply"


OTHER = {Form.REQUEST: Form.REPLY, Form.REPLY: Form.REQUEST}


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


class Repeat(Struct, frozen=True, order=True):
    """The `number`th repeat of a pair first announced at `since`."""

    due: float
    number: int
    since: float
    pair: Pair


class Schedule:
    """When each pair is to be announced: at once, again in the seconds after, and from then on in turn.

    `random` gives numbers from 0 to 1.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._first: OrderedDict[Pair, None] = OrderedDict()
        self._since: dict[Pair, float] = {}
        self._repeats: list[Repeat] = []
        self._circle: OrderedDict[Pair, Form] = OrderedDict()
        self._refresh = 0.0
        self._refresh_at: float | None = None
        self._pace = Bucket(1.0)
        self._repeat_pace = Bucket(1.0)

    def pace(self, rate: float, refresh: float, now: float) -> None:
        """At most `rate` announcements a second in all; each pair once in `refresh` seconds, jitter aside."""
        if rate != self._pace.rate:
            self._pace, self._repeat_pace = Bucket(rate), Bucket(min(rate, REPEAT_RATE))
        if refresh != self._refresh or self._refresh_at is None:
            self._refresh = refresh
            self._refresh_at = now + self._pause() if self._circle else None

    def add(self, pair: Pair) -> None:
        """Announce `pair` from now on."""
        self._first[pair] = None
        self._circle[pair] = Form.REQUEST

    def drop(self, pair: Pair) -> None:
        """Announce `pair` no more."""
        self._first.pop(pair, None)
        self._since.pop(pair, None)
        self._circle.pop(pair, None)

    def deadline(self) -> float | None:
        """When the next announcement may be made."""
        due = [self._pace.next()] if self._first else []
        if self._repeats:
            due.append(max(self._repeats[0].due, self._repeat_pace.next(), self._pace.next()))
        if self._refresh_at is not None:
            due.append(self._refresh_at)
        return min(due, default=None)

    def take(self, now: float) -> Iterator[tuple[Pair, Form]]:
        """What is due: first what is new, then repeats, then the one whose turn it is to be refreshed."""
        while self._first and self._pace.take(now):
            pair, _ = self._first.popitem(last=False)
            yield pair, Form.REQUEST
            self._since[pair] = now
            # IPv4: the other form follows at once, unless others still wait for their first.
            self._repeat(pair, now, 0 if len(pair[1]) == 4 else 1)
        while self._repeat_due(now) and self._pace.take(now):
            again = heappop(self._repeats)
            yield again.pair, Form.REPLY if again.number % 2 == 0 else Form.REQUEST
            self._repeat(again.pair, again.since, max(again.number, int((now - again.since) / REPEAT_EVERY)) + 1)
        if self._refresh_at is not None and self._refresh_at <= now:
            yield from self._refreshed(now)

    def _repeat(self, pair: Pair, since: float, number: int) -> None:
        if number <= REPEATS:
            heappush(self._repeats, Repeat(since + number * REPEAT_EVERY, number, since, pair))

    def _repeat_due(self, now: float) -> bool:
        """Whether a repeat may go now; those of pairs dropped or announced anew since then fall away."""
        while self._repeats and self._repeats[0].due <= now:
            again = self._repeats[0]
            late = now > again.since + (REPEATS + 1) * REPEAT_EVERY
            if self._since.get(again.pair) == again.since and not late:
                return self._repeat_pace.take(now)
            heappop(self._repeats)
        return False

    def _refreshed(self, now: float) -> Iterator[tuple[Pair, Form]]:
        if not self._circle:
            self._refresh_at = None
        elif not self._pace.take(now):
            self._refresh_at = self._pace.next()
        else:
            pair, form = self._circle.popitem(last=False)
            self._circle[pair] = OTHER[form]
            self._refresh_at = now + self._pause()
            yield pair, form

    def _pause(self) -> float:
        """Seconds to the next refresh, half to one and a half of the even share."""
        share = max(self._refresh / max(1, len(self._circle)), 1 / min(self._pace.rate, REFRESH_RATE))
        return share * (0.5 + self._random())


class Port:
    """One usable interface: what is answered there. `answers` maps an IPv4 VIP to the head of its reply."""

    def __init__(self, mac: bytes) -> None:
        self.mac = mac
        self.name = ""
        self.link_local = b""
        self.answers: dict[bytes, bytes] = {}
        self.ipv6: set[bytes] = set()

    def see(self, interface: Interface) -> None:
        """Take what may change while all that was announced stays true."""
        self.name = interface.name
        self.link_local = IPv6Address(interface.link_local).packed if interface.link_local else b""

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

    def announcement(self, ip: bytes, form: Form) -> bytes:
        """The frame that tells all neighbours that `ip` is here."""
        if len(ip) == 16:
            return ndp.announcement(ip, self.mac, self.link_local)
        return arp.announcement(self.mac, ip) if form is Form.REQUEST else arp.unasked_reply(self.mac, ip)

    def __contains__(self, ip: bytes) -> bool:
        return ip in self.answers or ip in self.ipv6

    def __iter__(self) -> Iterator[bytes]:
        return chain(self.answers, self.ipv6)


class Responder:
    """Answers and announces the VIPs it was given last; `random` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._ports: dict[int, Port] = {}
        self._schedule = Schedule(random)
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
        usable = {each.index: each for each in interfaces if each.usable}
        for index, port in list(self._ports.items()):
            if index not in usable or usable[index].mac != port.mac:
                self._close(index)
        self._counts = {ip: self._counts.get(ip) or [0, 0, 0] for ip in vips}
        for index, interface in usable.items():
            port = self._ports.setdefault(index, Port(interface.mac))
            port.see(interface)
            self._fit(index, port, vips)
        self._schedule.pace(rate, refresh, now)
        return self.wake(now)

    def _close(self, index: int) -> None:
        """Forget a port: its interface is gone, or has another MAC and so says everything anew."""
        for ip in self._ports.pop(index):
            self._schedule.drop((index, ip))

    def _fit(self, index: int, port: Port, vips: Mapping[bytes, tuple[str, ...]]) -> None:
        """Bring a port in line with `vips`; what is new there is announced there."""
        for ip in [ip for ip in port if ip not in vips]:
            self._drop(index, port, ip)
        for ip, names in vips.items():
            wanted = not names or port.name in names
            if wanted and ip not in port:
                port.add(ip)
                self._schedule.add((index, ip))
            elif not wanted and ip in port:
                self._drop(index, port, ip)

    def _drop(self, index: int, port: Port, ip: bytes) -> None:
        port.drop(ip)
        self._schedule.drop((index, ip))

    def receive_arp(self, index: int, frame: bytes) -> bytes | None:
        """The reply to an ARP frame that came in on interface `index`, if it is a question for one of ours."""
        return self._counted(self._judged_arp(index, frame))

    def receive_ndp(self, index: int, frame: bytes) -> bytes | None:
        """The answer to a Neighbor Solicitation that came in on interface `index`, if it asks for one of ours."""
        return self._counted(self._judged_ndp(index, frame))

    def _judged_arp(self, index: int, frame: bytes) -> bytes | Drop:
        port = self._ports.get(index)
        if port is None:
            return Drop.NOT_OURS
        if not arp.is_request(frame):
            return Drop.MALFORMED
        target, sender, asker = frame[38:42], frame[28:32], frame[22:28]
        head = port.answers.get(target)
        if head is None:
            return Drop.NOT_OURS
        if frame[:6] not in (arp.BROADCAST, port.mac) or asker[0] & 1:
            return Drop.NOT_TO_US
        if sender == target:
            return Drop.SPEAKS_FOR_OURS
        self._answered(target)
        return arp.reply(head, asker, sender)

    def _judged_ndp(self, index: int, frame: bytes) -> bytes | Drop:
        port = self._ports.get(index)
        if port is None:
            return Drop.NOT_OURS
        try:
            asked = ndp.decode(frame)
        except DecodeError:
            return Drop.MALFORMED
        if asked.target not in port.ipv6:
            return Drop.NOT_OURS
        if asked.mac[0] & 1:
            return Drop.NOT_TO_US
        if asked.source == asked.target:
            return Drop.SPEAKS_FOR_OURS
        self._answered(asked.target)
        return ndp.answer(asked, port.mac, port.link_local)

    def _answered(self, ip: bytes) -> None:
        counts = self._counts[ip]
        counts[0] += 1
        counts[1] += 1

    def _counted(self, verdict: bytes | Drop) -> bytes | None:
        if isinstance(verdict, Drop):
            self.drops[verdict] += 1
            return None
        return verdict

    def deadline(self) -> float | None:
        """When something is due to be announced."""
        return self._schedule.deadline()

    def wake(self, now: float) -> list[Send]:
        """Announce what is due."""
        return [self._announced(pair, form) for pair, form in self._schedule.take(now)]

    def _announced(self, pair: Pair, form: Form) -> Send:
        index, ip = pair
        self._counts[ip][2] += 1
        return Send(index, self._ports[index].announcement(ip, form))
