"""What is known of one other member: which of its lives, when and by which carrier it was heard, who votes it dead."""

from collections import deque
from enum import StrEnum

from speakerd.membership.envelope import Carrier, Envelope
from speakerd.membership.heartbeat import Heartbeat, Phase, listed, member_id
from speakerd.membership.offset import Offset
from speakerd.membership.window import Window

LATE = 0.2
"""Intervals beyond the n-th at which the n-th heartbeat counts as missed: what queues and schedulers may take."""
FRAMES_EVERY = 4
"""While UDP works, frames go with every fourth heartbeat."""
STEADY = 4
"""Intervals between two messages from which on they say nothing of clocks."""
STALL = 10.0
"""Seconds within which the same life back from the dead was stalled, not gone."""
STALLS, STALLS_WITHIN, SLOWER_FOR = 2, 600.0, 1800.0
"""So many stalls in so many seconds have a member watched more slowly for so long."""
LADDER = ((0.075, 2), (0.25, 3), (1.0, 4))
"""Interval in seconds and misses, of the presets from fast to slow."""
MOST_INTERFACES = 64
"""Interfaces on which one member is heard; more than a host has segments in common with another."""


class State(StrEnum):
    """A member, as this node sees it."""

    UNHEARD = "unheard"
    STARTING = "starting"
    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEAVING = "leaving"


HERE = frozenset({State.STARTING, State.ALIVE, State.SUSPECT, State.LEAVING})
"""States in which a member is thought to live."""
PHASES = {Phase.STARTING: State.STARTING, Phase.RUNNING: State.ALIVE, Phase.LEAVING: State.LEAVING}


