"""Frames no host should send: truncated, oversized, tagged, damaged and random ones, against a responder with VIPs."""

import gc
import sys
from ipaddress import ip_address
from random import Random

from msgspec import Struct

from speakerd.layer2.responder import Responder
from speakerd.model import Interface
from tests.unit.layer2.frames import OURS, solicitation, who_has

VIPS = ("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2")
GOOD = who_has(VIPS[0]), solicitation(VIPS[2])
TAG = bytes.fromhex("81000064")
LONGEST = 9000


BATCH = 1000


class Damage(Struct, frozen=True):
    """What `count` frames did: answers they got, and blocks of memory in use beyond those before."""

    count: int
    answered: int
    blocks: int


def responder() -> Responder:
    """One interface, VIPs of both families."""
    core = Responder(lambda: 0.5)
    interface = Interface(2, "eth0", mac=OURS, usable=True, ipv6=("fe80::bbb",))
    core.apply((interface,), {ip_address(vip).packed: () for vip in VIPS}, 1000, 60.0, 0.0)
    return core


def strange(random: Random) -> bytes:
    """A frame that is wrong in one of many ways."""
    good = random.choice(GOOD)
    match random.randrange(5):
        case 0:
            return good[: random.randrange(42 if good[12:14] == b"\x08\x06" else len(good))]
        case 1:
            return good[:12] + TAG + good[12:]
        case 2:
            return random.randbytes(random.randrange(LONGEST))
        case 3:
            return good[:14] + random.randbytes(8) + good[22:]
        case _:
            return random.randbytes(12) + good[12:14] + random.randbytes(len(good) - 14 + random.randrange(100))


def run(count: int, seed: int) -> Damage:
    """Give a responder `count` of them, no two alike, each by both doors."""
    random = Random(seed)
    core = responder()
    answered = _given(core, random, BATCH)
    before = _blocks()
    for _ in range(max(1, count // BATCH - 1)):
        answered += _given(core, random, BATCH)
    return Damage(count, answered, _blocks() - before)


def _given(core: Responder, random: Random, count: int) -> int:
    answered = 0
    for _ in range(count):
        frame = strange(random)
        answered += core.receive_arp(2, frame) is not None
        answered += core.receive_ndp(2, frame) is not None
    return answered


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
