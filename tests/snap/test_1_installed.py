"""A bare `snap install`: nothing is connected by itself that matters, and the agent lives with that and says so."""

from typing import Any

from speakerd import snap
from tests.lab.waiting import eventually
from tests.snap.site import ONE, Site
from tests.snap.steps import SLOW, findings, shown


def test_the_machine_confines_snaps_for_real(site: Site) -> None:
    assert site.machine.run("cat", "/sys/module/apparmor/parameters/enabled").strip() == "Y"


def test_it_stays_up_and_status_names_each_missing_connection(installed: Site) -> None:
    told = eventually(lambda: installed.status(snap.NAME), "the agent answers", SLOW)
    wrong = findings(told)
    for plug in snap.PLUGS:
        assert wrong[f"{snap.NAME}:{plug}"]["finding"] == "snap-not-connected"
        assert wrong[f"{snap.NAME}:{plug}"]["remedy"] == f"sudo snap connect {snap.NAME}:{plug}"
    assert wrong[f"{snap.NAME}:network-control"]["severity"] == "error"
    assert shown(installed.machine, "ActiveState") == "active"
    assert shown(installed.machine, "NRestarts") == "0"


def test_its_processes_are_confined(installed: Site) -> None:
    pid = shown(installed.machine, "MainPID")
    assert f"snap.{snap.NAME}.{snap.SERVICE} (enforce)" in installed.machine.run("cat", f"/proc/{pid}/attr/current")
    assert "Seccomp:\t2" in installed.machine.run("cat", f"/proc/{pid}/status")


def test_snapd_is_told_what_to_connect(installed: Site) -> None:
    listed = installed.machine.run("snap", "list", snap.NAME).splitlines()[1]
    assert "blocked" in listed
    assert f"snap connect {snap.NAME}:network-control" in installed.machine.run("snap", "info", snap.NAME)


def test_once_connected_the_agent_does_what_it_is_for(connected: Site) -> None:
    told = eventually(lambda: fine(connected), "status has nothing left to connect", SLOW)
    assert told["node"]["name"] == ONE.name
    assert told["processes"]["realTimePriority"] > 0
    assert told["processes"]["memoryLocked"]
    assert "blocked" not in connected.machine.run("snap", "list", snap.NAME)


def test_what_the_sandbox_refuses_is_told_and_lived_with(connected: Site) -> None:
    told = eventually(lambda: fine(connected), "status has nothing left to connect", SLOW)
    assert set(told["processes"]["missing"]) == snap.LIVED_WITH
    assert "host-refuses" not in [each["finding"] for each in told["findings"]]
    shown_so = connected.machine.run(snap.NAME, "status")
    assert f"refused by the host: {snap.BOUNDED}, {snap.SPARED}" in shown_so


def test_it_is_root_no_longer_but_the_one_user_that_the_sandbox_allows(connected: Site) -> None:
    pid = eventually(lambda: shown(connected.machine, "MainPID"), "it runs", SLOW)
    assert connected.machine.run("stat", "--format=%U", f"/proc/{pid}").strip() == snap.USER


def fine(site: Site) -> dict[str, Any]:
    """The status once it has the API, an announcer and all connections."""
    told = site.status(snap.NAME)
    processes = told.get("processes", {})
    whole = processes.get("announcer") and not processes.get("notConnected") and told["api"]["connected"]
    return told if whole else {}
