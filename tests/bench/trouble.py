"""Peers that misbehave, all at once: how much later a good one hears of a change for it, and what they cost.

Two nodes; a change begins with the POST or DELETE of a Service and ends when the good peer has heard it from both.
"""

import time
from collections.abc import Sequence
from functools import partial
from statistics import median

from msgspec import Struct

from tests.bench.figures import Options, Outcome, at_most
from tests.lab import net, scrape
from tests.lab.agents import Agent, fleet
from tests.lab.badpeers import BAD, peers, speakers
from tests.lab.bgp import bgp, peer, routed
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.scripted import Good
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually

WARM, ROUNDS = 5, 100
LATER = 50.0
"""ms that bad peers may cost a good one."""
GROWTH = 8.0
"""MiB that they may cost an announcer."""
UNLIMITED = {"bgp": {"maximumPrefixes": 0}}
"""The flood goes on throughout."""


class Times(Struct, frozen=True):
    """Milliseconds of each change: until it was told, and until it was withdrawn."""

    told: Sequence[float]
    withdrawn: Sequence[float]


def run(options: Options) -> Outcome:
    """Each program in turn: without bad peers, then with all of them."""
    if lacking := net.missing():
        raise SystemExit(f"error: bench: {lacking}")
    outcome = Outcome(figures={}, goals=[])
    for name, program in options.programs.items():
        with (
            net.orderly(),
            Lan(2, routers=1) as lan,
            routed(lan) as plane,
            fleet(lan, plane, program, UNLIMITED) as agents,
            speakers(lan) as good,
        ):
            _measure(lan, plane.cluster, agents, good, name, outcome)
    return outcome


def _measure(lan: Lan, cluster: Cluster, agents: Sequence[Agent], good: Good, name: str, outcome: Outcome) -> None:
    cluster.create(bgp("BGPAdvertisement", "all"))
    for each in peers(["good"]):
        cluster.create(each)
    eventually(lambda: len(good.up) == len(agents), "all nodes have sessions with the good peer")
    calm = _times(lan, cluster, good, "calm")
    before, begun = _used(agents), time.monotonic()
    for each in peers(BAD):
        cluster.create(each)
    for agent in agents:
        eventually(partial(_flooded, agent), f"{agent.host.name} is flooded")
    trouble = _times(lan, cluster, good, "trouble")
    # The last of them, who is called in vain, is so after 15 s.
    eventually(lambda: all(peer(agent, "wrong-password")["error"] for agent in agents), "all are at work", 30)
    after, lasted = _used(agents), time.monotonic() - begun
    _report(name, calm, trouble, outcome)
    growth = max(late.memory - early.memory for early, late in zip(before, after, strict=True))
    work = max(late.cpu - early.cpu for early, late in zip(before, after, strict=True)) / lasted
    outcome["figures"][f"{name}.announcer.cpu.percent"] = round(work * 100, 1)
    outcome["figures"][f"{name}.heartbeat.late.ms"] = round(max(map(_late, agents)) * 1000, 2)
    outcome["goals"].append(at_most(f"{name}: an announcer grows in the flood", growth, GROWTH, "MiB"))
    assert not good.downs, "the good peer lost a session"


class Used(Struct, frozen=True):
    """By an announcer: MiB, and seconds of processor time."""

    memory: float
    cpu: float


def _used(agents: Sequence[Agent]) -> list[Used]:
    return [Used(agent.memory()["announcer"].pss, agent.cpu()["announcer"]) for agent in agents]


def _late(agent: Agent) -> float:
    """Seconds by which the next heartbeat of the other member is overdue in this moment."""
    told = scrape.samples(agent.host)
    return max(value for name, value in told.items() if name.startswith("speakerd_heartbeat_lateness_seconds"))


def _flooded(agent: Agent) -> bool:
    return bool(peer(agent, "flood").get("received"))


def _times(lan: Lan, cluster: Cluster, good: Good, tag: str) -> Times:
    told, withdrawn = [], []
    for number in range(WARM + ROUNDS):
        name, begun = f"{tag}-{number}", time.monotonic()
        publish(cluster, name, lan.nodes)
        (address,) = given(cluster, name)
        told.append(_heard(lan, good, address, begun, come=True))
        begun = time.monotonic()
        cluster.delete("Service", name)
        withdrawn.append(_heard(lan, good, address, begun, come=False))
    return Times(told[WARM:], withdrawn[WARM:])


def _heard(lan: Lan, good: Good, address: str, since: float, *, come: bool) -> float:
    look = partial(good.heard, lan.nodes, address, since, come=come)
    return (eventually(look, f"{address} is {'told' if come else 'withdrawn'}") - since) * 1000


def _report(name: str, calm: Times, trouble: Times, outcome: Outcome) -> None:
    for what, quiet, loud in (("told", calm.told, trouble.told), ("withdrawn", calm.withdrawn, trouble.withdrawn)):
        for kind, of in (("p50", median), ("max", max)):
            outcome["figures"] |= {
                f"{name}.{what}.calm.{kind}.ms": round(of(quiet), 2),
                f"{name}.{what}.trouble.{kind}.ms": round(of(loud), 2),
            }
            later = of(loud) - of(quiet)
            outcome["goals"].append(at_most(f"{name}: a route {what} later for bad peers, {kind}", later, LATER, "ms"))
