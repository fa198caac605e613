"""The routers of this node: BGP sessions, and the BFD sessions that watch over their paths; a part of the announcer.

What BFD finds dead ends the BGP sessions over that path in the same callback. Neither protocol knows the other.
"""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_interface

from msgspec.structs import replace

from speakerd.bfd.effects import Changed, Path
from speakerd.bfd.packet import State
from speakerd.bfd.part import Bfd
from speakerd.bgp.news import Tell
from speakerd.bgp.part import Bgp
from speakerd.deadlines import soonest
from speakerd.model import Interface
from speakerd.peering import BfdProfile, BgpSettings, Neighbour, Peer, Prefix, SessionSeen

SETTLING = 2.0
"""Seconds for which a BGP session is so young that its peer's BFD may begin anew: FRR has it do so each time."""
DOUBT = 5.0
"""Seconds that the path then has to come back, before the BGP session ends after all."""

FAREWELL = 0.1
"""Seconds between the end of BGP's sessions and that of BFD's, at a planned stop.

FRR takes BFD's end, though on purpose, for a dead path: where it learns of that first, it drops what it was to keep.
"""


class Doubts:
    """Sessions of BGP that go on, though BFD went down just after they were established, until their path is back."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def arise(self, peer: str, change: Changed, up_for: float, now: float) -> bool:
        """BFD went down; whether that says nothing yet of a BGP session that is up for so many seconds."""
        if change.anew and 0 < up_for < SETTLING:
            self._until[peer] = now + DOUBT
        return peer in self._until

    def settle(self, peer: str) -> None:
        """The path is back."""
        self._until.pop(peer, None)

    def deadline(self) -> float | None:
        """When the first of them is over."""
        return min(self._until.values(), default=None)

    def over(self, now: float) -> list[str]:
        """Peers whose path did not come back; each is told once."""
        found = [peer for peer, until in self._until.items() if until <= now]
        for peer in found:
            del self._until[peer]
        return found


class Routers:
    """A part. `register`, `unregister` and `await_writable` are the engine's.

    `random` gives numbers from 0 to 1, `discriminators` 32 bits; neither may strangers foresee. `tell` is told what
    happens to sessions, as it does: word, peer, detail.
    """

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        await_writable: Callable[[int, Callable[[float], None] | None], None],
        random: Callable[[], float],
        discriminators: Callable[[], int],
        tell: Tell,
    ) -> None:
        self._tell = tell
        self._bgp = Bgp(register, unregister, await_writable, random, tell)
        self._bfd = Bfd(register, unregister, random, discriminators, self._turned)
        self._wish: tuple[object, ...] = ()
        self._neighbours: tuple[Neighbour, ...] = ()
        self._interfaces: tuple[Interface, ...] = ()
        self._paths: dict[str, Path] = {}
        self._doubts = Doubts()
        self._leaving = self._parted = False
        self._parting_at: float | None = None

    # -- what is wanted

    def configure(self, neighbours: tuple[Neighbour, ...], settings: BgpSettings, now: float) -> None:
        """Have sessions with exactly these."""
        if (neighbours, settings) == self._wish or self._leaving:
            return
        self._wish, self._neighbours = (neighbours, settings), neighbours
        self._bgp.configure(neighbours, settings, now)
        self._watch(now)

    def interfaces(self, interfaces: tuple[Interface, ...], now: float) -> None:
        """These are the interfaces of this host."""
        self._interfaces = interfaces
        self._bgp.interfaces(interfaces, now)
        self._watch(now)

    def change(self, prefixes: Mapping[bytes, Prefix | None], now: float) -> None:
        """Announce these, by their keys, as they say, or no longer (None)."""
        self._bgp.change(prefixes, now)

    def drain(self, now: float, *, on: bool) -> None:
        """Have routers turn away, then withdraw; or serve again."""
        self._bgp.drain(now, on=on)

    def leave(self, now: float, *, restart: bool = False) -> None:
        """A planned stop: what was told is withdrawn at once, and BFD says that no path has failed.

        For a `restart` peers with graceful restart keep our routes meanwhile (RFC 4724).
        """
        if not self._leaving:
            self._leaving = True
            self._bgp.leave(now, restart=restart)
            self._part(now)

    def _part(self, now: float) -> None:
        """Have BFD say farewell once BGP's sessions are over, and peers know."""
        if not self._leaving or self._parted or not self._bgp.left:
            return
        if self._parting_at is None:
            self._parting_at = now + FAREWELL if self._bfd.paths else now
        if self._parting_at <= now:
            self._parted = True
            self._bfd.leave(now)

    @property
    def left(self) -> bool:
        """Whether all have been told."""
        return self._parted and self._bfd.left

    def gap(self, now: float) -> None:
        """This process stood still: nobody can have been heard meanwhile."""
        self._bfd.gap(now)

    # -- BFD

    def _watch(self, now: float) -> None:
        """Have a BFD session for the path to each neighbour that wants one; several neighbours may share it."""
        addresses = self._bgp.addresses
        wanted: dict[Path, BfdProfile] = {}
        self._paths = {}
        for each in self._neighbours:
            path = path_to(each.peer, addresses.get(each.peer.name, ""), self._interfaces) if each.bfd else None
            if not path:
                self._doubts.settle(each.peer.name)
            elif each.bfd:
                self._paths[each.peer.name] = path
                wanted[path] = faster(wanted.get(path, each.bfd), each.bfd)
        self._bfd.apply(wanted, now)

    def _turned(self, change: Changed, now: float) -> None:
        up = change.state is State.UP
        for name in [name for name, watched in self._paths.items() if watched == change.path]:
            self._tell("bfd.up" if up else "bfd.down", name, "" if up else change.why)
            if up:
                self._doubts.settle(name)
            elif not self._doubts.arise(name, change, self._bgp.up_for(name, now), now):
                self._bgp.lost(name, now)

    # -- time

    def deadline(self) -> float | None:
        """When something is due."""
        return soonest(self._bgp.deadline(), self._bfd.deadline(), self._doubts.deadline(), self._part_at())

    def _part_at(self) -> float | None:
        """When BFD is to say farewell; at once where that can be told now."""
        due = 0.0 if self._leaving and self._bgp.left else None
        return None if self._parted else self._parting_at or due

    def wake(self, now: float) -> None:
        """Do what is due."""
        before = self._bgp.addresses
        self._bfd.wake(now)
        for name in self._doubts.over(now):
            self._bgp.lost(name, now)
        self._bgp.wake(now)
        self._part(now)
        if self._bgp.addresses != before:
            self._watch(now)

    # -- what is seen

    @property
    def seen(self) -> tuple[SessionSeen, ...]:
        """All sessions by name of the peer, each with its BFD session where it has one."""
        watched = {name: self._bfd.seen(path) for name, path in self._paths.items()}
        return tuple(replace(each, bfd=watched.get(each.peer)) for each in self._bgp.seen)

    @property
    def counters(self) -> Mapping[str, int]:
        """Connections and packets that came to nothing, by word."""
        dropped = {f"bfd-{word}": count for word, count in (*self._bfd.drops.items(), *self._bfd.lost.items())}
        return {**self._bgp.counters, **dropped}

    @property
    def problems(self) -> Mapping[str, str]:
        """Detail by word, of what stands now."""
        return {**self._bgp.problems, **self._bfd.problems}


def path_to(peer: Peer, address: str, interfaces: Iterable[Interface]) -> Path | None:
    """The path to a peer, None while its address is not known.

    One of our own AS may be next to us or far away, which its address tells; others are near unless it is said that
    they are not, as for the BGP session.
    """
    if not address:
        return None
    local = ip_address(peer.source_address).packed if peer.source_address else b""
    index = next((each.index for each in interfaces if each.name == peer.interface), 0)
    internal = peer.peer_asn == (peer.local_asn or peer.my_asn) or peer.dynamic_asn == "internal"
    far = not peer.interface and (peer.multihop or (internal and not _on_link(address, interfaces)))
    return Path(ip_address(address).packed, 0 if far else index, far, local, peer.vrf)


def _on_link(address: str, interfaces: Iterable[Interface]) -> bool:
    found = ip_address(address)
    return any(found in ip_interface(each).network for known in interfaces for each in known.networks)


def faster(one: BfdProfile, other: BfdProfile) -> BfdProfile:
    """Of two wishes for one path the one that notices its death sooner."""
    return min(one, other, key=lambda each: each.receive_interval * each.detect_multiplier)
