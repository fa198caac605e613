"""Does anybody hear us? Another member asks the wire for a VIP of ours: soon after we took it, then one a minute.

A core. Nobody hears its own host's answers, so the heir asks: it would be the next to answer, on the same segment.
"""

from collections.abc import Iterable

from msgspec import Struct

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
"""Seconds until a VIP that nobody heard is asked for again."""
PATIENCE, TRIES = 0.2, 3
"""Seconds for an answer to come back, and how often one is asked for before silence counts."""
PACE = 0.05
"""Seconds between two checks: of a thousand VIPs that were taken at once each has its turn within a minute."""


class Check(Struct):
    """`asker` asks until then, for the `tries`-th time."""

    asker: str
    until: float
    tries: int


class SelfCheck:
    """`unheard`: VIPs of ours for which the wire is silent -> the member that asked.

    Silence counts only from a member that hears our frames on a segment, and is heard: its wire is alive.
    """

    def __init__(self, holdings: Holdings, circle: Circle) -> None:
        self._holdings, self._circle = holdings, circle
        self._agenda: Agenda[bytes] = Agenda()
        self._checks: dict[bytes, Check] = {}
        self._second: dict[bytes, float] = {}
        self._known: set[bytes] = set()
        self._next = 0.0
        self.unheard: dict[bytes, str] = {}

    def look(self, changed: Iterable[bytes], now: float) -> None:
        """These may be ours now, or no more."""
        for ip in changed:
            if ip not in self._holdings.mine:
                self._known.discard(ip)
                self._second.pop(ip, None)
                self.unheard.pop(ip, None)
            elif ip not in self._known:
                self._known.add(ip)
                self._second[ip] = now + SECOND
                self._agenda.put(ip, now + FIRST)

    def deadline(self) -> float | None:
        """When to ask, or to stop waiting."""
        at = self._agenda.deadline()
        due = [check.until for check in self._checks.values()]
        return min([*due, *([max(at, self._next)] if at is not None else [])], default=None)

    def wake(self, now: float) -> list[Effect]:
        """Ask for the next one, and judge those that nobody heard."""
        found: list[Effect] = []
        for ip in [ip for ip, check in self._checks.items() if check.until <= now]:
            found += self._unanswered(ip, self._checks.pop(ip), now)
        if self._next <= now:
            for ip in self._agenda.due(now, 1):
                self._next = now + PACE
                found += self._ask(ip, 1, now)
        return found

    def heard(self, ip: bytes, by: str) -> None:
        """Member `by` heard an answer for `ip`; whose it was is judged elsewhere."""
        check = self._checks.get(ip)
        if check and check.asker == by:
            del self._checks[ip]
            self.unheard.pop(ip, None)

    def _ask(self, ip: bytes, tries: int, now: float) -> list[Effect]:
        if ip not in self._known:
            return []
        following = self._second.get(ip, 0.0)
        if following <= now:
            self._second.pop(ip, None)
            following = now + SAMPLE * len(self._known)
        self._agenda.put(ip, following)
        asker = self._asker(ip)
        if not asker:
            return []
        self._checks[ip] = Check(asker, now + PATIENCE, tries)
        return [Tell(asker, Ask((ip,)))]

    def _asker(self, ip: bytes) -> str:
        """The heir, or whoever else is on a segment with us."""
        claim = self._holdings.table.get(ip)
        able = [name for name in sorted(self._circle.living()) if self._circle.meets(name)]
        heir = claim.heir if claim else ""
        return heir if heir in able else next(iter(able), "")

    def _unanswered(self, ip: bytes, check: Check, now: float) -> list[Effect]:
        if check.tries < TRIES:
            return self._ask(ip, check.tries + 1, now)
        if ip not in self._known or not self._circle.meets(check.asker):
            return []
        self._agenda.put(ip, now + AGAIN)
        told = ip in self.unheard
        self.unheard[ip] = check.asker
        return [] if told else [Noted("vip.unheard", text(ip), check.asker)]
