"""What happened here, for people to read later: who answers for what, members, interfaces, settings; numbered; pure."""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from speakerd.exchange import Claim, Happening, Observed
from speakerd.model import Interface, unpacked

KEPT = 4000
"""Events, about 1 MB: one of three nodes dies, a third of 10,000 VIPs moves, and what came before is still there."""
QUIET = frozenset({"vip.moved"})
"""Words of what concerns other nodes alone: told on request, not logged by each node."""

STATES = frozenset("unheard starting alive suspect dead leaving".split())
"""What a member may have been before."""


class Event(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One thing that happened: `event` in dotted form, `subject` an address, a member, an interface or a file.

    `time`: RFC 3339 with milliseconds, by this host's clock. Of a VIP: `owner` (nobody where it is missing),
    `previous`, `cause` and `epoch` as they are from then on; `gap`: seconds for which a dead owner had not been heard.
    """

    number: int = 0
    time: str = ""
    event: str = ""
    subject: str = ""
    owner: str = ""
    previous: str = ""
    cause: str = ""
    epoch: int = 0
    gap: float = 0.0
    detail: str = ""


class Told(Struct, rename="camel"):
    """What `speakerd events` is answered: events oldest first; `last`: the number of the newest there is."""

    events: list[Event]
    last: int


def stamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds, of wall-clock seconds; sorts as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def said(word: str, at: float, subject: str = "", detail: str = "") -> Event:
    """An event of the controller's own (settings, drain); `at` in seconds of the wall clock."""
    return Event(time=stamp(at), event=word, subject=subject, detail=detail)


def changes(before: Observed, after: Observed, me: str, now: float, offset: float) -> list[Event]:
    """What happened between two observations, by time.

    `now` of this host's monotonic clock; `offset`: wall clock minus that.
    """
    same_life = before.facts.started == after.facts.started
    heard = before.happenings[-1].number if same_life and before.happenings else 0
    news = [*_claims(before, after, me), *_happenings(after, heard), *_links(before, after, now)]
    if before.facts.pid and not same_life:
        news.append((now, Event(event="announcer.restarted", detail=f"{after.facts.restarts} restarts")))
    return [replace(event, time=stamp(at + offset)) for at, event in sorted(news, key=lambda each: each[0])]


def missed(after: Observed, me: str, offset: float, since: str) -> list[Event]:
    """What happened while no controller looked: what the announcer still shows that is later than `since` (a stamp)."""
    before = Observed(after.interfaces, facts=after.facts)
    return [each for each in changes(before, after, me, 0.0, offset) if each.time > since]


Dated = tuple[float, Event]


def _claims(before: Observed, after: Observed, me: str) -> Iterator[Dated]:
    for ip, claim in after.claims.items():
        old = before.claims.get(ip)
        if claim is old or (old.owner if old else "") == claim.owner:
            continue
        yield claim.since, _claim(claim, old.owner if old else "", me)


def _claim(claim: Claim, before: str, me: str) -> Event:
    """`before`: who answered until then, as far as it was seen here."""
    if claim.owner == me:
        word = "vip.owned"
    elif before == me:
        word = "vip.left"
    else:
        word = "vip.moved" if claim.owner else "vip.withdrawn"
    told = Event(
        event=word,
        subject=str(unpacked(claim.ip)),
        owner=claim.owner,
        previous=claim.previous or before,
        cause=claim.cause,
        epoch=claim.epoch,
    )
    return replace(told, gap=round(claim.gap, 3)) if claim.gap else told


def _happenings(after: Observed, heard: int) -> Iterator[Dated]:
    for each in after.happenings:
        if each.number > heard:
            yield each.at, _happening(each)


def _happening(told: Happening) -> Event:
    return Event(event=told.word, subject=told.subject, detail=told.detail)


def _links(before: Observed, after: Observed, now: float) -> Iterator[Dated]:
    if not before.interfaces:
        return  # the first look at them
    known = {each.name: _link(each) for each in before.interfaces}
    for each in after.interfaces:
        if known.pop(each.name, None) != _link(each):
            yield now, Event(event="interface.changed", subject=each.name, detail=_link(each))
    for name in known:
        yield now, Event(event="interface.gone", subject=name)


def _link(link: Interface) -> str:
    return f"usable, {link.mac.hex(':')}" if link.usable else f"not used: {link.reason or 'no carrier'}"


class Ring:
    """The last KEPT events, oldest first."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events = deque(events, maxlen=KEPT)

    @property
    def last(self) -> int:
        """The number of the newest event, 0 without any."""
        return self._events[-1].number if self._events else 0

    @property
    def until(self) -> str:
        """The time of the newest event; "" without any."""
        return self._events[-1].time if self._events else ""

    def add(self, events: Iterable[Event]) -> list[Event]:
        """Number `events` and keep them; as they are kept."""
        numbered = [replace(each, number=number) for number, each in enumerate(events, self.last + 1)]
        self._events.extend(numbered)
        return numbered

    def told(self, after: int = 0, since: str = "") -> Told:
        """Those numbered higher than `after` and no older than `since` (a stamp).

        `after` beyond the newest: the ring began anew since, and all of it is new.
        """
        first = after if after <= self.last else 0
        return Told([each for each in self._events if each.number > first and each.time >= since], self.last)

    def about(self, subject: str, most: int) -> list[Event]:
        """The last events of one subject, oldest first."""
        return [each for each in self._events if each.subject == subject][-most:]


def line(event: Event) -> bytes:
    """As the file keeps it."""
    return msgspec.json.encode(event) + b"\n"


def read(data: bytes) -> list[Event]:
    """The events of a file, or of its end; a line that is none, or out of order, is passed over."""
    decode = msgspec.json.Decoder(Event).decode
    found: list[Event] = []
    for each in data.splitlines():
        try:
            event = decode(each)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        if event.number > (found[-1].number if found else 0):
            found.append(event)
    return found[-KEPT:]


def fields(event: Event) -> dict[str, object]:
    """What a log line says beside time and word."""
    told = ("subject", "owner", "previous", "cause", "epoch", "gap", "detail")
    return {name: value for name in told if (value := getattr(event, name))}


def sentence(event: Event) -> str:
    """What a person reads behind time, word and subject."""
    if not event.epoch:
        return f"was {event.detail}" if event.event.startswith("member.") and event.detail in STATES else event.detail
    owner = event.owner or "nobody"
    before = f", before {event.previous}" if event.previous and event.previous != event.owner else ""
    gap = f", {event.gap:.3f} s after it was last heard" if event.gap else ""
    return f"{owner}{before}: {event.cause}{gap} (epoch {event.epoch})"
