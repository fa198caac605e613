"""How this node speaks for its VIPs: it answers what is asked of them, and announces what its schedule says is due.

A core: frames and `now` come in, frames go out. Times are seconds of one monotonic clock.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv6Address
from itertools import chain

from msgspec import Struct

from speakerd.layer2 import arp, ndp
from speakerd.layer2.schedule import Form, Pair, Schedule
from speakerd.model import Counters, Interface
from speakerd.wire import DecodeError


class Drop(StrEnum):
    """Why a frame was not answered."""

    MALFORMED = "malformed"
    NOT_OURS = "not-ours"
    NOT_TO_US = "not-to-us"
    SPEAKS_FOR_OURS = "speaks-for-our-address"


class Send(Struct, frozen=True):
    """Put `frame` on the interface."""

    index: int
    frame: bytes


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
