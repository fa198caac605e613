"""Eyes on VIPs in a process of their own: a client's probes by UDP, questions by ARP and NDP, and when who answered.

python -m tests.lab.eyes PLAN SEEN looks until SIGTERM, then writes SEEN. It has one thread and real-time priority where
the host allows, so that its spacing holds on a busy machine; when something arrived is the kernel's word.
"""

import gc
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.lab import net
from tests.lab.frames import BUFFER, ETH_ARP, ETH_IPV6, SO_TIMESTAMPNS, Sighting, decode, question
from tests.lab.net import Host, Lan, inside
from tests.lab.traffic import PORT
from tests.lab.waiting import eventually

SERVED = "served"
ENOUGH = 50
"""Probes answered until it says that the client is served."""
LATE = 0.3
"""Seconds answers may take that are still under way at the end."""
AT_ONCE = 64
"""Datagrams or frames of one socket in a row, before a probe that is due has its turn."""
BEHIND = 0.01
"""Seconds of questions that are made up for when this process was late."""
PRIORITY = 5
"""SCHED_FIFO: above any load that is no real-time process."""
SO_RCVBUFFORCE = 33
"""asm-generic/socket.h: a buffer beyond net.core.rmem_max."""
NUMBER = struct.Struct("!I")


class Plan(Struct, frozen=True):
    """`client` probes port 80 of each of `probe` in turn, one each `probe_every` seconds; `onlooker` asks for each of
    `ask` in turn, one each `ask_every` seconds, and writes down who says that it has one of them. `pods` are made to
    send back what comes: namespace and address.
    """

    client: Host
    onlooker: Host
    probe: Sequence[str] = ()
    ask: Sequence[str] = ()
    pods: Sequence[tuple[str, str]] = ()
    probe_every: float = 0.002
    ask_every: float = 0.01


class Seen(Struct, frozen=True):
    """Times are seconds of time.time().

    `probes`: when each was sent, and when answered, 0 never; `questions`: when each was put, for which address.
    """

    probes: list[tuple[float, float]]
    questions: list[tuple[float, str]]
    sightings: list[Sighting]

    def of(self, address: str) -> "Seen":
        """What concerns one address that was asked for; all probes."""
        questions = [each for each in self.questions if each[1] == address]
        return Seen(self.probes, questions, [each for each in self.sightings if each.ip == address])


