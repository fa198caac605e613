"""Minutes in which nothing happens, on the real control plane: what is written all the same, what being idle costs."""

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product

import yaml

from tests.bench.figures import Options, Outcome, at_most
from tests.kube import controlplane
from tests.kube.controlplane import ControlPlane
from tests.lab import net, objects
from tests.lab.agents import PARTS, Agent, Part, Plane, fleet
from tests.lab.net import Lan, tool
from tests.lab.scrape import samples
from tests.lab.steps import publish, vip_leases
from tests.lab.waiting import eventually

VIPS = 100
MINUTE = 60.0
ALLOCATOR = "speakerd-allocator"
SENT = 'speakerd_mesh_messages_total{what="sent"}'
PACKETS = 40.0
"""What a member sends in a second at most, one of three: 13.3 heartbeats to two others, a third of that by frames."""


def run(options: Options) -> Outcome:
    """As many minutes as runs are wished for."""
    if lacking := net.missing() or controlplane.missing():
        raise SystemExit(f"error: bench: {lacking}")
    outcome = Outcome(figures={}, goals=[])
    (name, program), *_ = options.programs.items()
    with net.orderly(), Lan() as lan, ControlPlane(lan) as plane:
        for node in lan.nodes:
            plane.cluster.create(objects.node(node))
        plane.cluster.apply(yaml.safe_load_all(tool(*program, "crds")))
        plane.cluster.create(objects.pool("bench", "10.99.16.0/24"))
        plane.cluster.create(objects.advertisement("bench"))
        with fleet(lan, plane, program) as agents:
            for number in range(VIPS):
                publish(plane.cluster, f"steady-{number}", lan.nodes)
            eventually(
                lambda: settled(plane, agents, VIPS), "every VIP has owner and heir, and it is written down", 120
            )
            _watch(name, lan, plane, agents, options.runs, outcome)
    return outcome


def settled(plane: Plane, agents: Sequence[Agent], vips: int) -> bool:
    """Whether all is done for so many VIPs, and written: then seconds pass without a write."""
    known = agents[0].status().get("vips", ())
    if len(known) < vips or not all(each["owner"] and each["heir"] for each in known):
        return False
    before = _writes(plane)
    time.sleep(5.0)
    return _writes(plane) == before


def _writes(plane: Plane) -> Counter[str]:
    """By name of what was written, but for the allocator's Lease."""
    return Counter(each.name for each in plane.cluster.writes() if each.name != ALLOCATOR)


def _watch(name: str, lan: Lan, plane: ControlPlane, agents: Sequence[Agent], minutes: int, outcome: Outcome) -> None:
    owners = _owners(agents[0])
    writes, renewed = _writes(plane), _renewals(plane)
    used, sent = _cpu(agents), [samples(node)[SENT] for node in lan.nodes]
    began = time.monotonic()
    for minute in range(minutes):
        held = len(vip_leases(plane.cluster))  # a read a minute keeps our own connection open
        _say(f"minute {minute + 1} of {minutes}: {held} addresses")
        time.sleep(MINUTE)
    seconds = time.monotonic() - began
    new = (_writes(plane) - writes).total()
    moved = sum(_owners(agents[0])[ip] != owner for ip, owner in owners.items())
    now = _cpu(agents)
    figures = outcome["figures"]
    figures |= {f"{name}.minutes": minutes, f"{name}.vips": len(owners)}
    figures[f"{name}.allocator.lease.per.minute"] = round((_renewals(plane) - renewed) / seconds * MINUTE, 1)
    for (part, _), cost in {each: now[each] - used[each] for each in now}.items():
        word = f"{name}.cpu.{part}.percent"
        figures[word] = max(figures.get(word, 0.0), round(100 * cost / seconds, 2))
    packets = max(samples(node)[SENT] - before for node, before in zip(lan.nodes, sent, strict=True)) / seconds
    figures[f"{name}.packets.per.s"] = round(packets, 1)
    outcome["goals"] += [
        at_most(f"{name}: writes but for the allocator's Lease, {minutes} minutes, {VIPS} VIPs", new, 0, ""),
        at_most(f"{name}: VIPs that moved", moved, 0, ""),
        at_most(f"{name}: packets a member sends", packets, PACKETS, "/s"),
    ]


def _owners(agent: Agent) -> Mapping[str, str]:
    return {each["ip"]: each["owner"] for each in agent.status()["vips"]}


def _renewals(plane: ControlPlane) -> int:
    return sum(each.name == ALLOCATOR for each in plane.cluster.writes())


def _cpu(agents: Sequence[Agent]) -> dict[tuple[Part, int], float]:
    used = [agent.cpu() for agent in agents]
    return {(part, number): used[number][part] for part, number in product(PARTS, range(len(agents)))}


def _say(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
