"""One BFD session (RFC 5880 section 6.8): packets and `now` in, packets and changes of state out.

A core. Times are seconds of one monotonic clock, of which the caller promises that every packet that has arrived is
handed over before `wake`: a packet counts as heard when it is handed over, so that a process that stood still finds its
neighbours alive, though late.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from speakerd.bfd.echo import Echo, Payload
from speakerd.bfd.effects import CONTROL_PORT, ECHO_PORT, MULTIHOP_PORT, TTL, Changed, Count, Effect, Ended, Path, Send
from speakerd.bfd.pace import SECOND, Pace, Terms
from speakerd.bfd.packet import Diagnostic, Packet, State, encode
from speakerd.deadlines import soonest
from speakerd.peering import BfdProfile

MICROSECONDS: Final = 1000
"""In a millisecond."""

TRANSITIONS = {
    (State.DOWN, State.DOWN): State.INIT,
    (State.DOWN, State.INIT): State.UP,
    (State.INIT, State.INIT): State.UP,
    (State.INIT, State.UP): State.UP,
    (State.INIT, State.ADMIN_DOWN): State.DOWN,
    (State.UP, State.DOWN): State.DOWN,
    (State.UP, State.ADMIN_DOWN): State.DOWN,
}
"""(Ours, theirs) -> ours next; a pair that is not here changes nothing (RFC 5880 section 6.8.6)."""


class Session:
    """With one neighbour. `discriminator`: unique among ours, not 0. `random` gives numbers from 0 to 1.

    `way`: how its last packet came, kept by who receives it. `since`, `why`: when and why the state last changed.
    `counted`: since it began.

    It is to be woken at once, and then says its first word, unless its profile has it wait for the neighbour's.
    """

    def __init__(
        self, path: Path, profile: BfdProfile, discriminator: int, random: Callable[[], float], now: float
    ) -> None:
        self.path, self.discriminator = path, discriminator
        self.way = path
        self.state = State.DOWN
        self.since, self.why = now, ""
        self.counted = dict.fromkeys(Count, 0)
        self.ended = False
        self._diagnostic = Diagnostic.NO_DIAGNOSTIC
        self._profile = profile
        self._echo = Echo(discriminator, random)
        self._pace = Pace(self._terms(), random)
        self._heard = self._spoke = now
        self._jitter = 0.0
        self._told: Packet | None = None
        self._farewell: float | None = None
        self._until = 0.0

    @property
    def leaving(self) -> bool:
        """Whether it only tells its neighbour that it ends."""
        return self.state is State.ADMIN_DOWN

    def admits(self, ttl: int) -> bool:
        """Whether a packet with so many hops left may be the neighbour's (RFC 5881 section 5, RFC 5883 section 5)."""
        return ttl >= self._profile.minimum_ttl if self.path.multihop else ttl == TTL

    # -- what is wanted of it

    def change(self, profile: BfdProfile, now: float) -> list[Effect]:
        """Go by another profile; no change makes a session fail (RFC 5880 section 6.8.3)."""
        self._profile = profile
        self._agree(now)
        return self._speak(now)

    def stop(self, now: float) -> list[Effect]:
        """End on purpose (RFC 5880 section 6.8.16): AdminDown is told for as long as the neighbour would wait for us.

        Meanwhile packets go as often as they did, and not once a second as in other states that are not Up: the path is
        known to carry them, and were the only one lost, the neighbour would find us dead.
        """
        self._farewell = self._pace.interval
        self._until = now + self._pace.detection_of_us
        return [*self._turn(State.ADMIN_DOWN, Diagnostic.ADMINISTRATIVELY_DOWN, now), *self._speak(now)]

    def resume(self, profile: BfdProfile, now: float) -> list[Effect]:
        """Begin anew, after all, while ending (RFC 5880 section 6.8.16)."""
        self._profile = profile
        self._heard = now
        return [*self._turn(State.DOWN, Diagnostic.NO_DIAGNOSTIC, now), *self._speak(now)]

    def gap(self, now: float) -> None:
        """The host stood still: the silence until now says nothing."""
        self._heard = now

    # -- what comes in

    def receive(self, packet: Packet, now: float) -> list[Effect]:
        """A packet that is the neighbour's (the rest of RFC 5880 section 6.8.6)."""
        self.counted[Count.CONTROL_HEARD] += 1
        self._pace.hear(packet)
        if self.leaving:
            return []
        self._heard = now
        after = TRANSITIONS.get((self.state, packet.state), self.state)
        found = [] if after is self.state else self._turn(after, self._why(after), now)
        self._agree(now)
        return [*found, *(self._answer() if packet.poll else self._speak(now))]

    def receive_echo(self, payload: Payload, now: float) -> list[Effect] | None:
        """An echo packet came back; None where it is none that is under way."""
        if not self._echo.receive(payload):
            return None
        self.counted[Count.ECHO_HEARD] += 1
        self._agree(now)
        return self._speak(now)

    # -- time

    def deadline(self) -> float | None:
        """When to wake it."""
        if self.leaving:
            return soonest(self._until, self._speak_at())
        return soonest(self._speak_at(), self._silent_at(), self._echo.deadline())

    def wake(self, now: float) -> list[Effect]:
        """Do what is due."""
        if self.leaving and now >= self._until:
            self.ended = True
            return [Ended(self.path)]
        found = [*self._judge(now), *self._speak(now)]
        if payload := self._echo.take(now):
            self.counted[Count.ECHO_SENT] += 1
            found.append(Send(self.path, payload, ECHO_PORT, self.way))
        return found

    def _judge(self, now: float) -> list[Effect]:
        """Whether the path has failed (RFC 5880 sections 6.8.4 and 6.8.5)."""
        silent = self._silent_at()
        if silent is not None and silent <= now:
            self._pace.lose()
            if self.state is not State.DOWN:
                return self._turn(State.DOWN, Diagnostic.CONTROL_DETECTION_TIME_EXPIRED, now)
        elif self._echo.failed(self._profile.detect_multiplier, now):
            return self._turn(State.DOWN, Diagnostic.ECHO_FUNCTION_FAILED, now)
        return []

    def _silent_at(self) -> float | None:
        """When the neighbour will have been silent for the Detection Time, where it was heard and counts."""
        return None if self._pace.remote is None or self.leaving else self._heard + self._pace.detection

    def _speak_at(self) -> float | None:
        """When the next periodic packet is due (RFC 5880 section 6.8.7)."""
        interval = self._farewell if self.leaving else self._pace.interval
        if interval is None or self._mute or self._unasked:
            return None
        return self._spoke + interval * self._jitter

    @property
    def _mute(self) -> bool:
        """Whether it is passive, and waits for a first word."""
        return self._profile.passive_mode and self._pace.remote is None

    @property
    def _unasked(self) -> bool:
        """Whether the neighbour's Demand mode is active and no Poll goes on: nothing periodic then (section 6.6)."""
        remote = self._pace.remote
        if remote is None or not remote.demand or self._pace.polls:
            return False
        return self.state is State.UP and remote.state is State.UP

    # -- what follows

    def _why(self, after: State) -> Diagnostic:
        """While it comes up the neighbour is still told why it was down."""
        if after is State.DOWN:
            return Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN
        return Diagnostic.NO_DIAGNOSTIC if after is State.UP else self._diagnostic

    def _turn(self, state: State, why: Diagnostic, now: float) -> list[Effect]:
        """The one place where the state changes."""
        self.counted[Count.UPS] += state is State.UP
        self.counted[Count.DOWNS] += self.state is State.UP
        self.state, self._diagnostic = state, why
        self._agree(now)
        remote = self._pace.remote
        if remote is None:
            changed = Changed(self.path, state, why, State.DOWN, now)
        else:
            changed = Changed(self.path, state, why, remote.state, now, remote.diagnostic)
        self.since, self.why = now, changed.why
        return [changed]

    def _agree(self, now: float) -> None:
        """Have echo packets and our terms follow from the state, the profile and what the neighbour said."""
        self._echo.pace(self._echo_interval(), now)
        self._pace.want(self._terms(), up=self.state is State.UP)

    def _echo_interval(self) -> float | None:
        """Seconds between echo packets; None where there are none (RFC 5880 section 6.8.9). Over one hop only."""
        remote, profile = self._pace.remote, self._profile
        allowed = remote is not None and remote.required_echo_rx and not self.path.multihop
        if remote is None or not allowed or not profile.echo_mode or self.state is not State.UP:
            return None
        return max(profile.echo_interval * MICROSECONDS, remote.required_echo_rx) / SECOND

    def _terms(self) -> Terms:
        """Slow while not Up; where echo packets prove the path, the neighbour may be slow as well (section 6.8.3)."""
        profile = self._profile
        transmit, receive = profile.transmit_interval * MICROSECONDS, profile.receive_interval * MICROSECONDS
        if self.state is not State.UP:
            transmit = max(SECOND, transmit)
        if self._echo.works:
            receive = max(SECOND, receive)
        return Terms(profile.detect_multiplier, transmit, receive)

    # -- what goes out

    def _speak(self, now: float) -> list[Effect]:
        """A packet where one is due, or where the last one no longer holds (RFC 5880 section 6.8.7)."""
        at = self._speak_at()
        content = self._content()
        if self._mute or ((at is None or now < at) and content == self._told):
            return []
        self._told, self._spoke, self._jitter = content, now, self._pace.jitter()
        return [self._send(replace(content, poll=self._pace.polled()))]

    def _answer(self) -> list[Effect]:
        """To a Poll, whatever the time; the periodic packets, by which our own Poll goes, are due as they were."""
        self._told = self._content()
        return [self._send(replace(self._told, final=True))]

    def _content(self) -> Packet:
        """What there is to say; echo packets of others are not looped back, so none is asked for."""
        said, remote = self._pace.said, self._pace.remote
        yours = 0 if remote is None else remote.mine
        return Packet(
            self.state,
            self.discriminator,
            yours,
            said.multiplier,
            said.desired_tx,
            said.required_rx,
            diagnostic=self._diagnostic,
        )

    def _send(self, packet: Packet) -> Send:
        self.counted[Count.CONTROL_SENT] += 1
        return Send(self.path, encode(packet), MULTIHOP_PORT if self.path.multihop else CONTROL_PORT, self.way)
