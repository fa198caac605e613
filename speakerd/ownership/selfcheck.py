"""Does anybody hear us? Another member asks the wire for a VIP of ours: soon after we took it, then one a minute.

A core. Nobody hears its own host's answers, so the heir asks: it would be the next to answer, on the same segment.

Silence counts only from a member that lived without a doubt since the first question, and that hears our frames as we
hear its own, lately and on an interface of the VIP: then its wire is alive, and each question was worked on. An answer
of another member's MAC counts once it comes again after claims have been settled; a stranger's counts at once.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from speakerd.deadlines import soonest
from speakerd.ownership.agenda import Agenda
from speakerd.ownership.circle import Circle
from speakerd.ownership.effects import Effect, Noted, Tell, text
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.message import Ask

FIRST, SECOND = 1.0, 5.0
"""Seconds after a VIP was taken."""
SAMPLE = 60.0
"""Seconds between two checks of a node in calm, whatever it answers for: each VIP in its turn."""
AGAIN = 10.0
"""Seconds until a VIP that failed is asked for again."""
PATIENCE, INTERVALS, TRIES = 0.2, 2, 3
"""Seconds for an answer to come back, at least so many intervals, and how often one is asked for before silence counts.
With two of them, who stands still for all three questions is noticed by its heartbeats."""
PACE = 0.05
"""Seconds between two questions after a take-over: of a thousand VIPs each has its turn within a minute."""
SLOWER = 0.25
"""Seconds between two questions for VIPs that failed: where all of a thousand do, that may last."""
SLICE = 64
"""VIPs passed over in one turn, since they are no longer to be asked for."""


class Check(Struct):
    """`asker` asks until then, for the `tries`-th time since `began`.

    `well`: it heard our own answer; `mac`: of another member, who answered it.
    """

    asker: str
    began: float
    until: float
    tries: int
    mac: bytes = b""
    well: bool = False


class Lane:
    """VIPs to be asked for, each at its time or later: one after the other, `pace` seconds apart."""

    def __init__(self, pace: float) -> None:
        self._pace, self._free_at = pace, 0.0
        self._agenda: Agenda[bytes] = Agenda()

    def put(self, ip: bytes, at: float) -> None:
        """Ask for it at `at`, or earlier if that was wished for."""
        self._agenda.put(ip, at)

    def give_way(self, now: float) -> None:
        """A question out of line takes one's place."""
        self._free_at = max(self._free_at, now) + self._pace

    def deadline(self) -> float | None:
        """When the next has its turn."""
        at = self._agenda.deadline()
        return None if at is None else max(at, self._free_at)

    def take(self, now: float, still: Callable[[bytes], bool]) -> Iterator[bytes]:
        """The one whose turn it is now, if any; those that are not `still` to be asked for are passed over."""
        if now < self._free_at:
            return
        for ip in self._agenda.due(now, SLICE):
            if still(ip):
                self._free_at = now + self._pace
                yield ip
                return


