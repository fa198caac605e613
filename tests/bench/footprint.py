"""What speakerd takes where nothing happens, and until something does: disk, start, memory, wake-ups, processor time.

The compiled folder and CPython side by side; of the one file, which is the folder once it has unpacked itself, size and
start.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.bench.pool import MOST, at_rest, first_answer, grow, pooled
from tests.bench.steady import MINUTE, VIPS, settled
from tests.lab import net
from tests.lab.agents import BINARY, PARTS, Agent, Part, fleet
from tests.lab.embedded import Embedded
from tests.lab.waiting import eventually

FOLDER = Path(BINARY[0]).parent
ONE_FILE = FOLDER.parent / "speakerd"
ONE = "one.file"
MEMBERS = 3
STARTS, CALLS = 7, 41
MB = 1e6
MIB = 1 << 20
HOUR = 3600.0
VERSION_LIMIT = {"binary": 40.0, ONE: 90.0}
"""Milliseconds."""


class Used(Struct, frozen=True):
    """Of one process so far: seconds on a processor, times that it waited and was woken, bytes for the disk."""

    cpu: float
    woken: int
    written: int


def run(options: Options) -> Outcome:
    """Each program in turn; `runs` minutes of idleness."""
    if lacking := net.missing():
        raise SystemExit(f"error: bench: {lacking}")
    outcome = Outcome(figures={}, goals=[])
    started = dict(options.programs)
    if ONE_FILE.exists():
        started[ONE] = (str(ONE_FILE),)
        _sizes(outcome)
    _calls(started, outcome)
    with net.orderly():
        for name, program in started.items():
            _starts(name, program, next(iter(options.programs.values())), outcome)
        for name, program in options.programs.items():
            _memory(name, program, outcome)
            _idle(name, program, options.runs, outcome)
    return outcome


def _sizes(outcome: Outcome) -> None:
    folder = sum(each.stat().st_size for each in FOLDER.rglob("*") if each.is_file())
    file = ONE_FILE.stat().st_size / MB
    outcome["figures"] |= {"size.folder.MB": round(folder / MB, 2), f"size.{ONE}.MB": round(file, 2)}
    outcome["goals"].append(at_most("size of the one file", file, 15.0, "MB"))


def _calls(programs: Mapping[str, Sequence[str]], outcome: Outcome) -> None:
    """`version` by turns with the least that any program, and any Python, takes: a machine's moods hit all."""
    commands = {name: [*program, "version"] for name, program in programs.items()}
    commands |= {"true": ["/bin/true"], "python.pass": [sys.executable, "-I", "-S", "-c", "pass"]}
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(CALLS):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            found[name].append((time.perf_counter() - start) * 1000)
    for name, times in found.items():
        outcome["figures"][f"{name}.call.p50.ms"] = round(quantile(times, 0.5), 1)
    for name, limit in VERSION_LIMIT.items():
        if name in found:
            outcome["goals"].append(at_most(f"{name}: version, p50", quantile(found[name], 0.5), limit, "ms"))


def _starts(name: str, program: Sequence[str], before: Sequence[str], outcome: Outcome) -> None:
    """From the start of the process to its first request, over TLS, and to its answer for a VIP that `before` gave."""
    _say(f"{name}: {STARTS} starts")
    asked, answered = [], []
    with pooled(1, tls=True) as (lan, api):
        with fleet(lan, api, before):
            grow(lan, api, 1)
        for _ in range(STARTS):
            began = time.monotonic()
            answered.append(first_answer(lan, api, program))
            asked.append(_first_request(api, lan.nodes[0].name, began) - began)
    figures = outcome["figures"]
    figures[f"{name}.start.first.request.p50.ms"] = request = round(quantile(asked, 0.5) * 1000, 1)
    figures[f"{name}.start.first.answer.p50.ms"] = round(quantile(answered, 0.5) * 1000, 1)
    if name == "binary":
        outcome["goals"].append(at_most(f"{name}: process start to first API request, p50", request, 150.0, "ms"))


