"""Next hops are addresses of ours that the peer can reach, by the session's family and what was agreed."""

from ipaddress import ip_address

import pytest

from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.nexthop import families, next_hops
from speakerd.bgp.reach import Ends, Reach, reach
from speakerd.model import Interface
from speakerd.peering import Neighbour, Password, Peer

FOUR, SIX, LOCAL = "192.0.2.1", "2001:db8::1", "fe80::1"
E0 = Interface(2, "e0", ipv4=(FOUR, "192.0.2.9"), ipv6=(LOCAL, SIX))
OTHER = Interface(3, "e1", ipv4=("198.51.100.1",), ipv6=("fe80::2", "2001:db8:1::1"))
BARE = Interface(2, "e0", ipv6=(LOCAL,))


def hops(
    local: str, *interfaces: Interface, near: bool = False, extended: bool = False, index: int = 0
) -> dict[Family, list[str]]:
    """Addresses by family."""
    agreed = Negotiated(families=frozenset({IPV4, IPV6}), extended_next_hop=extended)
    found = next_hops(Ends(local, "peer", index), interfaces, agreed, near=near)
    return {
        family: [str(ip_address(octets[at : at + 16])) for at in range(0, len(octets), 16)]
        for family, octets in found.items()
    }


def test_the_other_family_goes_by_the_same_interface() -> None:
    assert hops(FOUR, OTHER, E0) == {IPV4: [FOUR], IPV6: [SIX]}
    assert hops(SIX, OTHER, E0) == {IPV4: [FOUR], IPV6: [SIX]}


def test_a_near_peer_learns_the_link_local_address_too() -> None:
    assert hops(SIX, OTHER, E0, near=True)[IPV6] == [SIX, LOCAL]
    assert hops(FOUR, OTHER, E0, near=True)[IPV6] == [SIX]


def test_four_goes_by_way_of_six_where_that_is_agreed() -> None:
    assert hops(SIX, E0, extended=True) == {IPV4: [SIX], IPV6: [SIX]}
    assert hops(FOUR, E0, extended=True)[IPV4] == [FOUR]


def test_an_unnumbered_session_goes_by_the_interface_that_it_is_on() -> None:
    twin = Interface(5, "e5", ipv4=("203.0.113.1",), ipv6=(LOCAL, "2001:db8:5::1"))
    assert hops(LOCAL, E0, twin, near=True, extended=True, index=5) == {
        IPV4: ["2001:db8:5::1", LOCAL],
        IPV6: ["2001:db8:5::1", LOCAL],
    }
    assert hops(LOCAL, BARE, near=True, extended=True, index=2) == {IPV4: [LOCAL], IPV6: [LOCAL]}


def test_without_an_address_there_is_no_next_hop() -> None:
    assert hops(LOCAL, BARE, near=True, index=2) == {IPV6: [LOCAL]}
    assert hops(FOUR) == {IPV4: [FOUR]}


def test_what_leads_nowhere_from_outside_is_no_next_hop() -> None:
    assert hops(FOUR, Interface(1, "lo", ipv4=(FOUR,), ipv6=("::1",))) == {IPV4: [FOUR]}


@pytest.mark.parametrize(
    ("peer", "offered"),
    [
        (Peer("p", 1, 2, address="192.0.2.2"), (IPV4,)),
        (Peer("p", 1, 2, address="2001:db8::2"), (IPV6,)),
        (Peer("p", 1, 2, address="192.0.2.2", dual_stack=True), (IPV4, IPV6)),
        (Peer("p", 1, 2, interface="e0"), (IPV4, IPV6)),
    ],
)
def test_families_follow_the_peer(peer: Peer, offered: tuple[Family, ...]) -> None:
    assert families(peer) == offered


@pytest.mark.parametrize(
    ("peer", "external", "ttl"),
    [
        (Peer("p", 1, 2, address="192.0.2.2"), True, 1),
        (Peer("p", 1, 2, address="192.0.2.2", multihop=True), True, 255),
        (Peer("p", 1, 1, address="192.0.2.2"), False, 255),
        (Peer("p", 1, 2, interface="e0"), True, 255),
    ],
)
def test_what_is_sent_to_an_external_peer_leads_no_further_than_the_link(peer: Peer, external: bool, ttl: int) -> None:
    assert reach(Neighbour(peer), external=external).ttl == ttl


def test_an_unnumbered_peer_is_reached_where_it_was_seen() -> None:
    neighbour = Neighbour(Peer("p", 1, 2, interface="e0", vrf="red"), Password(b"x"))
    found = reach(neighbour, external=True, address="fe80::9")
    assert found == Reach("fe80::9", 179, "e0", "", "red", 255, Password(b"x"))
    assert found.version == 6
    assert "'x'" not in repr(found)
