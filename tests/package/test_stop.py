"""A stop, a restart and a reboot, as systemd does them: addresses are handed over while the network is up."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from speakerd.control import Request, ask
from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.claims import claim, states
from tests.lab.embedded import Embedded
from tests.lab.net import Lan, tool
from tests.lab.steps import answering, given, owner, publish
from tests.lab.waiting import eventually
from tests.package import debs
from tests.package.conftest import booting, credentials, second
from tests.package.machine import Machine
from tests.package.watched import watched

UNIT = "speakerd"
OVERLAP = 0.5
"""Seconds two nodes that hear each other may both answer (the promise of the protocol)."""
RESTART = 3.0
"""Seconds without an answer that a restart may cost where nobody takes over, on a machine that does other things."""
NETWORK = """
[Unit]
Description=The interface, as ifupdown takes it down at its end
Before=network.target
Wants=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'systemctl is-active speakerd >/dev/null && echo too early; true'
ExecStop=/bin/sh -c 'echo 0x1002 >/sys/class/net/eth0/flags && echo it is down'
StandardOutput=file:/root/interface.log

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def here(installed: Machine) -> Iterator[Machine]:
    installed.run("systemctl", "start", UNIT)
    yield installed
    print(installed.run("journalctl", "--unit", UNIT, "--no-pager")[-6000:])
    installed.run("systemctl", "start", UNIT)


@pytest.fixture(scope="module")
def beside(here: Machine, lan: Lan, plane: Embedded) -> Iterator[Agent]:
    with second(lan, plane, here.host.name) as agent:
        yield agent
        print(agent.tail())


def won(lan: Lan, booted: Machine, beside: Agent, address: str) -> None:
    """See to it that the machine answers, alone, and that the other node is its heir."""
    name = booted.host.name
    eventually(lambda: states(beside).get(name) == "alive", f"{name} lives", 30)
    ask(beside.run / "control.sock", Request("drain"))
    eventually(lambda: answering(lan, address) == [name], f"{name} alone answers", 30)
    ask(beside.run / "control.sock", Request("undrain"))

    def inherits() -> bool:
        found = claim(beside, address)
        return (found.get("owner"), found.get("heir")) == (name, beside.host.name)

    eventually(inherits, f"{beside.host.name} is heir", 30)


@pytest.fixture
def address(here: Machine, beside: Agent, lan: Lan, plane: Embedded) -> Iterator[str]:
    """An address that the machine answers for, and that the other node would take over."""
    here.run("systemctl", "start", UNIT)
    publish(plane.cluster, "moving", lan.nodes[:2])
    (found,) = given(plane.cluster, "moving")
    won(lan, here, beside, found)
    yield found
    plane.cluster.delete("Service", "moving")
    plane.cluster.delete("EndpointSlice", "moving-ipv4")


def test_a_stop_hands_over_without_a_lost_probe(
    here: Machine, beside: Agent, lan: Lan, address: str, tmp_path: Path
) -> None:
    with watched(lan, tmp_path, address, beside.host) as watch:
        here.run("systemctl", "stop", UNIT)
        eventually(lambda: answering(lan, address) == [beside.host.name], "the other one answers, alone")
    assert here.show(UNIT, "Result") == "success"
    assert (watch.outage.lost, watch.outage.moves) == (0, 1)
    assert watch.outage.twice < OVERLAP


def test_a_restart_hands_over_without_a_lost_probe(
    here: Machine, beside: Agent, lan: Lan, address: str, tmp_path: Path
) -> None:
    with watched(lan, tmp_path, address, beside.host) as watch:
        here.run("systemctl", "restart", UNIT)
        eventually(partial(states, beside), "the other one looks around")
        owner(lan, address)
    assert watch.outage.lost == 0
    assert watch.outage.twice < OVERLAP


def test_a_reboot_hands_over_while_the_network_is_up(
    here: Machine, beside: Agent, lan: Lan, plane: Embedded, package: Path, tmp_path: Path
) -> None:
    here.run("systemctl", "stop", UNIT)
    with booting(lan.nodes[2]) as booted:
        credentials(booted, plane)
        booted.write("/etc/systemd/system/interface.service", NETWORK)
        booted.run("systemctl", "enable", "--now", "interface")
        debs.install(booted, package)
        publish(plane.cluster, "rebooted", [lan.nodes[1], lan.nodes[2]])
        (address,) = given(plane.cluster, "rebooted")
        won(lan, booted, beside, address)
        booted.write("/root/interface.log", "")
        with booted.path("/root/interface.log").open() as said, watched(lan, tmp_path, address, beside.host) as watch:
            booted.run("systemctl", "reboot", check=False)
            eventually(booted.ended, "the machine has ended", 30)
            assert said.read() == "it is down\n"
    assert (watch.outage.lost, watch.outage.moves) == (0, 1)
    assert answering(lan, address) == [beside.host.name]
    tool("ip", "-n", lan.nodes[2].namespace, "link", "set", "eth0", "up")
    plane.cluster.delete("Lease", f"speakerd-node-{lan.nodes[2].name}", objects.METALLB)
    plane.cluster.delete("Service", "rebooted")
    plane.cluster.delete("EndpointSlice", "rebooted-ipv4")
