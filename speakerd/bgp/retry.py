"""When a peer is called again: soon after the first failure, ever less often while it fails or flaps.

The RFC's 120 s suit a network of few changes; a router that was rebooted is to be found within seconds of its return.
"""

from collections.abc import Callable

FIRST = 1.0
"""Seconds before the second attempt."""
MOST = 30.0
"""Seconds, however often it failed."""
STABLE = 5.0
"""Seconds that a session must have been Established for to count as a success."""


def jitter(random: Callable[[], float]) -> float:
    """What an interval is to be multiplied by, so that peers do not move in step (RFC 4271 section 10)."""
    return 0.75 + random() / 4


class Retry:
    """Waits of one peer. `random` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._doublings = 0

    def reset(self) -> None:
        """Forget what was."""
        self._doublings = 0

    def failed(self) -> None:
        """An attempt of ours came to nothing."""
        self._doublings += 1

    def ended(self, lasted: float) -> None:
        """A session was Established for so many seconds; one that flaps is no success."""
        self._doublings = 0 if lasted >= STABLE else self._doublings + 1

    def wait(self, configured: float) -> float:
        """Seconds until the next attempt; `configured`, where it is not 0, is the first wait."""
        first = configured or FIRST
        # Far beyond MOST by then, and a float does not hold any power.
        return min(first * 2.0 ** min(self._doublings, 16), max(first, MOST)) * jitter(self._random)
