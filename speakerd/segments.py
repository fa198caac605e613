"""Whether a segment is dead to this node although carrier is up: a port in a wrong network, a broken bond; a core.

Two members that were heard there hear each other, and this node hears nobody there, or is not heard: then the wire is
asked, and its silence is the verdict. With two members there is nobody to tell which of them is cut off.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from itertools import combinations

from speakerd.members import Members
from speakerd.membership.heartbeat import member_id
from speakerd.membership.peer import FRAMES_EVERY, HERE, Peer
from speakerd.ownership.effects import AskWire, Tell
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.message import Ask
from speakerd.ownership.witness import Host

SILENT, PERIODS = 3.0, 2
"""Seconds a segment is in doubt before the wire is asked, and at least so many periods of frames."""
QUESTIONS = 3
"""Times the wire is asked, an interval apart: more than one ARP frame of a burst may be lost."""


class Doubt:
    """What speaks against one segment. `at`: when to ask, or to judge, next; `ips`: what the wire was asked for."""

    def __init__(self, at: float) -> None:
        self.at = at
        self.asked = 0
        self.ips: set[bytes] = set()
        self.silent = False

    def put_off(self, at: float) -> None:
        """Begin to ask anew at `at`."""
        self.at, self.asked = at, 0
        self.ips.clear()


class Segments:
    """`silent`: indexes of interfaces whose segments are dead to this node."""

    def __init__(self, members: Members, holdings: Holdings) -> None:
        self._members, self._holdings = members, holdings
        self._met: dict[int, set[str]] = {}
        self._doubts: dict[int, Doubt] = {}
        self._look_at = 0.0
        self.silent: AbstractSet[int] = frozenset()

    @property
    def _patience(self) -> float:
        return max(SILENT, PERIODS * FRAMES_EVERY * self._members.detector.interval)

    def look(self, usable: Mapping[int, str], hosts: Mapping[int, Host], now: float) -> list[Tell | AskWire]:
        """Judge the interfaces with carrier, index -> name, once an interval: what to ask the wire where in doubt."""
        if now < self._look_at:
            return []
        self._look_at = now + self._members.detector.interval
        found: list[Tell | AskWire] = []
        for index in self._doubts.keys() - usable.keys():
            del self._doubts[index]
        for index, name in usable.items():
            found += self._look_at_one(index, name, hosts.get(index), now)
        self.silent = frozenset(index for index, doubt in self._doubts.items() if doubt.silent)
        return found

    def _look_at_one(self, index: int, name: str, host: Host | None, now: float) -> list[Tell | AskWire]:
        there = self._there(index, now)
        doubt = self._doubts.get(index)
        witnesses = self._witnesses(index, there, now)
        stays = doubt is not None and doubt.silent and self._still_silent(index, there, now)
        if self._members.alone_now or not (witnesses or stays):
            self._doubts.pop(index, None)
            return []
        if doubt is None:
            doubt = self._doubts[index] = Doubt(now + self._patience)
        if now < doubt.at:
            return []
        if doubt.asked == QUESTIONS:
            doubt.silent = True
            doubt.put_off(now + self._patience)
            return []
        asks = self._asks(index, name, [peer.name for peer in witnesses], host)
        doubt.asked += bool(asks)
        doubt.ips.update(ip for each in asks for ip in _asked_for(each))
        return asks

    def heard(self, ip: bytes, mac: bytes, now: float, by: str = "") -> None:
        """The wire answered for `ip`, to us or to member `by`, who asked for one of ours: that segment lives."""
        if (mac in self._holdings.place.macs) is not bool(by):
            return
        for doubt in self._doubts.values():
            if ip in doubt.ips:
                doubt.silent = False
                doubt.put_off(now + self._patience)

    # -- what members say

    def _there(self, index: int, now: float) -> list[Peer]:
        """Members reached by UDP that were once heard on a segment, in whatever life."""
        peers = self._members.detector.peers
        met = self._met.setdefault(index, set())
        met.update(name for name, peer in peers.items() if index in peer.heard_frames)
        met &= peers.keys()
        return [peer for name, peer in peers.items() if name in met and peer.state in HERE and peer.by_udp(now)]

    def _witnesses(self, index: int, there: Collection[Peer], now: float) -> tuple[Peer, ...]:
        """Two that hear each other, and both do not hear us though they should, or nobody is heard by us there."""
        detector, me = self._members.detector, member_id(self._members.me)
        observers = detector.observers()
        unhearing = [peer for peer in there if peer.name in observers and me not in peer.frames]
        pair = _in_touch(unhearing)
        if pair or any(peer.by_frames_on(index, now) for peer in detector.peers.values()):
            return pair
        return _in_touch(there)

    def _still_silent(self, index: int, there: Collection[Peer], now: float) -> bool:
        """Whether nobody there and we hear each other; a witness may have gone meanwhile."""
        me = member_id(self._members.me)
        return bool(there) and not any(me in peer.frames and peer.by_frames_on(index, now) for peer in there)

    # -- what the wire says

    def _asks(self, index: int, name: str, witnesses: list[str], host: Host | None) -> list[Tell | AskWire]:
        """A VIP of another is asked for, a host that spoke there, and the witnesses ask for one of ours."""
        found: list[Tell | AskWire] = []
        ours = next((ip for ip in self._holdings.mine if self._carries(ip, name)), None)
        if ours is not None:
            found += [Tell(each, Ask((ours,))) for each in witnesses]
        living = sorted(set(self._members.living()) & self._met[index])
        owned = (ip for each in living for ip in self._holdings.table.owned.get(each, ()))
        other = next((ip for ip in owned if self._carries(ip, name)), None)
        if other is not None:
            found.append(AskWire(index, other))
        if host is not None:
            found.append(AskWire(index, host.ip, host.mac))
        return found

    def _carries(self, ip: bytes, name: str) -> bool:
        """Whether a VIP is answered for on interfaces of that name."""
        stake = self._holdings.stakes.get(ip)
        return stake is not None and (not stake.vip.interfaces or name in stake.vip.interfaces)


def _in_touch(peers: Collection[Peer]) -> tuple[Peer, ...]:
    """The first two that hear each other by frames; nobody where there are none."""
    pairs = combinations(peers, 2)
    return next(
        ((a, b) for a, b in pairs if member_id(a.name) in b.frames and member_id(b.name) in a.frames),
        (),
    )


def _asked_for(ask: Tell | AskWire) -> tuple[bytes, ...]:
    if isinstance(ask, AskWire):
        return (ask.ip,)
    return ask.body.ips if isinstance(ask.body, Ask) else ()
