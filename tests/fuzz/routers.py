"""BGP no router should speak: goldens cut, damaged, spliced and stretched, bodies of random octets, torn streams."""

import gc
import sys
from random import Random

from msgspec import Struct

from speakerd.bgp import message
from speakerd.bgp.error import Fault
from speakerd.bgp.family import Negotiated
from speakerd.bgp.frame import HEAD, MOST, MOST_EXTENDED, Frames, Kind, framed
from tests.unit.bgp.golden import BOTH, GOLDENS, OLD, TERMS, UPDATES, sensible
from tests.unit.bgp.golden import frame as frame_of

SIDES = TERMS, OLD, Negotiated(), Negotiated(four_octet=True, families=BOTH, external=False)
BATCH = 500
ATTRIBUTES = [said for update in UPDATES.values() if (said := update[23 : 23 + int.from_bytes(update[21:23])])]


class Outcome(Struct, frozen=True):
    """What `count` streams did: messages understood, refusals by their words, blocks of memory beyond those before."""

    count: int
    understood: int
    words: frozenset[str]
    blocks: int


def changed(random: Random) -> bytes:
    """A good message of which a few octets are others, its length as it was."""
    data = bytearray(random.choice(list(GOLDENS.values())))
    for _ in range(1 + random.randrange(4)):
        data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data)


def spliced(random: Random) -> bytes:
    """An UPDATE whose attributes are pieces of good ones, in any order, with lengths that add up."""
    said = b"".join(_piece(random) for _ in range(random.randrange(6)))
    come = random.choice([b"", b"\x18\x0a\0\0", random.randbytes(random.randrange(9))])
    return framed(Kind.UPDATE, b"\0\0" + len(said).to_bytes(2) + said + come)


def _piece(random: Random) -> bytes:
    said = random.choice(ATTRIBUTES)
    start = random.randrange(len(said))
    if random.randrange(3):
        return said
    return said[start : start + random.randrange(60)]


def nonsense(random: Random) -> bytes:
    """A header that is right around what is not."""
    kind = random.choice(list(Kind))
    return framed(kind, random.randbytes(random.randrange(random.choice((60, MOST, MOST_EXTENDED - HEAD.size)))))


def stream(random: Random) -> bytes:
    """A few messages, each wrong in its own way or not at all."""
    makers = changed, spliced, nonsense, lambda _: random.choice(list(GOLDENS.values()))
    return b"".join(random.choice(makers)(random) for _ in range(1 + random.randrange(4)))


def run(count: int, seed: int) -> Outcome:
    """Read `count` streams, no two alike, each in pieces as a socket would give them."""
    random = Random(seed)
    words: set[str] = set()
    understood = sum(_read(random, words) for _ in range(BATCH))
    before = _blocks()
    understood += sum(_read(random, words) for _ in range(count - BATCH))
    return Outcome(count, understood, frozenset(words), _blocks() - before)


def _read(random: Random, words: set[str]) -> int:
    """How many messages of one stream were understood; the first that is not ends it, as it ends a session."""
    frames, negotiated, data, found = Frames(), random.choice(SIDES), stream(random), 0
    frames.longest = random.choice((MOST, MOST_EXTENDED))
    try:
        while data:
            size = 1 + random.randrange(len(data))
            frames.feed(data[:size])
            data = data[size:]
            while frame := frames.take():
                sensible(message.decode(frame, negotiated))
                found += 1
    except Fault as fault:
        told = frame_of(message.notification(fault.notification))
        words.add(fault.notification.words if told else "no message")
    return found


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