class SelfCheck:
    """`unheard`: VIPs of ours for which the wire is silent -> the member that asked.

    `foreign`: VIPs of ours for which it hears another -> its MAC. `moving`: whether a VIP is on its way to somebody.
    """

    def __init__(self, holdings: Holdings, circle: Circle, moving: Callable[[bytes], bool]) -> None:
        self._holdings, self._circle, self._moving = holdings, circle, moving
        self._patience = PATIENCE
        self._fresh, self._failed, self._calm = Lane(PACE), Lane(SLOWER), Lane(SAMPLE)
        self._checks: dict[bytes, Check] = {}
        self._once_more: set[bytes] = set()
        self._known: set[bytes] = set()
        self.unheard: dict[bytes, str] = {}
        self.foreign: dict[bytes, bytes] = {}

    def configure(self, interval: float) -> None:
        """Take the settings; seconds."""
        self._patience = max(PATIENCE, INTERVALS * interval)

    def look(self, changed: Iterable[bytes], now: float) -> None:
        """These may be ours now, or no more."""
        for ip in changed:
            if ip not in self._holdings.mine:
                self._known.discard(ip)
                self._once_more.discard(ip)
                self._checks.pop(ip, None)
                self._well(ip)
            elif ip not in self._known:
                self._known.add(ip)
                self._once_more.add(ip)
                self._fresh.put(ip, now + FIRST)

    def paused(self, now: float) -> None:
        """This process stood still, and what was answered meanwhile is lost."""
        for ip in self._checks:
            self._fresh.put(ip, now + FIRST)
        self._checks.clear()

    # -- time

    def deadline(self) -> float | None:
        """When to ask, or to stop waiting."""
        waiting = min([check.until for check in self._checks.values()]) if self._checks else None
        return soonest(waiting, self._fresh.deadline(), self._failed.deadline(), self._calm.deadline())

    def wake(self, now: float) -> list[Effect]:
        """Judge those that nobody heard, and ask for the next ones."""
        found: list[Effect] = []
        if (due := self.deadline()) is None or now < due:
            return found
        for ip in [ip for ip, check in self._checks.items() if check.until <= now]:
            found += self._over(ip, self._checks.pop(ip), now)
        for ip in self._due(now):
            found += self._begin(ip, now)
        return found

    def _due(self, now: float) -> Iterator[bytes]:
        for ip in self._fresh.take(now, self._known.__contains__):
            if ip in self._once_more:
                self._once_more.discard(ip)
                self._fresh.put(ip, now + SECOND - FIRST)
            else:
                self._calm.put(ip, now + SAMPLE)
            yield ip
        yield from self._failed.take(now, self._fails)
        for ip in self._calm.take(now, self._known.__contains__):
            self._calm.put(ip, now + SAMPLE)
            yield ip

    def _fails(self, ip: bytes) -> bool:
        return ip in self.unheard or ip in self.foreign

    def _well(self, ip: bytes) -> None:
        self.unheard.pop(ip, None)
        self.foreign.pop(ip, None)

    def _begin(self, ip: bytes, now: float) -> list[Effect]:
        """A check. Of one that fails already a single question tells whether it still does."""
        if ip in self._checks:
            return []
        if self._moving(ip):
            self._put_off(ip, now)
            return []
        asker = self._asker(ip, now)
        if not asker:
            self._well(ip)
            return []
        return self._ask(ip, Check(asker, now, now, TRIES if self._fails(ip) else 1), now)

    def _put_off(self, ip: bytes, now: float) -> None:
        """Nothing can be said of it now."""
        self._fresh.put(ip, now + AGAIN)

    def _ask(self, ip: bytes, check: Check, now: float) -> list[Effect]:
        check.until = now + self._patience
        check.mac, check.well = b"", False
        self._checks[ip] = check
        return [Tell(check.asker, Ask((ip,)))]

    def _asker(self, ip: bytes, now: float) -> str:
        """The heir, or whoever else is on a segment with us; "" nobody, and then nothing can be said."""
        claim = self._holdings.table.get(ip)
        able = [name for name in sorted(self._circle.living()) if self._meets(name, ip, now)]
        heir = claim.heir if claim else ""
        return heir if heir in able else next(iter(able), "")

    def _meets(self, name: str, ip: bytes, began: float) -> bool:
        stake = self._holdings.stakes.get(ip)
        return stake is not None and self._circle.meets(name, self._holdings.indexes(stake), began)

    # -- what the wire says

    def heard(self, ip: bytes, mac: bytes, by: str, now: float) -> list[Effect]:
        """Member `by` heard that `ip` is at `mac`."""
        check = self._checks.get(ip)
        if check is None or check.asker != by:
            return []
        if mac in self._holdings.place.macs:
            check.well = True
            return []
        if self._circle.who(mac):
            check.mac = mac
            return []
        del self._checks[ip]
        return self._answered_by(ip, mac, now)

    def _over(self, ip: bytes, check: Check, now: float) -> list[Effect]:
        """All that answered in time is known."""
        if check.well and not check.mac:
            self._well(ip)
            return []
        if self._moving(ip) or not self._meets(check.asker, ip, check.began):
            self._put_off(ip, now)
            return []
        if check.tries < TRIES:
            self._fresh.give_way(now)
            check.tries += 1
            return self._ask(ip, check, now)
        if check.mac:
            return self._answered_by(ip, check.mac, now)
        told = ip in self.unheard
        self._well(ip)
        self.unheard[ip] = check.asker
        self._failed.put(ip, now + AGAIN)
        return [] if told else [Noted("vip.unheard", text(ip), check.asker)]

    def _answered_by(self, ip: bytes, mac: bytes, now: float) -> list[Effect]:
        """Another answers for it, too; of a stranger, who is fought at once, an event tells already."""
        told = self.foreign.get(ip) == mac or not self._circle.who(mac)
        self._well(ip)
        self.foreign[ip] = mac
        self._failed.put(ip, now + AGAIN)
        return [] if told else [Noted("vip.answered-by-another-speaker", text(ip), mac.hex(":"))]
