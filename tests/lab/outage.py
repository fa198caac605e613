"""How long a VIP was away, out of what was seen: the client's gap, ARP silence, two that answer, lost probes; pure."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from tests.lab.eyes import Plan, Seen
from tests.lab.frames import Sighting

BEFORE = 0.2
"""Seconds before it happened that are looked at, too: the last answer is there."""


class Outage(Struct, frozen=True):
    """Times in seconds.

    `client`, `arp`: the longest time between two answers to probes, and to questions; up to the end of the look where
    none came any more. Time in which nobody asked, since the asker was late itself, does not count. `twice`: in
    questions that two MACs answered, each counted until the next question. `after`: how long another one still answered
    after the first frame of who answers in the end. `lost`: probes never answered; `moves`: how often another MAC
    answered than before; `spacing`: the longest time between two probes.
    """

    client: float
    arp: float
    twice: float
    after: float
    lost: int
    moves: int
    spacing: float


def outage(seen: Seen, plan: Plan, began: float, back: float) -> Outage:
    """Of one VIP, to which something happened at `began`; who had it until then could speak again from `back` on."""
    since = began - BEFORE
    probes = [(sent, answered) for sent, answered in seen.probes if sent >= since]
    questions = [when for when, _ in seen.questions if when >= since]
    answers = [each for each in seen.sightings if each.kind == "answer" and each.when >= since]
    sent, served = [when for when, _ in probes], [answered for _, answered in probes if answered]
    heard = windows(questions, answers)
    return Outage(
        client=longest(served, sent, plan.probe_every),
        arp=longest([each.when for each in answers], questions, plan.ask_every),
        twice=sum(seconds for seconds, macs in heard if len(macs) > 1),
        after=_after(seen.sightings, answers, back),
        lost=len(sent) - len(served),
        moves=sum(before != after for before, after in pairwise(macs for _, macs in heard if len(macs) == 1)),
        spacing=max((after - before for before, after in pairwise(sent)), default=0.0),
    )


def longest(answers: Iterable[float], asked: Sequence[float], every: float) -> float:
    """The longest time between two answers to questions that are put each `every` seconds, from first to last question.

    Where a question was late by more than that after an answer, its lateness is not theirs who answer.
    """
    edges = [asked[0] - every, *sorted(answers), asked[-1]]
    found = 0.0
    for start, end in pairwise(edges):
        later = bisect_right(asked, start)
        late = asked[later] - every - start if later < len(asked) else 0.0
        found = max(found, end - start - max(0.0, late))
    return found


def windows(questions: Sequence[float], answers: Sequence[Sighting]) -> list[tuple[float, frozenset[str]]]:
    """From each question to the next: seconds, and the MACs that answered in that time."""
    found = []
    rest = iter([*answers, None])
    answer = next(rest)
    for start, end in pairwise(questions):
        macs = set()
        while answer and answer.when < end:
            if answer.when >= start:
                macs.add(answer.mac)
            answer = next(rest)
        found.append((end - start, frozenset(macs)))
    return found


def _after(sightings: Sequence[Sighting], answers: Sequence[Sighting], back: float) -> float:
    """Seconds from the first announcement after `back` (from `back`, without one) to the last answer of another."""
    if not answers:
        return 0.0
    winner = answers[-1].mac
    told = [each.when for each in sightings if each.when >= back and (each.mac, each.kind) == (winner, "gratuitous")]
    settled = min(told, default=back)
    return max((each.when - settled for each in answers if each.mac != winner and each.when > settled), default=0.0)
