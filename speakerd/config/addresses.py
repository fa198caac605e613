"""Text -> ranges of addresses, and ranges -> CIDRs: what IPAddressPool.spec.addresses and `iprange` may hold."""

from bisect import bisect_right, insort
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range

from speakerd.model import IP, Family, Range

OF_FAMILY: dict[Family, type[IPv4Address | IPv6Address]] = {4: IPv4Address, 6: IPv6Address}
NEVER = tuple(
    Range(net.version, int(net[0]), int(net[-1]))
    for net in map(
        ip_network,
        ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255", "::/127", "fe80::/10", "ff00::/8"),
    )
)
"""No Service can be reached there: unspecified, loopback, link-local, multicast, broadcast."""


A_RANGE = "write 192.0.2.0/24 or 192.0.2.10-192.0.2.20"


class Malformed(Exception):
    """An entry that is neither a CIDR nor a range: `what` is wrong, and the `remedy`."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def address(text: str, remedy: str = "write 192.0.2.10 or 2001:db8::10") -> IP:
    """The address. Raises Malformed; so for zones and IPv4 in IPv6, which no Service can have.

    `remedy`: of what is no address at all.
    """
    try:
        found = ip_address(text)
    except ValueError:
        raise Malformed(f"{text!r} is not an IP address", remedy) from None
    if isinstance(found, IPv6Address) and (found.scope_id or found.ipv4_mapped):
        raise Malformed(f"{text!r} is no address a Service can have", "leave out zone and IPv4 prefix")
    return found


def parse(entry: str) -> Range:
    """The range of a CIDR, host bits masked off, or of `first-last`. Raises Malformed."""
    if "/" in entry:
        return _cidr(entry)
    if "-" in entry:
        first, _, last = (each.strip() for each in entry.partition("-"))
        return _between(entry, address(first, A_RANGE), address(last, A_RANGE))
    try:
        alone = address(entry.strip())
    except Malformed:
        raise Malformed(f"{entry!r} is neither a CIDR nor a range", A_RANGE) from None
    raise Malformed(f"{entry!r} is a lone address", f"write {alone}/{alone.max_prefixlen}")


def _cidr(entry: str) -> Range:
    head, _, length = entry.partition("/")
    base = address(head)
    if not (length.isascii() and length.isdecimal() and len(length) < 4 and int(length) <= base.max_prefixlen):
        what = f"{length!r} is no prefix length in {entry!r}"
        raise Malformed(what, f"write a number from 0 to {base.max_prefixlen} after the slash")
    host_bits = (1 << base.max_prefixlen - int(length)) - 1
    return Range(base.version, int(base) & ~host_bits, int(base) | host_bits)


def _between(entry: str, first: IP, last: IP) -> Range:
    if first.version != last.version:
        raise Malformed(f"{entry!r} mixes IPv4 and IPv6", "write one range for each")
    if int(first) > int(last):
        raise Malformed(f"{entry!r} ends before it starts", f"write {last}-{first}")
    return Range(first.version, int(first), int(last))


def cidrs(each: Range) -> list[str]:
    """The fewest CIDRs that make up the range, in order."""
    kind = OF_FAMILY[each.family]
    return [str(net) for net in summarize_address_range(kind(each.first), kind(each.last))]


def shown(each: Range) -> str:
    """The range for people: a CIDR where it is one, else first-last."""
    blocks = cidrs(each)
    kind = OF_FAMILY[each.family]
    return blocks[0] if len(blocks) == 1 else f"{kind(each.first)}-{kind(each.last)}"


def host_bits(entry: str) -> bool:
    """Whether a well-formed entry is a CIDR whose address is not the block's first."""
    head, slash, _ = entry.strip().partition("/")
    return bool(slash) and int(address(head)) != parse(entry).first


def unreachable(each: Range) -> bool:
    """Whether the range touches addresses that no Service can be reached at."""
    return any(b.family == each.family and b.first <= each.last and each.first <= b.last for b in NEVER)


class Taken:
    """Ranges that do not overlap, each with its owner; finds those in the way in logarithmic time."""

    def __init__(self) -> None:
        self._ranges: dict[Family, list[Range]] = {4: [], 6: []}
        self._owners: dict[Range, str] = {}

    def overlapping(self, each: Range) -> list[tuple[Range, str]]:
        """The ranges that share addresses with `each`, in order, and their owners."""
        ranges = self._ranges[each.family]
        start = bisect_right(ranges, each.first, key=lambda r: r.last + 1)
        end = bisect_right(ranges, each.last, key=lambda r: r.first)
        return [(r, self._owners[r]) for r in ranges[start:end]]

    def add(self, each: Range, owner: str) -> tuple[Range, ...]:
        """Take what is still free of `each`; the pieces, in order."""
        pieces, first = [], each.first
        for other, _ in self.overlapping(each):
            if first < other.first:
                pieces.append(Range(each.family, first, other.first - 1))
            first = other.last + 1
        if first <= each.last:
            pieces.append(Range(each.family, first, each.last))
        for piece in pieces:
            insort(self._ranges[each.family], piece)
            self._owners[piece] = owner
        return tuple(pieces)


def items(iprange: str) -> tuple[str, ...]:
    """The entries of the charm's option: white space is ignored, commas separate."""
    text = "".join(iprange.split())
    return tuple(text.split(",")) if text else ()


def iprange_faults(iprange: str) -> list[tuple[str, str]]:
    """What is wrong with the charm's option in the charm's words, and the remedies.

    Host bits are refused, as the charm does; so are reversed ranges, mixed families and overlaps, as it should.
    """
    taken, faults = Taken(), []
    for item in items(iprange):
        what = f"{item or repr(item)} is not a valid CIDR or ip range"
        try:
            each = parse(item)
        except Malformed as fault:
            faults.append((what, fault.remedy))
            continue
        if host_bits(item):
            faults.append((what, f"the block is {shown(each)}"))
        elif others := taken.overlapping(each):
            faults.append((f"{item} overlaps {others[0][1]}", "let each address stand once"))
        taken.add(each, item)
    return faults
