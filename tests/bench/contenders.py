"""What a failover is measured of: speakerd or keepalived on all nodes of a LAN, under the same verbs."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from tests.lab import objects
from tests.lab.agents import Agent, fleet
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan, end
from tests.lab.steps import Family, given, owner, publish
from tests.lab.waiting import eventually

VIPS: dict[Family, str] = {"IPv4": "10.99.10.1", "IPv6": "fd99::5:1"}
PREFIX_LENGTH: dict[Family, int] = {"IPv4": 16, "IPv6": 64}
ADVERTS = {"keepalived": 1.0, "keepalived-100ms": 0.1, "keepalived-50ms": 0.05}
"""Seconds between two VRRP advertisements; the first is what it does unless told otherwise."""
FORGOTTEN = 5.0
"""Advertisement intervals after which a backup has taken over for sure: three, and its skew."""


class Contender(Protocol):
    """At work on all nodes. `slow`: seconds that the death of a node takes it to notice, at the most."""

    slow: float

    def kill(self, node: Host) -> None:
        """All its processes on a node, at once."""

    def stop(self, node: Host) -> None:
        """Ask it to end on a node, and wait until it has."""

    def start(self, node: Host) -> None:
        """Start it again on a node, and wait until it is there."""


class Speakers:
    """speakerd, with an API server of its own."""

    slow = 0.5

    def __init__(self, plane: Embedded, agents: Sequence[Agent]) -> None:
        self.plane, self.agents = plane, agents

    def agent(self, node: Host) -> Agent:
        """The one on a node."""
        return next(each for each in self.agents if each.host == node)

    def kill(self, node: Host) -> None:
        for pid in self.agent(node).pids().values():  # the supervisor first, which would start others
            os.kill(pid, signal.SIGKILL)

    def stop(self, node: Host) -> None:
        self.agent(node).stop()

    def start(self, node: Host) -> None:
        agent = self.agent(node)
        agent.start()
        eventually(lambda: agent.status().get("allocator"), f"{node.name} is back", 20)


@contextmanager
def speakerd(lan: Lan, family: Family, _folder: Path, program: Sequence[str]) -> Iterator[Speakers]:
    """On every node, one VIP answered and its heir named."""
    vip = VIPS[family]
    with Embedded(lan) as plane:
        plane.cluster.create(objects.pool("bench", f"{vip}/{128 if ':' in vip else 32}"))
        plane.cluster.create(objects.advertisement("bench"))
        with fleet(lan, plane, program) as agents:
            publish(plane.cluster, "web", lan.nodes, families=[family])
            assert given(plane.cluster, "web") == [vip]
            eventually(lambda: all(_heir(agent) for agent in agents), "everybody knows owner and heir")
            yield Speakers(plane, agents)


def _heir(agent: Agent) -> str:
    vips = agent.status().get("vips")
    return str(vips[0]["heir"]) if vips else ""


class Routers:
    """keepalived: one VRRP instance with one address, its settings as they come but for priority and advertisements."""

    def __init__(self, lan: Lan, folder: Path, family: Family, advert: float) -> None:
        self._lan, self._folder, self._family, self._advert = lan, folder, family, advert
        self.slow = FORGOTTEN * advert
        self._processes: dict[Host, subprocess.Popen[bytes]] = {}

    def kill(self, node: Host) -> None:
        process = self._processes.pop(node)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its parent alone would let the child say goodbye
        process.wait()

    def stop(self, node: Host) -> None:
        end(self._processes.pop(node))

    def start(self, node: Host) -> None:
        folder, name = self._folder, node.name
        config = folder / f"{name}.conf"
        config.write_text(self._config(node))
        files = ("-f", str(config), "-p", str(folder / f"{name}.pid"), "-r", str(folder / f"{name}.vrrp"))
        log = folder / f"{name}.log"
        self._processes[node] = self._lan.spawn(node, "keepalived", "-n", "-l", "-P", *files, log=log)

    def end(self) -> None:
        """On all nodes."""
        for node in list(self._processes):
            self.kill(node)

    def _config(self, node: Host) -> str:
        vip = f"{VIPS[self._family]}/{PREFIX_LENGTH[self._family]}"
        version = 2 if self._advert >= 1 and self._family == "IPv4" else 3  # below a second needs RFC 5798
        return f"""global_defs {{
  router_id {node.name}
  vrrp_version {version}
}}
vrrp_instance bench {{
  state BACKUP
  interface eth0
  virtual_router_id 51
  priority {100 - self._lan.nodes.index(node)}
  advert_int {self._advert:g}
  virtual_ipaddress {{
    {vip}
  }}
}}
"""


@contextmanager
def keepalived(lan: Lan, family: Family, folder: Path, advert: float) -> Iterator[Routers]:
    """On every node, with one of them master."""
    with ExitStack() as stack:
        routers = Routers(lan, folder, family, advert)
        stack.callback(routers.end)
        for node in lan.nodes:
            routers.start(node)
        first = lan.nodes[0].name
        eventually(lambda: owner(lan, VIPS[family], 20) == first, "the highest priority is master", 20)
        yield routers
