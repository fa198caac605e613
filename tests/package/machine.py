"""A machine that boots: systemd as PID 1 in namespaces of its own over a Debian tree, as one host of a LAN."""

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab.net import Host
from tests.lab.waiting import eventually

BOOT = Path(__file__).with_name("boot.sh")
UP = ("running", "degraded")


def unified() -> Path | None:
    """Where the unified hierarchy of control groups is mounted, or None: systemd cannot boot without."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    return None


class Machine:
    """`tree` booted as `host`, from enter to exit; what it writes is gone after that."""

    def __init__(self, tree: Path, host: Host) -> None:
        self.host = host
        self._tree = tree
        self._folder = Path(tempfile.mkdtemp(prefix="speakerd-machine-"))
        self._group = (unified() or Path("/sys/fs/cgroup")) / self._folder.name
        self.console = self._folder / "console.log"
        self._outer: subprocess.Popen[bytes]
        self._init = 0

    def __enter__(self) -> Self:
        self._group.mkdir()
        (self._folder / "mount").mkdir()
        try:
            self._boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _boot(self) -> None:
        namespaces = ["--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child=SIGKILL"]
        boot = ["bash", str(BOOT), str(self._tree), str(self._folder / "mount"), self.host.name]
        # The shell moves into the control group first: what is the root for systemd is where `unshare` stands.
        enter = f'echo $$ > {self._group}/cgroup.procs; exec "$@"'
        command = ["ip", "netns", "exec", self.host.namespace, "sh", "-c", enter, "sh", "unshare", *namespaces, *boot]
        with self.console.open("wb") as console:
            self._outer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        eventually(self._booted, f"{self.host.name} boots (see {self.console})", timeout=60.0)

    def _booted(self) -> bool:
        if self._outer.poll() is not None:
            raise AssertionError(f"systemd ended: {self.console.read_text()[-2000:]}")
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        self._init = int(children[0]) if children else 0
        return self._init > 0 and self.run("systemctl", "is-system-running", check=False).strip() in UP

    def _end(self) -> None:
        if hasattr(self, "_outer"):
            self._outer.send_signal(signal.SIGKILL)
            self._outer.wait()
        eventually(self._removed, f"nothing is left in {self._group}")
        shutil.rmtree(self._folder)

    def _removed(self) -> bool:
        """Remove the control groups, the inner ones first; what was killed takes a moment to leave them."""
        for folder, _, _ in os.walk(self._group, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        return not self._group.exists()

    def ended(self) -> bool:
        """Whether it has come to its end: powered off, or rebooted, which nobody does for it."""
        return self._outer.poll() is not None

    def run(self, *command: str, check: bool = True) -> str:
        """What `command` prints in there; an AssertionError where it fails, unless told not to check."""
        enter = ["nsenter", f"--target={self._init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, (
            f"{' '.join(command)}: {done.returncode}: {done.stderr or done.stdout}"
        )
        return done.stdout

    def path(self, inner: str) -> Path:
        """The file or folder called `inner` in there, as seen from here."""
        return Path(f"/proc/{self._init}/root") / inner.lstrip("/")

    def write(self, inner: str, text: str) -> None:
        """A file in there, as an administrator saves it: readable by all."""
        path = self.path(inner)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).strip()
