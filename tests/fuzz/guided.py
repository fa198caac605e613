"""Inputs that are bred: what leads a decoder where none has led it before is kept, and changed again.

Coverage is what `sys.settrace` tells of our own code: pairs of lines run one after the other. The same hook counts
lines, so that what takes too long is found by counting and not by a clock, and is stopped. All chance comes from one
seed, so that a run repeats itself, as far as it is let run.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from traceback import extract_tb
from types import CodeType, FrameType
from typing import Any, Self

from msgspec import Struct

OURS = str(Path(__file__).parents[2] / "speakerd")
SPREAD = 1 << 16
"""More lines than a file has: the lines of each code object are numbered apart."""
LONGEST = 1 << 16
"""Octets of an input."""
EDGES = (0, 1, 2, 3, 4, 19, 23, 24, 29, 32, 33, 64, 127, 128, 129, 254, 255)
WIDE = (0, 1, 255, 256, 4096, 4097, 0x7FFF, 0xFFFF, 23456)
MOST_KEPT = 4000
"""Inputs that are kept of one target."""
MOST_LINES, LINES_A_TRY = 1_000_000, 1000
"""Lines that making a find shorter may take, and what an input costs beside its own."""


class Target(Struct, frozen=True):
    """What is fed, and what must hold.

    `fresh`: makes what is fed, anew for each input; it may raise `refusals`, and nothing else. `judge`: fails where
    what it gave is no sense. `seeds`: inputs to begin with. `mend`: makes an input pass the first look (a length, a
    signature). `words`: octets that mean something. `lines`: Python lines for an input, and for each of its octets.
    """

    name: str
    fresh: Callable[[], Callable[[bytes], Any]]
    seeds: tuple[bytes, ...]
    refusals: tuple[type[Exception], ...] = ()
    judge: Callable[[Any], None] = lambda _value: None
    mend: Callable[[bytes], bytes] | None = None
    words: tuple[bytes, ...] = ()
    lines: tuple[int, int] = (3000, 30)


class Find(Struct, frozen=True):
    """An input that broke a promise, as short as it was made, and how."""

    target: str
    data: bytes
    what: str


class Outcome(Struct, frozen=True):
    """What was run: inputs, those kept, arcs seen, the most lines one took, and the first broken promise."""

    target: str
    inputs: int
    kept: int
    arcs: int
    most_lines: int
    find: Find | None = None


class TooLong(BaseException):
    """An input took more lines than it may; not for anybody to catch."""


class Walk:
    """The arcs of one call, and its lines; `limit`: those after which it is stopped."""

    def __init__(self, bases: dict[CodeType, int], limit: int) -> None:
        self.arcs: set[int] = set()
        self.lines = 0
        self._bases, self._limit, self._last = bases, limit, 0

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Callable[[FrameType, str, Any], Any] | None:
        code = frame.f_code
        if not code.co_filename.startswith(OURS):
            return None
        if code not in self._bases:
            self._bases[code] = (len(self._bases) + 1) * SPREAD
        return self._line

    def _line(self, frame: FrameType, event: str, _argument: object) -> Callable[[FrameType, str, Any], Any]:
        if event == "line":
            self.lines += 1
            here = self._bases[frame.f_code] + frame.f_lineno
            self.arcs.add(self._last << 32 | here)
            self._last = here
            if self.lines > self._limit:
                raise TooLong("too many lines")
        return self._line


class Breeder:
    """One target, and what was found of it so far."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target = target
        self._random = Random(f"{seed} {target.name}")
        self._bases: dict[CodeType, int] = {}
        self._arcs: set[int] = set()
        self._kept: list[bytes] = []
        self._inputs = self._most = 0

    def run(self, on: Callable[[int], bool]) -> Outcome:
        """Feed the seeds, then what is bred of them, while `on` says of the number of inputs to go on."""
        find = None
        for data in self._inputs_to_try():
            if not on(self._inputs) or find:
                break
            find = self._tried(data)
        return Outcome(self.target.name, self._inputs, len(self._kept), len(self._arcs), self._most, find)

    def _inputs_to_try(self) -> Iterator[bytes]:
        yield from self.target.seeds
        while True:
            yield self._bred()

    def _tried(self, data: bytes) -> Find | None:
        self._inputs += 1
        walk = self._walk(data)
        what = broken(self.target, data, walk)
        if what:
            return Find(self.target.name, self._shrunk(data, what), what)
        # What takes most lines is the ground on which more of them grow.
        if (not walk.arcs <= self._arcs or walk.lines > self._most * 1.1) and len(self._kept) < MOST_KEPT:
            self._arcs |= walk.arcs
            self._most = max(self._most, walk.lines)
            self._kept.append(data)
        return None

    def _walk(self, data: bytes) -> Walk:
        first, each = self.target.lines
        return Walk(self._bases, first + each * len(data))

    def _shrunk(self, data: bytes, what: str) -> bytes:
        """The same fault in less: pieces are left out for as long as it stays, and it does not take too long."""
        size, left = len(data) // 2, MOST_LINES
        while size and left > 0:
            for at in range(0, len(data), size):
                less = data[:at] + data[at + size :]
                walk = self._walk(less)
                same = less != data and broken(self.target, less, walk) == what
                left -= LINES_A_TRY + walk.lines
                if same or left <= 0:
                    data = less if same else data
                    break
            else:
                size //= 2
        return data

    # -- what is bred

    def _bred(self) -> bytes:
        random = self._random
        data = bytearray(random.choice(self._kept or self.target.seeds))
        for _ in range(1 << random.randrange(3)):
            random.choice(CHANGES)(data, random, self)
        found = bytes(data[:LONGEST])
        return self.target.mend(found) if self.target.mend and random.randrange(8) else found

    def other(self) -> bytes:
        """Another input, to take a piece of."""
        return self._random.choice(self._kept or self.target.seeds)

    def word(self) -> bytes:
        """What may stand anywhere."""
        return self._random.choice(self.target.words or (b"\0", b"\xff"))


