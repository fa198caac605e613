"""How long a VIP is silent when its owner dies, stops, stalls or is drained; keepalived beside it in the same run.

A client probes by UDP each 2 ms, a broadcast who-has goes out each 10 ms. Each run begins with a boot of all nodes.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.lab import objects
from tests.lab.agents import Agent, command_output, fleet
from tests.lab.embedded import Embedded
from tests.lab.frames import Sighting, Watch
from tests.lab.net import Host, Lan
from tests.lab.standin import Forward, forward
from tests.lab.steps import given, owner, publish
from tests.lab.traffic import Echo, Probe
from tests.lab.waiting import eventually

RUNS = int(os.environ.get("RUNS", "10"))
"""Of each case."""
SETTLED = 2.0
"""Seconds after the VIP is answered until something happens: heirs are named by then."""
AFTER = 2.5
"""Seconds a run goes on after what happened."""
STOPPED = 2.0
VIP = "10.99.10.1"
ADVERTS = {"defaults": 1.0, "100ms": 0.1, "50ms": 0.05}

Act = Callable[[Lan, Agent], None]


class Run(Struct, frozen=True):
    """Seconds: the client's longest gap, the longest ARP silence, and how long two MACs answered.

    `lost`: probes without an answer; `moved`: another node answers in the end.
    """

    client: float
    arp: float
    twice: float
    lost: int
    moved: bool


def dies(lan: Lan, agent: Agent) -> None:
    """All processes killed and the link cut at once."""
    for pid in agent.pids().values():
        os.kill(pid, signal.SIGKILL)
    lan.link(agent.host, "down")


def announcer_killed(_lan: Lan, agent: Agent) -> None:
    """The announcer killed."""
    agent.kill("announcer")


def tree_killed(_lan: Lan, agent: Agent) -> None:
    """The whole process tree killed, the link whole."""
    for pid in agent.pids().values():
        os.kill(pid, signal.SIGKILL)


def stalls(_lan: Lan, agent: Agent) -> None:
    """The announcer stopped for a while, then continued."""
    agent.kill("announcer", signal.SIGSTOP)
    time.sleep(STOPPED)
    agent.kill("announcer", signal.SIGCONT)


def cable_out(lan: Lan, agent: Agent) -> None:
    """The cable out for a while, then in."""
    lan.link(agent.host, "down")
    time.sleep(STOPPED)
    lan.link(agent.host, "up")


def told_to_end(_lan: Lan, agent: Agent) -> None:
    """SIGTERM, then started again."""
    agent.stop()
    agent.start()


def drained(_lan: Lan, agent: Agent) -> None:
    """Drained by its operator."""
    command_output("drain", "--wait", "--run", str(agent.run))


CASES: Sequence[tuple[str, int, Act, dict[str, float]]] = (
    # name, nodes, what happens, goals: of the ARP silence's median and maximum in seconds, of probes lost
    ("dead.2", 2, dies, {"arp.max": 0.25}),
    ("dead.3", 3, dies, {"arp.p50": 0.16, "arp.max": 0.2}),
    ("dead.5", 5, dies, {"arp.p50": 0.16, "arp.max": 0.2}),
    ("announcer.killed", 3, announcer_killed, {"arp.max": 0.1, "moved": 0}),
    ("tree.killed", 3, tree_killed, {"arp.p50": 0.16, "arp.max": 0.2}),
    ("stalled", 3, stalls, {"twice.max": 0.1}),
    ("cable", 3, cable_out, {"arp.p50": 0.16, "arp.max": 0.2, "twice.max": 0.1}),
    ("sigterm", 3, told_to_end, {"arp.max": 0.02, "lost": 0}),
    ("drain", 3, drained, {"arp.max": 0.02, "lost": 0}),
)


def run(options: Options) -> Outcome:
    """All cases with the first program that there is, and keepalived."""
    outcome = Outcome(figures={}, goals=[])
    (name, program), *_ = options.programs.items()
    for case, nodes, act, goals in CASES:
        _say(f"{name}: {case}")
        found = [_speakerd(program, nodes, act) for _ in range(RUNS)]
        _note(f"{name}.{case}", found, goals, outcome)
    if shutil.which("keepalived"):
        for word, advert in ADVERTS.items():
            _say(f"keepalived: {word}")
            _note(f"keepalived.{word}.dead.3", [_keepalived(advert) for _ in range(RUNS)], {}, outcome)
    return outcome


def _speakerd(program: Sequence[str], nodes: int, act: Act) -> Run:
    with Lan(nodes) as lan, Echo(lan), Embedded(lan) as plane:
        plane.cluster.create(objects.pool("bench", f"{VIP}/32"))
        plane.cluster.create(objects.advertisement("bench"))
        with fleet(lan, plane, program) as agents:
            publish(plane.cluster, "web", lan.nodes)
            assert given(plane.cluster, "web") == [VIP]
            name = owner(lan, VIP)
            (agent,) = (each for each in agents if each.host.name == name)
            time.sleep(SETTLED)
            return _watched(lan, agent.host, lambda: act(lan, agent))


def _watched(lan: Lan, before: Host, act: Callable[[], None]) -> Run:
    """Let it happen, with the client and the onlooker looking; the pods are on nodes that stay."""
    stay = [node for node in lan.nodes if node != before]
    forward(lan, [Forward(VIP, 80, stay)])
    with Watch(lan.onlooker, ask=[VIP]) as watch, Probe(lan.client, VIP, 80, time.monotonic, 0.002) as probe:
        eventually(lambda: len(probe.answers) > 50, "the client is served", 10)
        began, sent = time.time(), probe.sent - len(probe.answers)
        act()
        time.sleep(AFTER)
        lost = probe.sent - len(probe.answers) - sent
        times = [when for when, _ in probe.answers]
        gap = max((b - a for a, b in pairwise(times)), default=float("inf"))
        answers = [each for each in watch.of(VIP, "answer") if each.when > began - 0.05]
        speakers = [each.mac for each in answers]
        return Run(
            gap,
            watch.silence(VIP),
            _twice(answers),
            max(0, lost),
            speakers[-1] != lan.mac(before) if speakers else True,
        )


def _twice(answers: Sequence[Sighting]) -> float:
    """Seconds from the first answer of a new MAC to the last one of an older: how long two of them answered."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for each in answers:
        first.setdefault(each.mac, each.when)
        last[each.mac] = each.when
    spans = sorted((first[mac], last[mac]) for mac in first)
    return max(
        (min(end, last_end) - start for (_, end), (start, last_end) in pairwise(spans) if end > start), default=0.0
    )


