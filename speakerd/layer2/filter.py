"""Classic BPF: the kernel drops what is not a question for one of our VIPs, so that foreign ARP costs nothing.

Programs are built from merged ranges of addresses: a binary tree of comparisons, each a conditional jump over an
unconditional one, since a conditional jump reaches 255 instructions at most and an unconditional one any.
"""

from collections.abc import Collection, Sequence
from itertools import chain, compress
from operator import sub
from struct import calcsize, pack

INSTRUCTION_BYTES = calcsize("=HBBI")
MOST = 4096
"""Instructions the kernel takes (BPF_MAXINSNS)."""
MOST_RANGES = 256
"""Enough for the share of a node, among three, in a thousand addresses in a row. Two to three instructions each: a new
filter takes us and the kernel half a millisecond. Beyond it neighbours are merged over the smallest gaps."""
A_LEAF = 8
"""Ranges tried one after the other at the end of a branch."""
MOST_PREFIXES = 50
"""Distinct upper 96 bits of IPv6 VIPs; beyond it every solicitation is let through, and judged above the kernel."""

# linux/bpf_common.h
LD_WORD, LD_HALF, LD_BYTE, AND, JA, JEQ, JGT, JGE, RET = 0x20, 0x28, 0x30, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
# linux/filter.h: loads from here up read what the kernel knows beside the packet
ANCILLARY = 0xFFFFF000
PACKET_TYPE, VLAN_TAG = ANCILLARY + 4, ANCILLARY + 44
MULTICAST = 2
"""if_packet.h: to us, to all, to a group; above are frames for others and our own."""
VLAN_ID = 0x0FFF
ACCEPT, DROP = 0xFFFF, 0

Instruction = tuple[int, int, int, int]
Program = list[Instruction]
Ranges = tuple[tuple[int, int], ...]

NOTHING: Program = [(RET, 0, 0, DROP)]


def merged(addresses: Collection[int], most: int = MOST_RANGES) -> Ranges:
    """Sorted ranges (first, last) that hold all `addresses`; more than `most` are merged over their smallest gaps."""
    ordered = sorted(addresses)
    gaps = list(map(sub, ordered[1:], ordered))
    wide = sum(gap > 1 for gap in gaps)
    return _parted(ordered, gaps, sorted(gaps)[-most] if wide >= most else 1)


def _parted(ordered: list[int], gaps: list[int], bridged: int) -> Ranges:
    """Ranges over which no gap is wider than `bridged`."""
    parts = [gap > bridged for gap in gaps]
    firsts, lasts = compress(ordered, chain((True,), parts)), compress(ordered, chain(parts, (True,)))
    return tuple(zip(firsts, lasts, strict=True))


def arp(asked: Ranges, spoken_for: Ranges = ()) -> Program:
    """Lets ARP through that asks for one of `asked`, speaks for one of `spoken_for`, or replies to us."""
    if not asked and not spoken_for:
        return NOTHING
    head = [*_ours(), *_equal(LD_WORD, 12, 0x08060001), *_equal(LD_WORD, 16, 0x08000604)]
    spoken = _passing([(LD_WORD, 0, 0, 28), *_within(spoken_for)]) if spoken_for else []
    question = [(LD_WORD, 0, 0, 38), *_within(asked)] if asked else NOTHING
    return [*head, *spoken, (LD_HALF, 0, 0, 20), (JEQ, 1, 0, 1), (JA, 0, 0, len(question)), *question, *_to_us()]


def ndp(asked: Sequence[int], spoken_for: Sequence[int] = ()) -> Program:
    """Lets solicitations of `asked` (or near enough) through, advertisements of `spoken_for`, and those to us alone."""
    if not asked and not spoken_for:
        return NOTHING
    head = [*_ours(), *_equal(LD_HALF, 12, 0x86DD), *_equal(LD_HALF, 20, 58 << 8 | 255)]
    question, answer = _targets(asked), [*_passing(_targets(spoken_for)), *_to_us()]
    kinds = [
        (LD_BYTE, 0, 0, 54),
        (JEQ, 1, 0, 136),
        (JA, 0, 0, len(answer)),
        *answer,
        (LD_BYTE, 0, 0, 54),
        (JEQ, 1, 0, 135),
        (RET, 0, 0, DROP),
    ]
    return [*head, *kinds, *question]


