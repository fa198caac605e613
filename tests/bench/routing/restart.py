"""The announcer is killed that told a thousand routes: when are all back, is any lost with graceful restart?"""

import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.bench.routing.receivers import Receiver, receivers, speak
from tests.lab import objects
from tests.lab.agents import Agent, fleet
from tests.lab.bgp import peer
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.steps import publish
from tests.lab.waiting import eventually

MANY = 1000
FIRST = IPv4Address("198.18.0.0")
PREFIXES = frozenset(f"{FIRST + number}/32" for number in range(MANY))
GOAL = 1.5
SETTLED = 12.0
"""Seconds between two deaths: a process that lives for less is started later each time."""


def run(options: Options, outcome: Outcome) -> None:
    """One node and both routers, plainly and with graceful restart, with the first program that there is."""
    (name, program), *_ = options.programs.items()
    for word, graceful in (("plain", False), ("graceful", True)):
        with Lan(1, routers=2) as lan, Embedded(lan) as plane:
            plane.cluster.create(objects.pool("bench", f"{FIRST}-{FIRST + MANY - 1}"))
            for number in range(MANY):
                publish(plane.cluster, f"many-{number:04}", lan.nodes)
            with fleet(lan, plane, program) as (agent,), receivers(lan) as found:
                speak(plane.cluster, lan, found, enableGracefulRestart=graceful)
                eventually(lambda: all(each.fib.now.keys() >= PREFIXES for each in found), "all are routed", 120)
                deaths = [_death(agent, found) for _ in range(options.runs)]
        _tell(f"{name}.restart.{word}", deaths, outcome, graceful=graceful)


def _death(agent: Agent, found: Sequence[Receiver]) -> dict[str, tuple[float, int]]:
    """By router: seconds until it has been told all by a new session, and how many routes it was without meanwhile."""
    time.sleep(SETTLED)
    start = time.time()
    agent.kill("announcer")
    when: dict[str, float] = {}

    def again() -> bool:
        for each in found:
            if each.name not in when and _told(peer(agent, each.name), start) and each.fib.now.keys() >= PREFIXES:
                when[each.name] = time.time()
        return len(when) == len(found)

    eventually(again, "all are told again", 60)
    return {each.name: _judged(each, start, when[each.name]) for each in found}


def _told(said: Mapping[str, Any], start: float) -> bool:
    """Whether a session younger than `start` has said everything."""
    young = said.get("state") == "Established" and said["lasted"] < time.time() - start
    return bool(young and said["announced"] == MANY and not said["due"])


def _judged(receiver: Receiver, start: float, told: float) -> tuple[float, int]:
    """What came back did so in the kernel; where nothing was lost, we alone know when all was said."""
    turns = receiver.fib.since(start)
    lost = {each.prefix for each in turns if not each.hops}
    return max((each.when for each in turns if each.hops), default=told) - start, len(lost)


def _tell(name: str, deaths: Sequence[dict[str, tuple[float, int]]], outcome: Outcome, *, graceful: bool) -> None:
    for router in deaths[0]:
        times, lost = [each[router][0] for each in deaths], max(each[router][1] for each in deaths)
        outcome["figures"] |= {
            f"{name}.{router}.back.p50.s": round(quantile(times, 0.5), 3),
            f"{name}.{router}.back.max.s": round(max(times), 3),
            f"{name}.{router}.lost": lost,
        }
        outcome["goals"].append(at_most(f"{name}: all back in {router}", max(times), GOAL, "s"))
        if graceful:
            outcome["goals"].append(at_most(f"{name}: lost by {router}", lost, 0, "routes"))
