"""A process that hangs is noticed, and started again: the supervisor by systemd, the others by the supervisor."""

from collections.abc import Iterator

import pytest

from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually
from tests.package.machine import Machine
from tests.package.test_service import facts, journal, processes

UNIT = "speakerd"
SOONER = "/run/systemd/system/speakerd.service.d/sooner.conf"
LIMIT = 3
"""Seconds that systemd waits here; the unit's own limit is ten times as long."""


@pytest.fixture(scope="module")
def service(installed: Machine) -> Iterator[Machine]:
    """The service, watched more closely."""
    assert installed.show(UNIT, "WatchdogUSec") == "30s"
    installed.write(SOONER, f"[Service]\nWatchdogSec={LIMIT}s\n")
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "restart", UNIT)
    yield installed
    print(journal(installed)[-4000:])
    installed.path(SOONER).unlink()
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "restart", UNIT)


@pytest.fixture(scope="module")
def address(service: Machine, plane: Embedded, lan: Lan) -> Iterator[str]:
    publish(plane.cluster, "watched", lan.nodes[:1])
    (found,) = given(plane.cluster, "watched")
    assert owner(lan, found, 20) == service.host.name
    yield found
    plane.cluster.delete("Service", "watched")


def test_a_supervisor_that_hangs_is_ended_by_systemd_and_all_begins_again(
    service: Machine, address: str, lan: Lan
) -> None:
    before, restarts = processes(service), int(service.show(UNIT, "NRestarts"))
    service.run("kill", "-STOP", str(before["speakerd"]))
    eventually(lambda: int(service.show(UNIT, "NRestarts")) == restarts + 1, "systemd begins again", 5 * LIMIT)
    assert f"Watchdog timeout (limit {LIMIT}s)!" in journal(service)
    assert owner(lan, address, 20) == service.host.name
    assert not set(before.values()) & set(processes(service).values())


def test_an_announcer_that_hangs_is_ended_by_the_supervisor(service: Machine, address: str, lan: Lan) -> None:
    main, pid = service.show(UNIT, "MainPID"), processes(service)["announcer"]
    service.run("kill", "-STOP", str(pid))
    assert facts(service, "announcer")["State"].startswith("T")
    eventually(lambda: processes(service).get("announcer", pid) != pid, "another announcer runs", 40)
    assert "process.hung" in journal(service)
    assert owner(lan, address, 20) == service.host.name
    assert service.show(UNIT, "MainPID") == main


def test_a_controller_that_hangs_is_ended_by_the_supervisor_and_systemd_begins_nothing_anew(
    service: Machine, address: str, lan: Lan
) -> None:
    """It may be silent for a minute, which is longer than systemd waits: the supervisor speaks for it meanwhile."""
    restarts, pid = service.show(UNIT, "NRestarts"), processes(service)["controller"]
    service.run("kill", "-STOP", str(pid))
    eventually(lambda: processes(service).get("controller", pid) != pid, "another controller runs", 80)
    assert service.show(UNIT, "NRestarts") == restarts
    assert owner(lan, address) == service.host.name
