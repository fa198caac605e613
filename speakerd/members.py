"""The members as ownership looks at them, and what this node says of itself: between the two protocols; pure."""

from collections.abc import Collection

from speakerd.exchange import MemberSeen
from speakerd.membership.detector import Detector
from speakerd.membership.heartbeat import Phase
from speakerd.membership.peer import HERE, State

BLOCKED_FOR = 3.0
"""Seconds a carrier does not work until it counts as blocked, not as weather."""
PAST_START = frozenset({State.ALIVE, State.SUSPECT})
"""States in which a member may be given a VIP: it neither starts nor leaves."""
DIFFERS_FOR = 5.0
"""Seconds a member's configuration may be another than ours: a change reaches one sooner than the other."""


class Myself:
    """What heartbeats tell of this node."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.drained = False
        self.able = False
        self.macs: tuple[bytes, ...] = ()
        self.digest = b""
        self.segments: tuple[int, ...] = ()
        self.configuration = b""
        self.configured_at = 0.0

    def configure(self, configuration: bytes, now: float) -> None:
        """Take the digest of what settings and resources come to here."""
        if configuration != self.configuration:
            self.configuration, self.configured_at = configuration, now


class Members:
    """What ownership asks of the detector. `now`, `me` and `alone` are kept by whoever holds both."""

    def __init__(self, myself: Myself, now: float) -> None:
        self._myself = myself
        self._started = now
        self.now, self.me, self.alone_now = now, "", False
        self.detector: Detector

    def here(self, name: str) -> bool:
        """Thought to live."""
        return self.detector.here(name)

    def ready(self, name: str) -> bool:
        """May be given a VIP."""
        peer = self.detector.peers.get(name)
        if peer is None or peer.state not in PAST_START or peer.beat is None:
            return False
        return peer.beat.able and not peer.beat.drained

    def starting(self, name: str) -> bool:
        """Will be ready soon."""
        peer = self.detector.peers.get(name)
        return peer is not None and peer.state is State.STARTING

    def hears(self, name: str) -> bool:
        """It was heard within an interval or two."""
        return self.detector.heard_now(name, self.now)

    def boot(self, name: str) -> int:
        """The life that is known."""
        peer = self.detector.peers.get(name)
        return peer.boot if peer else 0

    def recorded(self, name: str) -> bool:
        """There is a record."""
        return name in self.detector.peers

    def age(self) -> float:
        """Of the eldest."""
        peers = self.detector.peers.values()
        ages = [peer.beat.age / 1000 for peer in peers if peer.state in HERE and peer.beat]
        return max([self.now - self._started, *ages])

    def unheard(self) -> bool:
        """Nobody hears this node, though it hears."""
        return self.alone_now and self.detector.hearing.steady(self.now)

    def side(self) -> int:
        """Members on this node's side."""
        return 1 if self.alone_now else self.detector.side(self.now)

    def listed(self, name: str) -> bool:
        """Another hears it."""
        return any(self.detector.peers[each].lists(name) for each in self.detector.living() if self.hears(each))

    def living(self) -> Collection[str]:
        """All others that live."""
        return self.detector.living()

    def segments(self, name: str) -> tuple[int, ...]:
        """Where its frames come in."""
        peer = self.detector.peers.get(name)
        return tuple(peer.heard_frames) if peer else ()

    def meets(self, name: str, indexes: Collection[int], since: float) -> bool:
        """Both hear the other's frames, and it was alive all the while."""
        peer = self.detector.peers.get(name)
        if peer is None or peer.state is not State.ALIVE or peer.since > since:
            return False
        return peer.frames_work(self.me, self.now) and any(peer.by_frames_on(each, self.now) for each in indexes)

    def macs(self, name: str) -> tuple[bytes, ...]:
        """Where it announces from."""
        peer = self.detector.peers.get(name)
        return peer.beat.macs if peer and peer.beat else ()

    def who(self, mac: bytes) -> str:
        """Whose address that is."""
        if mac in self._myself.macs:
            return self.me
        return next((name for name in self.detector.peers if mac in self.macs(name)), "")

    def seen(self, now: float) -> tuple[MemberSeen, ...]:
        """Every member with a record but this one, for people."""
        return tuple(self._seen(name, now) for name in sorted(self.detector.peers))

    def _seen(self, name: str, now: float) -> MemberSeen:
        peer, me = self.detector.peers[name], self.me
        works = (("udp", peer.udp_works(me, now)), ("ethernet", peer.frames_work(me, now)))
        return MemberSeen(
            name,
            peer.state,
            peer.since,
            peer.heard,
            peer.boot,
            peer.round_trip,
            tuple(word for word, does in works if does),
            peer.watched(now)[0],
            bool(peer.beat and peer.beat.drained),
            peer.beat.configuration if peer.beat else b"",
        )

    def conditions(self, now: float) -> dict[str, str]:
        """What is wrong between this node and others that live, by the word of the finding."""
        return self._blocked(now) | self._differing(now)

    def _differing(self, now: float) -> dict[str, str]:
        """Members that obey another configuration, and have for a while."""
        ours, lately = self._myself.configuration, now - DIFFERS_FOR
        if not ours or self._myself.configured_at >= lately:
            return {}
        peers = [peer for peer in self.detector.peers.values() if peer.state in HERE and peer.configured_at < lately]
        names = [peer.name for peer in peers if peer.beat and peer.beat.configuration not in (b"", ours)]
        return {"configuration-differs": ", ".join(sorted(names))} if names else {}

    def _blocked(self, now: float) -> dict[str, str]:
        """Carriers that are blocked to members which the other one reaches."""
        peers = [peer for peer in self.detector.peers.values() if peer.state in HERE]
        long_ago = now - BLOCKED_FOR
        udp = [peer.name for peer in peers if peer.worked_udp < long_ago < peer.worked_frames]
        frames = [peer.name for peer in peers if peer.worked_frames < long_ago < peer.worked_udp]
        found = {"membership-blocked": udp, "ethernet-carrier-blocked": frames}
        return {word: ", ".join(sorted(names)) for word, names in found.items() if names}
