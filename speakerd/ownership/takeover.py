"""Taking a VIP that has no live owner: whose turn it is, what the wire has to say first.

A core. On ground `dead` the suspect is asked for, on ground `nobody` the very address; a member that said goodbye or
lives anew needs no asking.
"""

from collections.abc import Callable, Collection
from itertools import islice

from msgspec import Struct

from speakerd.deadlines import soonest
from speakerd.exchange import Claim, Stake
from speakerd.ownership import message, probe
from speakerd.ownership.circle import Circle
from speakerd.ownership.effects import Effect, Noted, Tell, text
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.probe import Other, Probe
from speakerd.ownership.ranking import ranking
from speakerd.ownership.witness import Host, Inquiry, Verdict

TURN = 0.8
"""Intervals each living candidate ahead has, to act before the next one does."""
REMEMBERED = 10.0
"""Seconds a cluster has run, before a VIP whose remembered owner is not heard goes to the next."""
HELD = 3.0
"""Seconds for which a dead owner's MAC that still answers holds the claim, where two members voted."""
STALE = 10.0
"""Seconds in which a node learns that a VIP is wanted no more, after its owner did: the API may have been away."""
UNMET = 4
"""Intervals between two looks at a VIP whose owner this node has never heard, while others do."""
WINNER = 4
"""Intervals the winner of a contest has to claim what the loser withdrew."""
MOST_STRANGERS = 16
"""Told of at once: who meets more has other worries."""


class Free(Struct, frozen=True):
    """A VIP without a live owner: `first` goes first; `suspect` is who died, to be asked for; `cause` of the claim.

    `wait`: the remembered owner may still be on its way.
    """

    since: float
    cause: str
    first: str = ""
    suspect: str = ""
    wait: bool = False


class Death(Struct, frozen=True):
    """A member died at `at`, `silent` seconds after it was last heard; `proven`: nobody need be asked."""

    at: float
    silent: float
    proven: bool


