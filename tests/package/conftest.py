"""A booted machine with speakerd's Debian package, on a LAN with the embedded API server, another node and a client."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.lab import net, objects
from tests.lab.agents import BINARY, Agent, ready
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan
from tests.lab.traffic import Echo
from tests.lab.waiting import eventually
from tests.package import debian, debs, machine
from tests.package.machine import Machine

SETTINGS = "/etc/speakerd.yaml"
ADMIN = "/etc/kubernetes/admin.conf"
"""Where kubeadm puts a kubeconfig, for root alone; speakerd is told nothing of it."""


@pytest.fixture(scope="session")
def lan() -> Iterator[Lan]:
    if lacking := net.missing():
        pytest.skip(lacking)
    with net.orderly(), Lan(nodes=3, routers=1) as made, Echo(made):
        yield made


@contextmanager
def booting(host: Host) -> Iterator[Machine]:
    """A machine as this host of the LAN, with nothing of ours on it."""
    if not machine.unified():
        pytest.skip("no cgroup2 is mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")
    tree = debian.tree("systemd", ("systemd", "systemd-sysv", "procps"))
    with Machine(tree, host) as booted:
        yield booted


@pytest.fixture(scope="session")
def bare(lan: Lan) -> Iterator[Machine]:
    """A booted machine with nothing of ours on it."""
    with booting(lan.nodes[0]) as booted:
        yield booted


@pytest.fixture(scope="session")
def plane(lan: Lan) -> Iterator[Embedded]:
    with Embedded(lan) as made:
        made.cluster.ensure(objects.namespace(objects.METALLB))
        made.cluster.create(objects.pool("lan", "10.99.10.0/24"))
        made.cluster.create(objects.advertisement("lan"))
        yield made


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package of what was compiled."""
    return debs.build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def installed(bare: Machine, plane: Embedded, package: Path) -> Machine:
    """The machine with the package installed where a kubeconfig is, which is all that was done."""
    credentials(bare, plane)
    debs.install(bare, package)
    return bare


@contextmanager
def second(lan: Lan, plane: Embedded, *members: str) -> Iterator[Agent]:
    """Another node of the cluster, which runs the same program by hand, once it knows these members, too."""
    agent = Agent(lan, lan.nodes[1], plane, BINARY)
    agent.start()
    with ExitStack() as stack:
        stack.callback(agent.stop)
        names = [agent.host.name, *members]
        eventually(partial(ready, agent, names), f"{agent.host.name} knows {names}", 30)
        yield agent


def credentials(booted: Machine, plane: Embedded, user: str = "") -> None:
    """Put a kubeconfig of `user` (the host's own) there, as kubeadm does and replaces it."""
    booted.write(f"{ADMIN}.new", plane.kubeconfig(user or booted.host.name).read_text())
    booted.path(f"{ADMIN}.new").chmod(0o600)
    booted.run("mv", f"{ADMIN}.new", ADMIN)


def configure(booted: Machine, **settings: object) -> None:
    """Save the settings file; JSON is YAML."""
    booted.write(SETTINGS, json.dumps(settings))
