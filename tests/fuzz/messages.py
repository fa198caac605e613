"""Messages no member should send: cut, stretched, damaged, spliced and random ones, and nonsense under a right key."""

import gc
import sys
from collections.abc import Callable
from random import Random

from msgspec import Struct

from speakerd.membership import message
from speakerd.membership.envelope import Carrier, Envelope, Kind
from speakerd.membership.keys import TAG_BYTES, Keyring
from speakerd.wire import DecodeError
from tests.unit.membership.mesh_keys import NEW, OLD

RING = Keyring((NEW, OLD))
BATCH = 1000


class Outcome(Struct, frozen=True):
    """What `count` messages did: those believed, refusals by word, and blocks of memory in use beyond those before."""

    count: int
    believed: int
    words: frozenset[str]
    blocks: int


def good(random: Random) -> bytes:
    """A message that a member might send."""
    names = ["n1", "node-2.example", ""]
    envelope = Envelope(
        random.choice(names[:2]),
        random.randrange(1, 1 << 64),
        random.choice(names),
        random.choice(list(Carrier)),
        0,
        random.randrange(1 << 64),
        random.choice(list(Kind)),
        random.randbytes(random.randrange(message.MOST_BODY)),
    )
    return message.encode(envelope, random.choice(RING.signers("")))


def damaged(random: Random) -> bytes:
    """A message that was signed, and then changed."""
    data = good(random)
    at = random.randrange(len(data))
    match random.randrange(5):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes((data[at] ^ 1 << random.randrange(8),)) + data[at + 1 :]
        case 2:
            return data[:at] + bytes((data[at] ^ 0xFF,)) + random.randbytes(random.randrange(300)) + data[at:]
        case 3:
            return data[: message.HEAD.size] + good(random)[message.HEAD.size :]
        case _:
            return data[: random.randrange(5)] + random.randbytes(random.randrange(9000))


def nonsense(random: Random) -> bytes:
    """A right signature under a head that may say anything, as a member with another mind would send it."""
    data = bytearray(good(random)[:-TAG_BYTES])
    key = bytes(data[4:8])
    for _ in range(1 + random.randrange(6)):
        data[random.randrange(len(data))] = random.randrange(256)
    signer = RING.named(key)
    assert signer is not None
    data[:2], data[4:8] = message.MAGIC + b"\x01", key
    return bytes(data) + signer.tag(bytes(data))


def run(count: int, seed: int, *, right_key: bool) -> Outcome:
    """Decode `count` of them, no two alike, as come by either carrier."""
    random = Random(seed)
    make = nonsense if right_key else damaged
    words: set[str] = set()
    believed = _decoded(random, make, words)
    before = _blocks()
    for _ in range(max(1, count // BATCH - 1)):
        believed += _decoded(random, make, words)
    return Outcome(count, believed, frozenset(words), _blocks() - before)


def _decoded(random: Random, make: Callable[[Random], bytes], words: set[str]) -> int:
    believed = 0
    for _ in range(BATCH):
        data = make(random)
        for carrier in Carrier:
            try:
                heard = message.decode(data, RING, carrier)
            except DecodeError as fault:
                words.add(str(fault))
            else:
                believed += 1
                assert message.encode(heard, RING.signers("")[0])
    return believed


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
