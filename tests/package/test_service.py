"""The compiled service under systemd: what `systemctl status` tells, and what becomes of it when a process dies."""

import json
import re
from collections.abc import Iterator
from functools import partial

import pytest

from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.steps import answering, given, owner, publish
from tests.lab.waiting import eventually, throughout
from tests.package.conftest import SETTINGS, configure
from tests.package.machine import Machine

UNIT = "speakerd"
PROCESSES = ("speakerd", "controller", "announcer")
GRANTED = {"CAP_NET_BIND_SERVICE": 10, "CAP_NET_RAW": 13, "CAP_IPC_LOCK": 14}
"""linux/capability.h: what the announcer keeps."""


@pytest.fixture(scope="module")
def service(installed: Machine) -> Iterator[Machine]:
    """The machine with the service started."""
    installed.run("systemctl", "start", UNIT)
    yield installed
    print(journal(installed)[-4000:])
    installed.run("systemctl", "stop", UNIT)


@pytest.fixture(scope="module")
def address(service: Machine, plane: Embedded, lan: Lan) -> str:
    """What a Service got, answered for."""
    publish(plane.cluster, "web", lan.nodes)
    (found,) = given(plane.cluster, "web")
    assert owner(lan, found) == service.host.name
    return found


def status_line(service: Machine) -> str:
    return service.show(UNIT, "StatusText")


def journal(service: Machine) -> str:
    return service.run("journalctl", "--unit", UNIT, "--no-pager")


def processes(service: Machine) -> dict[str, int]:
    """Name -> pid of the three processes, from the control group."""
    group = service.show(UNIT, "ControlGroup")
    pids = service.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs", check=False).split()
    found = {service.run("cat", f"/proc/{pid}/comm", check=False).strip(): int(pid) for pid in pids}
    return {name: pid for name, pid in found.items() if name}


def kill(service: Machine, name: str) -> int:
    """Kill one of the processes; its pid."""
    pid = processes(service)[name]
    service.run("kill", "-9", str(pid))
    eventually(lambda: processes(service).get(name, pid) != pid, f"{name} runs again")
    return pid


def facts(service: Machine, name: str) -> dict[str, str]:
    """/proc/PID/status of one of the processes."""
    lines = service.run("cat", f"/proc/{processes(service)[name]}/status").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def connected(service: Machine) -> bool:
    found = json.loads(service.run("speakerd", "status", "-o", "json", check=False) or "{}")
    return bool(found.get("api", {}).get("connected"))


@pytest.mark.usefixtures("address")
def test_systemctl_status_tells_all(service: Machine) -> None:
    name = service.host.name
    line = f"{name}: 1 VIPs, 1 answered here; 1 of 1 members alive; API connected; allocator {name}"
    eventually(lambda: line == status_line(service), f"the status line is: {line}")
    text = service.run("systemctl", "status", "--no-pager", "--full", UNIT)
    assert f'Status: "{line}"' in text
    assert re.search(r"Loaded: loaded \(/lib/systemd/system/speakerd.service; enabled;", text)
    assert "Active: active (running)" in text
    assert re.search(r"Main PID: \d+ \(speakerd\)", text)
    assert len(re.findall(r"[├└]─ *\d+ /usr/lib/speakerd/speakerd run", text)) == 3, text


def test_the_journal_has_the_events_name_and_its_fields(service: Machine) -> None:
    lines = service.run("journalctl", "--unit", UNIT, "--no-pager", "--output=json", "EVENT=kube.credentials")
    told = json.loads(lines.splitlines()[-1])
    assert told["MESSAGE"].startswith("kube.credentials source=")
    assert told["SPEAKERD_SERVER"].startswith("http://")
    assert (told["PRIORITY"], told["_COMM"]) == ("6", "controller")


def test_the_user_has_no_right_it_does_not_need(service: Machine) -> None:
    uid = service.run("id", "-u", UNIT).strip()
    for name in PROCESSES:
        assert facts(service, name)["Uid"].split() == [uid] * 4
    assert int(facts(service, "controller")["CapEff"], 16) == 0
    assert int(facts(service, "announcer")["CapEff"], 16) == sum(1 << bit for bit in GRANTED.values())


def test_what_has_a_deadline_is_in_locked_memory_and_runs_first(service: Machine) -> None:
    assert int(facts(service, "announcer")["VmLck"].split()[0]) > 0
    pid = processes(service)["announcer"]
    policy = service.run("cat", f"/proc/{pid}/stat").rpartition(")")[2].split()[38]
    assert policy == "1", "SCHED_FIFO"


def test_the_controller_killed_leaves_the_answers(service: Machine, address: str, lan: Lan) -> None:
    main = service.show(UNIT, "MainPID")
    kill(service, "controller")
    throughout(partial(answering, lan, address), f"{address} is answered for", 1.0)
    eventually(partial(connected, service), "the new controller has the API server")
    assert service.show(UNIT, "MainPID") == main
    assert service.show(UNIT, "NRestarts") == "0"


def test_the_announcer_killed_answers_again(service: Machine, address: str, lan: Lan) -> None:
    main = service.show(UNIT, "MainPID")
    kill(service, "announcer")
    assert owner(lan, address) == service.host.name
    assert service.show(UNIT, "MainPID") == main


def test_the_supervisor_killed_takes_all_along_and_systemd_begins_again(
    service: Machine, address: str, lan: Lan
) -> None:
    before = set(processes(service).values())
    kill(service, "speakerd")
    assert service.show(UNIT, "NRestarts") == "1"
    assert owner(lan, address, timeout=10.0) == service.host.name
    assert not before & set(processes(service).values())


def test_a_reload_takes_new_settings_into_the_running_service(service: Machine) -> None:
    before = processes(service)
    configure(service, layer2={"refresh": "30s"})
    service.run("systemctl", "reload", UNIT)
    eventually(lambda: service.show(UNIT, "ActiveState") == "active", "the reload ends")
    eventually(lambda: "settings.reloaded" in journal(service), "the journal tells of the new settings")
    assert processes(service) == before


def test_a_bad_reload_changes_nothing_and_shows(service: Machine, address: str, lan: Lan) -> None:
    before = processes(service)
    service.write(SETTINGS, "layer2:\n  refrehs: 30s\n")
    service.run("systemctl", "reload", UNIT)
    where = f"{SETTINGS}:2:3"
    eventually(lambda: where in journal(service), f"the journal names {where}")
    eventually(lambda: "settings" in status_line(service), "the status line tells")
    assert processes(service) == before
    assert answering(lan, address)
    configure(service)
    service.run("systemctl", "reload", UNIT)
    eventually(lambda: "settings" not in status_line(service), "the status line is calm again")


def test_a_stop_ends_all_three_and_is_no_failure(service: Machine) -> None:
    service.run("systemctl", "stop", UNIT)
    assert service.show(UNIT, "Result") == "success"
    assert service.show(UNIT, "ActiveState") == "inactive"
    assert not service.run("pgrep", "--full", "/usr/lib/speakerd/speakerd", check=False)
