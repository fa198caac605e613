"""Debian packages of the compiled folder, and what a machine does with them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.agents import BINARY, ROOT
from tests.package.machine import Machine

RECIPE = ROOT / "conf" / "debian" / "build.sh"


def build(out: Path, version: str = "") -> Path:
    """The package, under another `version` than the program's own where one is given; not compressed, which is slow."""
    folder = Path(BINARY[0]).parent
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: run ./dev build")
    environ = {**os.environ, "COMPRESSION": "none", **({"VERSION": version} if version else {})}
    done = subprocess.run([RECIPE, folder, out], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def install(booted: Machine, package: Path) -> str:
    """Install it, or upgrade to it; what dpkg said."""
    inner = f"/root/{package.name}"
    shutil.copy(package, booted.path(inner))
    return booted.run("dpkg", "--install", inner)