def _targets(addresses: Sequence[int]) -> Program:
    """Accepts what is about one of `addresses`, and drops the rest."""
    groups: dict[int, list[int]] = {}
    for each in addresses:
        groups.setdefault(each >> 32, []).append(each & 0xFFFFFFFF)
    if len(groups) > MOST_PREFIXES:
        return [(RET, 0, 0, ACCEPT)]
    share = MOST_RANGES // max(1, len(groups))
    body: Program = []
    for prefix, lows in groups.items():
        body += _group(prefix, merged(lows, share))
    return [*body, (RET, 0, 0, DROP)]


def _passing(program: Program) -> Program:
    """The same, but what it would drop goes on behind it."""
    end = len(program) - 1
    return [(JA, 0, 0, end - at) if each == (RET, 0, 0, DROP) else each for at, each in enumerate(program)]


def _to_us() -> Program:
    """Accepts what is addressed to this host alone, and drops the rest."""
    return [(LD_WORD, 0, 0, PACKET_TYPE), (JEQ, 0, 1, 0), (RET, 0, 0, ACCEPT), (RET, 0, 0, DROP)]


def _ours() -> Program:
    """Drops frames for others, our own, and those of a VLAN (a tag of VLAN 0 carries a priority only)."""
    return [
        (LD_WORD, 0, 0, PACKET_TYPE),
        (JGT, 0, 1, MULTICAST),
        (RET, 0, 0, DROP),
        (LD_WORD, 0, 0, VLAN_TAG),
        (AND, 0, 0, VLAN_ID),
        (JEQ, 1, 0, 0),
        (RET, 0, 0, DROP),
    ]


def _equal(load: int, offset: int, value: int) -> Program:
    """Drops what has another value there."""
    return [(load, 0, 0, offset), (JEQ, 1, 0, value), (RET, 0, 0, DROP)]


def _group(prefix: int, ranges: Ranges) -> Program:
    """For targets with these upper 96 bits decides; for others goes on behind."""
    tree = [(LD_WORD, 0, 0, 74), *_within(ranges)]
    words = [prefix >> 64 & 0xFFFFFFFF, prefix >> 32 & 0xFFFFFFFF, prefix & 0xFFFFFFFF]
    program: Program = []
    for number, word in enumerate(words):
        behind = len(tree) + 3 * (len(words) - 1 - number)
        program += [(LD_WORD, 0, 0, 62 + 4 * number), (JEQ, 1, 0, word), (JA, 0, 0, behind)]
    return [*program, *tree]


def _within(ranges: Ranges) -> Program:
    """Accepts where the accumulator is within one of `ranges`, and drops otherwise."""
    if len(ranges) <= A_LEAF:
        return _leaf(ranges)
    middle = len(ranges) // 2
    high, low = _within(ranges[middle:]), _within(ranges[:middle])
    return [(JGE, 1, 0, ranges[middle][0]), (JA, 0, 0, len(high)), *high, *low]


def _leaf(ranges: Ranges) -> Program:
    """Range by range: below one's first is a gap; up to its last is a hit."""
    program: Program = []
    drop = 2 * len(ranges)
    for first, last in ranges:
        program += [(JGE, 0, drop - 1, first), (JGT, 0, drop - 1, last)]
        drop -= 2
    return [*program, (RET, 0, 0, DROP), (RET, 0, 0, ACCEPT)]


def encoded(program: Program) -> bytes:
    """As struct sock_filter[]."""
    assert len(program) <= MOST
    return pack("=" + len(program) * "HBBI", *chain.from_iterable(program))
