"""What this node says: heartbeats, and questions to the silent; to whom, by which carrier, and how all else goes.

A core. Who is dead is told with heartbeats for a while, so that all know it who did not vote.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from speakerd.membership import heartbeat
from speakerd.membership.envelope import Carrier, Kind, Post
from speakerd.membership.heartbeat import MOST_DEAD, MOST_MACS, Fate, Heartbeat, Nonce, Phase, ids, member_id
from speakerd.membership.peer import FRAMES_EVERY, HERE, Peer
from speakerd.membership.ring import Ring

SIDE_WITHIN = 10.0
"""Seconds for which the fewest members held alive count as this node's side."""
MEETING, MEETING_INTERVALS = 1.0, 3
"""Seconds from its start, and intervals at least, in which a node meets the others, and they list it."""
TELL_DEAD = 3.0
"""Seconds for which a death is told with heartbeats."""
GREETINGS = 3
"""Rounds in which members newly recorded are greeted, until they are heard: first by UDP, then by frames as well."""
GREETED_A_SECOND = 200
"""In the second that a start may take 200 members are greeted, and no host is flooded."""
GREET_AGAIN = 10.0
"""Seconds within which all that are lost are greeted once, however many come back."""


class Self(Protocol):
    """What this node tells of itself with each heartbeat."""

    phase: Phase
    drained: bool
    able: bool
    macs: tuple[bytes, ...]
    digest: bytes
    configuration: bytes
    segments: tuple[int, ...]


