"""Layer 2 as the announcer holds it: the responder core, its sockets, filters and groups, kept in line."""

from collections.abc import Callable, Collection, Iterable, Mapping

from speakerd.layer2 import filter as bpf
from speakerd.layer2.responder import Drop, Responder, Send
from speakerd.layer2.transport import ETH_P_ARP, ETH_P_IPV6, Groups, Wire
from speakerd.model import Counters, Interface, Layer2Settings


class Layer2:
    """A part: `apply` takes the whole wish. `register` and `unregister` are the engine's."""

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        random: Callable[[], float],
    ) -> None:
        self._core = Responder(random)
        self._arp = Wire(ETH_P_ARP, self._core.receive_arp, register, unregister)
        self._ndp = Wire(ETH_P_IPV6, self._core.receive_ndp, register, unregister)
        self._groups = Groups()
        self._groups_at = 0.0
        self._vips: frozenset[bytes] = frozenset()

    def apply(
        self,
        interfaces: tuple[Interface, ...],
        vips: Mapping[bytes, tuple[str, ...]],
        standby: Collection[bytes],
        settings: Layer2Settings,
        now: float,
    ) -> None:
        """Answer for `vips` from now on; be ready, sockets and groups in place, for those on `standby`."""
        present = frozenset(each.index for each in interfaces)
        usable = {each.index: each.name for each in interfaces if each.usable}
        groups = [ip for ip in standby if len(ip) == 16]
        self._filter(vips)
        self._arp.listen(usable if len(groups) < len(standby) else {}, present)
        self._ndp.listen(usable if groups else {}, present)
        self._send(self._core.apply(interfaces, vips, settings.rate, settings.refresh, now))
        self._groups.ask(usable, groups)
        self._groups_at = now

    def _filter(self, vips: Mapping[bytes, object]) -> None:
        """Have the kernel pass on what asks for one of `vips`."""
        if vips.keys() != self._vips:
            self._vips = frozenset(vips)
            ipv4, ipv6 = ([int.from_bytes(ip) for ip in vips if len(ip) == size] for size in (4, 16))
            self._arp.let_through(bpf.encoded(bpf.arp(bpf.merged(ipv4))))
            self._ndp.let_through(bpf.encoded(bpf.ndp(ipv6)))

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
