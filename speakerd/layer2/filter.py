"""Classic BPF: the kernel drops what neither asks for a VIP of ours nor says who has one: foreign ARP costs nothing.

Programs are built from merged ranges of addresses: a binary tree of comparisons, each a conditional jump over an
unconditional one, since a conditional jump reaches 255 instructions at most and an unconditional one any.
"""

from collections.abc import Collection, Mapping
from itertools import chain, compress, islice
from operator import sub
from struct import calcsize, pack

INSTRUCTION_BYTES = calcsize("=HBBI")
MOST = 4096
"""Instructions the kernel takes (BPF_MAXINSNS)."""
MOST_RANGES = 256
"""Enough for the share of a node, among three, in a thousand addresses in a row; beyond it neighbours are merged over
the smallest gaps. The kernel's own form of a program must fit twice into a socket's option memory, 20 KiB where it is
least, for a filter is charged before the one it replaces is given back: two instructions of 8 bytes a range."""
MOST_SPOKEN = 32
"""Ranges of addresses that others may speak for: those of all pools, in a row but for holes."""
A_LEAF = 8
"""Ranges tried one after the other at the end of a branch."""
MOST_PREFIXES = 2
"""Distinct upper 96 bits of IPv6 VIPs told apart, at up to 1 KiB each; beyond it the lowest 32 bits alone count, and
the rest is judged above the kernel."""
HALF = 1 << 31
"""Constants from here up are negative to the kernel's own form and cost it one more instruction each."""

# linux/bpf_common.h
LD_WORD, LD_HALF, LD_BYTE, AND, JA, JEQ, JGT, JGE, RET = 0x20, 0x28, 0x30, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
# linux/filter.h: loads from here up read what the kernel knows beside the packet
ANCILLARY = 0xFFFFF000
PACKET_TYPE, INTERFACE, VLAN_TAG = ANCILLARY + 4, ANCILLARY + 8, ANCILLARY + 44
MULTICAST = 2
"""if_packet.h: to us, to all, to a group; above are frames for others and our own."""
VLAN_ID = 0x0FFF
LOW = 0xFFFFFFFF
ACCEPT, DROP = 0xFFFF, 0

Instruction = tuple[int, int, int, int]
Program = list[Instruction]
Ranges = tuple[tuple[int, int], ...]
Targets = Mapping[int, Ranges]
"""IPv6 addresses: ranges of their lowest 32 bits, by their upper 96; under ANY for all of these alike."""
ANY = -1

NOTHING: Program = [(RET, 0, 0, DROP)]


def merged(addresses: Collection[int], most: int = MOST_RANGES) -> Ranges:
    """Sorted ranges (first, last) that hold all `addresses`; more than `most` are merged over their smallest gaps."""
    ordered = sorted(addresses)
    gaps = list(map(sub, ordered[1:], ordered))
    parts = [gap > 1 for gap in gaps]
    if sum(parts) >= most:
        parts = _widest(gaps, most - 1)
    firsts, lasts = compress(ordered, chain((True,), parts)), compress(ordered, chain(parts, (True,)))
    return tuple(zip(firsts, lasts, strict=True))


def _widest(gaps: list[int], count: int) -> list[bool]:
    """Which are the `count` widest gaps; of those that are alike the first ones."""
    bound = sorted(gaps)[-count - 1]
    parts = [gap > bound for gap in gaps]
    alike = (at for at, gap in enumerate(gaps) if gap == bound)
    for at in islice(alike, count - sum(parts)):
        parts[at] = True
    return parts


