"""Which child process has been silent for too long, so that it counts as hung; a core: times come in as numbers."""

from collections.abc import Mapping

SILENCE: Mapping[str, float] = {"announcer": 15.0, "controller": 60.0}
"""Seconds without a sign of life until a child counts as hung: three beats, and a list of 100,000 objects."""


class Vigil:
    """When each child that runs was last heard; `limits`: how long it may be silent, by name."""

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._heard: dict[str, float] = {}
        self._looked: float | None = None
        self.turn = min(limits.values()) / 2
        """Seconds between two looks, at most: a longer pause is the host's, which slept."""

    def heard(self, name: str, now: float) -> None:
        """It has begun, or has given a sign of life."""
        self._heard[name] = now

    def gone(self, name: str) -> None:
        """It runs no more, and is not waited for."""
        self._heard.pop(name, None)

    def look(self, now: float) -> Mapping[str, float]:
        """Those that hang, and for how long each was silent. Each is told once in so long as its limit is.

        A host that slept must not blame its children for the silence: theirs counts from now on.
        """
        if self._looked is not None and now - self._looked > min(self._limits.values()):
            self._heard = dict.fromkeys(self._heard, now)
        self._looked = now
        hung = {name: now - since for name, since in self._heard.items() if now - since > self._limits[name]}
        self._heard |= dict.fromkeys(hung, now)
        return hung

    def whole(self) -> bool:
        """Whether all run; none of them hangs, as far as the last look could tell."""
        return self._heard.keys() == self._limits.keys()
