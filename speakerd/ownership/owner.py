"""One node's part in ownership: which VIPs it answers for, when it takes one, keeps one, hands one over.

A core. A node claims on three grounds only: the owner offered, the owner is dead, or nobody holds a live claim. A live
owner is never robbed. Whatever happens puts the VIPs concerned on an agenda; one function looks at a VIP and decides,
from what is so and not from what has happened.
"""

from collections.abc import Callable, Collection, Mapping

from msgspec import Struct

from speakerd.deadlines import soonest
from speakerd.exchange import Claim, Stake
from speakerd.ownership import message
from speakerd.ownership.circle import Circle
from speakerd.ownership.effects import Effect, Tell
from speakerd.ownership.handover import Handover
from speakerd.ownership.holdings import Holdings, Place
from speakerd.ownership.message import Claims, Consent, Offer, Proposal, Refusal
from speakerd.ownership.newer import Newer
from speakerd.ownership.rivals import Rivals
from speakerd.ownership.selfcheck import SelfCheck
from speakerd.ownership.takeover import Takeover

SLICE = 64
"""VIPs looked at in one turn: 2 ms."""
RANKED = 2000
"""Candidates ranked in one turn at most, which takes as long: of a large cluster fewer VIPs are looked at."""
PUSHED = 16
"""Members a change is told to at once; in a larger cluster the others learn of it by their digests."""


class Owner:
    """`may_claim`: past the start, and not just back from a pause; until then nothing is claimed or consented to."""

    def __init__(
        self, boot: int, circle: Circle, random: Callable[[], float], remembered: Mapping[bytes, Claim]
    ) -> None:
        self._circle = circle
        self.holdings = Holdings(boot, remembered)
        self.takeover = Takeover(self.holdings, circle, random)
        self.handover = Handover(self.holdings, circle)
        self.rivals = Rivals(self.holdings, circle, self.handover, self.takeover.forget)
        self.selfcheck = SelfCheck(self.holdings, circle, self.handover.moving)
        self.newer = Newer(self.holdings, circle)
        self.may_claim = False

    def configure(self, me: str, interval: float, questions: int, probe: float) -> None:
        """Take name and settings; times in seconds."""
        self.holdings.call(me)
        self.takeover.configure(interval, questions, probe)
        self.rivals.configure(interval)
        self.selfcheck.configure(interval)

    def stand(self, place: Place, now: float) -> None:
        """Take where this node stands on the network."""
        self.holdings.stand(place, now)

    def want(self, changes: Mapping[bytes, Stake | None], now: float) -> None:
        """Take new, changed and gone (None) VIPs; they are looked at when `wake` is called."""
        self.newer.wanted(changes.keys())
        self.holdings.want(changes, now)

    def leave(self, now: float) -> None:
        """Hand over everything."""
        self.holdings.leaving = True
        self.holdings.look_at_all(now)

    def heirs_of(self, name: str) -> set[str]:
        """Who would take over from a member; of the many VIPs it may have, a few tell."""
        claims = map(self.holdings.table.get, list(self.holdings.table.owned.get(name, ()))[:SLICE])
        return {claim.heir for claim in claims if claim and claim.heir}

    # -- time

    def deadline(self) -> float | None:
        """When to look at something."""
        return soonest(self.holdings.agenda.deadline(), self.takeover.deadline(), self.selfcheck.deadline())

    def wake(self, now: float) -> list[Effect]:
        """Ask what is to be asked, and look at the VIPs that are due."""
        found = [*self.takeover.wake(now), *self.selfcheck.wake(now)]
        for ip in self.holdings.agenda.due(now, min(SLICE, 1 + RANKED // (1 + len(self._circle.living())))):
            if ip in self.holdings.serving:
                self.handover.keep(ip, now)
            else:
                found += self.takeover.look(ip, now, may_claim=self.may_claim)
                found += self.newer.look(ip, now)
        self.holdings.table.forget(now)
        return [*found, *self.flush()]

    # -- what others say

    def receive(self, sender: str, body: Struct, now: float) -> list[Effect]:
        """A message of ownership's own, from a member. Raises DecodeError."""
        found: list[Effect] = []
        match body:
            case Claims():
                found = self.rivals.told(sender, body, now)
            case message.Pull():
                found = self.rivals.tell(sender, self.holdings.table.of_buckets(body.buckets), final=True)
            case Proposal():
                ips = tuple(ip for ip in body.ips if self.may_claim and self.holdings.able(ip))
                found = [Tell(sender, Consent(ips))] if ips else []
            case Consent():
                for ip in body.ips:
                    self.holdings.name_heir(ip, sender, now)
            case Offer():
                found = self._offered(sender, body, now)
            case Refusal():
                self.handover.refused(body, now)
            case message.Later():
                self.newer.told(body, now)
            case message.Heard():
                found = self.heard(body.ip, body.mac, now, by=sender)
        return [*found, *self.flush()]

    def _offered(self, sender: str, body: Offer, now: float) -> list[Effect]:
        """Take over what the owner offers, and say so; or not these."""
        taken, refused = self.handover.offered(body, (ip for ip in body.ips if self._may_take(ip, sender)), now)
        found = self.rivals.tell(sender, taken, offer=body.number)
        return [*found, *(Tell(sender, Refusal(body.number, ips)) for ips in message.places(refused))]

    def _may_take(self, ip: bytes, giver: str) -> bool:
        known = self.holdings.table.get(ip)
        anothers = known is not None and known.owner not in (giver, self.holdings.me) and self.rivals.live(known)
        return self.may_claim and self.holdings.able(ip) and not anothers

    def heard(self, ip: bytes, mac: bytes, now: float, by: str = "") -> list[Effect]:
        """An ARP or NDP frame said: `ip` is at `mac`. `by`: the member that heard it for us, on its own segment.

        Our own kernel's answers hold nothing; another speaker's on this host do, and only others can hear them.
        """
        self.takeover.heard(ip, mac, now)
        found = self.selfcheck.heard(ip, mac, by, now) if by else []
        ours = mac in self.holdings.place.macs
        if ours and (not by or ip in self.holdings.place.bound):
            return found
        self.takeover.taken(ip, mac)
        return found if ours else [*found, *self.rivals.spoken_for(ip, mac, now)]

    # -- what is told

    def flush(self) -> list[Effect]:
        """Offers, and claims of ours that have changed, to those who need to know first; the others learn by digest."""
        found = self.handover.offers()
        claims = self.holdings.take_fresh()
        for name in self._audience(claims) if claims else ():
            found += self.rivals.tell(name, claims)
        return found

    def _audience(self, claims: Collection[Claim]) -> list[str]:
        """Old owners and heirs first, then the others as far as a push goes."""
        first = {each.previous for each in claims} | {each.heir for each in claims}
        return sorted(self._circle.living(), key=lambda name: name not in first)[:PUSHED]
