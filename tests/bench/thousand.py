"""A thousand VIPs: the owner of a third dies, and a node joins two others."""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from ipaddress import IPv4Address
from itertools import pairwise
from math import ceil
from pathlib import Path

from tests.bench import faults
from tests.bench.calm import states_of
from tests.bench.contenders import Speakers
from tests.bench.figures import Outcome, at_most
from tests.lab import objects
from tests.lab.agents import Agent, ready
from tests.lab.embedded import Embedded
from tests.lab.eyes import Seen, looking, plan
from tests.lab.net import Host, Lan
from tests.lab.steps import publish
from tests.lab.waiting import eventually

MANY = 1000
FIRST = IPv4Address("10.99.16.0")
MOST_RUNS = 3
"""Each takes a minute and more."""
RATE = 4000
"""Questions a second, while a third of them moves."""
SLOW_RATE = 1000
"""The same while some move at leisure: each VIP is asked once a second."""
SETTLED, BEFORE, AFTER = 3.0, 0.5, 3.0
BOUND = 1.25
"""VIPs of a node against its even share, up to which nothing is rebalanced."""
CALM = 30.0
"""Seconds after a join until anything moves."""
STILL = 10.0
"""Seconds without a move after which no more will come."""


@contextmanager
def _cluster(lan: Lan, program: Sequence[str], nodes: Sequence[Host]) -> Iterator[Speakers]:
    """All VIPs answered by these nodes, and every heir named."""
    with Embedded(lan) as plane, ExitStack() as stack:
        plane.cluster.create(objects.pool("bench", f"{FIRST}-{FIRST + MANY - 1}"))
        plane.cluster.create(objects.advertisement("bench"))
        running = Speakers(plane, [Agent(lan, node, plane, program) for node in lan.nodes])
        for node in nodes:
            running.agent(node).start()
            stack.callback(running.agent(node).stop)
        for node in nodes:
            agent = running.agent(node)
            eventually(partial(ready, agent, [each.name for each in nodes]), f"{node.name} is ready", 20)
        for number in range(MANY):
            publish(plane.cluster, f"many-{number:04}", lan.nodes)
        eventually(lambda: all(_settled(running.agent(each)) for each in nodes), "all have owner and heir", 120)
        time.sleep(SETTLED)
        yield running


def _settled(agent: Agent) -> bool:
    vips = agent.status().get("vips", ())
    return len(vips) == MANY and all(each["owner"] and each["heir"] for each in vips)


def _owners(agent: Agent) -> dict[str, str]:
    return {each["ip"]: each["owner"] for each in agent.status()["vips"]}


def dies(program: Sequence[str], runs: int, name: str, outcome: Outcome) -> None:
    """The owner of a third dies: when are the first and the last of its VIPs answered again?"""
    found = [_dies(program) for _ in range(min(runs, MOST_RUNS))]
    firsts, lasts = [min(each) for each in found], [max(each) for each in found]
    values = {"vips": len(found[-1]), "first.max": max(firsts), "last.min": min(lasts), "last.max": max(lasts)}
    outcome["figures"] |= {f"{name}.{word}": round(value, 4) for word, value in values.items()}
    outcome["goals"] += [
        at_most(f"{name}: first answered again", max(firsts), 0.2, "s"),
        at_most(f"{name}: last answered again", max(lasts), 0.6, "s"),
    ]


def _dies(program: Sequence[str]) -> list[float]:
    """Seconds from the death to the first word of another about each VIP, announcement or answer."""
    with (
        tempfile.TemporaryDirectory(prefix="speakerd-bench-") as where,
        Lan() as lan,
        _cluster(lan, program, lan.nodes) as running,
    ):
        owners = _owners(running.agents[0])
        node = lan.nodes[0]
        vips = [ip for ip, owner in owners.items() if owner == node.name]
        with looking(lan, Path(where), plan(lan, vips, (), probe=(), ask_every=1 / RATE)) as eyes:
            time.sleep(BEFORE)
            began = faults.dies(lan, running, node)
            time.sleep(AFTER)
            return _again(eyes.end(), lan.mac(node), began, vips)


def _again(seen: Seen, dead: str, began: float, vips: Sequence[str]) -> list[float]:
    first: dict[str, float] = {}
    for each in seen.sightings:
        if each.mac != dead and each.when > began:
            first.setdefault(each.ip, each.when - began)
    assert first.keys() == set(vips), f"{len(vips) - len(first)} VIPs are not answered again"
    return list(first.values())


def joins(program: Sequence[str], _runs: int, name: str, outcome: Outcome) -> None:
    """A third node joins two: what moves, and does a question stay open meanwhile? Once: it is slow by design."""
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as where, Lan() as lan:
        *first, late = lan.nodes
        with _cluster(lan, program, first) as running:
            time.sleep(CALM)  # of a cluster that still starts, nobody is a newcomer
            before = _owners(running.agents[0])
            agent = running.agent(late)
            with looking(lan, Path(where), plan(lan, sorted(before), (), probe=(), ask_every=1 / SLOW_RATE)) as eyes:
                agent.start()
                try:
                    eventually(partial(ready, agent, [each.name for each in lan.nodes]), "the third is ready", 20)
                    states = states_of(running)
                    after = _when_still(running.agents[0], before)
                    doubts = len(states_of(running) - states)
                    seen = eyes.end()
                finally:
                    agent.stop()
    outcome["figures"][f"{name}.suspicions"] = doubts
    _tell_joined(name, before, after, seen, outcome)


def _when_still(agent: Agent, before: Mapping[str, str]) -> Mapping[str, str]:
    """Who owns what once nothing moves any more."""
    owners, since, patience = before, time.monotonic(), CALM + STILL
    while time.monotonic() < since + patience:
        time.sleep(0.5)
        now = _owners(agent)
        if now != owners:
            owners, since, patience = now, time.monotonic(), STILL
            _say(f"moved: {sum(now[ip] != before[ip] for ip in before)}")
    return owners


def _tell_joined(name: str, before: Mapping[str, str], after: Mapping[str, str], seen: Seen, outcome: Outcome) -> None:
    bound = ceil(BOUND * MANY / (len(set(before.values())) + 1))
    excess = sum(max(0, count - bound) for count in Counter(before.values()).values())
    moved = sum(after[ip] != before[ip] for ip in before)
    silent = unanswered(seen)
    outcome["figures"] |= {f"{name}.excess": excess, f"{name}.moved": moved, f"{name}.unanswered": silent}
    for node, count in sorted(Counter(after.values()).items()):
        outcome["figures"][f"{name}.owned.{node}"] = count
    outcome["goals"] += [
        at_most(f"{name}: moved, as many as were over the bound", moved, excess, "VIPs"),
        at_most(f"{name}: questions without an answer", silent, 0, ""),
    ]


def unanswered(seen: Seen) -> int:
    """Questions that nobody answered before the same address was asked for again; the last ones are not judged."""
    answers: dict[str, list[float]] = {}
    for each in seen.sightings:
        if each.kind == "answer":
            answers.setdefault(each.ip, []).append(each.when)
    asked: dict[str, list[float]] = {}
    for when, ip in seen.questions:
        asked.setdefault(ip, []).append(when)
    return sum(_open(times, answers.get(ip, [])) for ip, times in asked.items())


def _open(questions: Sequence[float], answers: Sequence[float]) -> int:
    rest = iter(answers)
    when = next(rest, float("inf"))
    found = 0
    for start, end in pairwise(questions):
        while when < start:
            when = next(rest, float("inf"))
        found += when >= end
    return found


def _say(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
