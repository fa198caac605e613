"""The snap in a virtual machine whose snapd confines it for real: installed, connected, announcing, in this order."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from speakerd import snap
from tests.lab import net, objects
from tests.lab.waiting import eventually
from tests.snap import image
from tests.snap.machine import Machine
from tests.snap.plane import Plane
from tests.snap.site import ONE, PACE, RANGE, TWO, VIP, Site
from tests.snap.steps import AT, MEMBER, SLOW, answering, install, save

DIST = Path(__file__).parents[2] / "dist"
INSIDE = Path(__file__).parent / "inside"
K3S = "/etc/rancher/k3s/k3s.yaml"
"""One of the places where a kubeconfig is found by itself."""


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """The machine from its saved state, with two revisions of the snap and what the tests run in it."""
    snaps = [DIST / f"metallb-speaker_{version}_amd64.snap" for version in (1, 2)]
    if absent := [each for each in snaps if not each.exists()]:
        pytest.skip(f"{absent[0]} is not there: ./dev test snap makes it")
    begin = image.ready()
    with net.orderly(), Machine(image.image(), begin / "disk.qcow2", begin / "memory") as restored:
        restored.carry(*snaps, DIST / "speakerd.dist", INSIDE / "echo.py", INSIDE / "probe.py")
        yield restored


@pytest.fixture(scope="session")
def plane() -> Iterator[Plane]:
    with Plane((ONE, TWO)) as made:
        yield made


@pytest.fixture(scope="session")
def site(machine: Machine, plane: Plane) -> Site:
    """The LAN around the machine, which has a kubeconfig where k3s leaves it."""
    machine.write(K3S, plane.kubeconfig(ONE.name), 0o600)
    return Site(machine)


@pytest.fixture(scope="session")
def installed(site: Site) -> Site:
    """After `snap install`, and nothing else."""
    install(site.machine, 1)
    return site


@pytest.fixture(scope="session")
def connected(installed: Site) -> Site:
    """After the connections that `status` asks for, with settings of this host."""
    save(installed.machine, PACE)
    for plug in snap.PLUGS:
        installed.machine.run("snap", "connect", f"{snap.NAME}:{plug}")
    return installed


@pytest.fixture(scope="session")
def announcing(connected: Site, plane: Plane) -> Site:
    """With a pool, and a Service that a client reaches."""
    connected.machine.run("snap", "set", snap.NAME, f"iprange={RANGE}")
    plane.cluster.create(objects.service("web"))
    plane.cluster.create(objects.endpoints("web", [ONE, TWO]))
    eventually(lambda: plane.cluster.addresses("web") == [VIP], "the Service has the address", SLOW)
    eventually(partial(answering, connected, ONE), "the snap answers for it", SLOW)
    return connected


@pytest.fixture(scope="session")
def beside(announcing: Site, plane: Plane) -> Iterator[Site]:
    """With another member on the LAN, which runs the same program outside the snap."""
    announcing.machine.write("/etc/member.kubeconfig", plane.kubeconfig(TWO.name))
    paths = {"state": "/var/lib/member", "run": AT[-1]}
    own = {"node": {"name": TWO.name}, "paths": paths, "kubernetes": {"kubeconfig": "/etc/member.kubeconfig"}}
    save(announcing.machine, {**PACE, **own, "iprange": RANGE}, "/etc/member.yaml")
    announcing.start("member", TWO, *MEMBER, "run", "--config", "/etc/member.yaml")
    names = sorted([ONE.name, TWO.name])
    eventually(lambda: announcing.status(snap.NAME).get("memberNames") == names, "they know one another", SLOW)
    yield announcing
    print(announcing.machine.run("journalctl", "--no-pager", "--unit=member", "--lines=60"))
    announcing.stop("member")
