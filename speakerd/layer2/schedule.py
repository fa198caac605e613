"""When each VIP is announced: at once when newly ours, again in the seconds after, and from then on rarely and in turn.

A core: what is due comes out of `take(now)`. Times are seconds of one monotonic clock.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from enum import Enum
from heapq import heappop, heappush

from msgspec import Struct

REPEAT_EVERY = 1.0
REPEATS = 5
"""Seconds between announcements after the first, and how many: a lost frame is made good."""
REPEAT_RATE = 200.0
"""Repeats a second, of all VIPs together."""
REFRESH_RATE = 20.0
"""Refreshes a second of a node, at most; with more VIPs each is refreshed more rarely."""
BURST = 0.05
"""Seconds of a rate that may go out at once."""

Pair = tuple[int, bytes]
"""Interface index and packed VIP."""


class Form(Enum):
    """How an IPv4 address is announced: as a request, or as the reply to none; some hosts heed only one."""

    REQUEST = "request"
    REPLY = "reply"


OTHER = {Form.REQUEST: Form.REPLY, Form.REPLY: Form.REQUEST}


class Bucket:
    """Lets `rate` things a second through, with a burst of BURST seconds' worth (the generic cell rate algorithm)."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._even = float("-inf")

    def next(self) -> float:
        """When the next may go."""
        return self._even - BURST

    def take(self, now: float) -> bool:
        """Whether one more may go now; if so it counts as gone."""
        if now < self.next():
            return False
        self._even = max(self._even, now) + 1.0 / self.rate
        return True


class Repeat(Struct, frozen=True, order=True):
    """The `number`th repeat of a pair first announced at `since`."""

    due: float
    number: int
    since: float
    pair: Pair


class Schedule:
    """When each pair is to be announced: at once, again in the seconds after, and from then on in turn.

    `random` gives numbers from 0 to 1.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._first: OrderedDict[Pair, None] = OrderedDict()
        self._since: dict[Pair, float] = {}
        self._repeats: list[Repeat] = []
        self._circle: OrderedDict[Pair, Form] = OrderedDict()
        self._refresh = 0.0
        self._refresh_at: float | None = None
        self._pace = Bucket(1.0)
        self._repeat_pace = Bucket(1.0)

    def pace(self, rate: float, refresh: float, now: float) -> None:
        """At most `rate` announcements a second in all; each pair once in `refresh` seconds, jitter aside."""
        if rate != self._pace.rate:
            self._pace, self._repeat_pace = Bucket(rate), Bucket(min(rate, REPEAT_RATE))
        if refresh != self._refresh or self._refresh_at is None:
            self._refresh = refresh
            self._refresh_at = now + self._pause() if self._circle else None

    def add(self, pair: Pair) -> None:
        """Announce `pair` from now on."""
        self._first[pair] = None
        self._circle[pair] = Form.REQUEST

    def again(self, pair: Pair) -> None:
        """Announce `pair` anew, before all others that wait: somebody else spoke for it."""
        self.add(pair)
        self._first.move_to_end(pair, last=False)

    def drop(self, pair: Pair) -> None:
        """Announce `pair` no more."""
        self._first.pop(pair, None)
        self._since.pop(pair, None)
        self._circle.pop(pair, None)

    def deadline(self) -> float | None:
        """When the next announcement may be made."""
        due = [self._pace.next()] if self._first else []
        if self._repeats:
            due.append(max(self._repeats[0].due, self._repeat_pace.next(), self._pace.next()))
        if self._refresh_at is not None:
            due.append(self._refresh_at)
        return min(due, default=None)

    def take(self, now: float) -> Iterator[tuple[Pair, Form]]:
        """What is due: first what is new, then repeats, then the one whose turn it is to be refreshed."""
        while self._first and self._pace.take(now):
            pair, _ = self._first.popitem(last=False)
            yield pair, Form.REQUEST
            self._since[pair] = now
            # IPv4: the other form follows at once, unless others still wait for their first.
            self._repeat(pair, now, 0 if len(pair[1]) == 4 else 1)
        while self._repeat_due(now) and self._pace.take(now):
            again = heappop(self._repeats)
            yield again.pair, Form.REPLY if again.number % 2 == 0 else Form.REQUEST
            self._repeat(again.pair, again.since, max(again.number, int((now - again.since) / REPEAT_EVERY)) + 1)
        if self._refresh_at is not None and self._refresh_at <= now:
            yield from self._refreshed(now)

    def _repeat(self, pair: Pair, since: float, number: int) -> None:
        if number <= REPEATS:
            heappush(self._repeats, Repeat(since + number * REPEAT_EVERY, number, since, pair))

    def _repeat_due(self, now: float) -> bool:
        """Whether a repeat may go now; those of pairs dropped or announced anew since then fall away."""
        while self._repeats and self._repeats[0].due <= now:
            again = self._repeats[0]
            late = now > again.since + (REPEATS + 1) * REPEAT_EVERY
            if self._since.get(again.pair) == again.since and not late:
                return self._repeat_pace.take(now)
            heappop(self._repeats)
        return False

    def _refreshed(self, now: float) -> Iterator[tuple[Pair, Form]]:
        if not self._circle:
            self._refresh_at = None
        elif not self._pace.take(now):
            self._refresh_at = self._pace.next()
        else:
            pair, form = self._circle.popitem(last=False)
            self._circle[pair] = OTHER[form]
            self._refresh_at = now + self._pause()
            yield pair, form

    def _pause(self) -> float:
        """Seconds to the next refresh, half to one and a half of the even share."""
        share = max(self._refresh / max(1, len(self._circle)), 1 / min(self._pace.rate, REFRESH_RATE))
        return share * (0.5 + self._random())
