"""The demo shows what it says, cleans up after itself, and tells who cannot run it what is missing."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.lab import net
from tests.lab.agents import ROOT
from tests.lab.net import NAMESPACES, PREFIX

pytestmark = pytest.mark.lab

DEMO = [sys.executable, "-m", "tests.demo"]
GOES_ON = re.compile("tcpdump|tail -f")
"""Commands that would go on until interrupted."""
INSTALLED = 15.0
"""Seconds it may take where everything is there."""


@pytest.fixture(autouse=True)
def able() -> None:
    if lacking := net.missing():
        pytest.skip(lacking)


def left(pid: int) -> list[str]:
    """Namespaces that process `pid` made."""
    return [path.name for path in NAMESPACES.glob(f"{PREFIX}-{pid}-*")]


def test_it_prints_its_figures_and_leaves_nothing_behind() -> None:
    with subprocess.Popen([*DEMO, "-o", "json"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        told, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0
    outcome = json.loads(told)
    assert outcome["ok"]
    assert outcome["figures"]["secondsUntilTold"] < INSTALLED
    words = [step["what"] for step in outcome["steps"]]
    assert [word for word in ("LAN", "speakerd", "address", "announced", "reached", "waits") if word not in words] == []
    assert left(demo.pid) == []


@pytest.mark.parametrize("step", ["LAN", "speakerd", "Service"])
def test_interrupted_at_any_step_it_leaves_nothing_behind(step: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(DEMO, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout
        for line in demo.stdout:
            assert "\x1b" not in line
            if f" s  {step} " in line:
                break
        assert left(demo.pid)
        demo.send_signal(signal.SIGINT)
        told = demo.stdout.read()
    assert demo.returncode == 130
    assert "interrupted" in told
    assert left(demo.pid) == []


def test_kept_it_prints_commands_that_work_and_ends_when_told() -> None:
    with subprocess.Popen([*DEMO, "--keep"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        commands: list[str] = []
        for line in demo.stdout:
            if commands and not line.strip():
                break
            if commands or "look around" in line:
                commands.append(line.strip())
        looks = [each for each in commands[1:] if not each.startswith("#") and not GOES_ON.search(each)]
        shells = [["bash", "-c", each] for each in looks]
        done = [subprocess.run(each, capture_output=True, text=True, check=False) for each in shells]
        demo.terminate()
    assert [(each.args, each.stderr) for each in done if each.returncode != 0] == []
    assert len(looks) >= 4
    assert demo.returncode == 128 + signal.SIGTERM
    assert left(demo.pid) == []


def test_without_root_it_says_what_it_needs() -> None:
    plain = ["unshare", "--user", "--map-user=1000"]
    if subprocess.run([*plain, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no user namespace")
    done = subprocess.run([*plain, *DEMO], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: demo: root is needed to make network namespaces (run it with sudo)\n"
