"""Where this node stands: whether it may answer for anything, and which of its interfaces may carry VIPs; a core."""

from collections.abc import Collection
from ipaddress import ip_address

from speakerd.members import Myself
from speakerd.model import Interface
from speakerd.ownership.holdings import Place

TWO_BOOTS = 10.0
"""Seconds a node is silent after it was told that another host has its name."""
NAMESAKE, CRASHES = "two-boots-of-one-name", "announcer-crash-loop"


class Standing:
    """`drained`: an operator said so; `keyed`: the key of the members' messages is known.

    `rest`: seconds for which it hands over what it has and takes nothing, since announcers died again and again.
    """

    def __init__(self, myself: Myself, rest: float, now: float) -> None:
        self._myself = myself
        self._refused: dict[str, tuple[str, float]] = {}
        if rest:
            self._refused[CRASHES] = ("it died three times in a minute", now + rest)
        self._namesake = ""
        self.drained = False
        self.keyed = True

    def two_boots(self, name: str, me: str, now: float) -> None:
        """Two hosts have one name; the newer one of them is silent."""
        if name == me:
            self._refused[NAMESAKE] = (name, now + TWO_BOOTS)
        else:
            self._namesake = name

    def deadlines(self) -> list[float]:
        """When to ask whether something is over."""
        return [until for _, until in self._refused.values()]

    def over(self, now: float) -> bool:
        """Whether something that stood in the way is over now."""
        found = [word for word, (_, until) in self._refused.items() if until <= now]
        for word in found:
            del self._refused[word]
        return bool(found)

    def conditions(self, *, in_company: bool) -> dict[str, str]:
        """What stands in the way, by the word of its finding, with its detail."""
        found = {NAMESAKE: self._namesake} if self._namesake else {}
        if not self.keyed and in_company:
            found["no-mesh-key"] = "no key for the members' messages"
        return found | {word: detail for word, (detail, _) in self._refused.items()}

    def place(
        self, interfaces: Collection[Interface], open_: Collection[int], *, partly: bool, in_company: bool
    ) -> Place:
        """What ownership works with, and what heartbeats tell of it; `open_`: interfaces that may carry VIPs.

        `partly`: some that have carrier may not. Without a key a node may answer only where it is alone in the records.
        """
        usable = [each for each in interfaces if each.usable]
        ports = {each.name: each.index for each in usable if each.index in open_}
        myself = self._myself
        myself.segments = tuple(each.index for each in usable)
        myself.macs = tuple(dict.fromkeys(each.mac for each in usable))
        myself.able = bool(ports)
        myself.drained = self.drained or CRASHES in self._refused
        macs = frozenset(each.mac for each in interfaces)
        fit = not self.drained and not self._refused and (self.keyed or not in_company)
        return Place(ports, macs, _bound(interfaces), _bound(usable), fit, partly)


def _bound(interfaces: Collection[Interface]) -> frozenset[bytes]:
    """The addresses of these."""
    texts = (text for each in interfaces for text in (*each.ipv4, *each.ipv6))
    return frozenset(ip_address(text.partition("%")[0]).packed for text in texts)
