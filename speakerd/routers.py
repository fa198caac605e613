"""The routers of this node: BGP sessions, and the BFD sessions that watch over their paths; a part of the announcer.

What BFD finds dead ends the BGP sessions over that path in the same callback. Neither protocol knows the other.
"""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address, ip_interface

from msgspec.structs import replace

from speakerd.bfd.effects import Path
from speakerd.bfd.part import Bfd
from speakerd.bgp.news import Tell
from speakerd.bgp.part import Bgp
from speakerd.deadlines import soonest
from speakerd.model import Interface
from speakerd.peering import BfdProfile, BgpSettings, Neighbour, Peer, Prefix, SessionSeen


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
        self._leaving = False

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
            # First, or a peer takes the silence for a dead path, and drops what it was to keep (RFC 5882 section 4.3).
            self._bfd.leave(now)
            self._bgp.leave(now, restart=restart)

    @property
    def left(self) -> bool:
        """Whether all have been told."""
        return self._leaving and self._bgp.left and self._bfd.left

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
            if each.bfd and path:
                self._paths[each.peer.name] = path
                wanted[path] = faster(wanted.get(path, each.bfd), each.bfd)
        self._bfd.apply(wanted, now)

    def _turned(self, path: Path, up: bool, why: str, now: float) -> None:
        for name in [name for name, watched in self._paths.items() if watched == path]:
            self._tell("bfd.up" if up else "bfd.down", name, why)
            if not up:
                self._bgp.lost(name, now)

    # -- time

    def deadline(self) -> float | None:
        """When something is due."""
        return soonest(self._bgp.deadline(), self._bfd.deadline())

    def wake(self, now: float) -> None:
        """Do what is due."""
        before = self._bgp.addresses
        self._bfd.wake(now)
        self._bgp.wake(now)
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
