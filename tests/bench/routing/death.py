"""A node dies, watched by BFD: when does no packet go to it any more? And does BFD hold while all cores are busy?

Death is noticed 100 to 150 ms after it: three intervals of 50 ms from the last packet, which is up to one old. BIRD
acts at once; FRR ends the session at once, which its log tells (`session`), and changes the route 70 ms later.
"""

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.bench.faults import load
from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.bench.routing.receivers import INTERVAL, MULTIPLIER, Receiver, receivers, speak, watched
from tests.lab import objects
from tests.lab.agents import Agent, fleet
from tests.lab.bgp import bgp, peer
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually

SETTLED = 2.0
GOAL = 0.2
BUSY = 6.0
"""Seconds for each run that is wished, in which all cores are busy."""
LONGEST = 60.0


def run(options: Options, outcome: Outcome) -> None:
    """Three nodes, with the first program that there is."""
    (name, program), *_ = options.programs.items()
    with Lan(routers=2) as lan, Embedded(lan) as plane:
        plane.cluster.create(objects.pool("bench", "198.51.100.0/24"))
        times = {"receiveInterval": INTERVAL, "transmitInterval": INTERVAL, "detectMultiplier": MULTIPLIER}
        plane.cluster.create(bgp("BFDProfile", "fast", **times))
        with fleet(lan, plane, program) as agents, receivers(lan, bfd=True) as found:
            speak(plane.cluster, lan, found, bfdProfile="fast")
            publish(plane.cluster, "web", lan.nodes)
            prefix = f"{given(plane.cluster, 'web')[0]}/32"
            _whole(lan, found, prefix)
            for each in found:
                each.trace()
            _hold(lan, agents, found, min(LONGEST, BUSY * options.runs), f"{name}.death", outcome)
            deaths = [_death(lan, agents[-1], found, prefix) for _ in range(options.runs)]
    for word in deaths[0]:
        silent = [each[word] for each in deaths]
        outcome["figures"] |= {
            f"{name}.death.{word}.min.s": round(min(silent), 4),
            f"{name}.death.{word}.p50.s": round(quantile(silent, 0.5), 4),
            f"{name}.death.{word}.max.s": round(max(silent), 4),
        }
        if word.endswith("kernel"):
            router = word.partition(".")[0]
            goal = at_most(f"{name}.death: next hop of a dead node gone in {router}, max", max(silent), GOAL, "s")
            outcome["goals"].append(goal)


def _whole(lan: Lan, found: Sequence[Receiver], prefix: str) -> None:
    """Wait until every router goes to `prefix` by all nodes, each watched by BFD."""
    nodes = {node.ipv4 for node in lan.nodes}
    for each in found:
        eventually(partial(_goes_by, each, prefix, nodes), f"{each.name} goes by all nodes", 30)
        watched(each, lan)


def _goes_by(receiver: Receiver, prefix: str, nodes: set[str]) -> bool:
    return receiver.fib.hops(prefix) == nodes


def _death(lan: Lan, agent: Agent, found: Sequence[Receiver], prefix: str) -> dict[str, float]:
    """Seconds from the death until a router's kernel had no such next hop; then the node comes back."""
    time.sleep(SETTLED)
    node = agent.host
    pids = agent.pids().values()  # the supervisor first, which would start others
    start = time.time()
    lan.link(node, "down")  # before all else: the kernel of a dead node ends no connection
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    gone = {f"{each.name}.kernel": _gone(each, prefix, node, start) - start for each in found}
    gone |= {f"{each.name}.session": each.fell(node.ipv4, start) - start for each in found if each.tells}
    lan.link(node, "up")
    agent.stop()
    agent.start()
    _whole(lan, found, prefix)
    return gone


def _gone(receiver: Receiver, prefix: str, node: Host, start: float) -> float:
    without = partial(receiver.fib.without, prefix, node.ipv4, start)
    return eventually(without, f"{receiver.name} has forgotten {node.name}", 10)


def _hold(
    lan: Lan, agents: Sequence[Agent], found: Sequence[Receiver], seconds: float, name: str, outcome: Outcome
) -> None:
    """All cores are busy for a while: how many BFD sessions fail?"""
    before = sum(_downs(agents, found))
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as where, load(lan, Path(where), os.cpu_count() or 1):
        time.sleep(seconds)
    flaps = sum(_downs(agents, found)) - before
    outcome["figures"][f"{name}.busy.s"] = seconds
    outcome["goals"].append(at_most(f"{name}: BFD sessions lost while all cores are busy", flaps, 0, ""))


def _downs(agents: Sequence[Agent], found: Sequence[Receiver]) -> Iterator[int]:
    for agent in agents:
        for each in found:
            yield peer(agent, each.name)["bfd"]["counted"]["downs"]