class Takeover:
    """Looks at VIPs that are not served here; `heard` and `answered` are what the wire says.

    `proven_at`: when it was last shown that this node hears on its segments.
    """

    def __init__(self, holdings: Holdings, circle: Circle, random: Callable[[], float]) -> None:
        self._holdings, self._circle, self._random = holdings, circle, random
        self._interval, self._questions, self._probe_time = 0.075, 3, 0.012
        self._hosts: Collection[Host] = ()
        self._probes: dict[bytes, Probe] = {}
        self._inquiries: dict[str, Inquiry] = {}
        self._died: dict[str, Death] = {}
        self._born: dict[str, float] = {}
        self._free_since: dict[bytes, float] = {}
        self._others: dict[bytes, Other] = {}
        self.proven_at = float("-inf")

    def configure(self, interval: float, questions: int, probe_time: float) -> None:
        """Take the settings; times in seconds."""
        self._interval, self._questions, self._probe_time = interval, questions, probe_time

    def meet(self, hosts: Collection[Host], now: float) -> None:
        """Take who else is on the segments: one of them just spoke, so this node hears."""
        self._hosts, self.proven_at = hosts, now

    # -- members

    def died(self, name: str, now: float, *, silent: float, proven: bool) -> None:
        """A member is dead."""
        self._died[name] = Death(now, silent, proven)
        self._born.pop(name, None)
        self._holdings.look(self._holdings.table.owned.get(name, ()), now)

    def appeared(self, name: str, now: float) -> None:
        """A member lives, perhaps again."""
        self._died.pop(name, None)
        self._inquiries.pop(name, None)
        self._born[name] = now
        self._holdings.look(self._holdings.table.owned.get(name, ()), now)

    def missed(self, name: str, now: float) -> list[Effect]:
        """A heartbeat of a member is missing: ask the wire, if this node is heir of something of it."""
        vip = next((ip for ip in self._holdings.table.owned.get(name, ()) if self._heir_of(ip)), None)
        return [] if vip is None or name in self._inquiries else self._inquire(name, vip, now)

    def _heir_of(self, ip: bytes) -> bool:
        claim = self._holdings.table.get(ip)
        return claim is not None and claim.heir == self._holdings.me and ip in self._holdings.stakes

    @property
    def asking(self) -> bool:
        """Whether the wire is being asked for a VIP, or for a member that may be dead."""
        return bool(self._probes or self._inquiries)

    # -- time

    def deadline(self) -> float | None:
        """The next question, or verdict."""
        return soonest(*(each.deadline() for each in self._inquiries.values())) if self._inquiries else None

    def wake(self, now: float) -> list[Effect]:
        """Ask what is to be asked."""
        found: list[Effect] = []
        for name, inquiry in list(self._inquiries.items()):
            if inquiry.over(now):
                del self._inquiries[name]
            else:
                found += inquiry.wake(self._circle, self._hosts, self._nonce, now)
        return found

    def look(self, ip: bytes, now: float, *, may_claim: bool) -> list[Effect]:
        """Take a VIP that nobody alive owns, when it is this node's turn."""
        stake = self._holdings.stakes.get(ip)
        free = self._free(ip, stake, now) if stake and may_claim and self._holdings.able(ip) else None
        if free is None or stake is None:
            self.forget(ip)
            return []
        turn = self._turn(stake, free)
        if turn > now:
            self._holdings.agenda.put(ip, turn)
            return []
        if free.suspect:
            return self._take_from_dead(ip, free, now)
        if free.cause == "owner-dead":
            return self._claim(ip, free, now)  # it said goodbye, or lives anew: nobody else had the VIP
        return self._take_free(ip, stake, free, now)

    def forget(self, ip: bytes) -> None:
        """It has an owner, or is none of ours."""
        self._probes.pop(ip, None)
        self._others.pop(ip, None)
        self._free_since.pop(ip, None)

    # -- grounds

    def _free(self, ip: bytes, stake: Stake, now: float) -> Free | None:
        """On what ground a VIP is free; None where a live owner holds it.

        One whose owner only others hear is put on the agenda: nothing that this node notices tells when that ends.
        """
        claim, me = self._holdings.table.get(ip), self._holdings.me
        seen = self._free_since.setdefault(ip, now)
        if claim is None or not claim.owner:
            return self._nobodys(stake, claim, seen)
        name = claim.owner
        if name != me and self._circle.here(name):
            if self._circle.boot(name) == claim.boot:
                return None
            return Free(max(self._born.get(name, now), claim.since, seen), "owner-dead", claim.heir)
        if name != me and (death := self._died.get(name)):
            since = max(death.at, claim.since, seen)
            return Free(since, "owner-dead", claim.heir, "" if death.proven else name)
        if name != me and self._circle.listed(name):
            self._holdings.agenda.put(ip, now + UNMET * self._interval)
            return None  # the two have not met yet, and it answers: its death is others' to see
        return Free(seen, "restored", name, wait=self._awaited(name))

    def _nobodys(self, stake: Stake, claim: Claim | None, since: float) -> Free:
        """Nobody claims it; one that was withdrawn after a contest is its winner's for a while.

        One that its owner saw wanted no more is left alone by who may not have seen that yet.
        """
        if claim and (claim.previous or not self._holdings.newly_wanted(claim)):
            left = 0.0 if claim.previous else STALE
            return Free(since + left + WINNER * self._interval * (claim.cause == "contest-lost"), claim.cause)
        owner = "" if claim else stake.vip.owner
        return Free(since, "restored" if owner else "first", owner, wait=self._awaited(owner))

    def _awaited(self, name: str) -> bool:
        """Whether a remembered owner may still be on its way."""
        if not name or name == self._holdings.me:
            return False
        return self._circle.recorded(name) and not self._circle.here(name)

    def _turn(self, stake: Stake, free: Free) -> float:
        """When it is this node's turn to take a free VIP."""
        if free.first == self._holdings.me:
            return free.since
        candidates = [each.node for each in stake.candidates]
        line = [free.first] if free.first in candidates else []
        line += [name for name in ranking(stake.vip.rank_by, stake.candidates) if name not in line]
        since = free.since
        if free.wait and free.first in candidates:
            since += max(0.0, REMEMBERED - self._circle.age())
        ahead = line[: line.index(self._holdings.me)]
        acting = sum(self._circle.ready(name) or (not free.suspect and self._circle.starting(name)) for name in ahead)
        return since + TURN * self._interval * acting

    # -- the owner was voted dead

    def _take_from_dead(self, ip: bytes, free: Free, now: float) -> list[Effect]:
        """Take over once the wire is silent, too."""
        inquiry = self._inquiries.get(free.suspect)
        if inquiry is None:
            self._holdings.agenda.put(ip, now)
            return self._inquire(free.suspect, ip, now)
        verdict = inquiry.verdict(now)
        single = not any(name != free.suspect for name in self._circle.living())
        if verdict is Verdict.HELD and not single and now >= free.since + HELD:
            verdict = Verdict.SILENT
        if verdict is Verdict.SILENT:
            return self._claim(ip, free, now)
        again = inquiry.deadline()
        self._holdings.agenda.put(ip, again if again is not None and again > now else now + self._interval)
        return []

    def _inquire(self, suspect: str, vip: bytes, now: float) -> list[Effect]:
        ports = set(self._holdings.place.ports.values())
        indexes = tuple(index for index in self._circle.segments(suspect) if index in ports)
        self._inquiries[suspect] = inquiry = Inquiry(suspect, indexes, vip, self._questions, now)
        return inquiry.wake(self._circle, self._hosts, self._nonce, now)

    def _nonce(self) -> bytes:
        return int(self._random() * (1 << 53)).to_bytes(8)

    def _claim(self, ip: bytes, free: Free, now: float) -> list[Effect]:
        claim = self._holdings.table.get(ip)
        death = self._died.get(claim.owner) if claim else None
        gap = now - death.at + death.silent if death and free.cause == "owner-dead" else 0.0
        self.forget(ip)
        self._holdings.claim(ip, free.cause, now, gap)
        return []

    # -- nobody claims it

    def _take_free(self, ip: bytes, stake: Stake, free: Free, now: float) -> list[Effect]:
        """Ask the wire whether somebody answers all the same, and take it if not."""
        if not self._probe_time:
            return self._claim(ip, free, now)
        found = self._probes.get(ip)
        if found is None:
            return self._begin_probe(ip, stake, now)
        if now < found.at():
            self._holdings.agenda.put(ip, found.at())
            return []
        if not found.over:
            return self._ask_on(ip, found, stake)
        del self._probes[ip]
        return self._judge(ip, found.other, free, now)

    def _judge(self, ip: bytes, other: Other | None, free: Free, now: float) -> list[Effect]:
        """All was asked. Where somebody answered before, one silence is not enough."""
        before = self._others.get(ip)
        if other:
            self._holdings.agenda.put(ip, now + probe.AGAIN)
            return self._held_by(ip, other)
        if before and before.silences + 1 < probe.SILENCES:
            self._others[ip] = Other(before.mac, before.silences + 1)
            self._holdings.agenda.put(ip, now + probe.SOONER)
            return []
        return self._claim(ip, free, now)

    def _begin_probe(self, ip: bytes, stake: Stake, now: float) -> list[Effect]:
        if len(self._probes) >= probe.AT_ONCE:
            self._holdings.agenda.put(ip, now + self._probe_time)
            return []
        self._probes[ip] = begun = Probe(now, self._probe_time)
        return [*self._have_asked(ip), *self._ask_on(ip, begun, stake)]

    def _ask_on(self, ip: bytes, found: Probe, stake: Stake) -> list[Effect]:
        asks = found.ask(ip, self._holdings.indexes(stake))
        self._holdings.agenda.put(ip, found.at())
        return list(asks)

    def _have_asked(self, ip: bytes) -> list[Effect]:
        """Have another member on the segment ask as well: nobody hears its own host's answers."""
        there = [name for name in sorted(self._circle.living()) if self._circle.segments(name)]
        if not there:
            return []
        return [Tell(there[int(self._random() * len(there))], message.Ask((ip,)))]

    def _held_by(self, ip: bytes, other: Other) -> list[Effect]:
        """Somebody else answers for it: tell once, as long as it stays the same."""
        before = self._others.get(ip)
        self._others[ip] = other
        if before and before.mac == other.mac:
            return []
        word = "vip.answered-by-another-speaker" if self._knows(other.mac) else "vip.answered-by-stranger"
        return [Noted(word, text(ip), other.mac.hex(":"))]

    def _knows(self, mac: bytes) -> bool:
        """Whether it is a member's, or ours."""
        return mac in self._holdings.place.macs or bool(self._circle.who(mac))

    @property
    def held_by_others(self) -> dict[bytes, bytes]:
        """VIPs that are not claimed since somebody else answers for them -> its MAC."""
        return {ip: other.mac for ip, other in self._others.items()}

    @property
    def strangers(self) -> dict[bytes, bytes]:
        """Those that nobody owned before and a host has that is no member: another address may be given in its place.

        The last ones found, MOST_STRANGERS of them: all are in this node's record.
        """
        stakes, table = self._holdings.stakes, self._holdings.table
        fresh = (ip for ip in reversed(self._others) if ip in stakes and not stakes[ip].vip.epoch and not table.get(ip))
        found = ((ip, self._others[ip].mac) for ip in fresh if not self._knows(self._others[ip].mac))
        return dict(islice(found, MOST_STRANGERS))

    # -- the wire

    def answered(self, sender: str, now: float) -> None:
        """A member answered a question on a segment."""
        self.proven_at = now
        for each in self._inquiries.values():
            each.answered(sender)

    def heard(self, ip: bytes, mac: bytes, now: float) -> None:
        """Somebody spoke for an address."""
        if any((host.ip, host.mac) == (ip, mac) for host in self._hosts):
            self.proven_at = now
        for inquiry in self._inquiries.values():
            inquiry.heard(ip, mac, self._circle.macs(inquiry.suspect), now)

    def taken(self, ip: bytes, mac: bytes) -> None:
        """Somebody other than this node answers for an address that may be under question."""
        if ip in self._probes:
            self._probes[ip].other = Other(mac)
