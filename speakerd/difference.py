"""What differs between two mappings, by identity: so that a cycle costs what changed and not what there is."""

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