Change = Callable[[bytearray, Random, Breeder], None]


def broken(target: Target, data: bytes, walk: Walk) -> str:
    """Which promise this input breaks, and where; "" where none."""
    feed = target.fresh()
    try:
        with walk:
            value = feed(data)
    except target.refusals:
        return ""
    except (Exception, TooLong) as fault:  # noqa: BLE001  what is looked for
        return _told(fault)
    try:
        target.judge(value)
    except Exception as fault:  # noqa: BLE001  what is looked for
        return _told(fault)
    return ""


def _told(fault: BaseException) -> str:
    """The fault, and the last line of ours before it."""
    lines = extract_tb(fault.__traceback__)
    ours = [line for line in lines if line.filename.startswith(OURS)] or list(lines)
    at = "" if isinstance(fault, TooLong) else f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return f"{type(fault).__name__}{at}: {fault}"[:300]


# -- changes


def _bit(data: bytearray, random: Random, _: Breeder) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _octet(data: bytearray, random: Random, _: Breeder) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((random.randrange(256), random.choice(EDGES)))


def _number(data: bytearray, random: Random, _: Breeder) -> None:
    at = random.randrange(len(data) + 1)
    data[at : at + 2] = random.choice((random.choice(WIDE), len(data) - at)).to_bytes(4)[2:]


def _cut(data: bytearray, random: Random, _: Breeder) -> None:
    at = random.randrange(len(data) + 1)
    del data[at : at + random.choice((1, 2, 4, random.randrange(64), len(data)))]


def _put(data: bytearray, random: Random, breeder: Breeder) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.choice((breeder.word(), random.randbytes(random.choice((1, 2, 4, 16)))))


def _over(data: bytearray, random: Random, breeder: Breeder) -> None:
    word = breeder.word()
    at = random.randrange(len(data) + 1)
    data[at : at + len(word)] = word


def _again(data: bytearray, random: Random, _: Breeder) -> None:
    """A piece many times over: what takes too long takes many."""
    at = random.randrange(len(data) + 1)
    piece = data[at : at + random.choice((1, 2, 4, 8, 40))]
    data[at:at] = piece * random.choice((1, 2, 3, 50, 1000))
    del data[LONGEST:]


def _spliced(data: bytearray, random: Random, breeder: Breeder) -> None:
    other = breeder.other()
    start, at = random.randrange(len(other) + 1), random.randrange(len(data) + 1)
    piece = other[start : start + random.choice((4, 16, 64, len(other)))]
    data[at : at + random.choice((0, len(piece)))] = piece


CHANGES: tuple[Change, ...] = (_bit, _octet, _octet, _number, _cut, _put, _over, _again, _spliced, _spliced)
