"""What becomes of service, settings, state and addresses when the package is replaced, removed and purged."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from speakerd.kube.credentials import COPY
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.steps import answering, given, owner, publish
from tests.lab.waiting import eventually
from tests.package import debs
from tests.package.conftest import SETTINGS, configure, second
from tests.package.machine import Machine
from tests.package.test_stop import won
from tests.package.watched import watched

UNIT = "speakerd"
STATE = "/var/lib/speakerd"
NEXT = "99.0.0"
RESTART = 3.0
"""Seconds without an answer that a restart may cost where nobody takes over, on a machine that does other things."""


@pytest.fixture(scope="module")
def here(installed: Machine, package: Path) -> Iterator[Machine]:
    """The package as it came, and running; removed once all is done."""
    debs.install(installed, package)
    installed.run("systemctl", "start", UNIT)
    yield installed
    print(installed.run("journalctl", "--unit", UNIT, "--no-pager")[-4000:])


@pytest.fixture(scope="module")
def address(here: Machine, plane: Embedded, lan: Lan) -> str:
    publish(plane.cluster, "upgraded", lan.nodes[:1])
    (found,) = given(plane.cluster, "upgraded")
    assert owner(lan, found, 30) == here.host.name
    return found


def version(here: Machine) -> str:
    return here.run("dpkg-query", "--show", "--showformat=${Version}", UNIT)


def test_an_upgrade_keeps_edited_settings_and_costs_no_more_than_a_restart(
    here: Machine, lan: Lan, address: str, tmp_path: Path
) -> None:
    configure(here, log={"level": "debug"})
    before, pid = here.path(SETTINGS).read_text(), here.show(UNIT, "MainPID")
    newer = debs.build(tmp_path, NEXT)
    with watched(lan, tmp_path, address, lan.nodes[1]) as watch:
        debs.install(here, newer)
        eventually(lambda: answering(lan, address) == [here.host.name], "it answers again")
    assert version(here) == NEXT
    assert here.path(SETTINGS).read_text() == before
    assert here.show(UNIT, "MainPID") not in (pid, "0")
    assert watch.outage.arp < RESTART


def test_an_upgrade_starts_nothing_that_was_stopped(here: Machine, package: Path) -> None:
    here.run("systemctl", "stop", UNIT)
    debs.install(here, package)
    assert here.show(UNIT, "ActiveState") == "inactive"
    assert here.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    here.run("systemctl", "start", UNIT)


def test_a_removal_hands_over_and_leaves_settings_and_state(
    here: Machine, lan: Lan, plane: Embedded, address: str, tmp_path: Path
) -> None:
    with second(lan, plane, here.host.name) as beside:
        won(lan, here, beside, address)
        with watched(lan, tmp_path, address, beside.host) as watch:
            here.run("dpkg", "--remove", UNIT)
            assert answering(lan, address) == [beside.host.name]
    assert watch.outage.lost == 0
    assert not here.path("/usr/lib/speakerd").exists()
    assert here.path(SETTINGS).exists()
    assert here.path(f"{STATE}/{COPY}").exists()
    assert here.show(UNIT, "LoadState") in ("not-found", "masked")
    assert not here.run("pgrep", "--full", "speakerd run", check=False)


def test_a_purge_leaves_nothing_on_the_host_and_says_what_is_in_the_cluster(here: Machine) -> None:
    told = here.run("dpkg", "--purge", UNIT)
    for path in (SETTINGS, STATE, "/run/speakerd", "/etc/speakerd.d", "/etc/systemd/system/speakerd.service"):
        assert not here.path(path).exists(), path
    wants = here.path("/etc/systemd/system/multi-user.target.wants/speakerd.service")
    assert not wants.is_symlink()
    assert here.show(UNIT, "LoadState") == "not-found"
    assert "CustomResourceDefinitions" in told
    assert "speakerd" in here.run("getent", "passwd", UNIT)


def test_it_installs_again_after_a_purge(here: Machine, package: Path) -> None:
    debs.install(here, package)
    eventually(lambda: here.show(UNIT, "ActiveState") == "active", "the service runs")
