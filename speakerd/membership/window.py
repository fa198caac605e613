"""Which messages of one sender and way were heard: none counts twice, one that was overtaken counts once; a core.

A host or switch with several queues may turn round messages that were sent at one instant, a vote among them.
"""

OVERTAKEN = 50_000
"""Microseconds by which a message may be older than the newest that was heard."""
MOST = 64
"""Messages remembered; where there are more, those that were overtaken are lost."""


class Window:
    """`newest`: the largest sequence heard; sequences are microseconds of the sender's clock."""

    def __init__(self) -> None:
        self.newest = 0
        self._floor = 0
        self._heard: set[int] = set()

    def is_new(self, sequence: int) -> bool:
        """Whether it may count."""
        return sequence > self.newest or (sequence > self._floor and sequence not in self._heard)

    def add(self, sequence: int) -> None:
        """It counts, and not again."""
        self._heard.add(sequence)
        self.newest = max(self.newest, sequence)
        if len(self._heard) > MOST or self.newest - self._floor > 2 * OVERTAKEN:
            self._floor = max(self._floor, self.newest - OVERTAKEN)
            self._heard = {each for each in self._heard if each > self._floor}
        if len(self._heard) > MOST:
            self._floor = self.newest
            self._heard.clear()
