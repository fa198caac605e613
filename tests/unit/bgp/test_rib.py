"""A peer is told what is wanted, all of it, once, in few messages; and again only where it asked."""

from ipaddress import ip_network

import pytest

from speakerd.bgp import nlri, update
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.frame import MOST, MOST_EXTENDED
from speakerd.bgp.origination import GRACEFUL_SHUTDOWN
from speakerd.bgp.outgoing import LARGEST, SAYING, Table, Unsent, Way
from speakerd.bgp.rib import Rib
from tests.unit.bgp.golden import BOTH, TERMS, octets
from tests.unit.bgp.receiver import (
    ALL,
    END,
    HOPS,
    INTERNAL,
    ONE,
    OTHER,
    PLENTY,
    SIX,
    A,
    B,
    C,
    Receiver,
    everything,
    hosts,
    opened,
    some,
    table,
    told,
    wish,
)


def test_all_that_is_wanted_is_told_and_then_that_it_was() -> None:
    rib, peer = Rib(), Receiver()
    wish(rib, ALL)
    assert not rib.pending
    messages = everything(opened(rib))
    peer.read(messages)
    assert peer.table == table(ALL)
    assert len(messages) == 3 + 2
    assert not rib.pending


def test_each_family_ends_once_after_its_own_routes_and_never_again() -> None:
    rib, peer = opened(Rib()), Receiver()
    wish(rib, ALL)
    seen: list[tuple[Family, set[int]]] = []
    while rib.pending:
        peer.read(rib.take(80))
        seen += [(family, {net.version for net in peer.table}) for family in peer.ended[len(seen) :]]
    assert seen == [(IPV4, {4}), (IPV6, {4, 6})]
    wish(rib, {A: OTHER})
    rib.refresh(IPV4)
    peer.read(everything(rib))
    assert peer.ended == [IPV4, IPV6]


def test_no_end_is_claimed_while_something_is_due() -> None:
    four = Table(IPV4)
    four.change(hosts(2))
    four.begin(Way(IPV4, HOPS[IPV4], INTERNAL, MOST))
    assert four.end() is None
    assert four.look(1) == 1 + SAYING
    assert four.end() is None
    four.look(2)
    assert four.end() is None
    draft = four.announcement(MOST)
    assert draft
    draft.posted()
    end = four.end()
    assert end
    assert end.message == END


def test_a_peer_that_is_told_nothing_hears_that_this_is_all() -> None:
    rib = opened(Rib())
    assert everything(rib) == [update.end_of_rib(IPV4), update.end_of_rib(IPV6)]
    rib = Rib()
    rib.up(INTERNAL, BOTH, {}, MOST)
    assert len(everything(rib)) == 2


def test_ten_thousand_prefixes_are_thirteen_messages() -> None:
    rib = Rib()
    rib.change(IPV4, hosts(10000))
    messages = everything(opened(rib))
    whole = list(update.announced(Attributes(local_pref=100), IPV4, HOPS[IPV4], hosts(10000), INTERNAL, MOST))
    assert messages == [*whole, END, update.end_of_rib(IPV6)]
    assert len(whole) == 13
    assert rib.sent(IPV4) == 10000


def test_a_long_message_holds_more_but_no_more_than_can_be_written_in_a_moment() -> None:
    rib = Rib()
    rib.change(IPV4, hosts(10000))
    *messages, _, _ = everything(opened(rib, MOST_EXTENDED))
    assert {len(each) for each in messages[:-1]} == {44 + 5 * LARGEST}
    assert len(messages) == 10


def test_slices_of_one_message_each_are_as_full_as_one_piece() -> None:
    whole, sliced = Rib(), Rib()
    for rib in (whole, sliced):
        rib.change(IPV4, hosts(3000))
        opened(rib)
    slices = []
    while sliced.pending:
        slices += sliced.take(MOST)
    assert slices == everything(whole)


@pytest.mark.parametrize("budget", [0, 1, 22, 23, 50, 55, 60, 100, 4095, 4096, 5000, 9000])
def test_no_slice_is_larger_than_its_budget(budget: int) -> None:
    rib = Rib()
    rib.change(IPV4, hosts(2000))
    wish(rib, {SIX: ONE})
    opened(rib)
    sizes = [sum(map(len, rib.take(budget))) for _ in range(2100)]
    assert all(size <= budget for size in sizes)
    assert any(sizes) == (budget >= 50)
    assert rib.pending == (budget < 100)


