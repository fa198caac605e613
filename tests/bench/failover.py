"""How long a VIP is silent when its owner dies, stops, stalls or is drained; keepalived beside it in the same run.

A client probes by UDP each 2 ms, a broadcast who-has goes out each 10 ms. Each run begins with a boot of all nodes.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from msgspec import Struct

from tests.bench import calm, faults, thousand
from tests.bench.contenders import ADVERTS, VIPS, Contender, keepalived, speakerd
from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.lab import net
from tests.lab.eyes import looking, plan
from tests.lab.net import Host, Lan
from tests.lab.outage import Outage, outage
from tests.lab.standin import Forward, forward
from tests.lab.steps import Family, owner

SETTLED = 1.0
"""Seconds after owner and heir are known until something happens."""
BEFORE, AFTER = 0.3, 3.0
"""Seconds the client is served before it happens, and that a run goes on after it."""

COUNTED = ("failed", "lost", "moves")
DEAD = {"arp.p50": 0.16, "arp.max": 0.2, "moves": 1}
PLANNED = {"arp.max": 0.02, "lost.max": 0, "moves": 1}
SETTLES = {"after.max": 0.1, "moves": 1}


class Case(Struct, frozen=True):
    """`act` on the owner among so many nodes; `goals` by figure; `beside`: keepalived shows it as well."""

    says: str
    act: faults.Act
    goals: Mapping[str, float] = {}
    nodes: int = 3
    family: Family = "IPv4"
    busy: bool = False
    beside: bool = False


CASES: Mapping[str, Case] = {
    "a.2": Case("one of two nodes dies", faults.dies, {"arp.max": 0.25, "moves": 1}, 2),
    "a.3": Case("one of three nodes dies", faults.dies, DEAD, beside=True),
    "a.5": Case("one of five nodes dies", faults.dies, DEAD, 5),
    "b": Case("the announcer is killed", faults.announcer_killed, {"arp.max": 0.1, "moves": 0}),
    "c": Case("the process tree is killed", faults.tree_killed, DEAD),
    "d": Case("the announcer is stopped for 10 s", faults.stalls, SETTLES),
    "e": Case("the cable is out for 5 s", faults.cable_out, DEAD | SETTLES, beside=True),
    "f": Case("SIGTERM, then started again", faults.told_to_end, PLANNED, beside=True),
    "g": Case("drained", faults.drained, PLANNED),
    "h": Case("the API server goes, then a node dies", faults.dies_without_api, DEAD),
    "i": Case("all cores are busy, a node dies", faults.dies, {"arp.max": 0.3, "moves": 1}, busy=True, beside=True),
    "j.a": Case("IPv6: a node dies", faults.dies, DEAD, family="IPv6"),
    "j.f": Case("IPv6: SIGTERM, then started again", faults.told_to_end, PLANNED, family="IPv6"),
    "k": Case("a node dies, the client heeds nothing unasked for a second", faults.dies_unheard, {}),
}
MORE: Mapping[str, Callable[[Sequence[str], int, str, Outcome], None]] = {
    "calm": calm.run,
    "l.dies": thousand.dies,
    "l.joins": thousand.joins,
}
"""Cases of another shape: program, runs, name of its figures."""
NAMES = (*CASES, *MORE)


def run(options: Options) -> Outcome:
    """The cases wished for, with the first program that there is, and keepalived."""
    if lacking := net.missing():
        raise SystemExit(f"error: bench: {lacking}")
    outcome = Outcome(figures={}, goals=[])
    (name, program), *_ = options.programs.items()
    wished = [each for each in NAMES if _wished(each, options.cases)]
    with net.orderly():
        for word in wished:
            if word in CASES:
                _case(word, CASES[word], {name: partial(speakerd, program=program)}, options.runs, outcome)
            else:
                _say(f"{name}.{word}")
                MORE[word](program, options.runs, f"{name}.{word}", outcome)
    return outcome


def _wished(word: str, cases: Sequence[str]) -> bool:
    return not cases or any(word == each or word.startswith(f"{each}.") for each in cases)


Boot = Callable[..., AbstractContextManager[Contender]]


def _case(word: str, case: Case, own: Mapping[str, Boot], runs: int, outcome: Outcome) -> None:
    rivals: dict[str, Boot] = dict(own)
    if case.beside and shutil.which("keepalived"):
        rivals |= {name: partial(keepalived, advert=advert) for name, advert in ADVERTS.items()}
    for name, boot in rivals.items():
        _say(f"{name}.{word}: {case.says}")
        found, failed = [], 0
        for _ in range(runs):
            try:
                found.append(_once(case, boot))
            except AssertionError as fault:
                failed += 1
                sys.stderr.write(f"{name}.{word}: {fault}\n")
        note(f"{name}.{word}", found, failed, case.goals if name in own else {}, outcome)


def _once(case: Case, boot: Boot) -> Outage:
    vip = VIPS[case.family]
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as where, Lan(case.nodes) as lan:
        folder = Path(where)
        busy = faults.load(lan, folder, os.cpu_count() or 1) if case.busy else nullcontext()
        with boot(lan, case.family, folder) as running, busy:
            name = owner(lan, vip)
            (node,) = (each for each in lan.nodes if each.name == name)
            time.sleep(SETTLED)
            return _watched(lan, folder, vip, node, partial(case.act, lan, running, node), running.slow)


def _watched(lan: Lan, folder: Path, vip: str, node: Host, act: Callable[[], float], slow: float) -> Outage:
    """Let it happen before the eyes of client and onlooker; the pods are on nodes that stay."""
    stay = [each for each in lan.nodes if each != node]
    forward(lan, [Forward(vip, 80, stay)])
    look = plan(lan, [vip], stay)
    with looking(lan, folder, look) as eyes:
        eyes.served()
        time.sleep(BEFORE)
        began = time.time()
        back = act()
        time.sleep(AFTER + slow)
        return outage(eyes.end(), look, began, back)


def note(name: str, found: Sequence[Outage], failed: int, goals: Mapping[str, float], outcome: Outcome) -> None:
    """The figures of all runs of a case, and the goals that stand for it."""
    values = {"failed": float(failed)} | (_figures(found) if found else {})
    outcome["figures"] |= {f"{name}.{word}": round(value, 4) for word, value in values.items()}
    wanted = {"failed": 0.0, **goals} if goals else {}
    outcome["goals"] += [
        at_most(f"{name}: {word}", values.get(word, float("inf")), goal, "" if word.startswith(COUNTED) else "s")
        for word, goal in wanted.items()
    ]


def _figures(found: Sequence[Outage]) -> dict[str, float]:
    values: dict[str, float] = {}
    for word in ("client", "arp", "twice", "after", "lost"):
        values |= _spread(word, [float(getattr(each, word)) for each in found])
    values["moves"] = max(each.moves for each in found)
    values["spacing"] = max(each.spacing for each in found)
    return values


def _spread(word: str, values: Iterable[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"{word}.min": ordered[0], f"{word}.p50": quantile(ordered, 0.5), f"{word}.max": ordered[-1]}


def _say(text: str) -> None:
    """Progress, for who waits at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
