"""Objects of a kind as they count: one that vanishes does so for a moment only after it is gone, in case its kind goes.

A core. While a CustomResourceDefinition is deleted its objects go first, one after the other; what went with it counts
on for ten minutes, also when the kind is back before they are.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")

MOMENT = 3.0
"""Seconds for which an object that was deleted counts on."""
WITH_KIND = 600.0
"""The same for those that went with their kind."""


class Remembered(Generic[T]):
    """`holding`: whether something counts that is gone."""

    def __init__(self) -> None:
        self._last: Mapping[str, T] = {}
        self._held: dict[str, tuple[T, float]] = {}
        self._kind = True

    @property
    def holding(self) -> bool:
        """Whether something counts that is gone."""
        return bool(self._held)

    def see(self, found: Mapping[str, T], now: float, *, kind: bool) -> Mapping[str, T]:
        """What counts; `found`: what there is, `kind`: whether the API knows of it."""
        if found is not self._last:
            gone = self._last.keys() - found.keys() - self._held.keys()
            self._held |= {key: (self._last[key], now + MOMENT) for key in gone}
            self._last = found
        if self._kind and not kind:
            self._held = {key: (each, now + WITH_KIND) for key, (each, _) in self._held.items()}
        self._kind = kind
        if self._held:
            self._held = {
                key: (each, until) for key, (each, until) in self._held.items() if until > now and key not in found
            }
        if not self._held:
            return found
        return {**{key: each for key, (each, _) in self._held.items()}, **found}