class Look:
    """All sockets and what came of them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._asked = frozenset(plan.ask)
        families = {_family(each) for each in plan.probe}
        self._clients = {family: _datagrams(plan.client.namespace, family) for family in families}
        protocols = {_protocol(each) for each in plan.ask}
        self._raws = {protocol: _frames(plan.onlooker, protocol) for protocol in protocols}
        self._macs = {protocol: raw.getsockname()[4] for protocol, raw in self._raws.items()}
        self._pods = frozenset(_pod(*each) for each in plan.pods)
        self._answered: list[float] = []
        self._sent: list[float] = []
        self._count = 0
        self._asking = {each: question(plan.onlooker, self._macs[_protocol(each)], each) for each in plan.ask}
        self.questions: list[tuple[float, str]] = []
        self.sightings: list[Sighting] = []

    def run(self, end: socket.socket) -> None:
        """Look until `end` is written to, and for what is under way then."""
        readers: list[socket.socket] = [end, *self._clients.values(), *self._raws.values(), *self._pods]
        probe_at = ask_at = time.time()
        while True:
            now = time.time()
            if self._plan.probe and now >= probe_at:
                self._probe(now)
                probe_at = max(probe_at + self._plan.probe_every, now)
            if self._plan.ask and now >= ask_at:
                self._ask(now)
                ask_at = max(ask_at + self._plan.ask_every, now - BEHIND)
            due = min(probe_at if self._plan.probe else ask_at, ask_at if self._plan.ask else probe_at)
            ready, _, _ = select.select(readers, (), (), max(0.0, due - time.time()))
            if end in ready:
                break
            self._read(ready)
        until = time.time() + LATE
        while (left := until - time.time()) > 0:
            self._read(select.select(readers[1:], (), (), left)[0])

    def _probe(self, now: float) -> None:
        number = len(self._sent)
        target = self._plan.probe[number % len(self._plan.probe)]
        self._sent.append(now)
        self._answered.append(0.0)
        with suppress(OSError):
            self._clients[_family(target)].sendto(NUMBER.pack(number), (target, 80))

    def _ask(self, now: float) -> None:
        target = self._plan.ask[len(self.questions) % len(self._plan.ask)]
        self.questions.append((now, target))
        with suppress(OSError):
            self._raws[_protocol(target)].send(self._asking[target])

    def _read(self, ready: Iterable[socket.socket]) -> None:
        for each in ready:
            take = self._bounce if each in self._pods else self._hear if each.type == socket.SOCK_RAW else self._reply
            with suppress(OSError):  # nothing more is there, or a link is down
                for _ in range(AT_ONCE):
                    take(each)

    def _bounce(self, pod: socket.socket) -> None:
        data, peer = pod.recvfrom(64)
        pod.sendto(data, peer)

    def _reply(self, client: socket.socket) -> None:
        data, when = _stamped(client, 128)
        number = NUMBER.unpack(data[-NUMBER.size :])[0]  # the lab's echo servers put names before it
        if not self._answered[number]:
            self._answered[number] = when
            self._count += 1
            if self._count == ENOUGH:
                print(SERVED, flush=True)

    def _hear(self, raw: socket.socket) -> None:
        frame, when = _stamped(raw, 128)
        seen = decode(frame, when)
        if seen and seen.ip in self._asked:
            self.sightings.append(seen)

    def seen(self) -> Seen:
        """All of it."""
        return Seen(list(zip(self._sent, self._answered, strict=True)), self.questions, self.sightings)


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _protocol(address: str) -> int:
    return ETH_IPV6 if ":" in address else ETH_ARP


def _datagrams(namespace: str, family: int) -> socket.socket:
    with inside(namespace):
        end = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    end.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return end


def _frames(host: Host, protocol: int) -> socket.socket:
    with inside(host.namespace):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        raw.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        raw.bind(("eth0", protocol))
    return raw


def _pod(namespace: str, address: str) -> socket.socket:
    with inside(namespace):
        end = socket.socket(_family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        end.bind((address, PORT))
    return end


def _stamped(end: socket.socket, size: int) -> tuple[bytes, float]:
    """What came, and when the kernel took it in. Raises OSError where nothing is there."""
    data, ancillary, _, _ = end.recvmsg(size, socket.CMSG_SPACE(16))
    seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
    return data, seconds + nanoseconds / 1e9


class Eyes:
    """The process at work; its files are in `folder`."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process, self._folder = process, folder

    def served(self) -> None:
        """Wait until the client is served."""
        log = self._folder / "eyes.log"
        eventually(lambda: self._process.poll() is not None or SERVED in log.read_text(), "the client is served", 20)
        assert self._process.poll() is None, log.read_text()

    def end(self) -> Seen:
        """End it; what it saw."""
        net.end(self._process)
        return msgspec.msgpack.decode((self._folder / "eyes.seen").read_bytes(), type=Seen)


@contextmanager
def looking(lan: Lan, folder: Path, plan: Plan) -> Iterator[Eyes]:
    """Eyes from here to the end of the block."""
    paper = folder / "eyes.plan"
    paper.write_bytes(msgspec.msgpack.encode(plan))
    command = (sys.executable, "-m", "tests.lab.eyes", str(paper), str(folder / "eyes.seen"))
    process = lan.spawn(lan.onlooker, *command, log=folder / "eyes.log")
    try:
        yield Eyes(process, folder)
    finally:
        net.end(process)


def plan(
    lan: Lan, vips: Sequence[str], pods: Iterable[Host], *, probe: Sequence[str] | None = None, ask_every: float = 0.01
) -> Plan:
    """The usual: client and onlooker of `lan` look at `vips`; the pods of `pods` are served here (none: elsewhere)."""
    places = [(node.namespace, address) for node in pods for address in (node.pod4, node.pod6)]
    return Plan(lan.client, lan.onlooker, vips if probe is None else probe, vips, places, ask_every=ask_every)


def main() -> None:
    """Look until told to end."""
    paper, where = map(Path, sys.argv[1:])
    told, end = socket.socketpair()
    for each in (told, end):
        each.setblocking(False)
    signal.set_wakeup_fd(end.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    look = Look(msgspec.msgpack.decode(paper.read_bytes(), type=Plan))
    gc.disable()
    look.run(told)
    where.write_bytes(msgspec.msgpack.encode(look.seen()))


if __name__ == "__main__":
    main()
