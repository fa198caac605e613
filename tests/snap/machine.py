"""A virtual machine with a kernel of its own, run by qemu: commands cross a serial port, files a disk.

Its processor is emulated, since many hosts have none to lend (KVM): everything in it takes 5 to 20 times longer.
"""

import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from msgspec import Struct

from tests.lab.waiting import eventually
from tests.snap.lines import Lines

MEMORY = 1536
"""MiB."""
EXCHANGE = 256 << 20
"""Bytes that can be handed over at once."""
BOOT = 300.0
"""Seconds until it has booted on a busy host; half a minute is usual."""
PATIENCE = 240.0
"""Seconds a command may take; snapd works a minute for one installation there."""
CARRIED = "/carried"
"""Where files that are handed over come to lie in the machine."""
KERNEL = "root=/dev/vda rw console=ttyS0 net.ifnames=0 apparmor=1 security=apparmor mitigations=off"


class Done(Struct, frozen=True):
    """What came of a command: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


class Machine:
    """The machine of `image` on `disk` from enter to exit; what it writes is gone after that.

    `memory`: a file with the state that it goes on from; without, it boots. `kept`: write to `disk` itself.
    """

    def __init__(self, image: Path, disk: Path, memory: Path | None = None, *, kept: bool = False) -> None:
        self._image, self._disk, self._memory, self._kept = image, disk, memory, kept
        self._folder = Path(tempfile.mkdtemp(prefix="speakerd-snap-"))
        self.console = self._folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._agent: Lines | None = None
        self._numbers = count()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self) -> None:
        disk = self._disk
        if not self._kept:
            disk = self._folder / "disk.qcow2"
            overlay(disk, self._disk)
        with (self._folder / "exchange").open("wb") as exchange:
            exchange.truncate(EXCHANGE)
        with (self._folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(self._command(disk), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._agent = eventually(partial(self._connected, "agent.sock"), "qemu's serial port is there")
        eventually(self._answers, f"the machine answers (see {self.console})", BOOT)

    def _command(self, disk: Path) -> list[str]:
        wire = "user,model=virtio-net-pci,ipv6=off"
        return [
            *("setpriv", "--pdeathsig=SIGKILL", "qemu-system-x86_64", "-accel", "tcg"),
            *("-cpu", "max", "-m", str(MEMORY), "-smp", "2", "-display", "none", "-no-reboot", "-nodefaults"),
            *("-kernel", str(self._image / "kernel"), "-initrd", str(self._image / "initrd"), "-append", KERNEL),
            *("-drive", f"file={disk},if=virtio,cache=unsafe,format={'raw' if disk.suffix == '.img' else 'qcow2'}"),
            *("-drive", f"file={self._folder / 'exchange'},if=virtio,cache=unsafe,format=raw,readonly=on"),
            *("-nic", wire, "-nic", wire),
            *("-serial", f"file:{self.console}", "-serial", f"unix:{self._folder / 'agent.sock'},server=on,wait=off"),
            *("-qmp", f"unix:{self._folder / 'control.sock'},server=on,wait=off"),
            *(("-incoming", f"exec:cat {self._memory}") if self._memory else ()),
        ]

    def _connected(self, name: str) -> Lines | None:
        """A connection to one of qemu's sockets, once it listens."""
        assert self._process
        assert self._process.poll() is None, f"qemu ended: {(self._folder / 'qemu.log').read_text()}"
        try:
            return Lines(self._folder / name)
        except OSError:
            return None

    def _answers(self) -> bool:
        """Whether the agent is there; what is said to a machine that boots may be lost."""
        with suppress(TimeoutError):
            return self._ask(["true"], 10.0, patience=2.0).code == 0
        return False

    def _ask(self, command: Sequence[str], timeout: float, patience: float) -> Done:
        """What the agent answers within `patience` seconds. Raises TimeoutError."""
        assert self._agent
        number = next(self._numbers)
        self._agent.send({"number": number, "run": command, "timeout": timeout})
        while True:
            told = self._agent.receive(patience)
            if told.pop("number", None) == number and "code" in told:
                return Done(**told)

    def attempt(self, *command: str, timeout: float = PATIENCE) -> Done:
        """What comes of `command` in there, which may fail."""
        return self._ask(command, timeout, timeout + 60.0)

    def run(self, *command: str, timeout: float = PATIENCE) -> str:
        """What `command` prints in there; an AssertionError where it fails."""
        done = self.attempt(*command, timeout=timeout)
        assert done.code == 0, f"{' '.join(command)}: {done.code}: {done.err or done.out}"
        return done.out

    def shell(self, script: str, timeout: float = PATIENCE) -> str:
        """What a few lines of shell print in there; an AssertionError where one fails."""
        return self.run("bash", "-euc", script, timeout=timeout)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in there, its folder made where it is missing."""
        script = 'umask 077; mkdir -p -m 755 "$(dirname "$0")"; printf %s "$1" >"$0"; chmod "$2" "$0"'
        self.run("bash", "-euc", script, path, text, f"{mode:o}")

    def carry(self, *files: Path) -> None:
        """Hand files and folders over; they come to lie in CARRIED under their own names."""
        with (self._folder / "exchange").open("r+b") as exchange:
            with tarfile.open(fileobj=exchange, mode="w") as archive:
                for file in files:
                    archive.add(file, file.name)
            blocks = (exchange.tell() >> 20) + 1
        read = f"dd if=/dev/vdb iflag=direct bs=1M count={blocks} status=none"
        self.shell(f"mkdir -p {CARRIED}; {read} | tar -x -C {CARRIED} --no-same-owner")

    def save(self, memory: Path) -> None:
        """Write the machine's state to `memory` and stop it; with its disk, another goes on from there."""
        control = eventually(partial(self._connected, "control.sock"), "qemu takes orders")
        assert control
        with closing(control):
            _order(control, "qmp_capabilities")
            _order(control, "migrate", {"uri": f"exec:cat > {memory}"})
            eventually(lambda: _saved(control), "the machine's state is written", 300)

    def _end(self) -> None:
        if self._agent:
            self._agent.close()
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._folder)


def overlay(disk: Path, below: Path) -> None:
    """Make `disk`, which holds what differs from `below`."""
    form = "raw" if below.suffix == ".img" else "qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(below), "-F", form, str(disk)]
    subprocess.run(command, check=True, capture_output=True)


def _order(control: Lines, name: str, arguments: Mapping[str, object] | None = None) -> dict[str, Any]:
    """What qemu returns to an order; what it tells beside it is of no interest."""
    control.send({"execute": name, "arguments": arguments or {}})
    while True:
        told = control.receive(60.0)
        assert "error" not in told, f"qemu, {name}: {told['error']}"
        if "return" in told:
            return cast("dict[str, Any]", told["return"])


def _saved(control: Lines) -> bool:
    status = _order(control, "query-migrate").get("status")
    assert status != "failed", "qemu could not write the machine's state"
    return status == "completed"