def test_what_does_not_fit_the_budget_waits_and_is_not_lost() -> None:
    rib, peer = opened(Rib()), Receiver()
    wish(rib, {A: ONE})
    assert rib.take(30) == []
    assert rib.pending
    peer.read(rib.take(MOST))
    assert peer.table == table({A: ONE})


@pytest.mark.parametrize("changed", [{A: OTHER}, {"192.0.2.9/32": ONE}, {"192.0.2.9/32": OTHER}])
def test_one_change_is_one_message_of_one_prefix(changed: dict[str, Attributes]) -> None:
    rib, peer = told(ALL)
    wish(rib, changed)
    (message,) = everything(rib)
    peer.read([message])
    assert peer.table == table(ALL | changed)
    assert peer.heard == [ip_network(text) for text in changed]


def test_one_prefix_that_goes_is_one_message() -> None:
    rib, peer = told(ALL)
    wish(rib, {B: None})
    (message,) = everything(rib)
    assert message == next(update.withdrawn(IPV4, [nlri.encode(ip_network(B))], MOST))
    peer.read([message])
    assert not peer.heard


def test_what_is_wanted_already_or_was_never_wanted_tells_nothing() -> None:
    rib, _ = told(ALL)
    wish(
        rib,
        {net: Attributes(local_pref=each.local_pref, communities=each.communities) for net, each in ALL.items()}
        | {"192.0.2.9/32": None},
    )
    assert not rib.pending
    assert rib.take(PLENTY) == []


def test_withdrawals_of_every_family_go_first() -> None:
    rib, peer = told({A: ONE, SIX: ONE})
    wish(rib, {A: None, SIX: None, B: ONE, C: OTHER, "2001:db8::2/128": ONE})
    messages = everything(rib)
    peer.read(messages[:2])
    assert not peer.table
    peer.read(messages[2:])
    assert len(peer.table) == 3


def test_what_is_no_longer_wanted_between_two_slices_is_never_told() -> None:
    rib, peer = opened(Rib()), Receiver()
    routes = hosts(1000)
    rib.change(IPV4, routes)
    peer.read(some(rib))
    assert peer.heard
    rib.change(IPV4, {next(reversed(routes)): None})
    peer.read(everything(rib))
    assert len(peer.heard) == len(set(peer.heard)) == 999
    assert not peer.idle


def test_a_prefix_wanted_again_before_its_withdrawal_went_out_needs_nothing() -> None:
    rib, _ = told(ALL)
    wish(rib, dict.fromkeys(ALL))
    wish(rib, ALL)
    assert everything(rib) == []


def test_a_prefix_wanted_again_in_other_words_is_replaced_and_not_withdrawn() -> None:
    rib, peer = told({A: ONE})
    wish(rib, {A: None})
    wish(rib, {A: OTHER})
    (message,) = everything(rib)
    peer.read([message])
    assert peer.table == table({A: OTHER})


def test_an_announcement_that_was_not_taken_is_forgotten_with_its_wish() -> None:
    rib, _ = told({A: ONE})
    wish(rib, {B: ONE})
    wish(rib, {B: None})
    assert everything(rib) == []


def test_a_refresh_tells_all_of_its_family_once_more_and_nothing_else() -> None:
    rib, peer = told(ALL)
    rib.refresh(IPV4)
    assert rib.sent(IPV4) == rib.due(IPV4) == 3
    peer.read(everything(rib))
    assert sorted(map(str, peer.heard)) == sorted((A, B, C))
    assert not peer.ended
    assert not rib.pending


def test_what_changes_during_a_refresh_is_told_with_it_and_once() -> None:
    rib, peer = told(ALL)
    rib.refresh(IPV4)
    wish(rib, {A: OTHER, B: None})
    wish(rib, {A: ONE})
    peer.read(everything(rib))
    assert peer.table == table({A: ONE, C: OTHER, SIX: ONE})
    assert sorted(map(str, peer.heard)) == sorted((A, C))


@pytest.mark.parametrize("family", [Family(1, 2), IPV6])
def test_a_refresh_of_a_family_that_is_not_spoken_is_passed_over(family: Family) -> None:
    rib = Rib()
    wish(rib, ALL)
    rib.up(INTERNAL, [IPV4], HOPS, MOST)
    everything(rib)
    rib.refresh(family)
    assert not rib.pending


