"""By which next hop a peer is told of routes, what happens when it changes, and which families cannot be told."""

from ipaddress import ip_network

import pytest

from speakerd.bgp import nlri
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.frame import MOST, MOST_EXTENDED
from speakerd.bgp.outgoing import Unsent
from speakerd.bgp.rib import Rib
from tests.unit.bgp.golden import BOTH, octets
from tests.unit.bgp.receiver import (
    ALL,
    END,
    HOPS,
    INTERNAL,
    ONE,
    OTHER,
    SIX,
    A,
    B,
    C,
    Receiver,
    everything,
    opened,
    table,
    told,
    wish,
)


def test_a_family_without_agreement_or_next_hop_is_not_told_and_it_is_known_why() -> None:
    rib, six = Rib(), nlri.encode(ip_network(SIX))
    wish(rib, ALL)
    assert rib.unsent(IPV6) == {Unsent.NO_SESSION: 1}
    rib.up(INTERNAL, [IPV4], HOPS, MOST)
    assert rib.why(IPV6, six) is Unsent.FAMILY_NOT_AGREED
    assert rib.unsent(IPV6) == {Unsent.FAMILY_NOT_AGREED: 1}
    assert rib.unsent(IPV4) == {}
    assert everything(rib)[-1] == END
    rib.up(INTERNAL, BOTH, {IPV4: HOPS[IPV4]}, MOST)
    assert rib.why(IPV6, six) is Unsent.NO_NEXT_HOP
    assert rib.why(IPV4, nlri.encode(ip_network(A))) is None
    assert rib.why(IPV4, b"\x00") is Unsent.NOT_WANTED


@pytest.mark.parametrize(
    ("family", "size", "extended", "speakable"),
    [
        (IPV4, 4, False, True),
        (IPV4, 16, False, False),
        (IPV4, 16, True, True),
        (IPV4, 32, True, True),
        (IPV4, 0, True, False),
        (IPV6, 4, True, False),
        (IPV6, 16, False, True),
        (IPV6, 32, False, True),
        (IPV6, 0, False, False),
    ],
)
def test_routes_go_by_next_hops_that_the_rfcs_know(family: Family, size: int, extended: bool, speakable: bool) -> None:
    rib = Rib()
    wish(rib, ALL)
    terms = Negotiated(four_octet=True, families=BOTH, extended_next_hop=extended, external=False)
    rib.up(terms, BOTH, {family: b"\x20" * size}, MOST)
    peer = Receiver(terms)
    peer.read(everything(rib))
    assert {route[1] for route in peer.table.values()} == ({b"\x20" * size} if speakable else set())
    assert bool(rib.unsent(family)) == (not speakable)


def test_more_than_a_message_holds_is_not_said_at_all_and_costs_other_routes_nothing() -> None:
    rib, peer = told(ALL)
    large = Attributes(communities=tuple(range(1020)))
    wish(rib, {A: large})
    peer.read(everything(rib))
    assert ip_network(A) not in peer.table
    assert rib.unsent(IPV4) == {Unsent.TOO_LONG: 1}
    opened(rib, MOST_EXTENDED)
    peer = Receiver()
    peer.read(everything(rib))
    assert peer.table == table(ALL | {A: large})


OTHER_HOP = octets("c0000263")


def test_another_next_hop_tells_all_of_its_family_again_and_nothing_else() -> None:
    rib, peer = told(ALL)
    rib.next_hop(IPV4, OTHER_HOP)
    assert (rib.sent(IPV4), rib.due(IPV4), rib.due(IPV6)) == (3, 3, 0)
    peer.read(everything(rib))
    assert peer.table == table(ALL, HOPS | {IPV4: OTHER_HOP})
    assert len(peer.heard) == 3
    assert not peer.ended


def test_routes_that_can_go_nowhere_are_withdrawn_and_told_once_there_is_a_way_again() -> None:
    rib, peer = told(ALL)
    rib.next_hop(IPV4, b"")
    assert rib.unsent(IPV4) == {Unsent.NO_NEXT_HOP: 3}
    peer.read(everything(rib))
    assert peer.table == table({SIX: ONE})
    wish(rib, {A: OTHER, B: None})
    assert not rib.pending
    rib.next_hop(IPV4, OTHER_HOP)
    assert rib.unsent(IPV4) == {}
    peer.read(everything(rib))
    assert peer.table == table({A: OTHER, C: OTHER, SIX: ONE}, HOPS | {IPV4: OTHER_HOP})
    assert not peer.ended
    assert not peer.idle


def test_a_family_that_began_without_a_way_is_told_once_there_is_one() -> None:
    rib, peer = Rib(), Receiver()
    wish(rib, ALL)
    rib.up(INTERNAL, BOTH, {IPV4: HOPS[IPV4]}, MOST)
    peer.read(everything(rib))
    assert peer.table == table({A: ONE, B: ONE, C: OTHER})
    rib.next_hop(IPV6, HOPS[IPV6])
    peer.read(everything(rib))
    assert peer.table == table(ALL)
    assert peer.ended == [IPV4, IPV6]


def test_the_next_hop_that_it_has_already_tells_nothing() -> None:
    rib, _ = told(ALL)
    rib.next_hop(IPV4, HOPS[IPV4])
    assert not rib.pending


def test_ipv4_may_come_to_go_by_way_of_ipv6() -> None:
    rib, peer = told({A: ONE})
    rib.next_hop(IPV4, HOPS[IPV6])
    peer.read(everything(rib))
    assert peer.table == table({A: ONE}, {IPV4: HOPS[IPV6]})


def test_a_next_hop_means_nothing_without_a_session_that_speaks_of_the_family() -> None:
    rib = Rib()
    wish(rib, ALL)
    rib.next_hop(IPV4, OTHER_HOP)
    assert not rib.pending
    rib.up(INTERNAL, [IPV4], HOPS, MOST)
    rib.next_hop(IPV6, HOPS[IPV6])
    peer = Receiver()
    peer.read(everything(rib))
    assert peer.table == table({A: ONE, B: ONE, C: OTHER})
    assert rib.unsent(IPV6) == {Unsent.FAMILY_NOT_AGREED: 1}
