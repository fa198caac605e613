"""All BFD sessions of a node: which packet is whose (RFC 5880 section 6.3), and when the next one has work to do.

A core; run it as `engine` runs its cores: what the sockets hold is handed over first, then it is woken, or neighbours
are called dead for what is only this process' lateness. Sessions are what is wanted and what says its farewell; no
packet makes one, so that a stranger's costs a look-up and a count.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from speakerd.bfd import echo, packet
from speakerd.bfd.effects import Effect, Path
from speakerd.bfd.packet import Refusal
from speakerd.bfd.session import Session
from speakerd.peering import BfdProfile, BfdSeen
from speakerd.wire import DecodeError


class Sessions:
    """By path. `random` gives numbers from 0 to 1; `discriminators` 32 bits that strangers cannot foresee.

    `counters`: packets that changed nothing, by Refusal.
    """

    def __init__(self, random: Callable[[], float], discriminators: Callable[[], int]) -> None:
        self._random, self._discriminators = random, discriminators
        self._by_path: dict[Path, Session] = {}
        self._by_discriminator: dict[int, Session] = {}
        self._due: dict[int, float] = {}
        self.counters: Counter[Refusal] = Counter()

    def __len__(self) -> int:
        """Sessions, with those that say their farewell."""
        return len(self._by_path)

    @property
    def paths(self) -> Collection[Path]:
        """Of all of them."""
        return self._by_path.keys()

    def seen(self, path: Path) -> BfdSeen | None:
        """What there is to say of a session, if there is one."""
        session = self._by_path.get(path)
        if session is None:
            return None
        counted = {str(what): number for what, number in session.counted.items()}
        return BfdSeen(session.state.word, session.since, session.why, counted)

    def apply(self, wanted: Mapping[Path, BfdProfile], now: float) -> list[Effect]:
        """Have these sessions and no other. Nothing wanted is the planned stop: over once each has Ended."""
        found: list[Effect] = []
        for path, session in self._by_path.items():
            if path not in wanted and not session.leaving:
                found += session.stop(now)
        for path, profile in wanted.items():
            found += self._wanted(path, profile, now)
        for session in self._by_path.values():
            self._look(session)
        return found

    def _wanted(self, path: Path, profile: BfdProfile, now: float) -> list[Effect]:
        session = self._by_path.get(path)
        if session is None:
            session = Session(path, profile, self._discriminator(), self._random, now)
            self._by_path[path] = self._by_discriminator[session.discriminator] = session
            return session.wake(now)
        return session.resume(profile, now) if session.leaving else session.change(profile, now)

    def _discriminator(self) -> int:
        """One that is not 0 and no other session's (RFC 5880 section 6.8.1)."""
        found = 0
        while not found or found in self._by_discriminator:
            found = self._discriminators()
        return found

    def gap(self, now: float) -> None:
        """The host stood still, and nobody can have been heard: let all silence begin now."""
        for session in self._by_path.values():
            session.gap(now)
            self._look(session)

    # -- what comes in

    def receive(self, data: bytes, way: Path, ttl: int, now: float) -> list[Effect]:
        """A UDP payload that came to CONTROL_PORT or, `way` being multihop, to MULTIHOP_PORT.

        `way`: its source address, the interface, the address of ours that it came to, and the VRF; `ttl`: what was left
        of its TTL or hop limit.
        """
        try:
            heard = packet.decode(data)
        except DecodeError as fault:
            return self._refuse(Refusal(str(fault)))
        session = self._by_discriminator.get(heard.yours) if heard.yours else self._nearest(way)
        if session is None or not _leads_to(session.path, way):
            return self._refuse(Refusal.STRANGER)
        if not session.admits(ttl):
            return self._refuse(Refusal.FROM_AFAR)
        session.way = way
        return self._looked(session, session.receive(heard, now))

    def receive_echo(self, data: bytes, now: float) -> list[Effect]:
        """A UDP payload that came back to ECHO_PORT."""
        try:
            payload = echo.decode(data)
        except DecodeError:
            return self._refuse(Refusal.NO_ECHO_OF_OURS)
        session = self._by_discriminator.get(payload.discriminator)
        found = None if session is None else session.receive_echo(payload, now)
        if session is None or found is None:
            return self._refuse(Refusal.NO_ECHO_OF_OURS)
        return self._looked(session, found)

    def _nearest(self, way: Path) -> Session | None:
        """The session of who does not know our discriminator yet (RFC 5881 section 3), which leaves least open."""
        for index in (way.index, 0):
            for local in (way.local, b""):
                found = self._by_path.get(Path(way.address, index, way.multihop, local, way.vrf))
                if found is not None:
                    return found
        return None

    def _refuse(self, why: Refusal) -> list[Effect]:
        self.counters[why] += 1
        return []

    # -- time

    def deadline(self) -> float | None:
        """When to wake it."""
        return min(self._due.values(), default=None)

    def wake(self, now: float) -> list[Effect]:
        """Do what is due in every session."""
        due = [discriminator for discriminator, at in self._due.items() if at <= now]
        found: list[Effect] = []
        for session in map(self._by_discriminator.__getitem__, due):
            found += self._looked(session, session.wake(now))
        return found

    def _looked(self, session: Session, found: list[Effect]) -> list[Effect]:
        self._look(session)
        return found

    def _look(self, session: Session) -> None:
        """Remember when a session that did something is due, since the loop asks far more often; or that it is over."""
        at = None if session.ended else session.deadline()
        if at is None:
            self._due.pop(session.discriminator, None)
        else:
            self._due[session.discriminator] = at
        if session.ended:
            del self._by_path[session.path], self._by_discriminator[session.discriminator]


def _leads_to(path: Path, way: Path) -> bool:
    """Whether a session's packet may come that way; its source may change (RFC 5880 section 6.3)."""
    alike = path.multihop == way.multihop and path.vrf == way.vrf
    return alike and path.index in (0, way.index) and path.local in (b"", way.local)
