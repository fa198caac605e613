"""A clean clone on a fresh machine: Debian's smallest with its Python and git, and nothing installed by hand.

What leads this host to its package registries is carried in as the test runs: pip's configuration, apt's sources and
Acquire options, trusted certificates, proxies.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import net
from tests.package import debian

ROOT = Path(__file__).parents[2]
ENTER = Path(__file__).with_name("enter.sh")
PACKAGES = ("python3.11", "git", "ca-certificates")
CARRIED = (
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d",
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt",
)
VARIABLES = ("PIP_", "SSL_CERT", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
FIRST, SECOND = 180.0, 20.0
"""Seconds that `./dev demo` may take with the installation, and without."""
DEMO = """
git clone --quiet /src /root/speakerd
cd /root/speakerd
for turn in 1 2; do
    began=${EPOCHREALTIME/[.,]/}
    ./dev demo
    echo "turn $turn took $(((${EPOCHREALTIME/[.,]/} - began) / 1000)) ms"
done
"""


def carry(folder: Path) -> None:
    """Copy this host's way to its registries into `folder`, under the same names."""
    for name in CARRIED:
        source, target = Path(name), folder / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copyfile(source, target)
    own = Path.home() / ".config/pip/pip.conf"
    if own.exists():
        shutil.copyfile(own, folder / "etc/pip.conf")
    options = folder / "etc/apt/apt.conf.d/99host"
    options.parent.mkdir()
    options.write_text(acquire())


def acquire() -> str:
    """How this host's apt fetches: its Acquire options, as configuration."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return "".join(f"{line}\n" for line in dump.splitlines() if line.startswith("Acquire::"))


def on_a_fresh_machine(script: str, folder: Path) -> str:
    """What `script` says in a new machine with this repository as /src; an AssertionError where it fails."""
    carried, mount = folder / "carried", folder / "mount"
    carry(carried)
    mount.mkdir()
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"]
    tree = debian.tree("fresh", PACKAGES)
    variables = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(VARIABLES)]
    command = [*namespaces, "bash", str(ENTER), str(tree), str(carried), str(ROOT), str(mount), script, *variables]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_the_demo_runs_on_a_fresh_machine_and_is_quick_the_second_time(tmp_path: Path) -> None:
    if lacking := net.missing():
        pytest.skip(lacking)
    said = on_a_fresh_machine(DEMO, tmp_path)
    first, second = (int(found) / 1000 for found in re.findall(r"^turn \d took (\d+) ms$", said, re.MULTILINE))
    assert first < FIRST
    assert second < SECOND
