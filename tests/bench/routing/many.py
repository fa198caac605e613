"""Ten thousand prefixes to FRR and BIRD at once: told from nothing, one changed, withdrawn; what it costs us meanwhile.

The bench is the controller: it writes its wishes to the link of a real announcer process. Times begin before they are
written, and end in the routers' kernels, of one change in their RIBs too.
"""

import socket
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from ipaddress import IPv4Address
from struct import Struct as Form
from typing import Self

from msgspec.structs import replace

from speakerd.exchange import Wanted
from speakerd.link import WantedWriter
from speakerd.peering import BgpSettings, Neighbour, Peer, Prefix, Wording
from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.bench.routing.process import Process, announcer
from tests.bench.routing.receivers import KINDS, Receiver, receivers
from tests.lab.bgp import OURS, THEIRS
from tests.lab.net import Host, Lan, inside
from tests.lab.waiting import eventually

MANY = 10_000
FIRST = IPv4Address("198.18.0.0")
SAID = ((Wording(), tuple(sorted(KINDS))),)
IDLE, PAUSE = 2.0, 0.3
"""Seconds in which nothing happens: to know what lateness is the machine's own, and between two changes."""
PATIENCE = 60.0
ALL, ONE, LATE = 2.0, 20.0, 5.0
"""Goals: seconds for all, milliseconds for one, milliseconds that a heartbeat may be late."""
STAMPED = 35
"""SO_TIMESTAMPNS: each frame carries when the kernel saw it."""
STAMP = Form("=qq")
ANY_PROTOCOL = 3
IPV4_FROM, IPV4_TO = 26, 30
"""Where an IPv4 packet's addresses are in a frame."""


def run(options: Options, outcome: Outcome) -> None:
    """CPython's alone: the compiled program takes wishes from nobody but its own controller."""
    with Lan(1, routers=2) as lan, announcer(lan.nodes[0]) as process, receivers(lan) as found:
        bench = Bench(lan, process, found, outcome)
        bench.begin()
        bench.bulk("announced", [_prefix(number) for number in range(MANY)])
        bench.changes(options.runs)
        bench.bulk("withdrawn", [])
        bench.judge()


def _prefix(number: int) -> Prefix:
    return Prefix(4, b"\x20" + (FIRST + number).packed, SAID)


def _text(prefix: Prefix) -> str:
    return f"{IPv4Address(prefix.nlri[1:])}/32"


