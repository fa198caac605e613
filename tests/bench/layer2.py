"""How quickly the announcer answers ARP beside the kernel itself, what strangers' questions and many VIPs cost it."""

import os
import socket
import sys
import time
from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.bench.pool import FIRST, MOST, at_rest, first_answer, grow, pooled
from tests.lab import net
from tests.lab.agents import PARTS, ROOT, Agent, fleet
from tests.lab.frames import ETH_ARP, answers, who_has
from tests.lab.net import Host, Lan, inside
from tests.lab.waiting import eventually

LEAST = "10.99.99.99"
"""Answered for by the least that a Python process can do (least.py): the physical limit of speakerd's round trip."""
SIZES = (1, 100, MOST)
ROUNDS, BATCH, PACED, PACE = 20, 100, 300, 0.01
"""Back to back: questions by turns to kernel and VIP, in batches, so that a machine's moods hit both."""
STORM_RATE, STORM_SECONDS = 20_000, 5.0
STRANGERS = [str(IPv4Address("10.99.40.0") + number) for number in range(254)]
STARTS = 5
START_LIMIT = {"binary": 0.30, "cpython": 0.60}
ANSWER_TIMEOUT = 0.5


def run(options: Options) -> Outcome:
    """Each program in turn, each on a LAN of its own."""
    if lacking := net.missing():
        raise SystemExit(f"error: bench: {lacking}")
    outcome = Outcome(figures={}, goals=[])
    with net.orderly():
        for name, program in options.programs.items():
            _round_trips_and_storm(name, program, outcome)
            _starts(name, program, outcome)
            _memory(name, program, outcome)
    return outcome


def _round_trips_and_storm(name: str, program: Sequence[str], outcome: Outcome) -> None:
    with pooled(1) as (lan, plane), fleet(lan, plane, program) as (agent,):
        (node,) = lan.nodes
        log = plane.folder / "least.log"
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        least = lan.spawn(node, sys.executable, "-m", "tests.bench.least", "eth0", LEAST, log=log, env=env)
        eventually(partial(answers, lan.client, LEAST), "the least process answers")
        for size in (min(SIZES), max(SIZES)):
            grow(lan, plane, size)
            _say(f"{name}: round trips with {size} VIPs")
            _round_trips(name, lan, size, outcome)
        _placed(name, lan, (agent.pid("announcer"), least.pid), outcome)
        _say(f"{name}: storm")
        _storm(name, lan, agent, outcome)


def _round_trips(name: str, lan: Lan, size: int, outcome: Outcome) -> None:
    (node,) = lan.nodes
    vip = str(FIRST + size - 1)
    asker = Asker(lan.client)
    kernel: list[float] = []
    ours: list[float] = []
    least: list[float] = []
    for _ in range(ROUNDS):
        for target, found in ((node.ipv4, kernel), (vip, ours), (LEAST, least)):
            found += [asker.round_trip(target) for _ in range(BATCH)]
    paced_kernel, paced = _paced(asker, node.ipv4), _paced(asker, vip)
    asker.close()
    figures = {
        "kernel": kernel,
        "speakerd": ours,
        "least": least,
        "paced.kernel": paced_kernel,
        "paced.speakerd": paced,
    }
    for word, values in figures.items():
        for share in (0.5, 0.99):
            figure = f"{name}.arp.{size}.{word}.p{share * 100:.0f}.us"
            outcome["figures"][figure] = round(quantile(values, share) * 1e6, 1)
    behind, more = ((quantile(ours, 0.5) - quantile(other, 0.5)) * 1e6 for other in (kernel, least))
    outcome["figures"][f"{name}.arp.{size}.speakerd.behind.least.us"] = round(more, 1)
    outcome["goals"].append(at_most(f"{name}: ARP p50 behind the kernel's, {size} VIPs", behind, 40.0, "us"))


def _placed(name: str, lan: Lan, answering: Sequence[int], outcome: Outcome) -> None:
    """The same with who asks and who answers on one processor, and on two: to wake another costs more than all else."""
    everywhere = os.sched_getaffinity(0)
    first, *others = sorted(everywhere)
    vip, node = str(FIRST), lan.nodes[0].ipv4
    try:
        for word, there in (("together", {first}), ("apart", set(others) or {first})):
            os.sched_setaffinity(0, {first})
            for pid in answering:
                os.sched_setaffinity(pid, there)
            asker = Asker(lan.client)
            for who, target in (("kernel", node), ("least", LEAST), ("speakerd", vip)):
                found = [asker.round_trip(target) for _ in range(ROUNDS * BATCH)]
                outcome["figures"][f"{name}.arp.{word}.{who}.p50.us"] = round(quantile(found, 0.5) * 1e6, 1)
            asker.close()
    finally:
        for pid in (0, *answering):
            os.sched_setaffinity(pid, everywhere)


