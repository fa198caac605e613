"""The package alone is enough: it starts, finds credentials that are root's, and follows them when they change."""

import json
import re
from collections.abc import Iterator

import pytest

from speakerd.kube.credentials import COPY, OURS
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.waiting import eventually
from tests.package.conftest import ADMIN, SETTINGS, credentials
from tests.package.machine import Machine

UNIT, COPIER = "speakerd", "speakerd-credentials"
STATE = "/var/lib/speakerd"
COPIED = f"{ADMIN}, copied to {STATE}/{COPY}"
WORST = 2.2
"""Of systemd's score, which is 10 for a service that may do anything."""


@pytest.fixture(autouse=True)
def told(installed: Machine) -> Iterator[None]:
    yield
    print(installed.run("journalctl", "--no-pager", "--unit", "speakerd*")[-4000:])


def api(installed: Machine) -> dict[str, object]:
    """What `speakerd status` says of the API server."""
    text = installed.run("speakerd", "status", "-o", "json", check=False)
    found: dict[str, object] = json.loads(text or "{}").get("api", {})
    return found


def connected_by(installed: Machine, source: str) -> bool:
    found = api(installed)
    return bool(found.get("connected")) and found.get("credentials") == source


def owner_and_mode(installed: Machine, path: str) -> str:
    return installed.run("stat", "--format=%U %a", path).strip()


def test_installed_it_is_enabled_and_runs(installed: Machine) -> None:
    assert installed.run("systemctl", "is-enabled", UNIT).strip() == "enabled"
    eventually(lambda: installed.show(UNIT, "ActiveState") == "active", "the service runs")
    assert owner_and_mode(installed, STATE) == "speakerd 700"
    assert "speakerd is" not in installed.run("dpkg", "--audit")


def test_who_is_not_root_is_told_how_to_ask(installed: Machine) -> None:
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-c"]
    told = installed.run(*as_nobody, "speakerd status 2>&1", check=False)
    assert "join group speakerd: sudo usermod -aG speakerd $USER" in told


def test_the_settings_file_has_every_key_as_a_comment(installed: Machine) -> None:
    text = installed.path(SETTINGS).read_text()
    assert "#kubernetes:" in text
    assert all(line.startswith("#") for line in text.splitlines() if line)
    assert "valid" in installed.run("speakerd", "check", "-f", SETTINGS)
    assert SETTINGS in installed.run("dpkg-query", "--show", "--showformat=${Conffiles}", UNIT)


def test_every_file_is_as_it_was_packed(installed: Machine) -> None:
    assert installed.run("dpkg", "--verify", UNIT) == ""


def test_a_kubeconfig_for_root_alone_is_copied_for_the_agent_and_status_names_it(installed: Machine) -> None:
    eventually(lambda: connected_by(installed, COPIED), "it has the API server by the copy")
    assert owner_and_mode(installed, f"{STATE}/{COPY}") == "speakerd 600"


def test_a_kubeconfig_that_is_replaced_is_taken_up_while_it_runs(installed: Machine, plane: Embedded, lan: Lan) -> None:
    copy = installed.path(f"{STATE}/{COPY}")
    before, pid = copy.read_text(), installed.show(UNIT, "MainPID")
    other = lan.nodes[2].name
    token = json.loads(plane.kubeconfig(other).read_text())["users"][0]["user"]["token"]
    logged = len(taken_up(installed))
    credentials(installed, plane, other)
    eventually(lambda: copy.read_text() != before, "the copy is made again")
    assert token in copy.read_text()
    eventually(lambda: len(taken_up(installed)) > logged, "the agent takes it up", 20)
    eventually(lambda: connected_by(installed, COPIED), "it has the API server")
    assert installed.show(UNIT, "MainPID") == pid
    credentials(installed, plane)
    eventually(lambda: copy.read_text() == before, "the first one is back")


def taken_up(installed: Machine) -> list[str]:
    """Lines of the journal that say by what the API server was found."""
    lines = installed.run("journalctl", "--no-pager", "--output=json", "--unit", UNIT).splitlines()
    return [line for line in lines if '"kube.credentials"' in line]


def test_a_kubeconfig_of_its_own_wins_and_is_left_alone(installed: Machine, plane: Embedded) -> None:
    ours, copy = installed.path(f"{STATE}/{OURS}"), installed.path(f"{STATE}/{COPY}")
    text = plane.kubeconfig(installed.host.name).read_text()
    installed.write("/root/own", text)
    installed.run("install", "-o", "speakerd", "-m", "600", "/root/own", f"{STATE}/{OURS}")
    eventually(lambda: connected_by(installed, f"{STATE}/{OURS}"), "it has the API server by its own", 20)
    installed.run("systemctl", "start", COPIER)
    assert not copy.exists(), "nobody needs the copy any more"
    assert ours.read_text() == text
    ours.unlink()
    installed.run("systemctl", "start", COPIER)
    eventually(lambda: connected_by(installed, COPIED), "it has the API server by the copy again", 20)


def unusable(installed: Machine) -> str:
    """The file that `status` says is of no use."""
    told = json.loads(installed.run("speakerd", "status", "-o", "json", check=False) or "{}")
    found = (each["object"] for each in told.get("findings", ()) if each["finding"] == "credentials-unusable")
    return str(next(found, ""))


def test_plugins_are_told_and_leave_the_copy_as_it_is(installed: Machine, plane: Embedded) -> None:
    before = installed.path(f"{STATE}/{COPY}").read_text()
    text = json.loads(plane.kubeconfig(installed.host.name).read_text())
    text["users"][0]["user"] = {"exec": {"command": "aws"}}
    installed.write(ADMIN, json.dumps(text))
    line = f"error: {ADMIN}: exec and auth-provider plugins are not supported"
    eventually(lambda: line in installed.run("journalctl", "--no-pager", "--unit", COPIER), "the journal tells")
    eventually(lambda: installed.show(COPIER, "ActiveState") == "failed", "it has ended")
    assert installed.path(f"{STATE}/{COPY}").read_text() == before
    eventually(lambda: unusable(installed) == ADMIN, "status tells, too", 20)
    credentials(installed, plane)
    eventually(lambda: installed.show(COPIER, "Result") == "success", "the next change makes it well again")
    eventually(lambda: not unusable(installed), "status tells no more", 20)


def test_the_service_may_do_little(installed: Machine) -> None:
    text = installed.run("systemd-analyze", "security", "--no-pager", UNIT)
    (score,) = re.findall(r"Overall exposure level for speakerd.service: ([0-9.]+)", text)
    assert float(score) <= WORST, text
