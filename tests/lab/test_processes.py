"""Each of the three processes dies, or is told to end: answers go on, nothing is left over or answered twice."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.lab.agents import PARTS, Agent, command_output, program, ready
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.frames import Watch
from tests.lab.net import Lan, inside
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

ASKED = 0.005
"""Seconds between two questions: how finely a silence is seen."""
HUNG, HUNG_ASKED = 80.0, 0.05
"""Seconds until a silent controller is ended (60) and a little more; how often the address is asked meanwhile."""
STOPS = 5
"""One in four went wrong while hang-ups were served before signals."""


def owned(cluster: Cluster, lan: Lan, agents: list[Agent]) -> tuple[str, Agent]:
    """The address of a new Service, and the agent that answers for it."""
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    name = owner(lan, address)
    return address, next(agent for agent in agents if agent.host.name == name)


def test_the_controller_killed_is_replaced_and_answers_go_on(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    address, agent = owned(cluster, lan, agents)
    announcer = agent.pid("announcer")
    with Watch(lan.onlooker, ask=[address], interval=ASKED) as watch:
        killed = agent.kill("controller")
        eventually(lambda: agent.pids().get("controller", killed) != killed, "a new controller")
        eventually(lambda: ready(agent, [node.name for node in lan.nodes]), "it knows the cluster", 20)
        assert watch.silence(address) < 0.1
    assert agent.pid("announcer") == announcer
    assert owner(lan, address) == agent.host.name


def test_a_controller_that_hangs_is_ended_and_answers_go_on_before_and_after(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    """Stopped, and not dead: nobody hears of it but by its silence."""
    address, agent = owned(cluster, lan, agents)
    announcer = agent.pid("announcer")
    with Watch(lan.onlooker, ask=[address], interval=HUNG_ASKED) as watch:
        hung = agent.kill("controller", signal.SIGSTOP)
        eventually(lambda: agent.pids().get("controller", hung) != hung, "a new controller", HUNG)
        eventually(lambda: ready(agent, [node.name for node in lan.nodes]), "it knows the cluster", 20)
        asked = watch.asked
        eventually(lambda: len(watch.of(address, "answer")) >= asked, "every question is answered")
        # A minute on a host that does much else: what is late may be who asks.
        assert watch.silence(address) < 1.0
        assert watch.speakers(address) == [lan.mac(agent.host)]
    assert "process.hung" in agent.log.read_text()
    assert agent.pid("announcer") == announcer
    assert owner(lan, address) == agent.host.name


def test_while_a_controller_hangs_its_announcer_takes_over_from_a_node_that_dies(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    address, agent = owned(cluster, lan, agents)
    heir = eventually(lambda: heir_of(agent, address), f"{address} has an heir")
    successor = next(each for each in agents if each.host.name == heir)
    pids = agent.pids()
    with restarted(lan, agent), hanging(successor) as hung:
        agent.kill("supervisor")
        eventually(lambda: not any(map(alive, pids.values())), "all are gone", 2)
        assert owner(lan, address) == heir
    eventually(lambda: ready(successor, [node.name for node in lan.nodes]), "it goes on where it was", 20)
    assert successor.pid("controller") == hung
    assert owner(lan, address) == heir


@contextmanager
def hanging(agent: Agent) -> Iterator[int]:
    """Within the block its controller, whose pid this is, stands still."""
    hung = agent.kill("controller", signal.SIGSTOP)
    try:
        yield hung
    finally:
        os.kill(hung, signal.SIGCONT)


def heir_of(agent: Agent, address: str) -> str:
    """Who takes over, as the owner sees it."""
    found = (each.get("heir", "") for each in agent.status().get("vips", ()) if each["ip"] == address)
    return str(next(found, ""))


def test_the_announcer_killed_answers_again_within_a_third_of_a_second(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    address, agent = owned(cluster, lan, agents)
    with Watch(lan.onlooker, ask=[address], interval=ASKED) as watch:
        eventually(lambda: watch.of(address, "answer"), "it is answered")
        killed = agent.kill("announcer")
        eventually(lambda: agent.pids().get("announcer", killed) != killed, "a new announcer")
        seen = len(watch.of(address, "answer"))
        eventually(lambda: len(watch.of(address, "answer")) > seen + 20, "it is answered again")
        assert watch.silence(address) < 0.3
        assert watch.speakers(address) == [lan.mac(agent.host)]
    eventually(lambda: agent.status()["processes"]["announcerRestarts"] == 1, "status counts it")


def test_the_supervisor_killed_leaves_no_process_and_no_answer(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    address, agent = owned(cluster, lan, agents)
    pids = agent.pids()
    with restarted(lan, agent):
        agent.kill("supervisor")
        eventually(lambda: agent.ended() is not None and not any(map(alive, pids.values())), "all are gone", 2)
        heir = owner(lan, address)
        assert heir != agent.host.name
    assert owner(lan, address) == heir


@contextmanager
def restarted(lan: Lan, agent: Agent) -> Iterator[None]:
    """Within the block `agent` ends; after it, it is there again."""
    try:
        yield
    finally:
        agent.stop()
        agent.start()
        eventually(lambda: ready(agent, [node.name for node in lan.nodes]), f"{agent.host.name} is back", 30)


def alive(pid: int) -> bool:
    """Whether a process runs: neither gone nor a zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_told_to_end_all_processes_end_cleanly_and_the_allocator_gives_its_lease_up(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    agent = next(each for each in agents if each.host.name == cluster.allocator())
    pids = agent.pids()
    with restarted(lan, agent):
        assert agent.stop() == 0
        assert not any(map(alive, pids.values()))
        assert agent.status() == {}
        eventually(lambda: cluster.allocator() not in ("", agent.host.name), "another allocates at once", 3)


def test_a_signal_for_all_at_once_ends_all_at_once_and_starts_nothing(lan: Lan, agents: list[Agent]) -> None:
    """As systemd stops a service: the announcer, which runs first, may be gone before its supervisor looks."""
    agent = agents[0]
    before = agent.log.read_text().count("process.restarted")
    for _ in range(STOPS):
        with restarted(lan, agent):
            for part in PARTS:
                with suppress(ProcessLookupError, KeyError):
                    agent.kill(part, signal.SIGTERM)
            eventually(lambda: agent.ended() is not None, "it has ended", 3)
            assert agent.stop() == 0
    assert agent.log.read_text().count("process.restarted") == before


def test_a_second_speakerd_on_one_host_is_refused(agents: list[Agent]) -> None:
    agent = agents[0]
    with inside(agent.host.namespace):
        command = [*program(), "run", "--config", str(agent.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "already runs on this host" in done.stderr


def test_status_tells_all_in_text_and_json(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    address, agent = owned(cluster, lan, agents)
    eventually(lambda: agent.status()["vips"][0]["owner"] == agent.host.name, "status knows the owner")
    text = command_output("status", "--run", str(agent.run))
    assert address in text
    assert agent.host.name in text
    assert f'"ip":"{address}"' in command_output("status", "-o", "json", "--run", str(agent.run)).replace(" ", "")


def test_systemd_is_told_of_ready_status_reload_and_stop(lan: Lan, plane: Embedded, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        heard: list[str] = []

        def hears(word: str) -> bool:
            heard.extend(systemd.recv(4096).decode().splitlines())
            return any(line.startswith(word) for line in heard)

        agent = Agent(lan, lan.client, plane, program(), {"kubernetes": {"kubeconfig": str(tmp_path / "none")}})
        agent.start({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "900000"})
        try:
            for word in ("READY=1", "STATUS=", "WATCHDOG=1"):
                eventually(partial(hears, word), word)
            os.kill(agent.pid("supervisor"), signal.SIGHUP)
            heard.clear()
            for word in ("RELOADING=1", "READY=1"):
                eventually(partial(hears, word), word)
        finally:
            agent.stop()
        eventually(partial(hears, "STOPPING=1"), "STOPPING=1")
