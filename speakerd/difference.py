"""Mappings as values: what differs between two, drafts of the next, and views; so that a cycle costs what changed."""

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

K = TypeVar("K")
V = TypeVar("V")
S = TypeVar("S")
M = TypeVar("M")


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
            self._value, self._published = self._value.copy(), False
        return self._value


class View(Generic[S, M]):
    """A store, converted. The store may be changed in place; what `turn` gives is another object when it differs.

    `changed`: keys of the objects that the last turn found to be new, others or gone.
    """

    def __init__(self, convert: Callable[[S], M | None]) -> None:
        self._convert = convert
        self._seen: dict[str, S] = {}
        self._draft: Draft[str, M] = Draft()
        self.changed: tuple[str, ...] = ()

    def convert_again(self) -> None:
        """What an object comes to has changed: convert all; what comes out equal stays one object."""
        for key, each in self._seen.items():
            put_or_drop(self._draft, key, self._convert(each))

    def turn(self, store: Mapping[str, S]) -> Mapping[str, M]:
        """The store's objects as of now; those of no interest (None) left out."""
        changed = difference(self._seen, store)
        self.changed = tuple(changed)
        for key in changed.gone:
            del self._seen[key]
            self._draft.drop(key)
        for key, each in changed.put.items():
            self._seen[key] = each
            put_or_drop(self._draft, key, self._convert(each))
        return self._draft.publish()


def put_or_drop(draft: Draft[K, V], key: K, value: V | None) -> None:
    """Write `value` to the draft; None takes the key out."""
    if value is None:
        draft.drop(key)
    else:
        draft.put(key, value)