def _paced(asker: "Asker", target: str) -> list[float]:
    found = []
    for _ in range(PACED):
        time.sleep(PACE)
        found.append(asker.round_trip(target))
    return found


class Asker:
    """Puts broadcast questions on the LAN and takes the time until the answer; one socket, no thread."""

    def __init__(self, host: Host) -> None:
        with inside(host.namespace):
            self._raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._raw.bind(("eth0", ETH_ARP))
        self._raw.settimeout(ANSWER_TIMEOUT)
        self._mac, self._host = self._raw.getsockname()[4], host

    def round_trip(self, target: str) -> float:
        """Seconds from question to answer. Raises TimeoutError."""
        frame, wanted = who_has(self._mac, self._host.ipv4, target), IPv4Address(target).packed
        start = time.perf_counter()
        self._raw.send(frame)
        while self._raw.recv(64)[28:32] != wanted:
            pass
        return time.perf_counter() - start

    def storm(self, targets: Sequence[str], rate: int, seconds: float) -> int:
        """Ask for each of `targets` in turn, `rate` times a second for `seconds`; how many questions went out."""
        frames = [who_has(self._mac, self._host.ipv4, target) for target in targets]
        start, sent = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - start) < seconds:
            for _ in range(sent, int(elapsed * rate)):
                self._raw.send(frames[sent % len(frames)])
                sent += 1
            time.sleep(0.0005)
        return sent

    def close(self) -> None:
        """Close the socket."""
        self._raw.close()


def _storm(name: str, lan: Lan, agent: Agent, outcome: Outcome) -> None:
    """What questions for addresses that are nobody's cost the announcer."""
    asker = Asker(lan.client)
    pid = agent.pid("announcer")
    start, before = time.perf_counter(), _ran(pid)
    sent = asker.storm(STRANGERS, STORM_RATE, STORM_SECONDS)
    elapsed, used = time.perf_counter() - start, _ran(pid) - before
    asker.close()
    outcome["figures"][f"{name}.storm.questions.per.s"] = round(sent / elapsed)
    outcome["figures"][f"{name}.storm.cpu.percent"] = round(100 * used / elapsed, 2)
    outcome["goals"].append(
        at_most(f"{name}: CPU of the announcer in a storm", 100 * used / elapsed, 2.0, "% of a core")
    )


def _ran(pid: int) -> float:
    """Seconds that a process was on a processor: finer than the ticks of /proc/PID/stat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _starts(name: str, program: Sequence[str], outcome: Outcome) -> None:
    """From the start of the process until a VIP that is in the API is answered."""
    _say(f"{name}: {STARTS} starts")
    with pooled(1) as (lan, plane):
        with fleet(lan, plane, program):
            grow(lan, plane, 1)
        found = [first_answer(lan, plane, program) for _ in range(STARTS)]
    outcome["figures"][f"{name}.start.p50.s"] = round(quantile(found, 0.5), 3)
    outcome["figures"][f"{name}.start.max.s"] = round(max(found), 3)
    limit = START_LIMIT[name]
    outcome["goals"].append(at_most(f"{name}: process start to first answer, p50", quantile(found, 0.5), limit, "s"))


def _memory(name: str, program: Sequence[str], outcome: Outcome) -> None:
    """Of the processes of one node, by the number of Services."""
    for size in SIZES:
        _say(f"{name}: memory with {size} Services")
        used = at_rest(program, size)
        for part in PARTS:
            outcome["figures"][f"{name}.memory.{size}.{part}.rss.MiB"] = round(used[part].rss, 1)
            outcome["figures"][f"{name}.memory.{size}.{part}.pss.MiB"] = round(used[part].pss, 1)
        total = sum(each.pss for each in used.values())
        outcome["figures"][f"{name}.memory.{size}.pss.MiB"] = round(total, 1)
    outcome["goals"].append(
        at_most(f"{name}: PSS of all processes, {SIZES[-1]} Services", total * 1.048576, 55.0, "MB")
    )


def _say(text: str) -> None:
    """Progress, for who waits at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
