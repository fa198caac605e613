"""CIDRs, ranges, and the charm's iprange."""

from ipaddress import ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.config.addresses import (
    Malformed,
    Taken,
    cidrs,
    host_bits,
    iprange_faults,
    items,
    parse,
    shown,
    unreachable,
)
from speakerd.model import Range


def ranges(family: int, bits: int) -> st.SearchStrategy[Range]:
    pairs = st.tuples(*[st.integers(0, (1 << bits) - 1)] * 2)
    return pairs.map(lambda pair: Range(family, min(pair), max(pair)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("entry", "shown_as", "size"),
    [
        ("10.0.0.0/24", "10.0.0.0/24", 256),
        ("10.0.0.5/24", "10.0.0.0/24", 256),
        ("10.0.0.1/32", "10.0.0.1/32", 1),
        ("10.0.0.1-10.0.0.1", "10.0.0.1/32", 1),
        ("10.0.0.1 - 10.0.0.9", "10.0.0.1-10.0.0.9", 9),
        ("0.0.0.0/0", "0.0.0.0/0", 1 << 32),
        ("2001:DB8::/64", "2001:db8::/64", 1 << 64),
        ("2001:db8::1-2001:db8::2", "2001:db8::1-2001:db8::2", 2),
        ("::/0", "::/0", 1 << 128),
    ],
)
def test_what_metallb_takes_is_taken(entry: str, shown_as: str, size: int) -> None:
    assert (shown(parse(entry)), parse(entry).size) == (shown_as, size)


@pytest.mark.parametrize(
    ("entry", "what", "remedy"),
    [
        ("10.0.0.1", "is a lone address", "write 10.0.0.1/32"),
        ("2001:db8::1", "is a lone address", "write 2001:db8::1/128"),
        ("10.0.0.9-10.0.0.1", "ends before it starts", "write 10.0.0.1-10.0.0.9"),
        ("10.0.0.1-2001:db8::1", "mixes IPv4 and IPv6", "write one range for each"),
        ("10.0.0.0/33", "'33' is no prefix length", "from 0 to 32"),
        ("10.0.0.0/255.255.255.0", "is no prefix length", "from 0 to 32"),
        ("10.0.0.0/-1", "is no prefix length", "from 0 to 32"),
        ("10.0.0.0/", "is no prefix length", "from 0 to 32"),
        ("10.0.0.0/٢", "is no prefix length", "from 0 to 32"),
        ("256.256.256.256-256.256.256.266", "'256.256.256.256' is not an IP address", "write"),
        ("10.0.0.01/24", "is not an IP address", "write"),
        ("10.0.0.1+10.0.0.9", "is neither a CIDR nor a range", "write"),
        ("", "is neither a CIDR nor a range", "write"),
        ("fe80::1%eth0/64", "is no address a Service can have", "zone"),
        ("::ffff:10.0.0.1/128", "is no address a Service can have", "IPv4"),
    ],
)
def test_what_can_never_work_is_refused_with_a_remedy(entry: str, what: str, remedy: str) -> None:
    with pytest.raises(Malformed) as fault:
        parse(entry)
    assert what in fault.value.what
    assert remedy in fault.value.remedy


@given(st.text(alphabet="0123456789abcdef.:/- ", max_size=40))
def test_any_text_is_a_range_or_malformed(entry: str) -> None:
    try:
        found = parse(entry)
    except Malformed:
        return
    assert found.first <= found.last


@given(st.one_of(ranges(4, 32), ranges(6, 128)))
def test_cidrs_are_the_range_exactly_and_no_two_of_them_would_fit_in_one(each: Range) -> None:
    blocks = [ip_network(cidr) for cidr in cidrs(each)]
    assert int(blocks[0][0]) == each.first
    assert int(blocks[-1][-1]) == each.last
    assert all(int(a[-1]) + 1 == int(b[0]) for a, b in pairwise(blocks))
    assert not any(
        a.prefixlen == b.prefixlen and a.supernet() == b.supernet() for a, b in pairwise(blocks) if a.prefixlen
    )


@given(ranges(4, 32))
def test_what_is_shown_reads_as_the_same(each: Range) -> None:
    assert parse(shown(each)) == each


def test_host_bits_are_noticed() -> None:
    assert host_bits("10.0.0.5/24")
    assert not host_bits("10.0.0.0/24")
    assert not host_bits("10.0.0.1-10.0.0.5")


@pytest.mark.parametrize("entry", ["224.0.0.0/24", "127.0.0.0/8", "0.0.0.0/0", "fe80::/64", "ff02::/16", "::/126"])
def test_addresses_no_service_can_have_are_noticed(entry: str) -> None:
    assert unreachable(parse(entry))


@pytest.mark.parametrize("entry", ["10.0.0.0/8", "169.254.7.0/24", "2001:db8::/32", "fc00::/7", "100.64.0.0/10"])
def test_other_addresses_are_not(entry: str) -> None:
    assert not unreachable(parse(entry))


@given(st.lists(ranges(4, 6), max_size=8))
def test_each_address_is_taken_once_by_the_first_who_wants_it(wanted: list[Range]) -> None:
    taken, owner = Taken(), dict[int, str]()
    for i, each in enumerate(wanted):
        pieces = taken.add(each, str(i))
        fresh = [ip for ip in range(each.first, each.last + 1) if ip not in owner]
        assert [ip for piece in pieces for ip in range(piece.first, piece.last + 1)] == fresh
        owner |= dict.fromkeys(fresh, str(i))
    found = taken.overlapping(Range(4, 0, 63))
    assert {ip: name for piece, name in found for ip in range(piece.first, piece.last + 1)} == owner


def test_families_do_not_overlap() -> None:
    taken = Taken()
    taken.add(Range(4, 0, 10), "a")
    assert taken.overlapping(Range(6, 0, 10)) == []


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("", ()),
        ("  ", ()),
        ("192.168.1.240-192.168.1.247", ("192.168.1.240-192.168.1.247",)),
        ("192.168.1.240/28, 10.0.0.0/28", ("192.168.1.240/28", "10.0.0.0/28")),
        (
            " 192.168.1.88 - 192.168.1.89,\n10.0.0.0/28 , fd00::1-fd00::9 ",
            ("192.168.1.88-192.168.1.89", "10.0.0.0/28", "fd00::1-fd00::9"),
        ),
    ],
)
def test_the_charm_s_values_are_read_with_stray_spaces(text: str, entries: tuple[str, ...]) -> None:
    assert items(text) == entries
    assert iprange_faults(text) == []


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("256.256.256.256-256.256.256.266", "256.256.256.256-256.256.256.266"),
        ("192.168.1.88+192.168.1.89", "192.168.1.88+192.168.1.89"),
        ("10.0.0.0/33", "10.0.0.0/33"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.5/24", "10.0.0.5/24"),
        ("10.0.0.9-10.0.0.1", "10.0.0.9-10.0.0.1"),
        ("10.0.0.0/24,", "''"),
    ],
)
def test_the_charm_s_words_name_the_item(text: str, item: str) -> None:
    ((what, remedy),) = iprange_faults(text)
    assert what == f"{item} is not a valid CIDR or ip range"
    assert remedy


def test_items_that_overlap_are_told() -> None:
    ((what, _),) = iprange_faults("10.0.0.0/28, 10.0.0.10-10.0.0.20")
    assert what == "10.0.0.10-10.0.0.20 overlaps 10.0.0.0/28"
