"""Which frames the kernel lets through: for a second after anything is new all that may be ours, then what is ours.

What is said to this host alone always passes: another member may have had it ask for an address it does not know yet.

A core. An exact program for a scattered share takes a millisecond or more to build and to load, and a take-over comes
in many steps. So its first step opens the filter for all that is on standby, mostly one range, and the rest need none.
"""

from collections.abc import Collection
from collections.abc import Set as AbstractSet

from speakerd.layer2 import filter as bpf

CALM = 1.0
"""Seconds from the last new VIP until the programs are exact; so long, questions for others' VIPs reach us in vain."""


class Sieve:
    """`arp` and `ndp`: the programs as of now, struct sock_filter[]; `known`: VIPs that are ours or on standby."""

    def __init__(self) -> None:
        to_us = _programs((), {}, (), {})
        self.arp, self.ndp = to_us
        self.known: frozenset[bytes] = frozenset()
        self._vips: frozenset[bytes] = frozenset()
        self._asked: frozenset[bytes] = frozenset()
        self._spoken_for: tuple[bpf.Ranges, bpf.Targets] = ((), {})
        self._open = to_us
        self._exact_at: float | None = None

    def apply(self, vips: AbstractSet[bytes], standby: AbstractSet[bytes], now: float) -> None:
        """Let through at least what asks for `vips`, and what others say of these and of those on `standby`."""
        if self._vips != vips:
            self._vips = frozenset(vips)
        known = standby if self._vips <= standby else standby | self._vips
        if self.known != known:
            self._meet(frozenset(known))
            self._widen(now)
        elif not self._vips <= self._asked:
            self._widen(now)
        elif self._vips != self._asked and self._exact_at is None:
            self._exact_at = now + CALM

    def deadline(self) -> float | None:
        """When the programs are to be made exact."""
        return self._exact_at

    def wake(self, now: float) -> None:
        """Make them exact, if it is time."""
        if self._exact_at is not None and self._exact_at <= now:
            self._exact_at, self._asked = None, self._vips
            asked4, asked6 = _by_family(self._vips)
            spoken4, spoken6 = self._spoken_for
            self.arp, self.ndp = _programs(bpf.merged(asked4), bpf.exactly(asked6), spoken4, spoken6)

    def _meet(self, known: frozenset[bytes]) -> None:
        """Prepare for all that may become ours, so that a take-over finds the programs ready."""
        self.known = known
        known4, known6 = _by_family(known)
        self._spoken_for = spoken4, spoken6 = bpf.merged(known4, bpf.MOST_SPOKEN), bpf.roughly(known6)
        self._open = _programs(spoken4, spoken6, spoken4, spoken6)

    def _widen(self, now: float) -> None:
        self._asked = self.known
        self.arp, self.ndp = self._open
        self._exact_at = now + CALM


def _programs(
    asked4: bpf.Ranges, asked6: bpf.Targets, spoken4: bpf.Ranges, spoken6: bpf.Targets
) -> tuple[bytes, bytes]:
    return bpf.encoded(bpf.arp(asked4, spoken4)), bpf.encoded(bpf.ndp(asked6, spoken6))


def _by_family(ips: Collection[bytes]) -> tuple[list[int], list[int]]:
    """IPv4 and IPv6 addresses as numbers."""
    ipv4, ipv6 = ([int.from_bytes(ip) for ip in ips if len(ip) == size] for size in (4, 16))
    return ipv4, ipv6
