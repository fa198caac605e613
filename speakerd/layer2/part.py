"""Layer 2 as the announcer holds it: the responder core, its sockets, filters and groups, kept in line."""

from collections.abc import Callable, Collection, Iterable, Mapping

from speakerd.layer2 import filter as bpf
from speakerd.layer2.responder import Drop, Responder, Send, Spoken
from speakerd.layer2.transport import ETH_P_ARP, ETH_P_IPV6, Groups, Wire
from speakerd.model import Counters, Interface, Layer2Settings


class Layer2:
    """A part: `apply` takes the whole wish. `register` and `unregister` are the engine's.

    `hear` is told what other stations say of addresses.
    """

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        random: Callable[[], float],
        hear: Callable[[Spoken, float], None],
    ) -> None:
        self._core = Responder(random)
        self._hear = hear
        self._arp = Wire(ETH_P_ARP, self._core.receive_arp, register, unregister, self._heard)
        self._ndp = Wire(ETH_P_IPV6, self._core.receive_ndp, register, unregister, self._heard)
        self._groups = Groups()
        self._groups_at = 0.0
        self._vips: tuple[frozenset[bytes], frozenset[bytes]] = (frozenset(), frozenset())

    def apply(
        self,
        interfaces: tuple[Interface, ...],
        vips: Mapping[bytes, tuple[str, ...]],
        standby: Collection[bytes],
        settings: Layer2Settings,
        now: float,
        *,
        quiet: bool = False,
    ) -> None:
        """Answer for `vips` from now on; be ready, sockets and groups in place, for those on `standby`.

        While `quiet` nothing is announced.
        """
        present = frozenset(each.index for each in interfaces)
        usable = {each.index: each.name for each in interfaces if each.usable}
        groups = [ip for ip in standby if len(ip) == 16]
        self._filter(vips, standby)
        self._arp.listen(usable if len(groups) < len(standby) else {}, present)
        self._ndp.listen(usable if groups else {}, present)
        self._send(self._core.apply(interfaces, vips, settings.rate, settings.refresh, now, quiet=quiet))
        self._groups.ask(usable, groups)
        self._groups_at = now

    def _filter(self, vips: Collection[bytes], standby: Collection[bytes]) -> None:
        """Have the kernel pass on what asks for one of `vips`, and what others say of these and of those on standby."""
        now = frozenset(vips), frozenset(standby).union(vips)
        if now == self._vips:
            return
        self._vips = now
        (asked4, asked6), (spoken4, spoken6) = (_by_family(each) for each in now)
        self._arp.let_through(bpf.encoded(bpf.arp(bpf.merged(asked4), bpf.merged(spoken4))))
        self._ndp.let_through(bpf.encoded(bpf.ndp(asked6, spoken6)))

    def announce(self, ip: bytes, now: float) -> None:
        """Announce one of ours again, at once."""
        self._send(self._core.announce(ip, now))

    def ask(self, index: int, ip: bytes, to: bytes) -> None:
        """Ask the wire who has `ip`: the MAC `to`, or everybody."""
        self._send(self._core.ask(index, ip, to))

    def _heard(self, now: float) -> None:
        for each in self._core.spoken():
            self._hear(each, now)

    def deadline(self) -> float | None:
        """When something is due to be announced, or at once while groups are left to join."""
        return self._groups_at if self._groups.pending else self._core.deadline()

    def wake(self, now: float) -> None:
        """Announce what is due, and join a slice of the groups."""
        self._send(self._core.wake(now))
        self._groups.work()
        self._groups_at = now

    @property
    def counters(self) -> dict[bytes, Counters]:
        """What was asked, answered and announced, per VIP."""
        return self._core.counters

    @property
    def drops(self) -> dict[Drop, int]:
        """How many frames were not answered, by reason; those the kernel's filter dropped are not among them."""
        return self._core.drops

    def _send(self, frames: Iterable[Send]) -> None:
        for each in frames:
            wire = self._arp if each.frame[12:14] == b"\x08\x06" else self._ndp
            wire.send(each.index, each.frame)


def _by_family(ips: Collection[bytes]) -> tuple[list[int], list[int]]:
    """IPv4 and IPv6 addresses as numbers."""
    ipv4, ipv6 = ([int.from_bytes(ip) for ip in ips if len(ip) == size] for size in (4, 16))
    return ipv4, ipv6
