"""BFD alone, without a cluster: python -m tests.lab.bfd reads wishes from standard input and tells what it sees."""

import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address

import msgspec
from msgspec import Struct

from speakerd.bfd.effects import Path
from speakerd.bfd.packet import State
from speakerd.bfd.part import Bfd
from speakerd.engine import Engine
from speakerd.peering import BfdProfile, BfdSeen
from tests.lab.net import Host, end


class Ask(Struct, frozen=True):
    """`wanted`: the whole wish, None: as before. `leave`: tell all neighbours that this is the end."""

    wanted: list[tuple[Path, BfdProfile]] | None = None
    leave: bool = False


class Told(Struct, frozen=True):
    """What is seen: sessions and UDP ports by path, what was `changed` so far, and the rest as the part has it."""

    sessions: list[tuple[Path, BfdSeen, int]]
    changed: list[tuple[Path, bool, str]]
    problems: dict[str, str]
    drops: dict[str, int]
    lost: dict[str, int]
    left: bool


class Node:
    """One that has BFD sessions; asked by a line, it answers by one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed: list[tuple[Path, bool, str]] = []
        self._read = b""
        self._bfd = Bfd(
            engine.register,
            engine.unregister,
            random.SystemRandom().random,
            lambda: secrets.randbits(32),
            lambda change, _now: self._changed.append((change.path, change.state is State.UP, change.why)),
        )
        engine.add(self._bfd)
        engine.register(sys.stdin.fileno(), self._asked)

    def _asked(self, now: float) -> None:
        read = os.read(sys.stdin.fileno(), 1 << 16)
        if not read:
            self._engine.stop()
        *lines, self._read = (self._read + read).split(b"\n")
        for line in lines:
            ask = msgspec.json.decode(line, type=Ask)
            if ask.wanted is not None:
                self._bfd.apply(dict(ask.wanted), now)
            if ask.leave:
                self._bfd.leave(now)
            os.write(sys.stdout.fileno(), msgspec.json.encode(self._told()) + b"\n")

    def _told(self) -> Told:
        bfd = self._bfd
        sources = bfd.sources
        seen = [(path, found, sources.get(path, 0)) for path in bfd.paths if (found := bfd.seen(path))]
        drops = {str(why): number for why, number in bfd.drops.items()}
        return Told(seen, self._changed, bfd.problems, drops, dict(bfd.lost), bfd.left)


def main() -> None:
    """Turn until standard input ends; as promptly as the announcer where the host allows."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    engine = Engine(time.monotonic)
    Node(engine)
    engine.run()


class Speaker:
    """One at work on a host."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, ask: Ask) -> Told:
        """Have it do something, and tell."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(ask) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Told)

    def want(self, *wanted: tuple[Path, BfdProfile]) -> None:
        """Have these sessions and no other."""
        self.ask(Ask(list(wanted)))

    @property
    def told(self) -> Told:
        """What it sees now."""
        return self.ask(Ask())

    def state(self, path: Path) -> str:
        """Of the session of a path, "" where there is none."""
        return next((seen.state for each, seen, _ in self.told.sessions if each == path), "")

    def counted(self, path: Path) -> dict[str, int]:
        """What is counted of it."""
        return next((dict(seen.counted) for each, seen, _ in self.told.sessions if each == path), {})


@contextmanager
def speaking(host: Host) -> Iterator[Speaker]:
    """One on `host`, from here to the end of the block."""
    argv = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", host.namespace]
    process = subprocess.Popen(
        [*argv, sys.executable, "-m", "tests.lab.bfd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            yield Speaker(process)
        finally:
            end(process)


def way(address: str, *, multihop: bool = False, local: str = "", index: int = 0) -> Path:
    """The path to an address."""
    return Path(ip_address(address).packed, index, multihop, ip_address(local).packed if local else b"")


if __name__ == "__main__":
    main()