class Peer:
    """One other member. Times are this node's; `watched_since` moves on when counting begins anew."""

    def __init__(self, name: str, interval: float, misses: int, now: float) -> None:
        self.name = name
        self.id = member_id(name)
        self.state = State.UNHEARD
        self.since = now
        self.boot = 0
        self.older: frozenset[int] = frozenset()
        self.heard = 0.0
        self.watched_since = now
        self.sequence = 0
        self.sequence_at = now
        self._offset = Offset()
        self._windows: dict[tuple[Carrier, int], Window] = {}
        self._beat_sequence = 0
        self.heard_udp = 0.0
        self.heard_frames: dict[int, float] = {}
        self.worked_udp = self.worked_frames = now
        self.beat: Heartbeat | None = None
        self.configured_at = now
        self.udp: frozenset[bytes] = frozenset()
        self.frames: frozenset[bytes] = frozenset()
        self.round_trip = 0.0
        self.votes: dict[str, float] = {}
        self.vouched: dict[str, float] = {}
        self.voted_at = 0.0
        self.missed = False
        self.nonces: dict[int, tuple[bytes, float]] = {}
        self.refused: dict[int, float] = {}
        self.interval = interval
        self._own = (interval, misses)
        self._pace = (interval, misses)
        self._stalls: deque[float] = deque(maxlen=STALLS)
        self._slower_until = 0.0

    def watched(self, now: float) -> tuple[float, int]:
        """(interval, misses) it is judged by: its own pace, or the next slower preset's after stalls."""
        if now < self._slower_until:
            return next((slower for slower in LADDER if slower[0] > self.interval), self._pace)
        return self._pace

    def slowed(self, now: float) -> bool:
        """Whether it is watched more slowly than its own pace, after stalls."""
        return now < self._slower_until

    def pace(self, interval: float, misses: int) -> None:
        """Take new settings."""
        self._own = (interval, misses)
        self._keep_pace()

    def _keep_pace(self) -> None:
        """Its heartbeats come as often as it says itself, or else as ours do."""
        interval, misses = self._own
        self.interval = self.beat.interval / 1000 if self.beat else interval
        self._pace = (self.interval, misses)

    def miss_at(self, number: int, now: float) -> float:
        """When its `number`-th heartbeat counts as missed."""
        return max(self.heard, self.watched_since) + (number + LATE) * self.watched(now)[0]

    def death_vote_at(self, now: float) -> float:
        """When its last allowed heartbeat counts as missed."""
        return self.miss_at(self.watched(now)[1], now)

    def is_new(self, envelope: Envelope) -> bool:
        """Whether the message is none that was heard before, of the life that is known."""
        window = self._windows.get((envelope.carrier, envelope.index))
        return window is None or window.is_new(envelope.sequence)

    def hear(self, envelope: Envelope, now: float) -> float:
        """Note a message of the life that is known; for how many seconds our clock stood still, as far as it shows."""
        way = (envelope.carrier, envelope.index)
        window = self._windows.get(way)
        if window is None and len(self._windows) < MOST_INTERFACES:
            window = self._windows[way] = Window()
        if window is not None:
            window.add(envelope.sequence)
        ahead = 0
        if envelope.sequence > self.sequence:
            if envelope.received:
                steady = int(STEADY * self.interval * 1e6)
                ahead = self._offset.ahead(envelope.sequence, envelope.received, steady)
            self.sequence, self.sequence_at = envelope.sequence, now
        self.heard = now
        self.missed = False
        if envelope.carrier is Carrier.UDP:
            self.heard_udp = now
        elif envelope.index in self.heard_frames or len(self.heard_frames) < MOST_INTERFACES:
            self.heard_frames[envelope.index] = now
        return ahead / 1e6

    def tell(self, beat: Heartbeat, sequence: int) -> bool:
        """Take what its heartbeat says, unless a newer one said it already."""
        if sequence < self._beat_sequence:
            return False
        self._beat_sequence = sequence
        before, self.beat = self.beat, beat
        if before is None or before.interval != beat.interval:
            self._keep_pace()
        if before is None or before.configuration != beat.configuration:
            self.configured_at = self.heard
        if before is None or (before.udp, before.frames) != (beat.udp, beat.frames):
            self.udp, self.frames = listed(beat.udp), listed(beat.frames)
        return True

    def note_ways(self, me: str, now: float) -> None:
        """Remember which carriers work both ways now."""
        if self.udp_works(me, now):
            self.worked_udp = now
        if self.frames_work(me, now):
            self.worked_frames = now

    def live_anew(self, boot: int, now: float) -> None:
        """Another life of this member, proven: what was known of the old one is of no use."""
        if self.boot:
            self.older = frozenset({*list(self.older)[:7], self.boot})
        self.boot = boot
        self.sequence, self.sequence_at, self._offset = 0, now, Offset()
        self._beat_sequence = 0
        self._windows.clear()
        self.heard_frames.clear()
        self.votes.clear()
        self.heard_udp = 0.0
        self.worked_udp = self.worked_frames = now
        self.beat = None
        self._keep_pace()
        self.udp = self.frames = frozenset()
        self._stalls.clear()

    def count_anew(self, now: float) -> None:
        """Whatever was missed so far does not count."""
        self.watched_since = now
        self.votes.clear()
        self.missed = False

    def stalled(self, now: float) -> bool:
        """Note that it came back from the dead in the same life; whether it is watched more slowly from now on."""
        self._stalls.append(now)
        if len(self._stalls) == STALLS and now - self._stalls[0] <= STALLS_WITHIN:
            self._slower_until = now + SLOWER_FOR
            return True
        return False

    def by_udp(self, now: float) -> bool:
        """Whether it is heard by UDP lately."""
        return bool(self.heard_udp) and now - self.heard_udp <= (2 + LATE) * self.interval

    def by_frames(self, now: float) -> bool:
        """Whether it is heard by frames lately, on any segment."""
        last = max(self.heard_frames.values(), default=float("-inf"))
        return now - last <= (2 + LATE) * FRAMES_EVERY * self.interval

    def by_frames_on(self, index: int, now: float) -> bool:
        """Whether it is heard by frames lately, on one of our interfaces."""
        return now - self.heard_frames.get(index, float("-inf")) <= (2 + LATE) * FRAMES_EVERY * self.interval

    def udp_works(self, me: str, now: float) -> bool:
        """Whether both of us hear the other by UDP, without one missing."""
        return bool(self.heard_udp) and now - self.heard_udp <= (1 + LATE) * self.interval and member_id(me) in self.udp

    def frames_work(self, me: str, now: float) -> bool:
        """Whether both of us hear the other by frames."""
        return self.by_frames(now) and member_id(me) in self.frames

    def lists(self, name: str) -> bool:
        """Whether it says that it hears `name`."""
        found = member_id(name)
        return found in self.udp or found in self.frames

    @property
    def deaf(self) -> bool:
        """Whether it says that it hears nobody."""
        return not (self.udp or self.frames)

    def well(self, now: float) -> bool:
        """Whether it lives, and not one heartbeat of it is missing."""
        return self.state in HERE and now < self.miss_at(1, now)
