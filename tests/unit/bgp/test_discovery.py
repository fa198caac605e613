"""A router is known by its advertisement, from the very link, for as long as it goes on."""

import pytest

from speakerd.bgp.discovery import FORGOTTEN, Known, advertises

RA = bytes.fromhex("8600 0000 40 00 0708 00000000 00000000")
"""RFC 4861 section 4.2: hop limit 64, lifetime 1800 s."""


@pytest.mark.parametrize(
    ("data", "hops", "address", "is_one"),
    [
        (RA, 255, "fe80::1", True),
        (RA + bytes.fromhex("0101 020000000001"), 255, "fe80::1", True),
        (RA, 254, "fe80::1", False),
        (RA, 255, "2001:db8::1", False),
        (RA[:-1], 255, "fe80::1", False),
        (b"\x85" + RA[1:], 255, "fe80::1", False),
        (b"\x86\x01" + RA[2:], 255, "fe80::1", False),
        (b"", 255, "fe80::1", False),
    ],
)
def test_only_a_neighbours_whole_advertisement_counts(data: bytes, hops: int, address: str, is_one: bool) -> None:
    assert advertises(data, hops, address) is is_one


def test_another_router_takes_the_place_of_one_that_is_silent_only() -> None:
    known = Known()
    assert known.hear(2, "fe80::1", 0.0)
    assert not known.hear(2, "fe80::2", 1.0)
    assert known.hear(3, "fe80::2", 1.0)
    assert known.hear(2, "fe80::1", FORGOTTEN)
    assert not known.hear(2, "fe80::2", 2 * FORGOTTEN - 1)
    assert known.hear(2, "fe80::2", 2 * FORGOTTEN)
    assert not known.hear(2, "fe80::1", 2 * FORGOTTEN + 1)


def test_an_interface_that_is_no_more_is_forgotten() -> None:
    known = Known()
    assert known.hear(2, "fe80::1", 0.0)
    known.keep([3])
    assert known.hear(2, "fe80::2", 1.0)