def exactly(addresses: Collection[int]) -> Targets:
    """IPv6 `addresses` as ranges, told apart as far as a program has room."""
    groups: dict[int, list[int]] = {}
    for each in addresses:
        groups.setdefault(each >> 32, []).append(each & LOW)
    if len(groups) > MOST_PREFIXES:
        return roughly(addresses, MOST_RANGES)
    return {prefix: merged(lows, MOST_RANGES // len(groups)) for prefix, lows in groups.items()}


def roughly(addresses: Collection[int], most: int = MOST_SPOKEN) -> Targets:
    """IPv6 `addresses` by their lowest 32 bits alone."""
    return {ANY: merged({each & LOW for each in addresses}, most)} if addresses else {}


def arp(asked: Ranges, spoken_for: Ranges = ()) -> Program:
    """Lets ARP through that asks for one of `asked`, speaks for one of `spoken_for`, or replies to us."""
    head = [*_ours(), *_equal(LD_WORD, 12, 0x08060001), *_equal(LD_WORD, 16, 0x08000604)]
    spoken = _passing([(LD_WORD, 0, 0, 28), *_within(spoken_for)]) if spoken_for else []
    question = [(LD_WORD, 0, 0, 38), *_within(asked)] if asked else NOTHING
    return [*head, *spoken, (LD_HALF, 0, 0, 20), (JEQ, 1, 0, 1), (JA, 0, 0, len(question)), *question, *_to_us()]


def ndp(asked: Targets, spoken_for: Targets | None = None) -> Program:
    """Lets solicitations of `asked` through, advertisements of `spoken_for`, and advertisements to us alone."""
    head = [*_ours(), *_equal(LD_HALF, 12, 0x86DD), *_equal(LD_HALF, 20, 58 << 8 | 255)]
    answer = [*_passing(_targets(spoken_for or {})), *_to_us()]
    kinds = [(LD_BYTE, 0, 0, 54), (JEQ, 1, 0, 136), (JA, 0, 0, len(answer)), *answer, *_equal(LD_BYTE, 54, 135)]
    return [*head, *kinds, *_targets(asked)]


def only_from(index: int) -> Program:
    """Stands before another program: drops what came in by a VLAN or macvlan on top of the interface `index`.

    The kernel shows its frames to sockets of the interface below as well.
    """
    return _equal(LD_WORD, INTERFACE, index)


def _targets(targets: Targets) -> Program:
    """Accepts what is about one of `targets`, and drops the rest."""
    body: Program = []
    for prefix, ranges in targets.items():
        body += _low(ranges) if prefix == ANY else _group(prefix, ranges)
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
    tree = _low(ranges)
    words = [prefix >> 64 & LOW, prefix >> 32 & LOW, prefix & LOW]
    program: Program = []
    for number, word in enumerate(words):
        behind = len(tree) + 3 * (len(words) - 1 - number)
        program += [(LD_WORD, 0, 0, 62 + 4 * number), (JEQ, 1, 0, word), (JA, 0, 0, behind)]
    return [*program, *tree]


def _low(ranges: Ranges) -> Program:
    """Decides by the lowest 32 bits of a target."""
    return [(LD_WORD, 0, 0, 74), *_within(ranges)]


def _within(ranges: Ranges) -> Program:
    """Accepts where the accumulator is within one of `ranges`, and drops otherwise."""
    high = _tree(tuple((max(0, first - HALF), last - HALF) for first, last in ranges if last >= HALF))
    low = _tree(tuple((first, min(HALF - 1, last)) for first, last in ranges if first < HALF))
    return [(JGE, 1, 0, HALF), (JA, 0, 0, len(high) + 1), (AND, 0, 0, HALF - 1), *high, *low]


def _tree(ranges: Ranges) -> Program:
    """The same, for one half of all numbers."""
    if len(ranges) <= A_LEAF:
        return _leaf(ranges)
    middle = len(ranges) // 2
    high, low = _tree(ranges[middle:]), _tree(ranges[:middle])
    return [(JGE, 1, 0, ranges[middle][0]), (JA, 0, 0, len(high)), *high, *low]


def _leaf(ranges: Ranges) -> Program:
    """Range by range: below one's first is a gap; up to its last is a hit."""
    if not ranges:
        return NOTHING
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
