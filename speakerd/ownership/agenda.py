"""What is to be looked at when: one time for each key, the earliest wish counts."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K")


class Agenda(Generic[K]):
    """Keys with times, handed out when due; a key handed out is off the agenda."""

    def __init__(self) -> None:
        self._at: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._number = 0

    def put(self, key: K, at: float) -> None:
        """Look at `key` at `at`, or earlier if that was asked for."""
        if at < self._at.get(key, float("inf")):
            self._at[key] = at
            self._number += 1
            heappush(self._heap, (at, self._number, key))

    def deadline(self) -> float | None:
        """The next time."""
        while self._heap and self._at.get(self._heap[0][2]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float, most: int) -> Iterator[K]:
        """Up to `most` keys whose time has come, in order."""
        for _ in range(most):
            at = self.deadline()
            if at is None or at > now:
                return
            _, _, key = heappop(self._heap)
            del self._at[key]
            yield key
