"""What operators are told of one peer's session: each time that it comes or goes, unless that happens all the time.

A peer that flaps each second would fill the record of events within the hour, and nothing else could be read there.
"""

from collections.abc import Callable

from speakerd.bgp.retry import STABLE
from speakerd.peering import FLAPPING

FAILURES, WHILE = 5, 60.0
"""Failures told within so many seconds: whoever has the peer's address can fail in a new way each time."""

Tell = Callable[[str, str, str], None]
"""Takes what happened: word, peer, detail."""


class News:
    """Of the peer `name`. `flaps`: sessions in a row that did not last, as `fsm.Session` counts them."""

    def __init__(self, name: str, tell: Tell) -> None:
        self._name, self._tell = name, tell
        self._failure = ""
        self._told, self._since = 0, 0.0
        self._up = False
        self._address = ""
        self._lasts_at: float | None = None

    def up(self, address: str, flaps: int, now: float) -> None:
        """The session came up; of one that flaps it is told once it has lasted."""
        self._address = address
        if flaps < FLAPPING:
            self._tell_up()
        else:
            self._lasts_at = now + STABLE

    def down(self, why: str, flaps: int) -> None:
        """It ended."""
        self._lasts_at = None
        if self._up:
            self._up = False
            self._tell("bgp.down", self._name, why)
            if flaps == FLAPPING:
                self._tell(
                    "bgp.flaps", self._name, f"{flaps} in a row did not last {STABLE:g} s; told again once one does"
                )

    @property
    def lasts(self) -> bool:
        """Whether it is up, and taken to stay so."""
        return self._up

    def failed(self, why: str, now: float) -> None:
        """An attempt came to nothing: told once for each reason in a row, for attempts go on for ever."""
        if why == self._failure:
            return
        if now - self._since >= WHILE:
            self._told, self._since = 0, now
        if self._told < FAILURES:
            self._failure = why
            self._told += 1
            self._tell("bgp.failed", self._name, why)

    def deadline(self) -> float | None:
        """When a session that is up has lasted."""
        return self._lasts_at

    def wake(self, now: float) -> None:
        """Tell of it."""
        if self._lasts_at is not None and self._lasts_at <= now:
            self._lasts_at = None
            self._tell_up()

    def _tell_up(self) -> None:
        self._up, self._failure = True, ""
        self._tell("bgp.up", self._name, self._address)
