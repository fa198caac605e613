"""speakerd itself on the nodes of a LAN: started as its users start it, looked at through its control socket."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from msgspec import Struct

from speakerd.control import NoAgent, Request, ask
from tests.lab.cluster import Cluster
from tests.lab.net import Host, Lan, end, tool
from tests.lab.waiting import eventually

ROOT = Path(__file__).parents[2]
CPYTHON = (sys.executable, "-m", "speakerd")
BINARY = (str(ROOT / "dist" / "speakerd.dist" / "speakerd"),)
PROGRAM = "LAB_PROGRAM"
"""Environment: the speakerd to test, a path; without it this tree's, run by this Python."""
TICKS = os.sysconf("SC_CLK_TCK")

Part = Literal["supervisor", "controller", "announcer"]
PARTS: Sequence[Part] = ("supervisor", "controller", "announcer")


class Plane(Protocol):
    """A control plane: the real one or the embedded API server."""

    folder: Path
    cluster: Cluster

    def kubeconfig(self, user: str) -> Path:
        """A file with the credentials of `user`, a node's name."""


class Memory(Struct, frozen=True):
    """MiB: what its pages take together (RSS), and the share that falls to it where pages are shared (PSS)."""

    rss: float
    pss: float


def command_output(*arguments: str) -> str:
    """What `speakerd ARGUMENTS` prints."""
    return tool(*program(), *arguments)


def program() -> Sequence[str]:
    """The command under test."""
    chosen = os.environ.get(PROGRAM)
    return (chosen,) if chosen else CPYTHON


class Agent:
    """speakerd on `host`; its files are in `folder`. `settings` come on top of what every node needs."""

    def __init__(
        self, lan: Lan, host: Host, plane: Plane, command: Sequence[str], settings: Mapping[str, object] | None = None
    ) -> None:
        self.host = host
        self._lan, self._command = lan, command
        self._folder = plane.folder / host.name
        self.run, self.state, self.log = self._folder / "run", self._folder / "state", self._folder / "log"
        self._folder.mkdir(exist_ok=True)
        self.config = self._folder / "speakerd.yaml"
        wanted = dict(settings or {})
        if "kubernetes" not in wanted:
            wanted["kubernetes"] = {"kubeconfig": str(plane.kubeconfig(host.name))}
        self.configure(wanted)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, settings: Mapping[str, object]) -> None:
        """Write the settings file; JSON is YAML."""
        fixed = {
            "node": {"name": self.host.name},
            "paths": {"state": str(self.state), "run": str(self.run)},
        }
        self.config.write_text(json.dumps({**fixed, **settings}, indent=1))

    def start(self, more: Mapping[str, str] | None = None) -> None:
        """Start it, with `more` in its environment; `ready` tells when it is."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SPEAKERD_", "NOTIFY_"))}
        env |= {"PYTHONPATH": str(ROOT), **(more or {})}
        command = [*self._command, "run", "--config", str(self.config)]
        self._process = self._lan.spawn(self.host, *command, log=self.log, env=env)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        if not self._process:
            return 0
        end(self._process)
        process, self._process = self._process, None
        return process.returncode

    def ended(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll() if self._process else None

    def status(self) -> dict[str, Any]:
        """What `speakerd status -o json` prints; nothing while it does not answer."""
        try:
            return cast("dict[str, Any]", json.loads(ask(self.run / "control.sock", Request("status")) or b"{}"))
        except NoAgent:
            return {}

    def events(self) -> list[dict[str, Any]]:
        """What `speakerd events -o json` prints, a line each."""
        told = json.loads(ask(self.run / "control.sock", Request("events")))
        return cast("list[dict[str, Any]]", told["events"])

    def pids(self) -> dict[Part, int]:
        """The processes that run now, from the kernel: one that is stopped cannot tell."""
        if not self._process or self._process.poll() is not None:
            return {}
        supervisor = self._process.pid
        children = {name: pid for pid, name in _children(supervisor)}
        found: dict[Part, int] = {"supervisor": supervisor}
        return found | {part: children[part] for part in PARTS if part in children}

    def pid(self, part: Part) -> int:
        """One of them, which must run."""
        return self.pids()[part]

    def kill(self, part: Part, number: signal.Signals = signal.SIGKILL) -> int:
        """Signal one of the processes; its pid."""
        pid = self.pid(part)
        os.kill(pid, number)
        return pid

    def memory(self) -> dict[Part, Memory]:
        """Of each process."""
        return {part: memory(pid) for part, pid in self.pids().items()}

    def cpu(self) -> dict[Part, float]:
        """Seconds of processor time that each process has used since it started."""
        return {part: cpu(pid) for part, pid in self.pids().items()}

    def connections(self, port: int) -> int:
        """TCP connections from this node to `port`, established."""
        found = 0
        pid = self.pid("supervisor")
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                _, _, remote, state, *_ = line.split()
                found += state == "01" and int(remote.rpartition(":")[2], 16) == port
        return found

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""


def _children(parent: int) -> Iterator[tuple[int, str]]:
    """Pid and name of each child of `parent`."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            if int(rest.split()[1]) == parent:
                yield int(folder.name), name


def memory(pid: int) -> Memory:
    """Of one process, as the kernel adds it up."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines)}
    return Memory(sizes["Rss"], sizes["Pss"])


def cpu(pid: int) -> float:
    """Seconds of processor time of one process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def fleet(
    lan: Lan,
    plane: Plane,
    command: Sequence[str] = (),
    settings: Mapping[str, object] | None = None,
    own: Mapping[str, Mapping[str, object]] | None = None,
) -> Iterator[list[Agent]]:
    """speakerd on every node, ready: all are members and one is allocator; ended with the block.

    `settings` of all; `own`: those of single nodes on top, by name.
    """
    wanted = {node.name: {**(settings or {}), **(own or {}).get(node.name, {})} for node in lan.nodes}
    agents = [Agent(lan, node, plane, command or program(), wanted[node.name]) for node in lan.nodes]
    with ExitStack() as stack:
        for agent in agents:
            agent.start()
            stack.callback(agent.stop)
        names = [node.name for node in lan.nodes]
        for agent in agents:
            try:
                eventually(partial(ready, agent, names), f"{agent.host.name} is ready", 20)
            except AssertionError as late:
                raise AssertionError(f"{late}\n{agent.status()}\n{agent.tail()}") from late
        yield agents


def ready(agent: Agent, members: Sequence[str]) -> bool:
    """Whether `agent` knows these members and an allocator, and its announcer runs. A process that ended raises."""
    assert agent.ended() is None, f"{agent.host.name} ended with {agent.ended()}:\n{agent.tail()}"
    status = agent.status()
    known = sorted(status.get("memberNames", []))
    return known == sorted(members) and bool(status.get("allocator")) and len(agent.pids()) == len(PARTS)
