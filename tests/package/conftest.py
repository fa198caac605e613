"""A booted machine with speakerd installed as a package would, on a LAN with the embedded API server and a client."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import net, objects
from tests.lab.agents import BINARY
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.package import debian, machine
from tests.package.machine import Machine

UNITS = Path(__file__).parents[2] / "systemd"
SETTINGS = "/etc/speakerd.yaml"
KUBECONFIG = "/etc/speakerd.kubeconfig"


@pytest.fixture(scope="session")
def lan() -> Iterator[Lan]:
    if lacking := net.missing():
        pytest.skip(lacking)
    with net.orderly(), Lan(nodes=1) as made:
        yield made


@pytest.fixture(scope="session")
def bare(lan: Lan) -> Iterator[Machine]:
    """A booted machine with nothing of ours on it."""
    if not machine.unified():
        pytest.skip("no cgroup2 is mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")
    tree = debian.tree("systemd", ("systemd", "systemd-sysv", "procps"))
    with Machine(tree, lan.nodes[0]) as booted:
        yield booted


@pytest.fixture(scope="session")
def plane(lan: Lan) -> Iterator[Embedded]:
    with Embedded(lan) as made:
        made.cluster.ensure(objects.namespace(objects.METALLB))
        made.cluster.create(objects.pool("lan", "10.99.10.0/24"))
        made.cluster.create(objects.advertisement("lan"))
        yield made


@pytest.fixture(scope="session")
def installed(bare: Machine, plane: Embedded) -> Machine:
    """The machine with speakerd's folder, unit, user and settings in place, and the service enabled but not started."""
    folder = Path(BINARY[0]).parent
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: run ./dev build")
    shutil.copytree(folder, bare.path("/usr/lib/speakerd"))
    bare.write("/usr/lib/systemd/system/speakerd.service", (UNITS / "speakerd.service").read_text())
    bare.write("/usr/lib/sysusers.d/speakerd.conf", (UNITS / "speakerd.sysusers").read_text())
    bare.write(KUBECONFIG, plane.kubeconfig(bare.host.name).read_text())
    configure(bare)
    bare.run("ln", "-s", "../lib/speakerd/speakerd", "/usr/bin/speakerd")
    bare.run("systemd-sysusers")
    bare.run("systemctl", "daemon-reload")
    bare.run("systemctl", "enable", "speakerd")
    return bare


def configure(booted: Machine, **settings: object) -> None:
    """Save the settings file; JSON is YAML."""
    booted.write(SETTINGS, json.dumps({"kubernetes": {"kubeconfig": KUBECONFIG}, **settings}))
