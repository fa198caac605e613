"""What the API says of a VIP now, told to an owner whose own watch is down: it may be no candidate any more.

A core. A live owner is never robbed: who has the newer row sends it, and the owner itself hands the VIP over. It takes
one only while it cannot see for itself, and only a later one; so where no node's watch works, nothing moves.
"""

from collections.abc import Collection

from msgspec.structs import replace

from speakerd.exchange import Candidate, Stake
from speakerd.ownership.circle import Circle
from speakerd.ownership.effects import Effect, Tell
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.message import Choice, Later, fitting
from speakerd.ownership.ranking import ranking

FIRST = 1.0
"""Seconds an owner has to see by itself what others saw: their watches are not in step."""
AGAIN = 5.0
"""Seconds until it is told again."""


class Newer:
    """`blind`: the largest resourceVersion this node had seen when its watch went down; 0 while it works."""

    def __init__(self, holdings: Holdings, circle: Circle) -> None:
        self._holdings, self._circle = holdings, circle
        self._noticed: dict[bytes, float] = {}
        self._own: dict[bytes, Stake] = {}
        self.blind = 0

    def see(self, blind: int, now: float) -> None:
        """Take whether the watch works; once it does, its own rows count again."""
        if self.blind and not blind and self._own:
            own, self._own = self._own, {}
            self._holdings.want(own, now)
        self.blind = blind

    def wanted(self, ips: Collection[bytes]) -> None:
        """Of these there are rows of our own again."""
        for ip in self._own.keys() & set(ips):
            del self._own[ip]

    def look(self, ip: bytes, now: float) -> list[Effect]:
        """Tell the owner of a VIP, if it should not be, and this node is the one to tell."""
        stake = self._holdings.stakes.get(ip)
        owner = self._misplaced(ip, stake)
        if not owner or stake is None:
            self._noticed.pop(ip, None)
            return []
        since = self._noticed.setdefault(ip, now)
        if now < since + FIRST:
            self._holdings.agenda.put(ip, since + FIRST)
            return []
        self._holdings.agenda.put(ip, now + AGAIN)
        line = ranking(stake.vip.rank_by, stake.candidates)
        scores = {each.node: each.score for each in stake.candidates}
        told = Later(ip, stake.vip.row_version, fitting(Choice(name, scores[name]) for name in line))
        first = next((name for name in line if name == self._holdings.me or self._circle.ready(name)), "")
        return [Tell(owner, told)] if first == self._holdings.me else []

    def _misplaced(self, ip: bytes, stake: Stake | None) -> str:
        """The owner, where it lives and is no candidate as far as this node sees, and sees today."""
        claim = self._holdings.table.get(ip)
        if stake is None or claim is None or self.blind or claim.owner in ("", self._holdings.me):
            return ""
        named = any(each.node == claim.owner for each in stake.candidates)
        return "" if named or not self._circle.here(claim.owner) else claim.owner

    def told(self, body: Later, now: float) -> None:
        """A member has a row of a VIP of ours."""
        stake = self._holdings.stakes.get(body.ip)
        if not self.blind or stake is None or body.ip not in self._holdings.serving:
            return
        if body.version <= max(self.blind, stake.vip.row_version):
            return
        self._own.setdefault(body.ip, stake)
        candidates = tuple(Candidate(each.node, each.score) for each in body.candidates)
        vip = replace(stake.vip, row_version=body.version)
        self._holdings.want({body.ip: Stake(vip, candidates)}, now)
