"""How this node speaks for its VIPs: it answers what is asked of them, and announces what its schedule says is due.

A core: frames and `now` come in, frames go out. Times are seconds of one monotonic clock.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from itertools import chain

from msgspec import Struct

from speakerd.layer2 import arp, ndp
from speakerd.layer2.schedule import Form, Pair, Schedule
from speakerd.model import Counters, Interface
from speakerd.wire import DecodeError

SPOKEN = 1024
"""Words of others kept between two turns: a turn reads fewer frames."""


class Drop(StrEnum):
    """Why a frame was not answered."""

    MALFORMED = "malformed"
    ANSWER = "answer"
    NOT_OURS = "not-ours"
    NOT_TO_US = "not-to-us"
    SPEAKS_FOR_OURS = "speaks-for-our-address"


class Send(Struct, frozen=True):
    """Put `frame` on the interface."""

    index: int
    frame: bytes


class Spoken(Struct, frozen=True):
    """What another station said on an interface: `ip` is at `mac`. `asks`: while it asked for a VIP of ours."""

    index: int
    ip: bytes
    mac: bytes
    asks: bool = False


class Port:
    """One usable interface: what is answered there. `answers` maps an IPv4 VIP to the head of its reply."""

    def __init__(self, mac: bytes) -> None:
        self.mac = mac
        self.name = ""
        self.link_local = b""
        self.ipv4 = arp.NO_ADDRESS
        self.answers: dict[bytes, bytes] = {}
        self.ipv6: set[bytes] = set()

    def see(self, interface: Interface) -> None:
        """Take what may change while all that was announced stays true."""
        self.name = interface.name
        self.link_local = IPv6Address(interface.link_local).packed if interface.link_local else b""
        self.ipv4 = IPv4Address(interface.ipv4[0]).packed if interface.ipv4 else arp.NO_ADDRESS

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

    def question(self, ip: bytes, to: bytes) -> bytes:
        """The frame that asks who has `ip`: the MAC `to`, or everybody; never in a VIP's name."""
        if len(ip) == 16:
            return ndp.question(ip, self.mac, self.link_local or ndp.UNSPECIFIED, to)
        return arp.question(self.mac, self.ipv4, ip, to)

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
        self._quiet = False
        self._spoken: list[Spoken] = []
        self._askers: dict[int, Spoken] = {}
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
        *,
        quiet: bool = False,
    ) -> list[Send]:
        """Answer for exactly these `vips` (on the interfaces named, none: all that are usable) from now on.

        While `quiet` nothing is announced; what should have been is announced when that ends.
        """
        self._quiet = quiet
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

    def announce(self, ip: bytes, now: float) -> list[Send]:
        """Announce a VIP again as if it were new: somebody else spoke for it."""
        for index, port in self._ports.items():
            if ip in port:
                self._schedule.add((index, ip))
        return self.wake(now)

    def ask(self, index: int, ip: bytes, to: bytes) -> list[Send]:
        """Ask who has `ip`: the MAC `to`, or everybody."""
        port = self._ports.get(index)
        return [Send(index, port.question(ip, to))] if port else []

    def spoken(self) -> list[Spoken]:
        """What others said since the last call, and who asked last on each interface."""
        found, self._spoken = [*self._spoken, *self._askers.values()], []
        self._askers.clear()
        return found

    def _told(self, index: int, found: tuple[bytes, bytes] | None) -> Drop:
        self._note(index, found)
        return Drop.ANSWER if found else Drop.MALFORMED

    def _note(self, index: int, found: tuple[bytes, bytes] | None) -> None:
        if found and len(self._spoken) < SPOKEN:
            self._spoken.append(Spoken(index, *found))

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
            return self._told(index, arp.speaker(frame))
        target, sender, asker = frame[38:42], frame[28:32], frame[22:28]
        head = port.answers.get(target)
        if head is None:
            self._note(index, arp.speaker(frame))
            return Drop.NOT_OURS
        if frame[:6] not in (arp.BROADCAST, port.mac) or asker[0] & 1:
            return Drop.NOT_TO_US
        if sender == target:
            self._note(index, (sender, asker))
            return Drop.SPEAKS_FOR_OURS
        self._answered(target)
        if sender != arp.NO_ADDRESS:
            self._askers[index] = Spoken(index, sender, asker, asks=True)
        return arp.reply(head, asker, sender)

    def _judged_ndp(self, index: int, frame: bytes) -> bytes | Drop:
        port = self._ports.get(index)
        if port is None:
            return Drop.NOT_OURS
        try:
            asked = ndp.decode(frame)
        except DecodeError:
            return self._told(index, ndp.speaker(frame))
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
        return None if self._quiet else self._schedule.deadline()

    def wake(self, now: float) -> list[Send]:
        """Announce what is due."""
        if self._quiet:
            return []
        return [self._announced(pair, form) for pair, form in self._schedule.take(now)]

    def _announced(self, pair: Pair, form: Form) -> Send:
        index, ip = pair
        self._counts[ip][2] += 1
        return Send(index, self._ports[index].announcement(ip, form))
