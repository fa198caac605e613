"""Whether this node is alone among the members, and may then announce; who else is on its segments; a core."""

from speakerd.members import Members
from speakerd.ownership.takeover import Takeover
from speakerd.ownership.witness import Host

PROVEN = 1.0
"""Seconds before it was alone from which on a host that was heard shows that it hears: then it asked the wire."""


class Company:
    """`hosts`: the last one on each interface that is no member; `left_alone`: alone, and not since it starts."""

    def __init__(self, members: Members, takeover: Takeover) -> None:
        self._members, self._takeover = members, takeover
        self._alone_since = 0.0
        self.hosts: dict[int, Host] = {}
        self.left_alone = False

    def host(self, index: int, ip: bytes, mac: bytes, now: float) -> None:
        """Somebody who is no member spoke on a segment: who shows later that we hear."""
        if not self._members.who(mac):
            self.hosts[index] = Host(index, ip, mac)
            self._takeover.meet(tuple(self.hosts.values()), now)

    @property
    def quiet(self) -> bool:
        """Whether no gratuitous frame may go out: alone, with hosts on the wire none of which was heard since then."""
        alone = self._members.alone_now and bool(self.hosts)
        return alone and self._takeover.proven_at < self._alone_since - PROVEN

    def look(self, now: float, *, starting: bool) -> str:
        """What is worth a note: that the node is alone now, or in company again; "" nothing."""
        alone = self._members.detector.hearing.alone(now)
        if alone != self._members.alone_now:
            self._members.alone_now, self._alone_since = alone, now
        if self.left_alone == (alone and not starting):
            return ""
        self.left_alone = not self.left_alone
        return "node.alone" if self.left_alone else "node.in-company"
