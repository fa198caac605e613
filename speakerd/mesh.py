"""Membership and ownership of one node as one core: what the announcer and the simulation run.

Messages, interfaces, wishes and `now` come in; what to send, ask and announce comes out. After every call `mine` is
what layer 2 must answer for from that instant. Times are seconds of one monotonic clock.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from speakerd import conditions
from speakerd.chronicle import Chronicle
from speakerd.company import Company
from speakerd.deadlines import soonest
from speakerd.errands import Errands
from speakerd.exchange import Claim, Member, MemberSeen, MembershipSettings, Stake
from speakerd.gossip import Gossip
from speakerd.hold import Hold
from speakerd.kinds import BODIES
from speakerd.members import Members, Myself
from speakerd.membership import effects as membership
from speakerd.membership.detector import Detector
from speakerd.membership.envelope import Carrier, Envelope, Kind, Post
from speakerd.membership.heartbeat import Phase
from speakerd.membership.peer import HERE, State
from speakerd.model import Interface
from speakerd.outbox import EVERYTHING, Discard, Effect, Outbox
from speakerd.ownership import message
from speakerd.ownership.calm import Calm
from speakerd.ownership.effects import Announce, AskWire, Noted, Tell, Vouch
from speakerd.ownership.message import Answer, Ask, Claims, Heard, Pull, Question
from speakerd.ownership.owner import Owner
from speakerd.segments import Segments
from speakerd.standing import Standing
from speakerd.wire import DecodeError


class Mesh:
    """`boot`: of this host; `resume`: an announcer died a moment ago, and this one answers at once in its place.

    `still`: the last message changed nothing but when its sender was heard: most are heartbeats of who lives on.
    `rest`: seconds for which it hands over what it has and takes nothing, since announcers died again and again.
    """

    def __init__(
        self,
        boot: int,
        random: Callable[[], float],
        remembered: Mapping[bytes, Claim],
        now: float,
        *,
        resume: bool = False,
        rest: float = 0.0,
    ) -> None:
        self.myself = Myself()
        self._members = members = Members(self.myself, now)
        self.owner = Owner(boot, members, random, remembered)
        self._calm = Calm(self.owner, members, now)
        self.detector = Detector(boot, random, self.myself, self.owner.heirs_of, now)
        members.detector = self.detector
        self._hold = Hold(restarted=any(claim.boot == boot for claim in remembered.values()), resume=resume)
        self._standing = Standing(self.myself, rest, now)
        self._gossip = Gossip()
        self._errands = Errands()
        self._segments = Segments(members, self.owner.holdings)
        self._interfaces: tuple[Interface, ...] = ()
        self._usable: frozenset[int] = frozenset()
        self._company = Company(members, self.owner.takeover)
        self.chronicle = Chronicle()
        self._outbox = Outbox(self.detector, self._note)
        self.left = self.still = False
        self._claims_changed = 0
        self._else_at: float | None = None

    # -- what layer 2 and the controller read

    @property
    def mine(self) -> Mapping[bytes, tuple[str, ...]]:
        """VIPs answered for now."""
        return {} if self._hold.active else self.owner.holdings.mine

    @property
    def revision(self) -> tuple[int, bool, bool]:
        """Another one whenever `mine`, `standby` or `quiet` may be."""
        return self.owner.holdings.revision, self._hold.active, self.quiet

    @property
    def standby(self) -> AbstractSet[bytes]:
        """VIPs this node may have to answer for."""
        return self.owner.holdings.standby

    @property
    def quiet(self) -> bool:
        """Whether no gratuitous frame may go out: who is alone may be deaf."""
        return self._company.quiet

    @property
    def attentive(self) -> bool:
        """Whether what a station says may change anything though nothing comes of it at once."""
        return self._members.alone_now or self.owner.takeover.asking

    @property
    def known(self) -> Mapping[bytes, Claim]:
        """The claims that count."""
        return self.owner.holdings.table.claims

    @property
    def news(self) -> int:
        """Another number whenever the controller should hear of claims, members or happenings."""
        return self._claims_changed + self.chronicle.number

    @property
    def counters(self) -> Mapping[str, int]:
        """Refusals and contests."""
        return Counter(self.detector.counters) + Counter(self.owner.holdings.counters)

    def conditions(self, now: float) -> dict[str, str]:
        """What stands in the way, by the word of its finding, with its detail."""
        found = self._standing.conditions(in_company=bool(self.detector.peers))
        if self._company.left_alone:
            found["alone"] = "hears no other member, or is heard by none"
        found |= conditions.of_links(each.name for each in self._interfaces if each.index in self._segments.silent)
        found |= conditions.of_members(self.detector.peers, now) | conditions.of_owner(self.owner, self._members)
        return found | self._members.conditions(now)

    def members_seen(self, now: float) -> tuple[MemberSeen, ...]:
        """Every member with a record but this one."""
        return self._members.seen(now)

    # -- what comes in

    def configure(
        self,
        me: str,
        members: tuple[Member, ...],
        settings: MembershipSettings,
        now: float,
        *,
        drained: bool = False,
        keyed: bool = True,
        probe: float = 0.012,
    ) -> list[Effect]:
        """Take the head of Wanted. Without a key this node answers for VIPs only where it is alone in the records."""
        self._members.now, self._members.me = now, me
        self.owner.configure(me, settings.interval, settings.questions, probe)
        self._calm.pace(settings.interval)
        self._standing.drained, self._standing.keyed = drained, keyed
        found = self._carry_out(self.detector.configure(me, members, settings, keyed=keyed, now=now), now)
        self._stand(now)
        return self._done(found, now)

    def see(self, blind: int, now: float) -> None:
        """Take whether the API is watched: 0, or the resourceVersion that was reached when the watch went down."""
        self.owner.newer.see(blind, now)

    def want(self, changes: Mapping[bytes, Stake | None], now: float) -> None:
        """Take new, changed and gone VIPs."""
        self._members.now = now
        self.owner.want(changes, now)
        self._calm.touch(changes, now)

    def wanted(self, now: float) -> list[Effect]:
        """A revision of Wanted is in: act on it."""
        self._members.now = now
        self._hold.wanted(now, self.detector.interval, in_company=bool(self.detector.peers))
        self._calm.stir(now)
        return self._done(self.owner.wake(now), now)

    def interfaces(self, interfaces: tuple[Interface, ...], now: float) -> list[Effect]:
        """Take the links of this host. One whose carrier is back waits until claims are compared."""
        self._members.now, self._interfaces = now, interfaces
        return self._see_links(now)

    def _see_links(self, now: float) -> list[Effect]:
        """Where carrier is, and the segment not dead, VIPs may be answered for."""
        usable = frozenset(each.index for each in self._interfaces if each.usable) - self._segments.silent
        if not self._hold.active and self.detector.peers:
            self._hold.came(usable - self._usable, now)
        self._hold.went(self._hold.closed - usable)
        if not self._hold.active and not self._hold.closed:
            self.owner.rivals.yields = not usable
        self._usable = usable
        self._stand(now)
        return self._done([*(self._outbox.pull_all(now) if self._hold.closed else ()), *self.owner.wake(now)], now)

    def host(self, index: int, ip: bytes, mac: bytes, now: float) -> None:
        """Somebody spoke on a segment."""
        self._members.now = now
        self._company.host(index, ip, mac, now)

    def receive(self, envelope: Envelope, now: float) -> list[Effect]:
        """A message from a member; authentic, and to be judged here whether it is new."""
        self._members.now = now
        found: list[Effect] = []
        fresh, self.still = self.detector.takes(envelope), False
        try:
            told = self.detector.hear(envelope, now) if fresh else self.detector.meet(envelope, now)
            self.still = self._as_before(told, now)
            if not self.still:
                found += self._carry_out(told, now)
            if fresh and envelope.carrier is Carrier.ETHERNET:
                self._hold.frame_came(envelope.index, now)
                self._gossip.frame_came(envelope.index, envelope.sender, self.detector.interval, now)
            if fresh and envelope.kind >= Kind.CLAIMS:
                found += self._received(envelope, now)
        except DecodeError:
            self.detector.counters["malformed"] += 1
        return found if self.still else self._done(found, now)

    def _as_before(self, told: list[membership.Effect], now: float) -> bool:
        """Whether a heartbeat came of one who claims what we know, is as ready as before, and waited for by nobody."""
        match told:
            case [membership.Beat(name, digest)] if digest == self.owner.holdings.table.digest:
                in_calm = not (self._hold.active or self._hold.closed or self._members.alone_now)
                known = self._gossip.knows(name, ready=self._members.ready(name))
                return in_calm and known and not self.detector.hearing.alone(now)
        return False

    def _received(self, envelope: Envelope, now: float) -> list[Effect]:
        body = message.decode(envelope.body, BODIES[envelope.kind])
        match body:
            case Question():
                index = envelope.index if envelope.carrier is Carrier.ETHERNET else 0
                return self._outbox.take([Tell(envelope.sender, Answer(body.nonce), index)], now)
            case Answer():
                self.owner.takeover.answered(envelope.sender, now)
                return []
            case Ask():
                ips = self._errands.take(envelope.sender, body.ips, now)
                indexes = [index for index in self._members.segments(envelope.sender) if index in self._usable]
                return [AskWire(index, ip) for ip in ips for index in indexes]
            case Claims():
                found = self._outbox.take(self.owner.receive(envelope.sender, body, now), now)
                return [*found, *self._compare(envelope.sender, now)] if body.final else found
            case _:
                if isinstance(body, Heard):
                    self._segments.heard(body.ip, body.mac, now, by=envelope.sender)
                return self._outbox.take(self.owner.receive(envelope.sender, body, now), now)

    def heard(self, ip: bytes, mac: bytes, now: float) -> list[Effect]:
        """Another station said that `ip` is at `mac`."""
        self._members.now = now
        self._segments.heard(ip, mac, now)
        found = self._outbox.take(self.owner.heard(ip, mac, now), now)
        if asker := self._errands.heard(ip, mac, now):
            found += self._outbox.take([Tell(asker, Heard(ip, mac))], now)
        return self._done(found, now)

    def paused(self, seconds: float, now: float) -> list[Effect]:
        """This process stood still: nothing is answered before others have told what they claim."""
        self._members.now = now
        if seconds <= self.detector.interval:
            return []
        self.detector.gap(now)
        self.owner.selfcheck.paused(now)
        if not self.detector.peers or self.myself.phase is Phase.STARTING:
            return self._done([], now)
        self._hold.paused(now)
        self.owner.may_claim, self.owner.rivals.yields = False, True
        self._note("node.paused", self._members.me, f"{seconds:.3f} s")
        return self._done(self._outbox.pull_all(now), now)

    def leave(self, now: float) -> list[Effect]:
        """Tell everybody, and hand over what is served here."""
        self._members.now = now
        self.owner.leave(now)
        self.myself.phase = Phase.LEAVING
        found = self._carry_out(self.detector.farewell(now), now)
        self.owner.holdings.look_at_all(now)
        return self._done([*found, *self.owner.wake(now)], now)

    # -- time

    def deadline(self) -> float | None:
        """When to call `wake`. A message that leaves all as it is moves the detector's deadline, and no other."""
        return soonest(self.detector.deadline(), self._else_at)

    def wake(self, now: float) -> list[Effect]:
        """Do what is due."""
        self._members.now = now
        found = self._carry_out(self.detector.wake(now), now)
        found += self._see_segments(now)
        self._end_silence(now)
        if self._standing.over(now):
            self._stand(now)
        if not self._hold.active:
            found += self._outbox.take(self._calm.wake(now), now)
        return self._done([*found, *self._outbox.take(self.owner.wake(now), now)], now)

    def _see_segments(self, now: float) -> list[Effect]:
        """Give up a segment that is dead to this node; one that lives again is like one whose carrier is back."""
        before = self._segments.silent
        usable = {each.index: each.name for each in self._interfaces if each.usable}
        found = self._outbox.take(self._segments.look(usable, self._company.hosts, now), now)
        if self._segments.silent == before:
            return found
        for each in self._interfaces:
            if each.index in before ^ self._segments.silent:
                self._note("segment.silent" if each.index in self._segments.silent else "segment.back", each.name)
        return [*found, *self._see_links(now)]

    # -- within

    def _done(self, found: Iterable[Effect | Tell | Noted | Vouch], now: float) -> list[Effect]:
        """Bring what heartbeats tell up to date; `found` as what leaves."""
        holdings = self.owner.holdings
        self.myself.digest = holdings.table.digest
        if word := self._company.look(now, starting=self.myself.phase is Phase.STARTING):
            self._note(word, self._members.me)
        if holdings.changed:
            self.owner.selfcheck.look(holdings.changed, now)
            self._calm.touch(holdings.changed, now)
            holdings.changed.clear()
            self._claims_changed += 1
            self._calm.stir(now)
        effects = self._outbox.take([*found, *self.owner.flush()], now)
        self.left = holdings.leaving and (not holdings.serving or not self.detector.living())
        calm = None if self._hold.active else self._calm.deadline()
        self._else_at = soonest(self.owner.deadline(), calm, *self._hold.deadlines(), *self._standing.deadlines())
        return effects

    def _carry_out(self, found: Iterable[membership.Effect], now: float) -> list[Effect]:
        """Membership's effects: messages leave, the rest is news for ownership."""
        effects: list[Effect] = []
        for each in found:
            match each:
                case Post():
                    effects.append(each)
                case membership.Changed():
                    effects += self._member_changed(each, now)
                case membership.Missed(name):
                    effects += self._outbox.take(self.owner.takeover.missed(name, now), now)
                case membership.Beat(name, digest):
                    effects += self._beat(name, digest, now)
                case membership.Suspended(seconds):
                    effects += [Discard(), *self.paused(seconds, now)]
                case membership.TwoBoots(name):
                    self._note("member.two-boots", name)
                    self._standing.two_boots(name, self._members.me, now)
                    self._stand(now)
        return effects

    def _member_changed(self, change: membership.Changed, now: float) -> list[Effect]:
        name, before, after = change.name, change.before, change.after
        self._note(f"member.{after}", name, "stalled" if change.stalled else before)
        if after is State.DEAD:
            peer = self.detector.peers.get(name)
            self.owner.takeover.died(name, now, silent=now - peer.heard if peer else 0.0, proven=change.proven)
            self._hold.lost(name)
            self._calm.left(name, now)
            return self._outbox.take(self.owner.wake(now), now)
        if before not in HERE:
            self._gossip.returned(name)
            self.owner.takeover.appeared(name, now)
            self._calm.joined(name, now)
            return self._outbox.take([Tell(name, Pull(EVERYTHING))], now) if self.detector.peers[name].boot else []
        if after is not State.SUSPECT:
            self._calm.stir_all(now)
        return []

    def _beat(self, name: str, digest: bytes, now: float) -> list[Effect]:
        """Compare tables: equal ones are compared, others are pulled, one an interval."""
        if self._gossip.changed(name, ready=self._members.ready(name)):
            self._calm.stir_all(now)
        if digest == self.owner.holdings.table.digest:
            return self._compare(name, now)
        if not self._gossip.pulls(self.detector.interval, now):
            return []
        return self._outbox.take([Tell(name, Pull(self.owner.holdings.table.differing(digest)))], now)

    def _compare(self, name: str, now: float) -> list[Effect]:
        """The claims of `name` are known now. One that was lost may have announced what is ours meanwhile."""
        self._hold.compared(name, len(self.detector.living()), self.detector.peers.keys(), now)
        self._end_silence(now)
        return [Announce(ip) for ip in self.mine] if self._gossip.compared(name) else []

    def _end_silence(self, now: float) -> None:
        """Answer again, altogether or on some interfaces, if it is time."""
        if self._hold.over(now):
            self.owner.may_claim, self.owner.rivals.yields = True, False
            if self.myself.phase is Phase.STARTING:
                self.myself.phase = Phase.RUNNING
                self.detector.running(now)
            self.owner.holdings.resume(now)
            self._calm.stir_all(now)
        if self._hold.opened(now):
            self.owner.rivals.yields = bool(self._hold.closed)
            self._stand(now)
            self.owner.holdings.look_at_all(now)

    def _stand(self, now: float) -> None:
        """Tell ownership where this node stands."""
        partly = bool(self._hold.closed or self._segments.silent)
        in_company, open_ = bool(self.detector.peers), self._usable - self._hold.closed
        place = self._standing.place(self._interfaces, open_, partly=partly, in_company=in_company)
        self.owner.stand(place, now)

    def _note(self, word: str, subject: str, detail: str = "") -> None:
        self.chronicle.note(self._members.now, word, subject, detail)