class Voice:
    """`peers` are the detector's, and change under its hands."""

    def __init__(self, peers: dict[str, Peer], myself: Self, random: Callable[[], float], now: float) -> None:
        self._peers, self._self, self._random, self._started = peers, myself, random, now
        self._me, self._interval = "", 0.075
        self._number = 0
        self._turn: deque[str] = deque()
        self._round: list[str] = []
        self._greeted: dict[str, int] = {}
        self._news_for: list[str] = []
        self._greet_again_at = now
        self._lately: dict[str, Peer] = {}
        self._sides: deque[tuple[float, int]] = deque()
        self._told: tuple[float, tuple[int, bytes, bytes]] = (-1.0, (0, b"", b""))
        self._deaths: dict[Fate, float] = {}

    def configure(self, me: str, interval: float) -> None:
        """Take name and pace."""
        self._me, self._interval = me, interval

    def greet(self, name: str) -> None:
        """A member is new: it is asked at once, and later in its turn."""
        self._greeted[name] = 0
        self._turn.append(name)

    def look_for(self, name: str) -> None:
        """A member is not heard any more: it is asked in its turn, this one first."""
        self._turn.append(name)

    def running(self) -> None:
        """This node has started, which all that live shall know at once."""
        self._news_for = self._living()

    def came_back(self, now: float) -> None:
        """A lost member is heard again, and so may be all that were lost with it: a cut of the network has healed."""
        if now >= self._greet_again_at:
            self._greet_again_at = now + GREET_AGAIN
            for name in (name for name, peer in self._peers.items() if peer.state not in HERE):
                self._greeted.setdefault(name, GREETINGS - 1)

    def heard(self, peer: Peer) -> None:
        """A message of it came: it is the last one heard."""
        self._lately.pop(peer.name, None)
        self._lately[peer.name] = peer

    def mourn(self, peer: Peer, now: float) -> None:
        """Tell that it is dead."""
        self._deaths[Fate(member_id(peer.name), peer.boot)] = now

    def recant(self, peer: Peer) -> None:
        """It is not dead after all."""
        self._deaths.pop(Fate(member_id(peer.name), peer.boot), None)

    def _living(self) -> list[str]:
        return [name for name, peer in self._peers.items() if peer.state in HERE]

    def side(self, now: float) -> int:
        """The fewest members this node held alive in the last 10 s, itself counted; from its start those of now.

        Whom a node has not met yet when it starts is no loss.
        """
        count = self._count()
        meeting = now - self._started < max(MEETING, MEETING_INTERVALS * self._interval)
        if meeting or self._self.phase is Phase.STARTING:
            self._sides.clear()
        while self._sides and self._sides[0][0] < now - SIDE_WITHIN:
            self._sides.popleft()
        while self._sides and self._sides[-1][1] >= count:
            self._sides.pop()  # never the fewest again: the newer count lasts longer
        self._sides.append((now, count))
        return self._sides[0][1]

    def _count(self) -> int:
        alive = [peer for peer in self._peers.values() if peer.state in HERE]
        mutual = [peer for peer in alive if peer.lists(self._me)]
        reached = frozenset(peer.id for peer in mutual).union(*(peer.udp | peer.frames for peer in mutual))
        return 1 + sum(peer.id in reached for peer in alive)

    def post(self, to: str, kind: Kind, body: bytes, now: float, *, both: bool = False) -> list[Post]:
        """A message to a member by UDP, and by frames where UDP does not work both ways (or `both`)."""
        posts = [Post(to, Carrier.UDP, 0, kind, body)]
        peer = self._peers.get(to)
        if both or peer is None or not peer.udp_works(self._me, now):
            posts += [Post(to, Carrier.ETHERNET, index, kind, body) for index in self._self.segments]
        return posts

    def beats(self, ring: Ring, now: float) -> list[Post]:
        """What an interval brings: heartbeats, and a question to one that is silent."""
        self._number += 1
        for fate in [fate for fate, at in self._deaths.items() if now - at > TELL_DEAD]:
            del self._deaths[fate]
        beats = [post for peer in self._listeners(ring) for post in self.beats_to(peer, now)]
        beats += [post for peer in self._silent() for post in self._ask(peer, now)]
        return [*self._greetings(now), *beats] if self._greeted or self._news_for else beats

    def _greetings(self, now: float) -> list[Post]:
        """To the next ones that shall know of us, or were not heard yet."""
        most = max(1, int(GREETED_A_SECOND * self._interval))
        told, self._news_for = self._news_for[:most], self._news_for[most:]
        posts = [post for name in told if name in self._peers for post in self.beats_to(self._peers[name], now)]
        for name in list(self._greeted)[: most - len(told)]:
            posts += self._greeting(name, self._greeted.pop(name), now)
        return posts

    def _greeting(self, name: str, rounds: int, now: float) -> list[Post]:
        peer = self._peers.get(name)
        if peer is None or peer.state in HERE:
            return []
        if rounds + 1 < GREETINGS:
            self._greeted[name] = rounds + 1
        asks = self._ask(peer, now)
        return asks if rounds else [ask for ask in asks if ask.carrier is Carrier.UDP]

    def _ask(self, peer: Peer, now: float) -> list[Post]:
        """Tell it how we stand, and have it answer: it may well hear us, and not know that we do not hear it."""
        hello = heartbeat.encode(Nonce(int(self._random() * (1 << 53)).to_bytes(8)))
        return [*self.beats_to(peer, now), *self.post(peer.name, Kind.HELLO, hello, now, both=True)]

    def _listeners(self, ring: Ring) -> list[Peer]:
        """Whom this heartbeat goes to: our observers, and one other member by chance."""
        observers = ring.observers(self._me)
        found = [self._peers[name] for name in sorted(observers) if name in self._peers]
        others = [name for name in self._living() if name not in observers]
        if others:
            found.append(self._peers[others[int(self._random() * len(others))]])
        return found

    def _silent(self) -> list[Peer]:
        """One member that is not heard: the last one lost every other time, else the next of a round of all."""
        while self._turn and (self._turn[-1] not in self._peers or self._peers[self._turn[-1]].state in HERE):
            self._turn.pop()
        if self._turn and self._number % 2:
            return [self._peers[self._turn[-1]]]
        if not self._round:
            self._round = [name for name, peer in self._peers.items() if peer.state not in HERE]
            self._round.sort(key=lambda _: self._random())
        while self._round:
            peer = self._peers.get(self._round.pop())
            if peer and peer.state not in HERE:
                return [peer]
        return []

    def _heard_lately(self, now: float) -> tuple[int, bytes, bytes]:
        """Our side, and whom we hear by each carrier; the same for all heartbeats of one instant."""
        if self._told[0] != now:
            while self._lately and not _lately(oldest := next(iter(self._lately.values())), now):
                del self._lately[oldest.name]
            newest = list(reversed(self._lately.values()))
            udp = ids(each.name for each in newest if each.by_udp(now))
            frames = ids(each.name for each in newest if each.by_frames(now))
            self._told = (now, (self.side(now), udp, frames))
        return self._told[1]

    def beats_to(self, peer: Peer, now: float, *, both: bool = False) -> list[Post]:
        """Our heartbeat for one member: by UDP, by frames at a quarter of the pace while UDP works."""
        myself = self._self
        side, udp, frames = self._heard_lately(now)
        beat = Heartbeat(
            phase=myself.phase,
            interval=round(self._interval * 1000),
            age=int((now - self._started) * 1000),
            side=side,
            udp=udp,
            frames=frames,
            dead=tuple(self._deaths)[-MOST_DEAD:],
            echo=peer.sequence,
            echo_age=int((now - peer.sequence_at) * 1e6),
            drained=myself.drained,
            able=myself.able,
            macs=myself.macs[:MOST_MACS],
            digest=myself.digest,
            configuration=myself.configuration,
        )
        body = heartbeat.encode(beat)
        posts = [Post(peer.name, Carrier.UDP, 0, Kind.HEARTBEAT, body)]
        full = both or not peer.udp_works(self._me, now)
        if full or (self._number + len(peer.name)) % FRAMES_EVERY == 0:
            posts += [Post(peer.name, Carrier.ETHERNET, each, Kind.HEARTBEAT, body) for each in myself.segments]
        return posts

    def farewell(self, now: float) -> list[Post]:
        """Tell everybody at once what phase this node is in."""
        return [
            post for peer in self._peers.values() if peer.state in HERE for post in self.beats_to(peer, now, both=True)
        ]


def _lately(peer: Peer, now: float) -> bool:
    return peer.by_udp(now) or peer.by_frames(now)
