"""Handing a VIP over: why one must not stay, who is offered it, and what happens at the other end.

A core. The successor answers before the old owner falls silent, so that no question is left open in between.
"""

from collections.abc import Iterable

from speakerd.exchange import READY, Candidate, Claim, Stake
from speakerd.ownership import heirs, message
from speakerd.ownership.circle import Circle
from speakerd.ownership.effects import Effect, Tell
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.message import CAUSES, Offer, Refusal, cause_of
from speakerd.ownership.moves import AGAIN, Moves


class Handover:
    """Looks at VIPs that are served here."""

    def __init__(self, holdings: Holdings, circle: Circle) -> None:
        self._holdings, self._circle = holdings, circle
        self._moves = Moves()

    def keep(self, ip: bytes, now: float) -> None:
        """Still ours: go on, or hand it over where there is a cause."""
        stake = self._holdings.stakes.get(ip)
        if stake is None:
            self.withdraw(ip, "not-candidate", now)
            return
        cause = self._cause_to_go(stake)
        if cause:
            self.move(ip, cause, now)
        elif self._readier(stake):
            self._move_to_readier(ip, stake, now)
        elif (until := self._moves.stands(ip, now)) is not None:
            self._holdings.agenda.put(ip, until)
        else:
            self._moves.drop(ip)

    def _readier(self, stake: Stake) -> list[Candidate]:
        """Nodes with a ready endpoint, where ours are ending: one of them answers at once, not when all is calm."""
        if any(each.node == self._holdings.me and each.score >= READY for each in stake.candidates):
            return []
        return [each for each in stake.candidates if each.score >= READY and self._circle.ready(each.node)]

    def _move_to_readier(self, ip: bytes, stake: Stake, now: float) -> None:
        tried = self._moves.tried(ip, "not-candidate")
        left = [each for each in self._readier(stake) if each.node not in tried]
        to = heirs.choose(stake.vip.rank_by, left, self.loads(), self.bound())
        if to or self._moves.stands(ip, now) is not None:
            self.move(ip, "not-candidate", now, to)
        else:
            self._moves.drop(ip)
            self._holdings.agenda.put(ip, now + AGAIN)

    def _cause_to_go(self, stake: Stake) -> str:
        """Why a VIP must not stay here, or nothing."""
        if self._holdings.leaving:
            return "owner-left"
        if not self._holdings.named(stake):
            return "not-candidate"
        if not self._holdings.place.fit:
            return "drain"
        return "" if self._holdings.indexes(stake) else "interface-lost"

    def move(self, ip: bytes, cause: str, now: float, to: str = "") -> None:
        """Offer a VIP of ours to the next in line, or to `to`.

        With nobody left, one that may not stay is withdrawn; any other stays, and all are asked again later.
        """
        until = self._moves.stands(ip, now)
        if until is not None:
            self._holdings.agenda.put(ip, until)
            return
        stake = self._holdings.stakes[ip]
        name = to or self._successor(ip, stake, cause)
        if name:
            self._holdings.agenda.put(ip, self._moves.offer(ip, name, cause, now))
            return
        self._moves.drop(ip)
        if cause == "not-candidate":
            self.withdraw(ip, cause, now)
            return
        self._holdings.agenda.put(ip, now + AGAIN)
        self._holdings.counters["moves-without-successor"] += 1

    def _successor(self, ip: bytes, stake: Stake, cause: str) -> str:
        """Who is asked next: the heir, then the others as heirs are chosen; "" where all were asked."""
        passed = {*self._moves.tried(ip, cause), self._holdings.me}
        fit = [each for each in stake.candidates if each.node not in passed and self._circle.ready(each.node)]
        claim = self._holdings.table.get(ip)
        if claim and any(each.node == claim.heir for each in fit):
            return claim.heir
        return heirs.choose(stake.vip.rank_by, fit, self.loads(), self.bound())

    def loads(self) -> dict[str, int]:
        """VIPs by owner."""
        return {name: len(ips) for name, ips in self._holdings.table.owned.items()}

    def bound(self) -> int:
        """VIPs a node should have at most."""
        ready = sum(self._circle.ready(name) for name in self._circle.living())
        return heirs.bound(len(self._holdings.stakes), ready + self._holdings.place.fit)

    def withdraw(self, ip: bytes, cause: str, now: float) -> None:
        """Nobody answers for it from now on."""
        self._moves.drop(ip)
        self._holdings.withdraw(ip, cause, now)

    def given(self, claim: Claim) -> bool:
        """Whether a claim is of somebody the VIP was offered to."""
        return self._moves.given(claim.ip, claim.owner)

    def moving(self, ip: bytes) -> bool:
        """Whether a VIP is on its way to somebody."""
        return ip in self._moves

    def taken(self, claim: Claim, now: float) -> None:
        """The successor answers: fall silent."""
        self.drop(claim.ip)
        self._holdings.fall_silent(claim.ip)
        self._holdings.follow(claim, now)
        self._holdings.agenda.put(claim.ip, now)

    def drop(self, ip: bytes) -> None:
        """No offer of it stands any more."""
        self._moves.drop(ip)

    def refused(self, body: Refusal, now: float) -> None:
        """Who was offered some does not take them."""
        self._holdings.look(self._moves.refused(body.number, body.ips), now)

    def offers(self) -> list[Effect]:
        """The offers to send."""
        return [
            Tell(to, Offer(number, CAUSES.index(cause), part))
            for number, to, cause, ips in self._moves.take()
            for part in message.places(ips)
        ]

    def offered(self, body: Offer, free: Iterable[bytes], now: float) -> tuple[list[Claim], list[bytes]]:
        """Take over those of the offer that are `free` to take: (claims made, addresses refused)."""
        may = set(free)
        taken = [self._take(ip, cause_of(body.cause), now) for ip in body.ips if ip in may]
        return taken, [ip for ip in body.ips if ip not in may]

    def _take(self, ip: bytes, cause: str, now: float) -> Claim:
        known = self._holdings.table.get(ip)
        if ip in self._holdings.serving and known:
            return known
        return self._holdings.claim(ip, cause, now)
