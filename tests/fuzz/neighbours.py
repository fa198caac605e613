"""BFD packets no neighbour should send: cut, stretched, damaged and random ones, and whole ones with wrong numbers."""

import gc
import sys
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from speakerd.bfd import packet
from speakerd.bfd.effects import Path
from speakerd.bfd.packet import Packet, State
from speakerd.bfd.sessions import Sessions
from speakerd.peering import BfdProfile

NEAR, FAR, ELSEWHERE = Path(b"\x0a\0\0\2", 7), Path(b"\x0a\0\0\2", multihop=True), Path(b"\x0a\0\0\2", 8)
OURS = (0x0BADCAFE, 0x0BADF00D)
GOOD = packet.encode(Packet(State.DOWN, 0x99, 0, 3, 1_000_000, 300_000))
BATCH = 1000


class Outcome(Struct, frozen=True):
    """What `count` packets did: effects they had, refusals by word, and blocks of memory in use beyond those before."""

    count: int
    effects: int
    words: frozenset[str]
    blocks: int


def sessions() -> Sessions:
    """One over a single hop, one over several."""
    core = Sessions(lambda: 0.5, iter(OURS).__next__)
    core.apply({NEAR: BfdProfile("near"), FAR: BfdProfile("far", minimum_ttl=250)}, 0.0)
    return core


def strange(random: Random) -> tuple[bytes, Path, int]:
    """A packet that is wrong in one of many ways, the way it came, and its TTL."""
    way = random.choice((NEAR, FAR, ELSEWHERE))
    flags = random.randrange(256)
    match random.randrange(6):
        case 0:
            return random.choice((GOOD[: random.randrange(len(GOOD))], GOOD[:2] + b"\0" + GOOD[3:])), way, 255
        case 1:
            return random.randbytes(random.randrange(200)), ELSEWHERE, random.randrange(256)
        case 2:
            lie = random.choice((*range(24), *range(25, 256)))
            return GOOD[:1] + bytes((flags,)) + GOOD[2:3] + bytes((lie,)) + GOOD[4:], way, 255
        case 3:
            return GOOD, random.choice((NEAR, FAR)), random.randrange(250)
        case 4:
            signed = bytes((flags | packet.AUTHENTICATED, 3, 26))
            return GOOD[:1] + signed + GOOD[4:] + random.randbytes(2), way, 255
        case _:
            return packet.encode(_stolen(random)), way, 255


def _stolen(random: Random) -> Packet:
    """As a neighbour might send it, with discriminators that are nobody's."""
    if random.random() < 0.2:
        return replace(packet.decode(GOOD), mine=0)
    state = random.choice(list(State))
    yours = 0 if state in (State.INIT, State.UP) and random.random() < 0.5 else random.randrange(1, 1 << 27)
    return replace(packet.decode(GOOD), state=state, yours=yours)


def run(count: int, seed: int) -> Outcome:
    """Give two sessions `count` of them, no two alike, each as an echo as well."""
    random = Random(seed)
    core = sessions()
    effects = _given(core, random)
    before = _blocks()
    for _ in range(max(1, count // BATCH - 1)):
        effects += _given(core, random)
    return Outcome(count, effects, frozenset(core.counters), _blocks() - before)


def _given(core: Sessions, random: Random) -> int:
    effects = 0
    for _ in range(BATCH):
        data, way, ttl = strange(random)
        effects += len(core.receive(data, way, ttl, 0.1)) + len(core.receive_echo(data, 0.1))
    return effects


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