@contextmanager
def _router(lan: Lan, node: Host, number: int, advert: float, folder: Path) -> Iterator[int]:
    """keepalived on a node; its pid, which is its process group's."""
    config = folder / f"{node.name}.conf"
    config.write_text(
        f"global_defs {{\n  router_id {node.name}\n  vrrp_version 3\n}}\nvrrp_instance v {{\n  state BACKUP\n"
        f"  interface eth0\n  virtual_router_id 51\n  priority {200 - number}\n  advert_int {advert:g}\n"
        f"  virtual_ipaddress {{\n    {VIP}/16\n  }}\n}}\n"
    )
    command = ("keepalived", "-n", "-l", "-P", "-f", str(config), "-p", str(folder / f"{node.name}.pid"))
    process = lan.spawn(node, *command, "-r", str(folder / f"{node.name}.vrrp"), log=folder / f"{node.name}.log")
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _keepalived(advert: float) -> Run:
    """The master dies: killed, with its link cut."""
    with Lan(3) as lan, Echo(lan), ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speakerd-bench-")))
        pids = [
            stack.enter_context(_router(lan, node, number, advert, folder)) for number, node in enumerate(lan.nodes)
        ]
        name = owner(lan, VIP, 20)
        (number,) = (n for n, node in enumerate(lan.nodes) if node.name == name)
        time.sleep(SETTLED)

        def die() -> None:
            os.killpg(pids[number], signal.SIGKILL)  # its parent alone would let the child say goodbye
            lan.link(lan.nodes[number], "down")
            time.sleep(4 * advert)

        return _watched(lan, lan.nodes[number], die)


def _note(name: str, found: Sequence[Run], goals: dict[str, float], outcome: Outcome) -> None:
    values: dict[str, float] = {}
    for word in ("client", "arp", "twice"):
        times = [float(getattr(each, word)) for each in found]
        values |= {f"{word}.min": min(times), f"{word}.p50": quantile(times, 0.5), f"{word}.max": max(times)}
    values["lost"] = max(each.lost for each in found)
    values["moved"] = sum(each.moved for each in found)
    for word, value in values.items():
        outcome["figures"][f"{name}.{word}"] = round(value, 4)
    outcome["goals"] += [
        at_most(f"{name}: {word}", values[word], goal, "s" if "." in word else "") for word, goal in goals.items()
    ]


def _say(text: str) -> None:
    """Progress, for who waits at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