class Bench:
    """One announcer and its two routers. `late`: of its metronome at worst, by what happened meanwhile."""

    def __init__(self, lan: Lan, process: Process, found: Sequence[Receiver], outcome: Outcome) -> None:
        self._lan, self._process, self._found, self._outcome = lan, process, found, outcome
        (node,) = lan.nodes
        peers = [Peer(each.name, OURS, THEIRS, address=each.router.host.ipv4) for each in found]
        neighbours = tuple(map(Neighbour, peers))
        self._wanted = Wanted(node.name, {}, bgp=BgpSettings(router_id=node.ipv4), neighbours=neighbours)
        self._writer = WantedWriter(process.ends)
        self._late: dict[str, float] = {}

    def begin(self) -> None:
        """Bring the sessions up."""
        self._writer.apply(self._wanted)
        for each in self._found:
            each.wait_up(self._lan)
        self._process.meter.take()
        time.sleep(IDLE)
        self._late["idle"] = self._process.meter.take()

    def _wish(self, prefixes: Iterable[Prefix]) -> float:
        """Have these announced; when that began."""
        wanted = {each.key: each for each in prefixes}
        start = time.time()
        self._wanted = replace(self._wanted, prefixes=wanted)
        self._writer.apply(self._wanted)
        return start

    def bulk(self, word: str, prefixes: Sequence[Prefix]) -> None:
        """Have exactly these announced: when does each router's kernel have them, and nothing else?"""
        wanted = set(map(_text, prefixes))
        used = self._process.cpu()
        start = self._wish(prefixes)
        written = time.time()
        eventually(partial(self._everywhere, lambda each: each.fib.now.keys() == wanted), f"all {word}", PATIENCE)
        self._late[word] = self._process.meter.take()
        figures = self._outcome["figures"]
        figures[f"cpython.many.{word}.written.ms"] = round((written - start) * 1000, 1)
        figures[f"cpython.many.{word}.cpu.ms"] = round((self._process.cpu() - used) * 1000, 1)
        for each in self._found:
            took = each.fib.turns[-1].when - start
            goal = at_most(f"cpython.many: {MANY} {word}, all in {each.name}", took, ALL, "s")
            self._outcome["goals"].append(goal)
            figures[f"cpython.many.{word}.{each.name}.s"] = round(took, 3)

    def _everywhere(self, so: Callable[[Receiver], bool]) -> bool:
        return all(map(so, self._found))

    def changes(self, runs: int) -> None:
        """One prefix more, again and again: when has it left, and when do the routers have it?"""
        left: list[float] = []
        written: list[float] = []
        there: dict[str, list[float]] = {
            f"{each.name}.{word}": [] for each in self._found for word in ("rib", "kernel")
        }
        for each in self._found:
            each.trace()
        with Wiretap(self._lan.nodes[0]) as tap:
            for number in range(MANY, MANY + runs):
                time.sleep(PAUSE)
                tap.frames()
                prefix = _prefix(number)
                start = self._wish([*self._wanted.prefixes.values(), prefix])
                written.append(time.time() - start)
                has = partial(_has, _text(prefix))
                eventually(partial(self._everywhere, has), "the new one is there")
                for each in self._found:
                    there[f"{each.name}.rib"].append(each.ways(_text(prefix), start)[0] - start)
                    there[f"{each.name}.kernel"].append(each.fib.ways(_text(prefix), start)[0] - start)
                routers = [each.router.host.ipv4 for each in self._found]
                left.append(max(tap.when(prefix.nlri, routers)) - start)
        self._late["changed"] = self._process.meter.take()
        for word, values in {"written": written, "left": left, **there}.items():
            for share in (0.5, 1.0):
                figure = f"cpython.many.one.{word}.{'max' if share == 1.0 else 'p50'}.ms"
                self._outcome["figures"][figure] = round(quantile(values, share) * 1000, 2)
        value = max(left) * 1000
        self._outcome["goals"].append(at_most(f"cpython.many: one among {MANY} has left, max", value, ONE, "ms"))

    def judge(self) -> None:
        """How late heartbeats would have been."""
        for word, late in self._late.items():
            self._outcome["figures"][f"cpython.many.late.{word}.max.ms"] = round(late * 1000, 2)
        worst = max(late for word, late in self._late.items() if word != "idle")
        self._outcome["goals"].append(at_most("cpython.many: heartbeats late, max", worst * 1000, LATE, "ms"))


def _has(prefix: str, receiver: Receiver) -> bool:
    return bool(receiver.fib.hops(prefix))


class Wiretap:
    """What leaves a host, each frame with the time at which its kernel gave it to the device."""

    def __init__(self, host: Host) -> None:
        with inside(host.namespace):
            self._raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._raw.setsockopt(socket.SOL_SOCKET, STAMPED, 1)
            self._raw.bind(("eth0", ANY_PROTOCOL))
        self._raw.setblocking(False)
        self._from = IPv4Address(host.ipv4).packed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def frames(self) -> list[tuple[float, bytes]]:
        """All since they were asked for last."""
        found: list[tuple[float, bytes]] = []
        while True:
            try:
                frame, more, _, _ = self._raw.recvmsg(1 << 16, 64)
            except BlockingIOError:
                return found
            seconds, nanoseconds = STAMP.unpack_from(more[0][2])
            if frame[IPV4_FROM:IPV4_TO] == self._from:
                found.append((seconds + nanoseconds / 1e9, frame))

    def when(self, octets: bytes, to: Iterable[str]) -> list[float]:
        """When `octets` were first sent to each of these."""
        frames = self.frames()
        return [next(when for when, frame in frames if octets in frame and _to(frame) == each) for each in to]


def _to(frame: bytes) -> str:
    return socket.inet_ntoa(frame[IPV4_TO : IPV4_TO + 4])
