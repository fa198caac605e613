"""The virtual machine's disk and the state it begins from, made once and kept until what makes them changes."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

from tests.package import debian
from tests.snap import machine
from tests.snap.machine import CARRIED, Machine

HERE = Path(__file__).parent
CACHE = debian.CACHE / "snap"
RELEASE = "trixie"
"""Debian 13: the oldest whose snapd confines a snap by AppArmor on a kernel that is not Ubuntu's."""
PARTS = (HERE / "image.sh", HERE / "inside" / "agent.py")


def image() -> Path:
    """The folder with disk.img, kernel, initrd, base.snap and snapd.snap; a minute's work the first time."""
    return _kept("image", PARTS, _image)


def ready() -> Path:
    """The folder with disk.qcow2 and memory: booted, snapd has looked around, base and snapd are installed."""
    return _kept("ready", (*PARTS, Path(__file__), Path(machine.__file__)), _ready)


def _kept(name: str, sources: Iterable[Path], make: Callable[[Path], None]) -> Path:
    """The folder called `name` that `make` fills, again when one of `sources` has changed; older ones go."""
    digest = sha256(b"".join(each.read_bytes() for each in sources)).hexdigest()[:12]
    kept = CACHE / f"{name}-{digest}"
    if not kept.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=CACHE))
        try:
            make(made)
            for older in CACHE.glob(f"{name}-*"):
                shutil.rmtree(older)
            made.rename(kept)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return kept


def _image(folder: Path) -> None:
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "bash"]
    command = [*apart, str(PARTS[0]), str(folder), RELEASE, str(PARTS[1]), *debian.mirror()]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | debian.proxies())
    if done.returncode != 0:
        raise RuntimeError(f"{PARTS[0].name}: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _ready(folder: Path) -> None:
    made = image()
    machine.overlay(folder / "disk.qcow2", made / "disk.img")
    with Machine(made, folder / "disk.qcow2", kept=True) as booted:
        booted.run("snap", "wait", "system", "seed.loaded", timeout=600)
        # snapd would make itself a key and ask the store for an identity, a minute's work for an emulated processor.
        booted.shell("mkdir -p /run/snapd; touch /run/snapd/noregister")
        booted.carry(made / "base.snap", made / "snapd.snap")
        for name in ("base", "snapd"):
            booted.run("snap", "install", "--dangerous", f"{CARRIED}/{name}.snap", timeout=600)
        booted.save(folder / "memory")
