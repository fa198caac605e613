"""Where settings come from, and the one place that reads their files; loads no YAML, for any process to hold."""

import argparse
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from speakerd import snap
from speakerd.settings import DEFAULT_FILE

FILE_BYTES = 1 << 20
"""A settings file; ten thousand pools fit."""


class File(Struct, frozen=True):
    """A settings file as read: its bytes, or the `fault` that kept us from reading it, with its remedy."""

    name: str
    data: bytes = b""
    fault: str = ""
    remedy: str = ""


class Stamp(Struct, frozen=True):
    """A file as it was; another stamp means it was saved since."""

    path: str
    mtime_ns: int = 0
    size: int = 0
    inode: int = 0


class Sources(Struct, frozen=True):
    """The settings file and its drop-ins, the environment, and --set; `named`: the file must exist.

    `config` /etc/speakerd.yaml has its drop-ins in /etc/speakerd.d, and likewise for every other file. In the snap its
    own file comes before /etc/speakerd.yaml.
    """

    config: str = DEFAULT_FILE
    named: bool = False
    environ: Mapping[str, str] = {}
    flags: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def configure(parser: argparse.ArgumentParser) -> None:
        """Add --config and --set."""
        parser.add_argument("--config", metavar="FILE", help=f"settings file (default: {DEFAULT_FILE})")
        parser.add_argument(
            "--set",
            metavar="KEY=VALUE",
            type=assignment,
            action="append",
            default=[],
            help="set one key, such as log.level=debug; may be given again",
        )

    @classmethod
    def of(cls, args: argparse.Namespace, environ: Mapping[str, str]) -> "Sources":
        """As the command line and the environment say."""
        config = str(Path(args.config).absolute()) if args.config else DEFAULT_FILE
        return cls(config, bool(args.config), dict(environ), tuple(args.set))

    @property
    def hostname(self) -> str:
        """This host's name, which is the Node's where no setting says otherwise."""
        return socket.gethostname()

    def files(self) -> tuple[File, ...]:
        """The file, then its drop-ins in name order, as read now."""
        found = tuple(_file(path) for path in self._paths())
        if self.named and not os.path.lexists(self.config):
            return (File(self.config, fault="there is no such file", remedy="check the path"), *found)
        return found

    def stamp(self) -> tuple[Stamp, ...]:
        """What the files look like now; equal stamps mean that nobody saved any."""
        return tuple(stamped(path) for path in self._paths())

    def passed_over(self) -> tuple[str, ...]:
        """Drop-ins that look meant, but are not read for their name."""
        return tuple(str(path) for path in self._dropins() if path.suffix in (".yml", ".json", ".conf"))

    def _paths(self) -> tuple[Path, ...]:
        own = None if self.named else snap.inside(self.environ)
        names = [own.settings, self.config] if own else [self.config]
        main = [Path(name) for name in names if os.path.lexists(name)]
        return (*main, *(path for path in self._dropins() if path.suffix == ".yaml"))

    def _dropins(self) -> list[Path]:
        """What lies in the folder, in name order; hidden files are an editor's."""
        folder = Path(self.config).parent / f"{Path(self.config).stem}.d"
        try:
            return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        except OSError:
            return []


def assignment(text: str) -> tuple[str, str]:
    """KEY=VALUE, split; for argparse. Raises ArgumentTypeError without a sign."""
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key.strip(), value


def stamped(path: Path) -> Stamp:
    """What a file looks like now."""
    try:
        status = path.stat()
    except OSError:
        return Stamp(str(path))
    return Stamp(str(path), status.st_mtime_ns, status.st_size, status.st_ino)


def _opened(path: str, flags: int) -> int:
    """Not waiting for the other end of a named pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _file(path: Path) -> File:
    try:
        with open(path, "rb", opener=_opened) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return File(str(path), fault="not a regular file", remedy="give a file of settings")
            data = file.read(FILE_BYTES + 1)
    except OSError as fault:
        return File(str(path), fault=f"cannot be read: {fault.strerror}", remedy="check path and permissions")
    if len(data) > FILE_BYTES:
        return File(str(path), fault=f"larger than {FILE_BYTES >> 20} MiB", remedy="is this the right file?")
    return File(str(path), data)
