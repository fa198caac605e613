"""The snap's own tree, run as in its sandbox: root without most capabilities, and one other user to become.

What AppArmor and seccomp refuse beside that only a real snapd shows.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snap.local.pack import fill
from speakerd import snap
from tests.lab.agents import BINARY
from tests.lab.waiting import eventually

UID = 584788
"""Of snap_daemon, on every host."""
LACKING = "dac_override,dac_read_search,fowner,kill,sys_admin,setpcap"
"""Capabilities that a strict snap's root never has."""
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: c, user: {token: secret}}]
contexts: [{name: c, context: {cluster: c, user: c}}]
"""


class Sandbox:
    """A mount and a network namespace, where the snap's daemon runs and its commands are given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tree, self.run = folder, folder / "snap", folder / "run"
        self.data, self.common = folder / "data", folder / "common"
        for each in (self.tree, self.data, self.common):
            each.mkdir()
        fill(self.tree, "1", "amd64")
        users = folder / "passwd"
        users.write_text(Path("/etc/passwd").read_text() + f"{snap.USER}:x:{UID}:{UID}::/:/bin/false\n")
        self.write(f"kubernetes: {{kubeconfig: {folder}/kubeconfig}}\nbgp: {{listen: false}}\n")
        (folder / "kubeconfig").write_text(KUBECONFIG)
        (folder / "kubeconfig").chmod(0o600)
        self._environ = {
            "PATH": os.environ["PATH"],
            "SNAP": str(self.tree),
            "SNAP_NAME": snap.NAME,
            "SNAP_DATA": str(self.data),
            "SNAP_COMMON": str(self.common),
            "SNAP_REVISION": "x1",
            "SPEAKERD_PATHS_RUN": str(self.run),
        }
        self._room = subprocess.Popen(["unshare", "--mount", "--net", "sleep", "infinity"])
        eventually(lambda: self._elsewhere("mnt") and self._elsewhere("net"), "namespaces of its own")
        self._inside("mount", "--bind", str(users), "/etc/passwd")
        self._inside("ip", "link", "set", "lo", "up")
        self._daemon: subprocess.Popen[bytes] | None = None

    def _elsewhere(self, kind: str) -> bool:
        return Path(f"/proc/{self._room.pid}/ns/{kind}").readlink() != Path(f"/proc/self/ns/{kind}").readlink()

    def _entered(self, *command: str) -> list[str]:
        return ["nsenter", f"--target={self._room.pid}", "--mount", "--net", *command]

    def _inside(self, *command: str) -> None:
        subprocess.run(self._entered(*command), check=True)

    def _confined(self, *command: str, lacking: str = LACKING) -> list[str]:
        dropped = ",".join(f"-{each}" for each in lacking.split(","))
        return self._entered("setpriv", f"--bounding-set={dropped}", "--inh-caps=-all", *command)

    def write(self, text: str) -> None:
        path = Path(self.data) / "speakerd.yaml"
        path.write_text(text)
        path.chmod(snap.MODE)

    def start(self, lacking: str = LACKING) -> int:
        """Start the daemon; its process id, once it answers."""
        command = self._confined(f"{self.tree}/bin/run", lacking=lacking)
        self._daemon = subprocess.Popen(command, env=self._environ)
        eventually(lambda: self.said("status").returncode != 3, "an agent that answers", timeout=30)
        return self._daemon.pid

    def stop(self) -> None:
        if self._daemon:
            self._daemon.send_signal(signal.SIGTERM)
            self._daemon.wait()

    def close(self) -> None:
        self.stop()
        self._room.kill()
        self._room.wait()

    def said(self, *words: str, program: str = "lib/speakerd/speakerd") -> "subprocess.CompletedProcess[str]":
        command = self._confined(f"{self.tree}/{program}", *words)
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, check=False)

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.said("status", "-o", "json").stdout)
        return told


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    if not Path(BINARY[0]).is_file():
        pytest.skip(f"{BINARY[0]} is not there: run ./dev build")
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))  # where another user may go, too
    folder.chmod(0o755)
    room = Sandbox(folder)
    try:
        yield room
    finally:
        room.close()
        shutil.rmtree(folder)


def held(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: values.split() for name, _, values in (line.partition(":") for line in lines)}


def test_the_agent_is_the_snaps_user_and_roots_commands_reach_it(sandbox: Sandbox) -> None:
    pid = sandbox.start()
    told = sandbox.status()
    assert "copied to" in told["api"]["credentials"]
    for each in (pid, told["processes"]["controller"], told["processes"]["announcer"]):
        assert (held(each)["Uid"][0], held(each)["Gid"][0]) == (str(UID), "0")
    assert held(told["processes"]["controller"])["CapPrm"] == ["0" * 16]
    assert not {each["finding"] for each in told["findings"]} & {"host-refuses", "no-raw-sockets"}


def test_a_reload_needs_no_signal_and_tells_what_is_refused(sandbox: Sandbox) -> None:
    sandbox.start()
    assert sandbox.said(program="bin/reload").returncode == 0
    sandbox.write("lug: 1\n")
    refused = sandbox.said(program="bin/reload")
    assert (refused.returncode, "unknown key 'lug'" in refused.stderr) == (1, True)


def test_credentials_that_changed_are_copied_again(sandbox: Sandbox) -> None:
    sandbox.start()
    (sandbox.folder / "kubeconfig").write_text(KUBECONFIG.replace("127.0.0.1:1", "127.0.0.2:2"))
    sandbox.said(program="bin/reload")
    eventually(lambda: "127.0.0.2:2" in sandbox.status()["api"]["server"], "the new server")


def test_without_raw_sockets_it_stays_up_and_names_what_would_give_them(sandbox: Sandbox) -> None:
    (sandbox.data / snap.NOTED).write_text("network-observe\n")
    sandbox.start(f"{LACKING},net_raw")
    told = sandbox.status()
    assert told["processes"]["announcer"]
    assert "raw sockets" in told["processes"]["missing"]
    missing = {each["object"]: each["remedy"] for each in told["findings"] if each["finding"] == "snap-not-connected"}
    assert missing["metallb-speaker:network-control"] == "sudo snap connect metallb-speaker:network-control"
    assert "metallb-speaker:network-observe" not in missing


def test_it_starts_again_where_it_ran(sandbox: Sandbox) -> None:
    sandbox.start()
    sandbox.stop()
    pid = sandbox.start()
    assert held(pid)["Uid"][0] == str(UID)
    assert (sandbox.run / snap.REVISION).read_text() == "x1"
