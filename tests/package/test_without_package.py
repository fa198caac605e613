"""Without the package: `install-service` from the folder and the one file, and `uninstall`, on a booted machine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.agents import BINARY, ROOT
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually
from tests.package.conftest import booting, credentials
from tests.package.machine import Machine

UNIT = "speakerd"
FOLDER = "/opt/speakerd"
MADE = (
    "/etc/systemd/system/speakerd.service",
    "/etc/systemd/system/speakerd-credentials.path",
    "/etc/sysusers.d/speakerd.conf",
    "/usr/local/bin/speakerd",
    "/var/lib/speakerd",
)


@pytest.fixture(scope="module")
def machine(lan: Lan, plane: Embedded) -> Iterator[Machine]:
    """A machine with a kubeconfig and the compiled program, in both its forms."""
    folder = Path(BINARY[0]).parent
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: run ./dev build")
    with booting(lan.nodes[2]) as booted:
        credentials(booted, plane)
        shutil.copytree(folder, booted.path(FOLDER))
        shutil.copy(ROOT / "dist" / "speakerd", booted.path("/root/speakerd"))
        yield booted
        print(booted.run("journalctl", "--no-pager", "--unit", "speakerd*", check=False)[-4000:])


def own(plane: Embedded, name: str) -> list[str]:
    """What tells of this host in the cluster."""
    leases = [each for each in plane.cluster.leases() if each == f"speakerd-node-{name}"]
    kinds = ("ServiceL2Status", "ConfigurationState")
    found = [each["metadata"] for kind in kinds for each in plane.cluster.every(kind, "metallb-system")]
    return leases + [each["name"] for each in found if name in (*each.get("labels", {}).values(), each["name"][8:])]


def test_a_look_ahead_changes_nothing(machine: Machine) -> None:
    told = machine.run(f"{FOLDER}/speakerd", "install-service", "--dry-run")
    assert "would write /etc/systemd/system/speakerd.service" in told
    assert not machine.path(MADE[0]).exists()


def test_from_the_folder_it_runs_where_it_stands(machine: Machine, plane: Embedded, lan: Lan) -> None:
    machine.run(f"{FOLDER}/speakerd", "install-service", "--now")
    eventually(lambda: machine.show(UNIT, "ActiveState") == "active", "the service runs")
    assert machine.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    assert f"{FOLDER}/speakerd run" in machine.show(UNIT, "ExecStart")
    publish(plane.cluster, "by-hand", [lan.nodes[2]])
    (address,) = given(plane.cluster, "by-hand", 20)
    assert owner(lan, address, 20)
    plane.cluster.delete("Service", "by-hand")
    plane.cluster.delete("EndpointSlice", "by-hand-ipv4")


def test_once_more_nothing_is_left_to_do(machine: Machine) -> None:
    pid = machine.show(UNIT, "MainPID")
    told = machine.run("speakerd", "install-service", "--now").splitlines()
    assert all(line.endswith("is so already") for line in told if line.startswith(("write", "link")))
    assert machine.show(UNIT, "MainPID") == pid


def test_a_host_that_leaves_has_nothing_in_the_cluster_any_more_and_nothing_on_the_host(
    machine: Machine, plane: Embedded
) -> None:
    name = machine.host.name
    eventually(lambda: f"speakerd-node-{name}" in own(plane, name), "it is a member")
    ahead = machine.run("speakerd", "uninstall", "--dry-run")
    assert f"leases/speakerd-node-{name}: would be deleted" in ahead
    assert machine.show(UNIT, "ActiveState") == "active"
    told = machine.run(f"{FOLDER}/speakerd", "uninstall")
    assert f"leases/speakerd-node-{name}: deleted" in told
    assert "Left in the cluster" in told
    assert own(plane, name) == []
    assert not [path for path in MADE if machine.path(path).exists() or machine.path(path).is_symlink()]
    assert machine.show(UNIT, "LoadState") == "not-found"


def test_the_one_file_is_unpacked_to_where_it_stays(machine: Machine) -> None:
    machine.run("/root/speakerd", "install-service", "--now")
    eventually(lambda: machine.show(UNIT, "ActiveState") == "active", "the service runs")
    assert "/usr/local/lib/speakerd/speakerd run" in machine.show(UNIT, "ExecStart")
    assert machine.run("speakerd", "version") == machine.run("/root/speakerd", "version")
    machine.run("speakerd", "uninstall")
    assert not machine.path("/usr/local/lib/speakerd").exists()
