"""How this node speaks for its VIPs: it answers what is asked of them, and announces what its schedule says is due.

A core: frames and `now` come in, frames go out. Times are seconds of one monotonic clock.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from ipaddress import ip_address
from itertools import chain

from msgspec import Struct

from speakerd.exchange import Counters
from speakerd.layer2 import arp, ndp
from speakerd.layer2.schedule import Form, Pair, Schedule
from speakerd.model import Interface
from speakerd.wire import DecodeError

SPOKEN = 1024
"""Words of others kept between two turns: a turn reads fewer frames."""
NEAR = 16
"""Leading bits that IPv4 addresses of one LAN have in common; seldom fewer. A host that is asked in the name of one
that it would not reach over this link may say nothing; asked in nobody's name (a probe, RFC 5227) it does answer."""


class Drop(StrEnum):
    """Why a frame was not answered."""

    MALFORMED = "malformed"
    ANSWER = "answer"
    NOT_OURS = "not-ours"
    NOT_TO_US = "not-to-us"
    SPEAKS_FOR_OURS = "speaks-for-our-address"
    OUR_OWN = "our-own"


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
    """One usable interface: what is answered there. `answers` maps an IPv4 VIP to the head of its reply.

    `own`: addresses that this host has there, of either family, the link-local one apart.
    """

    def __init__(self, mac: bytes) -> None:
        self.mac = mac
        self.name = ""
        self.link_local = b""
        self.own: tuple[bytes, ...] = ()
        self.answers: dict[bytes, bytes] = {}
        self.ipv6: set[bytes] = set()

    def see(self, interface: Interface) -> None:
        """Take what may change while all that was announced stays true."""
        self.name = interface.name
        self.link_local = ip_address(interface.link_local).packed if interface.link_local else b""
        own = (ip_address(text).packed for text in (*interface.ipv4, *interface.ipv6))
        self.own = tuple(each for each in own if each != self.link_local)

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

    def question(self, ip: bytes, to: bytes, vips: AbstractSet[bytes]) -> bytes:
        """The frame that asks who has `ip`: the MAC `to`, or everybody; in our own name, never in that of a VIP."""
        own = [each for each in self.own if len(each) == len(ip) and each not in vips]
        nearest = max(own, key=lambda each: shared_bits(each, ip), default=b"")
        if len(ip) == 16:
            return ndp.question(ip, self.mac, self.link_local or nearest or ndp.UNSPECIFIED, to)
        near = nearest and shared_bits(nearest, ip) >= NEAR
        return arp.question(self.mac, nearest if near else arp.NO_ADDRESS, ip, to)

    def __contains__(self, ip: bytes) -> bool:
        return ip in self.answers or ip in self.ipv6

    def __iter__(self) -> Iterator[bytes]:
        return chain(self.answers, self.ipv6)


def shared_bits(one: bytes, other: bytes) -> int:
    """How many leading bits two packed addresses of one family have in common."""
    return 8 * len(one) - (int.from_bytes(one) ^ int.from_bytes(other)).bit_length()