def test_a_new_session_is_told_all_again() -> None:
    rib, _ = told(ALL)
    rib.down()
    assert (rib.pending, rib.sent(IPV4), everything(rib)) == (False, 0, [])
    wish(rib, {A: OTHER, B: None, C: None})
    assert not rib.pending
    peer = Receiver()
    peer.read(everything(opened(rib)))
    assert peer.table == table({A: OTHER, SIX: ONE})
    assert peer.ended == [IPV4, IPV6]


def test_a_drain_tells_all_again_as_about_to_go_and_serving_takes_it_back() -> None:
    rib, peer = told(ALL)
    rib.drain()
    peer.read(everything(rib))
    said = {net: route[0] for net, route in peer.table.items()}
    assert {each.local_pref for each in said.values()} == {0}
    assert said[ip_network(C)].communities == (0xFDE80064, GRACEFUL_SHUTDOWN)
    wish(rib, {"192.0.2.9/32": ONE})
    rib.serve()
    peer.read(everything(rib))
    assert peer.table == table(ALL | {"192.0.2.9/32": ONE})
    assert not peer.idle


def test_a_drain_that_was_not_taken_and_is_taken_back_tells_nothing() -> None:
    rib, _ = told(ALL)
    rib.drain()
    rib.serve()
    assert everything(rib) == []


def test_a_drain_outlives_the_session() -> None:
    rib, _ = told(ALL)
    rib.drain()
    rib.down()
    peer = Receiver()
    peer.read(everything(opened(rib)))
    assert {route[0].local_pref for route in peer.table.values()} == {0}


def test_a_stop_withdraws_all_in_a_message_a_family_whatever_is_wanted_then() -> None:
    rib, peer = told(ALL)
    rib.withdraw_all()
    wish(rib, {"192.0.2.9/32": ONE})
    messages = everything(rib)
    peer.read(messages)
    assert not peer.table
    assert len(messages) == 2
    assert rib.why(IPV4, nlri.encode(ip_network(A))) is Unsent.LEAVING


def test_a_stop_in_the_middle_of_a_table_withdraws_what_went_out_and_tells_no_more() -> None:
    rib, peer = opened(Rib()), Receiver()
    rib.change(IPV4, hosts(1000))
    peer.read(some(rib))
    heard = len(peer.heard)
    assert heard
    rib.withdraw_all()
    peer.read(everything(rib))
    assert (len(peer.table), len(peer.heard)) == (0, heard)
    assert not peer.idle


def test_an_octet_for_octet_message_goes_to_an_external_peer() -> None:
    rib = Rib()
    wish(rib, {"203.0.113.0/24": Attributes()})
    rib.up(TERMS, [IPV4], HOPS, MOST)
    body = octets("0000 000e 40010100 400200 400304 c0000201 18cb0071")
    assert everything(rib) == [octets("ff" * 16) + (19 + len(body)).to_bytes(2) + b"\x02" + body, END]


def test_what_is_sent_and_due_is_counted_by_family() -> None:
    rib, _ = told(ALL)
    assert (rib.sent(IPV4), rib.sent(IPV6), rib.due(IPV4)) == (3, 1, 0)
    wish(rib, {B: OTHER, C: None, SIX: None, "192.0.2.9/32": ONE})
    assert (rib.sent(IPV4), rib.due(IPV4), rib.due(IPV6)) == (3, 3, 1)
    everything(rib)
    assert (rib.sent(IPV4), rib.sent(IPV6), rib.due(IPV4)) == (3, 0, 0)


def test_the_order_of_messages_follows_from_the_order_of_the_wish_alone() -> None:
    def run() -> list[bytes]:
        rib, _ = told(ALL)
        wish(rib, dict.fromkeys(ALL) | {"192.0.2.9/32": OTHER} | {f"10.0.0.{i}/32": ONE for i in range(200)})
        return everything(rib)

    assert run() == run()


def test_one_change_among_ten_thousand_prefixes_is_told_alone() -> None:
    rib = opened(Rib())
    rib.change(IPV4, hosts(10000))
    everything(rib)
    changed = bytes((32, 10, 0, 0, 7))
    rib.change(IPV4, {changed: OTHER})
    (message,) = everything(rib)
    assert message.endswith(changed)
    assert len(message) < 100
