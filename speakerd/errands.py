"""What this node asks the wire for other members: nobody hears the answers of its own host; a core."""

from collections.abc import Iterable

from msgspec import Struct

from speakerd.ownership.message import ADDRESSES

ASKED_FOR = 0.05
"""Seconds for which what is heard of an address goes to the member that had us ask."""
MOST_TOLD = 4
"""Stations it is told of: more than one is one too many."""


class Errand(Struct):
    """For whom, until when, and the MACs that were told."""

    asker: str
    until: float
    told: set[bytes]


class Errands:
    """Addresses asked for, and for whom; as many at a time as a message holds."""

    def __init__(self) -> None:
        self._asked: dict[bytes, Errand] = {}

    def take(self, sender: str, ips: Iterable[bytes], now: float) -> list[bytes]:
        """A member wants these asked for; those that there is room for."""
        found = []
        for ip in ips:
            if len(self._asked) >= ADDRESSES:
                self._asked = {ip: each for ip, each in self._asked.items() if each.until > now}
            if len(self._asked) < ADDRESSES:
                self._asked[ip] = Errand(sender, now + ASKED_FOR, set())
                found.append(ip)
        return found

    def heard(self, ip: bytes, mac: bytes, now: float) -> str:
        """Who is to be told that `mac` spoke for an address; "" nobody, or it was told already."""
        errand = self._asked.get(ip)
        if errand is None or now > errand.until or mac in errand.told or len(errand.told) >= MOST_TOLD:
            return ""
        errand.told.add(mac)
        return errand.asker
