"""ARP and NDP without a network: what an answer costs with one VIP and with thousands; a million strange frames."""

import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address

from speakerd.layer2 import filter as bpf
from speakerd.layer2.responder import Responder
from speakerd.model import Interface
from tests.bench.figures import Options, Outcome, at_most
from tests.fuzz import strangers
from tests.unit.layer2.frames import OURS, solicitation, who_has

FIRST = IPv4Address("10.99.16.0")
ROUNDS, BATCH = 15, 2000
STRANGE = 1_000_000
INTERFACE = Interface(2, "eth0", mac=OURS, usable=True, ipv6=("fe80::bbb",))


def run(_options: Options) -> Outcome:
    """In this process: the figures are of this Python."""
    outcome = Outcome(figures={}, goals=[])
    for size in (1, 1000, 10_000):
        vips: dict[bytes, tuple[str, ...]] = {(FIRST + number).packed: () for number in range(size)}
        core = Responder(lambda: 0.5)
        core.apply((INTERFACE,), vips, 1000, 60.0, 0.0)
        frame = who_has(str(FIRST + size // 2))
        outcome["figures"][f"arp.{size}.us"] = _microseconds(partial(core.receive_arp, 2, frame))
        scattered = [int(FIRST) + 3 * number for number in range(size)]
        outcome["figures"][f"filter.{size}.us"] = _microseconds(partial(_program, scattered), 5)
    core = strangers.responder()
    frame = solicitation("fd00::1")
    outcome["figures"]["ndp.us"] = _microseconds(partial(core.receive_ndp, 2, frame))
    _strange(outcome)
    return outcome


def _program(addresses: list[int]) -> bytes:
    """A filter for `addresses`, as the kernel takes it."""
    return bpf.encoded(bpf.arp(bpf.merged(addresses)))


def _microseconds(work: Callable[[], object], batch: int = BATCH) -> float:
    """The best of several batches: what it costs when nothing else runs."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(batch):
            work()
        best = min(best, (time.perf_counter() - began) / batch)
    return round(best * 1e6, 2)


def _strange(outcome: Outcome) -> None:
    began = time.perf_counter()
    damage = strangers.run(STRANGE, seed=1)
    outcome["figures"]["strange.frames"] = STRANGE
    outcome["figures"]["strange.us"] = round((time.perf_counter() - began) / STRANGE * 1e6, 2)
    outcome["goals"].append(at_most("strange frames answered", damage.answered, 0, "frames"))
    outcome["goals"].append(at_most("blocks of memory they leave", damage.blocks, 50, "blocks"))
