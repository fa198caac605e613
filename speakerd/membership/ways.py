"""Where a member is reached: the addresses of its record, and where it was heard last; a core.

What is learned is bounded by the records: of a name without one nothing is kept.
"""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address

from speakerd.exchange import Member, MembershipSettings
from speakerd.membership.frame import BROADCAST, is_station
from speakerd.membership.peer import FRAMES_EVERY

FRESH = 3 * FRAMES_EVERY
"""Intervals for which it is believed that a member is where it was heard: frames go with each fourth heartbeat."""

Address = tuple[str, int] | tuple[str, int, int, int]
"""Numeric, and port; of IPv6 also flow and scope: as sockets have it."""


def numeric(texts: Iterable[str], port: int) -> tuple[Address, ...]:
    """Those of `texts` that are addresses; to look a name up could take seconds, which nobody here has."""
    found: list[Address] = []
    for text in texts:
        try:
            ip = ip_address(text)
        except ValueError:
            continue
        if ip.version == 4:
            found.append((str(ip), port))
        elif not ip.scope_id:
            found.append((str(ip), port, 0, 0))
    return tuple(dict.fromkeys(found))


class Ways:
    """`hears_us`: whether a member says at that time that it hears this node by UDP."""

    def __init__(self, hears_us: Callable[[str, float], bool]) -> None:
        self._hears_us = hears_us
        self._recorded: dict[str, tuple[Address, ...]] = {}
        self._peers: tuple[Address, ...] = ()
        self._fresh = 0.0
        self._addresses: dict[str, tuple[Address, float]] = {}
        self._macs: dict[int, dict[str, tuple[bytes, float]]] = {}

    def know(self, members: Iterable[Member], settings: MembershipSettings) -> None:
        """Take records and settings; what was learned of others is forgotten."""
        self._recorded = {each.name: numeric(each.addresses, settings.port) for each in members}
        self._peers = numeric(settings.peers, settings.port)
        self._fresh = FRESH * settings.interval
        self._addresses = {name: each for name, each in self._addresses.items() if name in self._recorded}
        for index, heard in self._macs.items():
            self._macs[index] = {name: each for name, each in heard.items() if name in self._recorded}

    def heard_at(self, address: Address, name: str, now: float) -> None:
        """A new message of that member came from there by UDP."""
        if name in self._recorded:
            self._addresses[name] = (address, now)

    def heard_from(self, mac: bytes, name: str, index: int, now: float) -> None:
        """A new message of that member came in a frame from there, over interface `index`."""
        if name in self._recorded and is_station(mac):
            self._macs.setdefault(index, {})[name] = (mac, now)

    def gone(self, index: int) -> None:
        """That interface is not there any more."""
        self._macs.pop(index, None)

    def addresses(self, name: str, now: float) -> tuple[Address, ...]:
        """Where UDP for a member goes: once both hear the other, to where it was heard, until then to all of its own.

        For nobody in particular: to the addresses that settings name.
        """
        if not name:
            return self._peers
        recorded = self._recorded.get(name, ())
        last, when = self._addresses.get(name, (None, 0.0))
        if last is None:
            return recorded
        if now - when <= self._fresh and self._hears_us(name, now):
            return (last,)
        return recorded if last in recorded else (*recorded, last)

    def mac(self, name: str, index: int, now: float) -> bytes:
        """Where frames for a member go over interface `index`: to all where it was not heard lately."""
        mac, when = self._macs.get(index, {}).get(name, (BROADCAST, now))
        return mac if now - when <= self._fresh else BROADCAST

    @property
    def macs(self) -> Mapping[tuple[str, int], bytes]:
        """By member and interface index, as heard last."""
        return {(name, index): mac for index, heard in self._macs.items() for name, (mac, _) in heard.items()}
