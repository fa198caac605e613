"""What only time brings: that the API has been out of sight for long; a core."""

BLIND = 10.0
"""Seconds without a watch from which on members may tell this node what they see."""


class Weather:
    """`blind`: what the watches had reached, once one of them has been down for BLIND seconds, else 0."""

    def __init__(self) -> None:
        self.blind = 0
        self._down_since: float | None = None

    def look(self, now: float, reached: int | None) -> bool:
        """Note what is so; whether anything is another. `reached`: by the watches, None: all of them work."""
        before, self.blind = self.blind, self._blind(now, reached)
        return before != self.blind

    def _blind(self, now: float, reached: int | None) -> int:
        if reached is None:
            self._down_since = None
            return 0
        self._down_since = now if self._down_since is None else self._down_since
        return reached if now - self._down_since >= BLIND else 0
