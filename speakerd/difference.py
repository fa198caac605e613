"""Mappings as values: what differs between two, and drafts of the next one; so that a cycle costs what changed."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

K = TypeVar("K")
V = TypeVar("V")


class Difference(Struct, Generic[K, V], frozen=True):
    """`put`: new or replaced values; `gone`: keys that are no longer there."""

    put: Mapping[K, V]
    gone: tuple[K, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.gone)

    def __iter__(self) -> Iterator[K]:
        yield from self.gone
        yield from self.put


def difference(before: Mapping[K, V], after: Mapping[K, V]) -> Difference[K, V]:
    """What to do to `before` to make it `after`; values that are one object count as unchanged."""
    if before is after:
        return Difference({})
    put = {key: value for key, value in after.items() if before.get(key) is not value}
    added = sum(key not in before for key in put)
    if len(before) + added == len(after):
        return Difference(put)
    return Difference(put, tuple(key for key in before if key not in after))


class Draft(Generic[K, V]):
    """A mapping in the making. What was published never changes: the first write after it goes to a copy."""

    def __init__(self) -> None:
        self._value: dict[K, V] = {}
        self._published = True

    def publish(self) -> Mapping[K, V]:
        """The mapping as it is now; the same object as long as nothing was written."""
        self._published = True
        return self._value

    def get(self, key: K) -> V | None:
        """The value under `key`, if any."""
        return self._value.get(key)

    def put(self, key: K, value: V) -> None:
        """Set a value; one that is equal to the old one leaves the old one in place."""
        if key not in self._value or self._value[key] != value:
            self._own()[key] = value

    def drop(self, key: K) -> None:
        """Take a key out, if it is there."""
        if key in self._value:
            del self._own()[key]

    def _own(self) -> dict[K, V]:
        if self._published:
            self._value, self._published = dict(self._value), False
        return self._value
