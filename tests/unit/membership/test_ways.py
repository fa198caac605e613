"""A member is reached where its record says, and where it was heard."""

import pytest

from speakerd.exchange import MembershipSettings
from speakerd.membership.frame import BROADCAST
from speakerd.membership.ways import FRESH, Ways, numeric
from tests.unit.membership.mesh_keys import member

MAC, OTHER = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000c")
V4, V6 = ("192.0.2.11", 7946), ("2001:db8::11", 7946, 0, 0)
ELSEWHERE = ("192.0.2.99", 7946)
SETTINGS = MembershipSettings(interval=0.1, peers=("192.0.2.1", "2001:db8::1", "tower"))
STALE = FRESH * SETTINGS.interval + 0.01


def ways(*, hears_us: bool = True) -> Ways:
    made = Ways(lambda _name, _now: hears_us)
    made.know([member("a", addresses=("192.0.2.11", "2001:db8::11")), member("b")], SETTINGS)
    return made


def test_until_it_is_heard_a_member_is_spoken_to_at_all_its_addresses() -> None:
    assert ways().addresses("a", 0.0) == (V4, V6)


def test_once_both_hear_the_other_it_is_spoken_to_where_it_was_heard() -> None:
    made = ways()
    made.heard_at(V6, "a", 1.0)
    assert made.addresses("a", 1.0) == (V6,)
    made.heard_at(ELSEWHERE, "a", 2.0)
    assert made.addresses("a", 2.0) == (ELSEWHERE,)


def test_who_does_not_hear_us_is_spoken_to_at_all_its_addresses_and_where_it_was_heard() -> None:
    made = ways(hears_us=False)
    made.heard_at(V4, "a", 1.0)
    assert made.addresses("a", 1.0) == (V4, V6)
    made.heard_at(ELSEWHERE, "a", 1.0)
    assert made.addresses("a", 1.0) == (V4, V6, ELSEWHERE)


def test_who_was_not_heard_for_long_is_looked_for_at_all_its_addresses() -> None:
    made = ways()
    made.heard_at(V4, "a", 1.0)
    assert made.addresses("a", 1.0 + STALE) == (V4, V6)


def test_without_an_address_in_its_record_a_member_is_spoken_to_where_it_was_heard() -> None:
    made = ways()
    assert made.addresses("b", 0.0) == ()
    made.heard_at(ELSEWHERE, "b", 0.0)
    assert made.addresses("b", STALE) == (ELSEWHERE,)


def test_a_message_for_nobody_in_particular_goes_to_the_addresses_of_the_settings() -> None:
    assert ways().addresses("", 0.0) == (("192.0.2.1", 7946), ("2001:db8::1", 7946, 0, 0))


def test_frames_go_to_all_until_the_member_was_heard_there_and_again_when_it_is_silent() -> None:
    made = ways()
    assert made.mac("a", 2, 0.0) == BROADCAST
    made.heard_from(MAC, "a", 2, 1.0)
    assert made.mac("a", 2, 1.0 + STALE - 0.02) == MAC
    assert made.mac("a", 3, 1.0) == BROADCAST
    assert made.mac("", 2, 1.0) == BROADCAST
    assert made.mac("a", 2, 1.0 + STALE) == BROADCAST


def test_another_mac_is_taken_at_once() -> None:
    made = ways()
    made.heard_from(MAC, "a", 2, 1.0)
    made.heard_from(OTHER, "a", 2, 1.1)
    assert made.mac("a", 2, 1.1) == OTHER
    assert made.macs == {("a", 2): OTHER}


@pytest.mark.parametrize("mac", [BROADCAST, bytes(6), bytes.fromhex("333300000001"), b""])
def test_no_group_is_learned_as_the_mac_of_a_member(mac: bytes) -> None:
    made = ways()
    made.heard_from(mac, "a", 2, 1.0)
    assert not made.macs


def test_of_names_without_a_record_nothing_is_kept() -> None:
    made = ways()
    for number in range(100):
        made.heard_at(V4, f"stranger-{number}", 1.0)
        made.heard_from(MAC, f"stranger-{number}", 2, 1.0)
    assert not made.macs
    assert made.addresses("stranger-1", 1.0) == ()


def test_what_was_learned_of_a_member_goes_with_its_record_and_of_an_interface_with_it() -> None:
    made = ways()
    for index in (2, 3):
        made.heard_from(MAC, "a", index, 1.0)
        made.heard_from(MAC, "b", index, 1.0)
    made.heard_at(ELSEWHERE, "a", 1.0)
    made.gone(3)
    assert made.macs == {("a", 2): MAC, ("b", 2): MAC}
    made.know([member("b")], SETTINGS)
    assert made.macs == {("b", 2): MAC}
    made.know([member("a"), member("b")], SETTINGS)
    assert made.addresses("a", 1.0) == ()


def test_only_addresses_are_addresses() -> None:
    texts = ("192.0.2.1", "node-1", "fe80::1%eth0", "2001:DB8::1", "192.0.2.1", "", "300.0.0.1")
    assert numeric(texts, 1) == (("192.0.2.1", 1), ("2001:db8::1", 1, 0, 0))
