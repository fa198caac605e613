"""What this node asks the wire for other members: nobody hears the answers of its own host; a core."""

from collections.abc import Iterable

from speakerd.ownership.message import ADDRESSES

ASKED_FOR = 0.05
"""Seconds for which what is heard of an address goes to the member that had us ask."""


class Errands:
    """Addresses asked for, and for whom; as many at a time as a message holds."""

    def __init__(self) -> None:
        self._asked: dict[bytes, tuple[str, float]] = {}

    def take(self, sender: str, ips: Iterable[bytes], now: float) -> list[bytes]:
        """A member wants these asked for; those that there is room for."""
        found = []
        for ip in ips:
            if len(self._asked) >= ADDRESSES:
                self._asked = {ip: each for ip, each in self._asked.items() if each[1] > now}
            if len(self._asked) < ADDRESSES:
                self._asked[ip] = (sender, now + ASKED_FOR)
                found.append(ip)
        return found

    def heard(self, ip: bytes, now: float) -> str:
        """Who is to be told that somebody spoke for an address, once; "" nobody."""
        asker, until = self._asked.get(ip, ("", 0.0))
        if not asker or now > until:
            return ""
        del self._asked[ip]
        return asker
