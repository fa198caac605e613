"""What others claim: the highest claim counts; two that claim one VIP settle it; who speaks for ours is answered.

A core. Gossip may be late or lost, so every rule here ends well when what it tells comes twice, or not at all.
"""

from collections.abc import Callable, Iterable

from speakerd.exchange import Claim
from speakerd.ownership import contest, message
from speakerd.ownership.circle import Circle
from speakerd.ownership.contest import Standing
from speakerd.ownership.effects import Announce, Effect, Noted, Tell, Vouch, text
from speakerd.ownership.handover import Handover
from speakerd.ownership.hearsay import Hearsay
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.message import Claims, Sheet
from speakerd.ownership.table import order

DEFEND = 10.0
"""Seconds between two defences of an address (RFC 5227 section 2.4)."""
YIELD = 1
"""Intervals until a VIP that was lost in a contest is looked at again."""
MOST_DEFENDED = 4096
"""Addresses whose last defence is remembered."""


class Rivals:
    """`learned` is called for each VIP of which a claim by another counts from now on."""

    def __init__(
        self, holdings: Holdings, circle: Circle, handover: Handover, learned: Callable[[bytes], None]
    ) -> None:
        self._holdings, self._circle, self._handover, self._learned = holdings, circle, handover, learned
        self._interval = 0.075
        self._defended: dict[bytes, float] = {}
        self._hearsay = Hearsay(holdings.serving)
        self.yields = False

    def configure(self, interval: float) -> None:
        """Take the settings; seconds."""
        self._interval = interval

    def told(self, sender: str, body: Claims, now: float) -> list[Effect]:
        """A member tells of claims. Raises DecodeError."""
        found: list[Effect] = []
        for claim in message.claims_of(body, now):
            if claim.ip in self._holdings.serving:
                found += self._challenged(claim, sender, body, now)
            else:
                found += self._follow(claim, now)
        return found

    def tell(self, to: str, claims: Iterable[Claim], *, final: bool = False, offer: int = 0) -> list[Effect]:
        """Tell a member of `claims`."""
        if to == self._holdings.me:
            return []
        side = self._circle.side()
        told = message.told(claims, side, yields=self._gives_way(), final=final, offer=offer)
        return [Tell(to, each) for each in told]

    def _gives_way(self) -> bool:
        """Whether this node yields; told as it is judged by, so that two who meet come to one verdict."""
        return self.yields or self._circle.unheard()

    # -- VIPs not served here

    def _follow(self, claim: Claim, now: float) -> list[Effect]:
        """The highest claim counts; who sees two that live tells each claimant of the other's."""
        known = self._holdings.table.get(claim.ip)
        if known is None or order(claim) > order(known) or (order(claim) == order(known) and _above(claim, known)):
            self._learn(claim, known, now)
        else:
            self._holdings.table.saw(claim)
        if known and known.owner != claim.owner and self.live(known) and self.live(claim):
            one, other = known.owner, claim.owner
            return [*self.tell(one, [claim]), *self.tell(other, [known]), Vouch(one, other), Vouch(other, one)]
        return []

    def _learn(self, claim: Claim, known: Claim | None, now: float) -> None:
        if known and (known.owner, known.boot) == (claim.owner, claim.boot):
            claim = message.as_known(claim, known)
        self._holdings.follow(claim, now)
        if known is None or known.owner != claim.owner:
            self._learned(claim.ip)
        self._holdings.agenda.put(claim.ip, now)

    def live(self, claim: Claim) -> bool:
        """Whether the owner it names lives that very life."""
        holdings = self._holdings
        if claim.owner == holdings.me:
            return claim.boot == holdings.boot and claim.ip in holdings.serving
        return bool(claim.owner) and self._circle.here(claim.owner) and self._circle.boot(claim.owner) == claim.boot

    # -- VIPs served here

    def _challenged(self, claim: Claim, sender: str, body: Claims, now: float) -> list[Effect]:
        ours = self._holdings.table.claims[claim.ip]
        self._holdings.table.saw(claim)
        above = order(claim) > order(ours)
        if above and self._handover.given(claim):
            self._handover.taken(claim, now)
            return []
        if body.lost and claim.owner == self._holdings.me:
            if order(claim) == order(ours):
                self._holdings.rise(ours, now, cause="contest-lost", previous=sender)
            return [Announce(claim.ip)]
        if (claim.owner, claim.boot) == (self._holdings.me, self._holdings.boot):
            return self._outdone(claim, ours, now) if above else []
        if not self.live(claim) and not self._hearsay.rose_again(claim):
            return self._unheard(claim, ours, now) if above else []
        if order(claim) < order(ours):
            return self.tell(claim.owner, [ours])  # it may be stale: one that still claims will contest ours
        return self._contest(ours, claim, sender, body, now)

    def _unheard(self, claim: Claim, ours: Claim, now: float) -> list[Effect]:
        """The higher claim is of an owner that is not heard: who stood still is no judge of whether it lives.

        It may have come, or begun another life, meanwhile. A withdrawn claim, or ours of before a restart, is nobody's.
        """
        if self.yields and claim.owner not in ("", self._holdings.me):
            return self._yield_to(claim, ours, Standing(ours, self._circle.side(), yields=True), now)
        return self._outdone(claim, ours, now)

    def _outdone(self, claim: Claim, ours: Claim, now: float) -> list[Effect]:
        """A claim that nobody alive makes, or ours of before a restart, is the higher one: ours must be above it."""
        self._hearsay.outdone(claim, now)
        self._holdings.rise(ours, now)
        return [Announce(claim.ip)] if claim.owner != self._holdings.me else []

    def _contest(self, ours: Claim, claim: Claim, sender: str, body: Claims, now: float) -> list[Effect]:
        """Two claimants: who wins takes the highest epoch and announces, who loses is silent at once.

        What a third member tells of a claim is no word on its owner's side. That is asked for, or, where it can't be,
        nobody's side counts. Who gives way to any higher claim need not know more of it.
        """
        us = Standing(ours, self._circle.side(), self._gives_way())
        if sender != claim.owner and us.yields and order(claim) > order(ours):
            return self._yield_to(claim, ours, us, now)
        if sender == claim.owner:
            theirs = Standing(claim, body.side, body.yields)
            self._hearsay.settled(claim.ip)
        elif self._circle.hears(claim.owner) or not self._hearsay.insists(claim, now, self._interval):
            return self.tell(claim.owner, [ours])
        else:
            theirs = Standing(claim, us.side)
        stake = self._holdings.stakes.get(ours.ip)
        if contest.wins(us, theirs, stake.vip.rank_by if stake else ours.ip):
            self._holdings.rise(ours, now, cause="contest-lost", previous=claim.owner)
            self._holdings.counters["contests-won"] += 1
            return [Announce(ours.ip), Noted("vip.contest-won", text(ours.ip), claim.owner)]
        return self._yield_to(claim, ours, us, now)

    def _yield_to(self, claim: Claim, ours: Claim, us: Standing, now: float) -> list[Effect]:
        """Fall silent for another's claim.

        One of the same order has to rise first: its owner may have come to the opposite verdict on what it was told
        last, and the VIP would be silent. Who stood still can't wait for that.
        """
        sheet = Sheet()
        sheet.add(claim)
        lost = Tell(claim.owner, sheet.message(us.side, yields=us.yields, lost=True))
        if order(claim) > order(ours):
            self._handover.taken(claim, now)
        elif self.yields:
            self._handover.withdraw(ours.ip, "contest-lost", now)
        else:
            return [lost]
        self._holdings.agenda.put(ours.ip, now + YIELD * self._interval)
        self._holdings.counters["contests-lost"] += 1
        return [lost, Noted("vip.contest-lost", text(ours.ip), claim.owner)]

    # -- what is heard on the wire

    def spoken_for(self, ip: bytes, mac: bytes, now: float) -> list[Effect]:
        """Somebody else spoke for a VIP of ours: a member is told of our claim, a stranger's word is corrected."""
        if ip not in self._holdings.serving:
            return []
        member = self._circle.who(mac)
        claim = self._holdings.table.claims[ip]
        if member:
            return [] if self._handover.moving(ip) else self.tell(member, [claim])
        if ip not in self._holdings.mine or now - self._defended.get(ip, float("-inf")) < DEFEND:
            return []
        if len(self._defended) >= MOST_DEFENDED:
            self._defended.clear()
        self._defended[ip] = now
        self._holdings.counters["conflicts"] += 1
        return [Announce(ip), Noted("vip.conflict", text(ip), mac.hex(":"))]


def _above(one: Claim, other: Claim) -> bool:
    """Of two claims of the same order, one wins everywhere."""
    return (one.owner, one.boot, one.heir) > (other.owner, other.boot, other.heir)