def _first_request(api: Embedded, user: str, since: float) -> float:
    """When `user` first asked the API for something after `since`."""
    told: list[tuple[str, float]] = api.cluster.request("GET", "/_stats")["first"]
    return min(when for who, when in told if who == user and when > since)


def _memory(name: str, program: Sequence[str], outcome: Outcome) -> None:
    figures = outcome["figures"]
    for size in (1, MOST):
        _say(f"{name}: memory with {size} Services")
        used = at_rest(program, size)
        for part, each in used.items():
            figures[f"{name}.memory.{size}.{part}.rss.MiB"] = round(each.rss, 1)
            figures[f"{name}.memory.{size}.{part}.pss.MiB"] = round(each.pss, 1)
        figures[f"{name}.memory.{size}.rss.MiB"] = round(sum(each.rss for each in used.values()), 1)
        figures[f"{name}.memory.{size}.pss.MiB"] = together = round(sum(each.pss for each in used.values()), 1)
    if name == "binary":
        goal = at_most(f"{name}: PSS of all processes, {MOST} Services", together * MIB / MB, 45.0, "MB")
        outcome["goals"].append(goal)


def _idle(name: str, program: Sequence[str], minutes: int, outcome: Outcome) -> None:
    """One of several members, while nothing changes."""
    with pooled(MEMBERS) as (lan, api), fleet(lan, api, program) as agents:
        grow(lan, api, VIPS)
        eventually(lambda: settled(api, agents, VIPS), "every VIP has owner and heir, and it is written down", 120)
        _say(f"{name}: {minutes} idle minutes")
        files = [_files(agent.state) for agent in agents]
        before, began = [_used(agent) for agent in agents], time.monotonic()
        time.sleep(minutes * MINUTE)
        after, seconds = [_used(agent) for agent in agents], time.monotonic() - began
        changed = sum(_files(agent.state) != known for agent, known in zip(agents, files, strict=True))
    figures = outcome["figures"]
    figures[f"{name}.idle.minutes"] = minutes
    rates: dict[str, Callable[[Used], float]] = {
        "cpu.percent": lambda each: 100 * each.cpu,
        "wakeups.per.s": lambda each: each.woken,
        "written.bytes.per.h": lambda each: each.written * HOUR,
    }
    most = {}
    for word, value in rates.items():
        spent = [
            {part: (value(now[part]) - value(then[part])) / seconds for part in PARTS}
            for then, now in zip(before, after, strict=True)
        ]
        for part in PARTS:
            figures[f"{name}.idle.{part}.{word}"] = round(max(each[part] for each in spent), 2)
        figures[f"{name}.idle.{word}"] = most[word] = round(max(sum(each.values()) for each in spent), 2)
    what = f"{name}: one of {MEMBERS} members, {VIPS} VIPs, idle"
    outcome["goals"] += [
        at_most(f"{what}: CPU", most["cpu.percent"], 1.0, "% of a core"),
        at_most(f"{what}: written to disk", most["written.bytes.per.h"], 0, "bytes/h"),
        at_most(f"{what}: state folders that changed", changed, 0, ""),
    ]


def _used(agent: Agent) -> dict[Part, Used]:
    return {part: _used_by(Path(f"/proc/{pid}")) for part, pid in agent.pids().items()}


def _used_by(process: Path) -> Used:
    cpu = woken = 0
    for thread in (process / "task").iterdir():
        cpu += int((thread / "schedstat").read_text().split()[0])
        woken += _field(thread / "status", "voluntary_ctxt_switches")
    return Used(cpu / 1e9, woken, _field(process / "io", "write_bytes"))


def _field(file: Path, name: str) -> int:
    """The number that stands behind `name:`."""
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.startswith(f"{name}:"))


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size, and when it was last changed, of each file."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def _say(text: str) -> None:
    """Progress, for who waits at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")
