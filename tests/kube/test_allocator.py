"""An allocator that is stopped, cut off or killed in the middle of its work: no address is lost or given twice."""

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kube.controlplane import PORT, ControlPlane
from tests.kube.webhook import gate
from tests.lab.agents import Agent
from tests.lab.cluster import Cluster
from tests.lab.net import Lan, inside, tool
from tests.lab.steps import given, owner, publish, vip_leases
from tests.lab.waiting import eventually, throughout

pytestmark = [pytest.mark.kube, pytest.mark.timeout(300)]

TAKEOVER = 30.0
"""Seconds until another allocates: 15 of the Lease, 5 between two looks, and a busy machine."""
STOPPED = 40.0


def allocator(cluster: Cluster, agents: list[Agent]) -> Agent:
    """The agent that allocates now."""
    name = eventually(cluster.allocator, "there is an allocator", TAKEOVER)
    return next(each for each in agents if each.host.name == name)


def sound(cluster: Cluster, *names: str) -> dict[str, str]:
    """The address of each Service; none is held twice, each is reserved for its holder, and nothing else is."""
    found = {name: given(cluster, name, TAKEOVER)[0] for name in names}
    assert len(set(found.values())) == len(names)
    leases = cluster.leases()
    for name, address in found.items():
        annotations = leases[f"speakerd-vip-{address.replace('.', '-')}"]["metadata"]["annotations"]
        assert annotations["speakerd.io/service"].startswith(f"default/{name}/")
    assert len(vip_leases(cluster)) == len(names)
    return found


def answered(lan: Lan, addresses: Iterable[str]) -> bool:
    """Whether one node answers for each of `addresses`, as soon as all agents know all Services."""
    return all(owner(lan, address, TAKEOVER) for address in addresses)


@contextmanager
def stopped(agent: Agent) -> Iterator[None]:
    """The controller of `agent` does nothing for as long as the block lasts."""
    agent.kill("controller", signal.SIGSTOP)
    try:
        yield
    finally:
        agent.kill("controller", signal.SIGCONT)


def test_an_allocator_stopped_between_lease_and_status_neither_loses_nor_doubles_an_address(
    cluster: Cluster, plane: ControlPlane, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "before", lan.nodes)
    before = sound(cluster, "before")
    paused = allocator(cluster, agents)
    with gate(lan, plane) as door:
        door.close()
        publish(cluster, "caught", lan.nodes)
        assert door.held.wait(10)
        with stopped(paused):
            start = time.monotonic()
            door.open()
            eventually(lambda: cluster.allocator() != paused.host.name, "another allocates", TAKEOVER)
            publish(cluster, "during", lan.nodes)
            during = sound(cluster, "before", "caught", "during")
            throughout(lambda: cluster.addresses("caught"), "it keeps its address", start + STOPPED - time.monotonic())
        successor = cluster.allocator()
    throughout(lambda: cluster.addresses("caught") == [during["caught"]], "also when the old allocator is back", 3)
    throughout(lambda: cluster.allocator() == successor, "who allocates goes on to", 5)
    publish(cluster, "after", lan.nodes)
    after = sound(cluster, "before", "caught", "during", "after")
    assert after | before | during == after
    assert answered(lan, after.values())


def test_a_write_that_arrives_long_after_another_took_over_changes_nothing(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    paused = allocator(cluster, agents)
    renewed(cluster)
    before = len(cluster.writes())
    with cut(paused):
        publish(cluster, "late", lan.nodes)
        eventually(lambda: unsent(paused), "its first write is on the way, and no renewal yet", 3)
        with stopped(paused):
            eventually(lambda: cluster.allocator() not in ("", paused.host.name), "another allocates", TAKEOVER)
            found = sound(cluster, "late")
            mend(paused)
            eventually(lambda: not unsent(paused), "the old write has arrived", 60)
            late = [(each.verb, each.resource) for each in cluster.writes()[before:] if each.user == paused.host.name]
            assert late == [("create", "leases")]
            publish(cluster, "next", lan.nodes)
            both = sound(cluster, "late", "next")
    throughout(lambda: cluster.addresses("late") == [found["late"]], "it keeps its address", 5)
    assert sound(cluster, "late", "next") == both
    assert answered(lan, both.values())


def test_an_allocator_killed_between_lease_and_status_leaves_its_address_to_its_successor(
    cluster: Cluster, plane: ControlPlane, lan: Lan, agents: list[Agent]
) -> None:
    dying = allocator(cluster, agents)
    with gate(lan, plane) as door:
        door.close()
        publish(cluster, "orphan", lan.nodes)
        assert door.held.wait(10)
        dying.kill("supervisor")
        door.open()
        eventually(lambda: cluster.allocator() != dying.host.name, "another allocates", TAKEOVER)
        found = sound(cluster, "orphan")
        dying.stop()
        dying.start()
    publish(cluster, "next", lan.nodes)
    both = sound(cluster, "orphan", "next")
    assert both["orphan"] == found["orphan"]
    assert answered(lan, both.values())


def renewed(cluster: Cluster) -> None:
    """Wait until the allocator has just renewed its Lease: it does so each 5 s."""
    before = cluster.leases()["speakerd-allocator"]["metadata"]["resourceVersion"]
    eventually(lambda: cluster.leases()["speakerd-allocator"]["metadata"]["resourceVersion"] != before, "a renewal")


@contextmanager
def cut(agent: Agent) -> Iterator[None]:
    """What `agent` sends to the API server is lost from here on; what the server sends still arrives."""
    rules = f"table inet cut {{\n chain out {{\n type filter hook output priority 0\n tcp dport {PORT} drop\n }}\n}}\n"
    with inside(agent.host.namespace):
        tool("nft", "-f", "-", feed=rules)
    try:
        yield
    finally:
        mend(agent)


def mend(agent: Agent) -> None:
    """End what `cut` did."""
    with inside(agent.host.namespace):
        tool("nft", "-f", "-", feed="table inet cut\ndelete table inet cut\n")


def unsent(agent: Agent) -> int:
    """Bytes on the way to the API server that it has not acknowledged."""
    total = 0
    for line in Path(f"/proc/{agent.pid('supervisor')}/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, queues, *_ = line.split()
        if int(remote.rpartition(":")[2], 16) == PORT:
            total += int(queues.partition(":")[0], 16)
    return total