class Responder:
    """Answers and announces the VIPs it was given last; `random` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._interfaces: tuple[Interface, ...] = ()
        self._macs: frozenset[bytes] = frozenset()
        self._ports: dict[int, Port] = {}
        self._vips: dict[bytes, tuple[str, ...]] = {}
        self._known: AbstractSet[bytes] = frozenset()
        self._schedule = Schedule(random)
        self._counts: dict[bytes, list[int]] = {}
        self._quiet = False
        self._spoken: dict[Spoken, None] = {}
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
        standby: AbstractSet[bytes] = frozenset(),
    ) -> list[Send]:
        """Answer for exactly these `vips` (on the interfaces named, none: all that are usable) from now on.

        Hear what others say of these and of those on `standby`. While `quiet` nothing is announced; what should have
        been is announced when that ends. What has not changed costs next to nothing.
        """
        self._quiet = quiet
        fresh = self._see(interfaces)
        changed = {ip: names for ip, names in vips.items() if self._vips.get(ip) != names}
        for ip in self._vips.keys() - vips.keys():
            self._forget(ip)
        self._vips.update(changed)
        self._known = standby if self._vips.keys() <= standby else standby | self._vips.keys()
        for ip in changed:
            self._counts.setdefault(ip, [0, 0, 0])
        for index, port in self._ports.items():
            for ip, names in (self._vips if index in fresh else changed).items():
                self._fit(index, port, ip, names)
        self._schedule.pace(rate, refresh, now)
        return self.wake(now)

    def _see(self, interfaces: tuple[Interface, ...]) -> set[int]:
        """Bring ports in line with the interfaces that are usable; those to be fitted anew, new or with a new name."""
        if interfaces == self._interfaces:
            return set()
        self._interfaces = interfaces
        self._macs = frozenset(each.mac for each in interfaces)
        usable = {each.index: each for each in interfaces if each.usable}
        for index, port in list(self._ports.items()):
            if index not in usable or usable[index].mac != port.mac:
                self._close(index)
        fresh = set()
        for index, interface in usable.items():
            port = self._ports.setdefault(index, Port(interface.mac))
            if port.name != interface.name:
                fresh.add(index)
            port.see(interface)
        return fresh

    def _close(self, index: int) -> None:
        """Forget a port: its interface is gone, or has another MAC and so says everything anew."""
        for ip in self._ports.pop(index):
            self._schedule.drop((index, ip))

    def _forget(self, ip: bytes) -> None:
        """It is not ours any more."""
        del self._vips[ip], self._counts[ip]
        for index, port in self._ports.items():
            self._drop(index, port, ip)

    def _fit(self, index: int, port: Port, ip: bytes, names: tuple[str, ...]) -> None:
        """Bring a port in line with one VIP; what is new there is announced there."""
        if names and port.name not in names:
            self._drop(index, port, ip)
        elif ip not in port:
            port.add(ip)
            self._schedule.add((index, ip))

    def _drop(self, index: int, port: Port, ip: bytes) -> None:
        port.drop(ip)
        self._schedule.drop((index, ip))

    def announce(self, ip: bytes, now: float) -> list[Send]:
        """Announce a VIP again as if it were new, before others: somebody else spoke for it."""
        for index, port in self._ports.items():
            if ip in port:
                self._schedule.again((index, ip))
        return self.wake(now)

    def ask(self, index: int, ip: bytes, to: bytes) -> list[Send]:
        """Ask who has `ip`: the MAC `to`, or everybody."""
        port = self._ports.get(index)
        return [Send(index, port.question(ip, to, self._known))] if port else []

    # -- what others say

    def spoken(self) -> list[Spoken]:
        """What others said since the last call, and who asked last on each interface."""
        found = [*self._spoken, *self._askers.values()]
        self._spoken.clear()
        self._askers.clear()
        return found

    def _told(self, index: int, port: Port, said: tuple[bytes, bytes] | None, *, to_us: bool = False) -> Drop:
        """Take what a frame says that asks nothing of us: of VIPs, and whatever is said to us alone.

        Two interfaces of this host on one LAN hear each other: that is nobody else.
        """
        if said is None:
            return Drop.MALFORMED
        ip, mac = said
        if mac in self._macs:
            return Drop.OUR_OWN
        ours = ip in port
        if ours or to_us or (ip in self._known and ip not in self._vips):
            self._note(Spoken(index, ip, mac))
        return Drop.SPEAKS_FOR_OURS if ours else Drop.ANSWER

    def _met(self, index: int, ip: bytes, mac: bytes) -> None:
        """Somebody asked in the name of `ip`; who does so in that of a VIP has it bound."""
        if mac in self._macs:
            return
        if ip in self._known:
            self._note(Spoken(index, ip, mac))
        else:
            self._askers[index] = Spoken(index, ip, mac, asks=True)

    def _note(self, spoken: Spoken) -> None:
        if len(self._spoken) < SPOKEN:
            self._spoken[spoken] = None

    # -- what others ask

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
            return self._told(index, port, arp.speaker(frame), to_us=frame[:6] == port.mac)
        target, sender, asker = frame[38:42], frame[28:32], frame[22:28]
        head = port.answers.get(target)
        if head is None or sender == target:
            said = arp.speaker(frame)
            verdict = self._told(index, port, said) if said else Drop.NOT_OURS
            return Drop.NOT_OURS if verdict is Drop.ANSWER else verdict
        if frame[:6] not in (arp.BROADCAST, port.mac) or asker[0] & 1:
            return Drop.NOT_TO_US
        self._answered(target)
        if sender != arp.NO_ADDRESS:
            self._met(index, sender, asker)
        return arp.reply(head, asker, sender)

    def _judged_ndp(self, index: int, frame: bytes) -> bytes | Drop:
        port = self._ports.get(index)
        if port is None:
            return Drop.NOT_OURS
        if ndp.is_advertisement(frame):
            return self._told(index, port, ndp.speaker(frame), to_us=frame[:6] == port.mac)
        try:
            return self._solicited(index, port, ndp.decode(frame))
        except DecodeError:
            return Drop.MALFORMED

    def _solicited(self, index: int, port: Port, asked: ndp.Solicitation) -> bytes | Drop:
        if asked.target not in port.ipv6:
            return Drop.NOT_OURS
        if asked.mac[0] & 1:
            return Drop.NOT_TO_US
        if asked.source == asked.target:
            return self._told(index, port, (asked.source, asked.mac))
        self._answered(asked.target)
        if asked.source != ndp.UNSPECIFIED:
            self._met(index, asked.source, asked.mac)
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
