"""What `speakerd install-service` puts on a host, and `speakerd uninstall` takes away: as steps."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

MARK = "# Written by speakerd install-service; speakerd uninstall removes it.\n"
SOURCES = Path(__file__).parents[2] / "systemd"
"""Beside the program, or in the tree."""
UNITS = Path("/etc/systemd/system")
PLACES: Mapping[str, Path] = {
    "speakerd.service": UNITS / "speakerd.service",
    "speakerd-credentials.service": UNITS / "speakerd-credentials.service",
    "speakerd-credentials.path": UNITS / "speakerd-credentials.path",
    "speakerd-credentials.timer": UNITS / "speakerd-credentials.timer",
    "speakerd.sysusers": Path("/etc/sysusers.d/speakerd.conf"),
    "speakerd.tmpfiles": Path("/etc/tmpfiles.d/speakerd.conf"),
}
"""Where each goes; what a package has goes below /usr/lib."""
PACKAGED = ("/usr/lib/systemd/system/speakerd.service", "/lib/systemd/system/speakerd.service")
UNPACKED = Path("/usr/local/lib/speakerd")
"""Where the one file's content goes: run from there it needs no unpacking at each start, and systemd watches it."""
LINK = Path("/usr/local/bin/speakerd")
PROGRAM = "/usr/lib/speakerd/speakerd"
"""In the files as they are kept."""


class Write(Struct, frozen=True):
    """A file with this text."""

    path: Path
    text: str


class Copy(Struct, frozen=True):
    """A folder with all that is in it, where its `program` gets the name that it has everywhere."""

    path: Path
    source: Path
    program: str


class Link(Struct, frozen=True):
    """A symbolic link."""

    path: Path
    target: Path


class Remove(Struct, frozen=True):
    """A file, a link or a folder."""

    path: Path


class Call(Struct, frozen=True):
    """A command."""

    command: tuple[str, ...]


Step = Write | Copy | Link | Remove | Call


def installation(program: Path, *, one_file: bool, now: bool) -> Iterator[Step]:
    """For this `program`, whose folder is gone after this run where it was unpacked from `one_file`. Raises OSError.

    `now`: have it started, too.
    """
    if one_file:
        yield Copy(UNPACKED, program.parent, program.name)
        program = UNPACKED / "speakerd"
    for name, path in PLACES.items():
        yield Write(path, MARK + (SOURCES / name).read_text().replace(PROGRAM, str(program)))
    yield Link(LINK, program)
    yield Call(("systemd-sysusers", str(PLACES["speakerd.sysusers"])))
    yield Call(("systemd-tmpfiles", "--create", str(PLACES["speakerd.tmpfiles"])))
    yield Call(("systemctl", "daemon-reload"))
    yield Call(("systemctl", "enable", *(["--now"] if now else []), "speakerd.service"))


def removal(root: Path = Path("/")) -> Iterator[Step]:
    """Of what `installation` made below `root`, and of what the service left on this host."""
    units = [path for path in PLACES.values() if ours(root / path.relative_to("/"))]
    if not units:
        return
    yield Call(("systemctl", "disable", "--quiet", "speakerd.service"))
    yield from map(Remove, (*units, LINK, UNPACKED, Path("/var/lib/speakerd"), Path("/run/speakerd")))
    yield Call(("systemctl", "daemon-reload"))


def ours(path: Path) -> bool:
    """Whether a file was written by `installation`."""
    return path.is_file() and path.read_text(errors="replace").startswith(MARK)


def said(step: Step) -> str:
    """A step as text."""
    match step:
        case Write():
            return f"write {step.path}"
        case Copy():
            return f"copy {step.source} to {step.path}"
        case Link():
            return f"link {step.path} to {step.target}"
        case Remove():
            return f"remove {step.path}"
        case Call():
            return f"run {' '.join(step.command)}"


def carry_out(step: Step, root: Path = Path("/")) -> bool:
    """Do it below `root`; False where all was so already. Raises OSError, CalledProcessError."""
    match step:
        case Write():
            return _write(root / step.path.relative_to("/"), step.text)
        case Copy():
            return _copy(root / step.path.relative_to("/"), step.source, step.program)
        case Link():
            return _link(root / step.path.relative_to("/"), step.target)
        case Remove():
            return _remove(root / step.path.relative_to("/"))
        case Call():
            subprocess.run(step.command, check=True)
            return True


def _write(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text(errors="replace") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
    return True


def _copy(path: Path, source: Path, program: str) -> bool:
    """The old one stays until the new one is whole: a service may be running from it."""
    fresh = path.with_name(f".{path.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, fresh)
    (fresh / program).rename(fresh / "speakerd")
    for folder in (fresh, *(each for each in fresh.rglob("*") if each.is_dir())):
        folder.chmod(0o755)  # what was unpacked was for one user alone
    _remove(path)
    fresh.rename(path)
    return True


def _link(path: Path, target: Path) -> bool:
    if path.is_symlink() and path.readlink() == target:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    return True


def _remove(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return True
    there = path.is_symlink() or path.exists()
    path.unlink(missing_ok=True)
    return there
