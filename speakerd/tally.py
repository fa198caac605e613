"""What scrapers are told of: what the controller counted since it started, and all that it knows; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from speakerd.decision import Plan
from speakerd.events import Event
from speakerd.exchange import Observed
from speakerd.model import Config

FAILOVERS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the promise is 0.2, and what takes longer than ten is no failover any more."""
CYCLES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds; one change among 10,000 Services costs 5 ms."""


class Histogram:
    """Counts values in buckets, by their upper bounds in seconds. `total`: the sum of all values."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[sum(value > bound for bound in self._bounds)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Each bound with how many values were no larger."""
        found, count = [], 0
        for bound, more in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            count += more
            found.append((bound, float(count)))
        return found


class Tally:
    """What only grows, since this process started."""

    def __init__(self) -> None:
        self.failovers = Histogram(FAILOVERS)
        self.cycles = Histogram(CYCLES)
        self.updates = 0
        self._moves: Counter[str] = Counter()

    def turned(self, seconds: float) -> None:
        """What is known was acted on, in so many seconds."""
        self.updates += 1
        self.cycles.observe(seconds)

    def take(self, found: Iterable[Event]) -> None:
        """Count the VIPs that came here, and how long each was without an owner."""
        for each in found:
            if each.event == "vip.owned":
                self._moves[each.cause] += 1
                if each.gap:
                    self.failovers.observe(each.gap)

    @property
    def moves(self) -> Mapping[str, int]:
        """VIPs that came here, by cause."""
        return self._moves


class Seen(Struct, frozen=True):
    """All that is told of. `now`: this host's monotonic clock; `link`: seconds a question to the announcer took.

    `allocator`: this node gives out addresses; `loaded`, `stale`: the configuration was read, and is not the newest.
    `requests` by method and code; `watches` begun, by kind; `unreadable`: objects that could not be read so far;
    `restarts` by process; `findings` by word and severity.
    """

    me: str
    version: str
    now: float
    observed: Observed
    tally: Tally
    config: Config | None = None
    plan: Plan | None = None
    allocator: bool = False
    stale: bool = False
    link: float | None = None
    requests: Mapping[tuple[str, str], int] = {}
    watches: Mapping[str, int] = {}
    unreadable: int = 0
    restarts: Mapping[str, int] = {}
    findings: Mapping[tuple[str, str], int] = {}
