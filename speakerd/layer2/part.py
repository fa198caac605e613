"""Layer 2 as the announcer holds it: the responder core, its sockets, filters and groups, kept in line."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from speakerd.deadlines import soonest
from speakerd.exchange import Counters, Layer2Settings
from speakerd.layer2.responder import Drop, Responder, Send, Spoken
from speakerd.layer2.sieve import Sieve
from speakerd.layer2.transport import ETH_P_ARP, ETH_P_IPV6, Groups, Wire
from speakerd.model import Interface


class Layer2:
    """A part: `apply` takes the whole wish. `register` and `unregister` are the engine's.

    `hear` is told what other stations say of VIPs, and whatever they reply to us alone.
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
        self._sieve = Sieve()
        self._groups = Groups()
        self._due: float | None = None
        self._known: AbstractSet[bytes] = frozenset()
        self._ipv6: frozenset[bytes] = frozenset()

    def apply(
        self,
        interfaces: tuple[Interface, ...],
        vips: Mapping[bytes, tuple[str, ...]],
        standby: AbstractSet[bytes],
        settings: Layer2Settings,
        now: float,
        *,
        quiet: bool = False,
    ) -> None:
        """Answer for `vips` (-> names of interfaces, none: all usable ones) from now on.

        Be ready, sockets and groups in place, for those on `standby`. While `quiet` nothing is announced.
        """
        present = frozenset(each.index for each in interfaces)
        usable = {each.index: each.name for each in interfaces if each.usable}
        self._sieve.apply(vips.keys(), standby, now)
        self._let_through()
        if self._known is not self._sieve.known:
            self._known = self._sieve.known
            self._ipv6 = frozenset(ip for ip in self._known if len(ip) == 16)
        self._arp.listen(usable, present)
        self._ndp.listen(usable, present)
        rate, refresh = settings.rate, settings.refresh
        self._send(self._core.apply(interfaces, vips, rate, refresh, now, quiet=quiet, standby=self._known))
        self._groups.ask(usable, self._ipv6)
        self._plan(now)

    def _let_through(self) -> None:
        """Have the kernel pass on what the sieve says; a filter is replaced in one step, and no frame is lost by it."""
        self._arp.let_through(self._sieve.arp)
        self._ndp.let_through(self._sieve.ndp)

    def announce(self, ip: bytes, now: float) -> None:
        """Announce one of ours again, at once, on all its interfaces, before what else waits to be announced."""
        self._send(self._core.announce(ip, now))
        self._plan(now)

    def ask(self, index: int, ip: bytes, to: bytes) -> None:
        """Ask the wire on interface `index` who has `ip`: the MAC `to`, or everybody (b"")."""
        self._send(self._core.ask(index, ip, to))

    def _heard(self, now: float) -> None:
        for each in self._core.spoken():
            self._hear(each, now)

    def deadline(self) -> float | None:
        """When something is due to be announced or filtered, or at once while groups are left to join."""
        return self._due

    def _plan(self, now: float) -> None:
        """Note what is due next: the loop asks for it after each frame, and nothing that is heard moves it."""
        self._due = soonest(now if self._groups.pending else None, self._sieve.deadline(), self._core.deadline())

    def wake(self, now: float) -> None:
        """Announce what is due, make the filters exact in time, and join a slice of the groups."""
        self._send(self._core.wake(now))
        self._sieve.wake(now)
        self._let_through()
        self._groups.work()
        self._plan(now)

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
