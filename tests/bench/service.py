"""A Service on a real control plane: how soon it has its address and is announced, and what a thousand of them cost.

All times begin with the POST that creates the Service. They are compared with that POST's own time in the same run, for
absolute times differ from machine to machine.
"""

import sys
import time
from collections.abc import Sequence
from ipaddress import IPv4Address

import yaml

from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.kube import controlplane
from tests.kube.controlplane import PORT, ControlPlane
from tests.lab import net, objects
from tests.lab.agents import Agent, fleet
from tests.lab.frames import Watch
from tests.lab.net import Lan, tool
from tests.lab.steps import clear, publish
from tests.lab.stopwatch import Stopwatch, Times
from tests.lab.waiting import eventually

WARM, TIMED, MANY = 5, 50, 1000
FIRST = IPv4Address("10.99.16.0")
POOL = frozenset(str(FIRST + number) for number in range(MANY))
"""Exactly as many addresses as Services are made."""
WRITTEN = 180.0
"""Seconds; a node writes down four things of each VIP it owns, 20 a second at most."""
PROBE = 0.012
"""Seconds an address is probed before its first announcement (layer2.probe)."""


def run(options: Options) -> Outcome:
    """Each program in turn, on one control plane."""
    if lacking := net.missing() or controlplane.missing():
        raise SystemExit(f"error: bench: {lacking}")
    outcome = Outcome(figures={}, goals=[])
    with net.orderly(), Lan() as lan, ControlPlane(lan) as plane:
        for node in lan.nodes:
            plane.cluster.create(objects.node(node))
        command = next(iter(options.programs.values()))
        plane.cluster.apply(yaml.safe_load_all(tool(*command, "crds")))
        plane.cluster.create(objects.pool("bench", f"{FIRST}-{FIRST + MANY - 1}"))
        plane.cluster.create(objects.advertisement("bench"))
        for name, program in options.programs.items():
            _say(f"{name}: {' '.join(program)}")
            _measure(lan, plane, name, program, outcome)
    return outcome


def _measure(lan: Lan, plane: ControlPlane, name: str, program: Sequence[str], outcome: Outcome) -> None:
    with fleet(lan, plane, program) as agents:
        times = _one_by_one(lan, plane)
        clear(plane.cluster)
        _latency(name, times, outcome)
        for agent in agents:
            outcome["figures"][f"{name}.connections.{agent.host.name}"] = agent.connections(PORT)
        _thousand(lan, plane, name, agents, outcome)
        clear(plane.cluster)


def _one_by_one(lan: Lan, plane: ControlPlane) -> list[Times]:
    """Services created each after the one before was announced; the first ones warm the control plane up."""
    found = []
    with Stopwatch(plane.cluster, lan) as stopwatch:
        for number in range(WARM + TIMED):
            name = f"timed-{number}"
            plane.cluster.create(objects.endpoints(name, lan.nodes))
            stopwatch.create(objects.service(name))
            found.append(stopwatch.times(name))
    return found[WARM:]


def _latency(name: str, times: Sequence[Times], outcome: Outcome) -> None:
    post = quantile([each.post for each in times], 0.5)
    addressed = [each.addressed for each in times]
    announced = [each.announced for each in times]
    outcome["figures"] |= {
        f"{name}.post.p50.ms": round(post * 1000, 2),
        f"{name}.addressed.p50.ms": round(quantile(addressed, 0.5) * 1000, 2),
        f"{name}.addressed.p99.ms": round(quantile(addressed, 0.99) * 1000, 2),
        f"{name}.announced.p50.ms": round(quantile(announced, 0.5) * 1000, 2),
        f"{name}.announced.p99.ms": round(quantile(announced, 0.99) * 1000, 2),
        f"{name}.announced.p50.posts": round(quantile(announced, 0.5) / post, 2),
    }
    limit = 2.0 * post + PROBE
    outcome["goals"] += [
        at_most(f"{name}: created to address in status, p50", quantile(addressed, 0.5) / post, 1.6, "x POST"),
        at_most(f"{name}: created to first frame, p50", quantile(announced, 0.5) * 1000, limit * 1000, "ms"),
    ]


def _thousand(lan: Lan, plane: ControlPlane, name: str, agents: Sequence[Agent], outcome: Outcome) -> None:
    """Many Services one after the other: when is the last of them answered, and what did it take?"""
    before = _cpu(agents)
    writes = len(plane.cluster.writes())
    start = time.time()
    for number in range(MANY):
        publish(plane.cluster, f"many-{number:04}", lan.nodes)
    created = time.time()
    _say(f"{name}: {MANY} Services created in {created - start:.1f} s")
    answered = _all_answered(lan, plane)
    eventually(lambda: _quiet(plane), "nothing more is written", WRITTEN)
    nodes = {agent.host.name for agent in agents}
    written = [each for each in plane.cluster.writes()[writes:] if each.user in nodes]
    figures = outcome["figures"]
    figures[f"{name}.many.created.s"] = round(created - start, 2)
    figures[f"{name}.many.answered.s"] = round(answered - created, 3)
    figures[f"{name}.many.writes"] = len(written)
    for part, seconds in _cpu(agents).items():
        figures[f"{name}.many.cpu.{part}.s"] = round(seconds - before[part], 2)
    total = sum(_cpu(agents).values()) - sum(before.values())
    for agent in agents:
        for part, used in agent.memory().items():
            figures[f"{name}.many.pss.{agent.host.name}.{part}.MiB"] = round(used.pss, 1)
    outcome["goals"] += [
        at_most(f"{name}: all of {MANY} answered after the last creation", answered - created, 1.0, "s"),
        at_most(f"{name}: CPU of all processes of three nodes, {MANY} Services", total, 18.0, "s"),
    ]


def _all_answered(lan: Lan, plane: ControlPlane) -> float:
    """When the last address was first answered; each Service has one, and none is held twice."""
    first: dict[str, float] = {}
    with Watch(lan.onlooker) as watch:

        def look() -> bool:
            first.update({each.ip: each.when for each in reversed(watch.answers()) if each.ip in POOL})
            for address in POOL:
                if address not in first:
                    watch.question(address)
            return len(first) == MANY

        eventually(look, f"{MANY} addresses are answered", 120)
    held = [objects.addresses(each) for each in plane.cluster.every("Service", "default")]
    assert sorted(one for (one,) in filter(None, held)) == sorted(POOL), "every Service has an address of its own"
    return max(first.values())


def _quiet(plane: ControlPlane) -> bool:
    """Whether nothing but the allocator's Lease was written for a second."""
    before = _work(plane)
    time.sleep(1.0)
    return _work(plane) == before


def _work(plane: ControlPlane) -> int:
    return sum(each.name != "speakerd-allocator" for each in plane.cluster.writes())


def _cpu(agents: Sequence[Agent]) -> dict[str, float]:
    """Seconds of processor time by part, of all nodes together."""
    used = [agent.cpu() for agent in agents]
    return {part: sum(each[part] for each in used) for part in used[0]}


def _say(text: str) -> None:
    """Progress, for who waits at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
