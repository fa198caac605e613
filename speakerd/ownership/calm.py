"""What is done in calm: heirs are named, VIPs go back to nodes they prefer, a newcomer gets its share.

A core. Nothing here is urgent: each pass begins some time after the last change, and works in slices.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice

from speakerd.deadlines import soonest
from speakerd.exchange import Candidate
from speakerd.ownership import heirs, message
from speakerd.ownership.circle import Circle
from speakerd.ownership.effects import Effect, Tell
from speakerd.ownership.message import Proposal
from speakerd.ownership.owner import SLICE, Owner
from speakerd.ownership.returns import CALM, Returns

SETTLE = 0.02
"""Seconds for which changes gather before heirs are named anew."""
AGAIN = 4
"""Intervals until an heir that did not consent is asked again."""
RETURN = 600.0
"""Seconds within which a member that comes back is no newcomer."""
MOVES = 10
"""VIPs moved for their own good in a second."""
LOOKS = 10
"""Passes, a second apart, that a newcomer's share is still sought after one in which nothing could be moved."""


class Calm:
    """Works on the VIPs that `owner` serves; told of what happens by `stir` and `joined`."""

    def __init__(self, owner: Owner, circle: Circle, now: float) -> None:
        self._holdings, self._handover, self._circle = owner.holdings, owner.handover, circle
        self._started = self._woken = now
        self._interval = 0.075
        self._heirs_at: float | None = None
        self._touched: set[bytes] = set()
        self._all = False
        self._queue: deque[bytes] = deque()
        self._assigned: Counter[str] = Counter()
        self._tidy_at: float | None = None
        self._since = 0.0
        self._left: dict[str, float] = {}
        self._looks = 0
        self._returns = Returns()

    def pace(self, interval: float) -> None:
        """Take the settings."""
        self._interval = interval

    def touch(self, ips: Iterable[bytes], now: float) -> None:
        """The claims or candidates of these changed: their heirs may be others, from the next `stir` on."""
        for ip in ips:
            self._touched.add(ip)
            if ip not in self._holdings.stakes:
                self._returns.forget(ip)
            elif claim := self._holdings.table.get(ip):
                self._returns.see(claim, now)

    def stir_all(self, now: float) -> None:
        """Every heir may be another."""
        self._all = True
        self.stir(now)

    def stir(self, now: float) -> None:
        """Look at what was touched, once changes have gathered."""
        self._heirs_at = now + SETTLE if self._heirs_at is None else min(self._heirs_at, now + SETTLE)
        if self._tidy_at is None:
            self._tidy_at = now + CALM

    def left(self, name: str, now: float) -> None:
        """A member is gone: calm begins anew."""
        self._left[name] = now
        self._begin_anew(now)

    def joined(self, name: str, now: float) -> None:
        """A member lives: calm begins anew. One that is new gets a share; while all start, none is a newcomer."""
        away = now - self._left.pop(name, float("-inf"))
        if away > RETURN and now - self._started > CALM:
            self._looks = LOOKS
        self._begin_anew(now)

    def _begin_anew(self, now: float) -> None:
        self._since = now
        self._tidy_at = now + CALM
        self.stir_all(now)

    def deadline(self) -> float | None:
        """The next pass, or at once while one is under way."""
        if self._queue:
            return self._woken
        return soonest(self._heirs_at, self._tidy_at)

    def wake(self, now: float) -> list[Effect]:
        """Do a slice of what is due."""
        self._woken = now
        found: list[Effect] = []
        if self._heirs_at is not None and self._heirs_at <= now and not self._queue:
            self._heirs_at = None
            self._begin()
        if self._queue:
            found += self._name_heirs(now)
        if self._tidy_at is not None and self._tidy_at <= now:
            self._tidy(now)
        return found

    def _begin(self) -> None:
        """Count what each node has, and what it is heir of where that is not to be decided anew."""
        serving = self._holdings.serving
        anew = serving if self._all else self._touched & serving
        claims = map(self._holdings.table.get, serving - anew)
        self._assigned = Counter(self._handover.loads())
        self._assigned.update(claim.heir for claim in claims if claim and claim.heir)
        self._queue.extend(sorted(anew))
        self._touched, self._all = set(), False

    def _name_heirs(self, now: float) -> list[Effect]:
        asked: dict[str, list[bytes]] = {}
        bound = self._handover.bound()
        for _ in range(min(SLICE, len(self._queue))):
            ip = self._queue.popleft()
            heir = self._heir(ip, bound)
            self._assigned[heir] += 1
            claim = self._holdings.table.get(ip)
            if claim is None or ip not in self._holdings.serving or claim.heir == heir:
                continue
            if heir:
                asked.setdefault(heir, []).append(ip)
                self._touched.add(ip)
            else:
                self._holdings.name_heir(ip, "", now)
        if asked:
            again = now + AGAIN * self._interval
            self._heirs_at = again if self._heirs_at is None else min(again, self._heirs_at)
        return [Tell(to, Proposal(part)) for to, ips in asked.items() for part in message.places(ips)]

    def _heir(self, ip: bytes, bound: int) -> str:
        stake = self._holdings.stakes.get(ip)
        if stake is None:
            return ""
        fit = [each for each in stake.candidates if each.node != self._holdings.me and self._circle.ready(each.node)]
        return heirs.choose(stake.vip.rank_by, fit, self._assigned, bound)

    def _tidy(self, now: float) -> None:
        """Up to MOVES VIPs go where they prefer to be, or to a newcomer."""
        self._tidy_at = None
        loads = Counter(self._handover.loads())
        bound = self._handover.bound()
        moves = list(islice(self._wishes(now, loads, bound), MOVES))
        for ip, to, cause in moves:
            self._handover.move(ip, cause, now, to)
        if self._looks:
            self._looks = LOOKS if moves else self._looks - 1
        if moves or self._looks:
            self._tidy_at = soonest(self._tidy_at, now + 1.0)

    def _wishes(self, now: float, loads: Counter[str], bound: int) -> Iterator[tuple[bytes, str, str]]:
        """VIPs that would be better off elsewhere: (address, to whom, why)."""
        me = self._holdings.me
        for ip in sorted(self._holdings.serving):
            stake = self._holdings.stakes.get(ip)
            if stake is None:
                continue
            ready = [each for each in stake.candidates if each.node == me or self._circle.ready(each.node)]
            best = heirs.best(ready)
            if not any(each.node == me for each in best) and best:
                due = self._calm_since(ip) + self._returns.patience(ip)
                if now >= due:
                    yield ip, heirs.choose(stake.vip.rank_by, best, loads, bound), "preference"
                else:
                    self._tidy_at = soonest(self._tidy_at, due)
            elif self._looks and loads[me] > bound:
                to = self._roomier(stake.vip.rank_by, best, loads, bound)
                if to:
                    loads[me] -= 1
                    loads[to] += 1
                    yield ip, to, "rebalance"

    def _calm_since(self, ip: bytes) -> float:
        """Since when no member came or went, and this VIP did not move."""
        claim = self._holdings.table.get(ip)
        return max(self._since, claim.since if claim else self._since)

    def _roomier(self, rank_by: bytes, best: list[Candidate], loads: Counter[str], bound: int) -> str:
        others = [each for each in best if each.node != self._holdings.me]
        to = heirs.choose(rank_by, others, loads, bound)
        return to if to and loads[to] < bound else ""
