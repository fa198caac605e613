"""Who lives: heartbeats in, verdicts out; a death needs two votes of those who observe.

A core. Messages and `now` come in; what to send, and what has changed, goes out. Times are seconds of one monotonic
clock; counts that stood still with this process begin anew (`gap`).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from speakerd.exchange import Member, MembershipSettings
from speakerd.membership import heartbeat, proof
from speakerd.membership.effects import Beat, Changed, Effect, Missed, Suspended, TwoBoots
from speakerd.membership.envelope import Envelope, Kind, Post
from speakerd.membership.hearing import Hearing
from speakerd.membership.heartbeat import Fate, Heartbeat, Phase, Refutation, Vote, member_id
from speakerd.membership.offset import Standstill
from speakerd.membership.peer import HERE, PHASES, STALL, Peer, State
from speakerd.membership.ring import Ring
from speakerd.membership.voice import Self, Voice

VOTING = 3
"""Intervals for which a vote counts, and is repeated."""
LATER = 0.5
"""Intervals by which a heartbeat must be later than another, to be none of the same instant sent to someone else."""
HEARD = 2
"""Intervals for which who was heard counts as heard now."""
REFUSED_FOR = 10.0
"""Seconds for which a second host of a name is not listened to."""


class Detector:
    """`heirs`: who would take over from a member, besides its observers, and so has to know of votes."""

    def __init__(
        self, boot: int, random: Callable[[], float], myself: Self, heirs: Callable[[str], Iterable[str]], now: float
    ) -> None:
        self._boot, self._random, self._heirs = boot, random, heirs
        self._me = ""
        self._settings = MembershipSettings()
        self._keyed = True
        self._ring = Ring(())
        self._beat_at = now
        self._standstill = Standstill()
        self._watching: frozenset[str] = frozenset()
        self._next: tuple[float, str] | None = None
        self._living: dict[str, None] = {}
        self._doubtful: set[str] = set()
        self.peers: dict[str, Peer] = {}
        self.hearing = Hearing(self.peers)
        self._voice = Voice(self.peers, myself, random, now)
        self.counters: Counter[str] = Counter()

    def configure(
        self, me: str, members: Iterable[Member], settings: MembershipSettings, *, keyed: bool, now: float
    ) -> list[Effect]:
        """Take the member records and settings. Without a key nobody is heard or spoken to."""
        self._me, self._settings, self._keyed = me, settings, keyed
        self.hearing.me = me
        self._voice.configure(me, settings.interval)
        names = {each.name for each in members} - {me}
        found: list[Effect] = []
        for name in self.peers.keys() - names:
            found += self._turn_to(self.peers.pop(name), State.DEAD, now, proven=True)
        self._doubtful &= names
        for name in sorted(names - self.peers.keys()):
            self.peers[name] = Peer(name, settings.interval, settings.misses, now)
            self._voice.greet(name)
            self._beat_at = now
        for peer in self.peers.values():
            peer.pace(settings.interval, settings.misses)
        self._see_ring(now)
        self._next = None
        return found

    @property
    def interval(self) -> float:
        """Seconds between heartbeats of this node."""
        return self._settings.interval

    def gap(self, now: float) -> None:
        """This process stood still: what was missed meanwhile says nothing."""
        for peer in self.peers.values():
            peer.count_anew(now)
        self._beat_at, self._next = now, None

    def running(self, now: float) -> None:
        """This node has started: let heartbeats go to all at once."""
        self._voice.running()
        self._beat_at = now

    def here(self, name: str) -> bool:
        """Whether a member is thought to live; this node does."""
        peer = self.peers.get(name)
        return name == self._me or (peer is not None and peer.state in HERE)

    def living(self) -> Collection[str]:
        """The other members thought to live."""
        return self._living.keys()

    def hears(self, name: str, now: float) -> bool:
        """Whether no heartbeat of that member is missing."""
        peer = self.peers.get(name)
        return peer is not None and peer.well(now)

    def heard_now(self, name: str, now: float) -> bool:
        """Whether that member lives, and was heard an interval or two ago."""
        peer = self.peers.get(name)
        return peer is not None and peer.state in HERE and now - peer.heard <= HEARD * peer.interval

    def observers(self) -> frozenset[str]:
        """The members that watch this node, and so have to hear it."""
        return self._ring.observers(self._me)

    def heard_by_udp(self, name: str, now: float) -> bool:
        """Whether that member and this node hear each other by UDP."""
        peer = self.peers.get(name)
        return peer is not None and peer.udp_works(self._me, now)

    def side(self, now: float) -> int:
        """The fewest members this node held alive in the last 10 s, itself counted."""
        return self._voice.side(now)

    def post(self, to: str, kind: Kind, body: bytes, now: float, *, both: bool = False) -> list[Post]:
        """A message to a member by whatever carrier works, or by `both`."""
        return self._voice.post(to, kind, body, now, both=both)

    def farewell(self, now: float) -> list[Post]:
        """Tell everybody at once what phase this node is in."""
        return self._voice.farewell(now)

    # -- what comes in

    def takes(self, envelope: Envelope) -> bool:
        """Whether a message is new, of a life that is known: one to `hear`."""
        peer = self.peers.get(envelope.sender)
        return self._keyed and peer is not None and envelope.boot == peer.boot and peer.is_new(envelope)

    def meet(self, envelope: Envelope, now: float) -> list[Effect]:
        """A message that is none to `hear`. Raises DecodeError where a body is none of its kind."""
        peer = self.peers.get(envelope.sender)
        if peer is None or not self._keyed:
            self.counters["from-strangers"] += 1
            return []
        if envelope.boot != peer.boot:
            return self._another_life(peer, envelope, now)
        self.counters["replayed"] += 1
        return []

    def _another_life(self, peer: Peer, envelope: Envelope, now: float) -> list[Effect]:
        """A life that has proven nothing yet: it may ask for our proof, give its own, or be asked for it."""
        if now < peer.refused.get(envelope.boot, now):
            self.counters["two-boots"] += 1
            return list(proof.refuse(peer, envelope))
        if envelope.kind is Kind.HELLO:
            return [*self._prove(peer, envelope, now), *self._challenge(peer, envelope, now)]
        if envelope.kind is Kind.PROOF and proof.given(peer, envelope):
            return self._accept(peer, envelope, now)
        return self._challenge(peer, envelope, now)

    def _challenge(self, peer: Peer, envelope: Envelope, now: float) -> list[Effect]:
        return list(proof.ask(peer, envelope, self._random, self.interval, now))

    def _prove(self, peer: Peer, envelope: Envelope, now: float) -> list[Effect]:
        return [proof.give(envelope), *self._voice.beats_to(peer, now)]

    def _accept(self, peer: Peer, envelope: Envelope, now: float) -> list[Effect]:
        """It signed our nonce: it lives now, and whatever life of that name there was does not."""
        found: list[Effect] = []
        if envelope.boot in peer.older:
            found.append(TwoBoots(peer.name))
            peer.refused = {peer.boot: now + REFUSED_FOR}
        if peer.state in HERE:
            found += self._turn_to(peer, State.DEAD, now, proven=True)
        peer.nonces.clear()
        peer.live_anew(envelope.boot, now)
        peer.hear(envelope, now)
        self._voice.heard(peer)
        return [*found, *self._turn_to(peer, State.STARTING, now), *self._voice.beats_to(peer, now)]

    def hear(self, envelope: Envelope, now: float) -> list[Effect]:
        """A message of any kind that is taken. Raises DecodeError where a body is none of its kind."""
        peer = self.peers[envelope.sender]
        ahead = peer.hear(envelope, now)
        self._voice.heard(peer)
        found: list[Effect] = [Suspended(ahead)] if self._standstill.shows(ahead, self.interval, now) else []
        found += self._back(peer, now)
        match envelope.kind:
            case Kind.HEARTBEAT:
                found += self._told(peer, envelope, now)
            case Kind.HELLO:
                found += self._prove(peer, envelope, now)
            case Kind.VOTE:
                found += self._voted(peer, heartbeat.decode(envelope.body, Vote), now)
            case Kind.REFUTATION:
                found += self._refuted(heartbeat.decode(envelope.body, Refutation), now)
        if self._next and (peer.name == self._next[1] or self._due(peer) < self._next[0]):
            self._next = None
        return found

    def _back(self, peer: Peer, now: float) -> list[Effect]:
        """It was just heard: it is neither suspect nor dead."""
        peer.votes.clear()
        if peer.state is State.DEAD:
            stalled = now - peer.since <= STALL and peer.stalled(now)
            self._voice.recant(peer)
            phase = peer.beat.phase if peer.beat else Phase.STARTING
            return self._turn_to(peer, PHASES[phase], now, stalled=stalled)
        if peer.state is State.SUSPECT:
            return self._turn_to(peer, PHASES[peer.beat.phase] if peer.beat else State.STARTING, now)
        return []

    def _told(self, peer: Peer, envelope: Envelope, now: float) -> list[Effect]:
        beat = heartbeat.decode(envelope.body, Heartbeat)
        news = peer.tell(beat, envelope.sequence)
        peer.note_ways(self._me, now)
        if not news:
            return []
        if beat.echo and envelope.received:
            peer.round_trip = max(0, envelope.received - beat.echo - beat.echo_age) / 1e6
        found = self._turn_to(peer, PHASES[beat.phase], now)
        for fate in beat.dead:
            found += [] if peer.deaf else self._death_told(peer, fate, now)
        if self._doubtful:
            found += self._doubt(peer, now)
        return [*found, Beat(peer.name, beat.digest)]

    def _doubt(self, teller: Peer, now: float) -> list[Effect]:
        """Deaths found while this node heard nobody are none where a member hears the dead: they are judged anew."""
        found: list[Effect] = []
        for name in sorted(each for each in self._doubtful if teller.lists(each)):
            self.peers[name].count_anew(now)
            found += self._turn_to(self.peers[name], State.SUSPECT, now)
        return found

    def _death_told(self, teller: Peer, fate: Fate, now: float) -> list[Effect]:
        """A death found by others is a fact, unless we hear the dead."""
        if fate.member == member_id(self._me):
            return list(self._voice.beats_to(teller, now, both=True)) if fate.boot == self._boot else []
        peer = next((each for name, each in self.peers.items() if member_id(name) == fate.member), None)
        if peer is None or peer.boot != fate.boot or peer.state not in HERE:
            return []
        if peer.well(now):
            return list(self._refute(teller.name, peer, now))
        return self._turn_to(peer, State.DEAD, now)

    def vouch(self, to: str, name: str, now: float) -> list[Post]:
        """Tell a member that another one lives, which it may not hear; not again and again."""
        peer = self.peers.get(name)
        if peer is None or not self.heard_now(name, now) or now - peer.vouched.get(to, 0.0) < LATER * self.interval:
            return []
        peer.vouched[to] = now
        return self._refute(to, peer, now)

    def _refute(self, to: str, peer: Peer, now: float) -> list[Post]:
        body = heartbeat.encode(Refutation(peer.name, peer.boot, peer.sequence))
        return self._voice.post(to, Kind.REFUTATION, body, now)

    def _voted(self, voter: Peer, vote: Vote, now: float) -> list[Effect]:
        if vote.suspect == self._me:
            return list(self._voice.beats_to(voter, now, both=True)) if vote.boot == self._boot else []
        peer = self.peers.get(vote.suspect)
        if peer is None or peer.boot != vote.boot or peer.state not in HERE:
            return []
        if peer.well(now) and _later(peer, peer.sequence, vote.sequence):
            return list(self._refute(voter.name, peer, now))
        peer.votes[voter.name] = now
        found: list[Effect] = [Missed(peer.name)]
        return [*found, *self._judge(peer, now)]

    def _refuted(self, said: Refutation, now: float) -> list[Effect]:
        """Another member heard it later than we did."""
        if said.name == self._me and said.boot != self._boot:
            return [TwoBoots(self._me)]
        peer = self.peers.get(said.name)
        if peer is None or peer.boot != said.boot or not _later(peer, said.sequence, peer.sequence):
            return []
        peer.sequence, self._next = said.sequence, None
        peer.count_anew(now)
        return self._back(peer, now)

    # -- what time brings

    def deadline(self) -> float | None:
        """The next heartbeat, or the next one of another that may be missed."""
        if not self.peers or not self._keyed:
            return None
        if self._next is None:
            watched = ((self._due(self.peers[name]), name) for name in self._watching)
            self._next = min(watched, default=(float("inf"), ""))
        return min(self._beat_at, self._next[0])

    def _due(self, peer: Peer) -> float:
        now = peer.heard
        if peer.state not in HERE:
            return float("inf")
        if not peer.missed:
            return peer.miss_at(1, now)
        if peer.state is not State.SUSPECT:
            return peer.death_vote_at(now)
        return max(peer.voted_at + peer.interval, peer.death_vote_at(now))

    def wake(self, now: float) -> list[Effect]:
        """Judge who is late, and send heartbeats when it is time."""
        found: list[Effect] = []
        if not self.peers or not self._keyed:
            return found
        for name in sorted(self._watching):
            if self._due(self.peers[name]) <= now:
                found += self._late(self.peers[name], now)
        if self._beat_at <= now:
            self._beat_at = max(self._beat_at + self.interval, now + self.interval / 2)
            found += self._voice.beats(self._ring, now)
        return found

    def _late(self, peer: Peer, now: float) -> list[Effect]:
        self._next = None
        if not peer.missed:
            peer.missed = True
            missed: list[Effect] = [Missed(peer.name)]
            return [*missed, *self._voice.beats_to(peer, now, both=True)]
        if now < peer.death_vote_at(now):
            return []
        found = [] if peer.state is State.SUSPECT else self._turn_to(peer, State.SUSPECT, now)
        peer.votes[self._me] = peer.voted_at = now
        if now < peer.death_vote_at(now) + VOTING * peer.interval:
            body = heartbeat.encode(Vote(peer.name, peer.boot, peer.sequence))
            voters = {peer.name, *self._ring.observers(peer.name), *self._heirs(peer.name)} - {self._me}
            for name in sorted(voters):
                found += self._voice.post(name, Kind.VOTE, body, now, both=name == peer.name)
        return [*found, *self._judge(peer, now)]

    def _judge(self, peer: Peer, now: float) -> list[Effect]:
        """Dead by two votes of those we hear; by our own alone where nobody else we hear observes it, or hears it.

        (Who started, or stood still, while it died has no vote to give.) Who hears nobody is no witness of a death.
        """
        interval, misses = peer.watched(now)
        counted = {
            name
            for name, at in peer.votes.items()
            if now - at <= VOTING * interval and (name == self._me or (self.here(name) and not self.peers[name].deaf))
        }
        if len(counted) >= 2:
            return self._died(peer, now)
        others = [each for each in self._ring.observers(peer.name) if each != self._me and self.hears(each, now)]
        hear_it = any(self.peers[each].lists(peer.name) for each in others)
        patience = 1 + (VOTING if others else 0)
        if self._me in counted and not hear_it and now >= peer.miss_at(misses + patience, now) - 1e-9:
            return self._died(peer, now)
        return []

    def _died(self, peer: Peer, now: float) -> list[Effect]:
        """It is told to all, unless this node hears nobody: then it may be deaf, also when it hears again."""
        found = self._turn_to(peer, State.DEAD, now)
        if any(self.hears(name, now) for name in self._living):
            self._voice.mourn(peer, now)
        else:
            self._doubtful.add(peer.name)
        return found

    def _turn_to(
        self, peer: Peer, state: State, now: float, *, stalled: bool = False, proven: bool = False
    ) -> list[Effect]:
        """The one place where a member's state changes."""
        before, peer.state = peer.state, state
        if before is state:
            return []
        peer.since, self._next = now, None
        self._doubtful.discard(peer.name)
        if state in HERE and peer.name in self.peers:
            self._living[peer.name] = None
            if before is State.DEAD:
                self._voice.came_back(now)
        else:
            self._living.pop(peer.name, None)
        if state is State.DEAD:
            peer.votes.clear()
            if peer.name in self.peers:
                self._voice.look_for(peer.name)
        if (before in HERE) != (state in HERE):
            self._see_ring(now)
        proven |= peer.beat is not None and peer.beat.phase is Phase.LEAVING
        return [Changed(peer.name, before, state, stalled, proven)]

    def _see_ring(self, now: float) -> None:
        """Who watches whom changes with who lives; a member newly watched has its time to be heard."""
        self._ring = Ring([self._me, *self.living()])
        watching = self._ring.observed(self._me, self.peers)
        for name in watching - self._watching:
            self.peers[name].count_anew(now)
        self._watching, self._next = watching, None


def _later(peer: Peer, sequence: int, other: int) -> bool:
    """Whether the first was sent at least one heartbeat after the other; what one instant brings has many sequences."""
    return sequence - other > LATER * peer.interval * 1e6
