"""BFD as the announcer holds it: the sessions' core and its sockets, kept in line with what is wanted."""

from collections.abc import Callable, Iterable, Mapping

from speakerd.bfd.effects import Changed, Effect, Ended, Path, Send
from speakerd.bfd.packet import Refusal, State
from speakerd.bfd.sessions import Sessions
from speakerd.bfd.transport import Wire
from speakerd.deadlines import soonest
from speakerd.peering import BfdProfile, BfdSeen


class Bfd:
    """A part: `apply` takes the whole wish. `register` and `unregister` are the engine's.

    `random` gives numbers from 0 to 1 and `discriminators` 32 bits, neither of which strangers may foresee. `changed`
    is called, with `now` as its second argument, in the very callback in which a session came up, or failed. One that
    the neighbour or this node stopped on purpose has not failed (RFC 5882 section 3.2): of that nothing is said here,
    `seen` tells.
    """

    def __init__(
        self,
        register: Callable[[int, Callable[[float], None]], None],
        unregister: Callable[[int], None],
        random: Callable[[], float],
        discriminators: Callable[[], int],
        changed: Callable[[Changed, float], None],
    ) -> None:
        self._core = Sessions(random, discriminators)
        self._wire = Wire(register, unregister, random, self._received, self._returned)
        self._changed = changed
        self._wanted: Mapping[Path, BfdProfile] = {}
        self._up: set[Path] = set()
        self._leaving = False

    def apply(self, wanted: Mapping[Path, BfdProfile], now: float) -> None:
        """Have these sessions and no other; one that is wanted no longer tells its neighbour so, and ends."""
        self._wanted = {} if self._leaving else dict(wanted)
        self._open(now)
        self._do(self._core.apply(self._wanted, now), now)

    def _open(self, now: float) -> None:
        """Have the sockets of all sessions, of those that say farewell too."""
        echo = any(profile.echo_mode and not path.multihop for path, profile in self._wanted.items())
        self._wire.want({*self._wanted, *self._core.paths}, now, echo=echo)

    def leave(self, now: float) -> None:
        """Tell all neighbours that it is on purpose; nothing is wanted from here on."""
        self._leaving = True
        self.apply({}, now)

    @property
    def left(self) -> bool:
        """Whether all neighbours have been told for long enough."""
        return self._leaving and not len(self._core)

    def gap(self, now: float) -> None:
        """The host stood still, and nobody can have been heard."""
        self._core.gap(now)

    def deadline(self) -> float | None:
        """When a packet is due, a neighbour has been silent for too long, or a port is tried again."""
        return soonest(self._core.deadline(), self._wire.deadline())

    def wake(self, now: float) -> None:
        """Do what is due."""
        self._wire.wake(now)
        self._do(self._core.wake(now), now)

    # -- what is seen

    def seen(self, path: Path) -> BfdSeen | None:
        """The session of a path, while there is one."""
        return self._core.seen(path)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Of all sessions, with those that say their farewell."""
        return tuple(self._core.paths)

    @property
    def problems(self) -> dict[str, str]:
        """What stands in its way now: detail by word."""
        return self._wire.problems

    @property
    def drops(self) -> Mapping[Refusal, int]:
        """Packets that changed nothing, by reason."""
        return self._core.counters

    @property
    def lost(self) -> Mapping[str, int]:
        """Packets that did not leave."""
        return self._wire.counters

    @property
    def sources(self) -> Mapping[Path, int]:
        """The UDP port that each session speaks from."""
        return self._wire.sources

    # -- what comes in, what goes out

    def _received(self, data: bytes, way: Path, ttl: int, now: float) -> None:
        self._do(self._core.receive(data, way, ttl, now), now)

    def _returned(self, data: bytes, now: float) -> None:
        self._do(self._core.receive_echo(data, now), now)

    def _do(self, effects: Iterable[Effect], now: float) -> None:
        for each in effects:
            match each:
                case Send():
                    self._wire.send(each, now)
                case Changed():
                    self._turned(each, now)
                case Ended():
                    self._open(now)

    def _turned(self, change: Changed, now: float) -> None:
        path = change.path
        self._wire.forget(path)
        if change.state is State.UP:
            self._up.add(path)
            self._changed(change, now)
        elif path in self._up:
            self._up.remove(path)
            if State.ADMIN_DOWN not in (change.state, change.remote):
                self._changed(change, now)
