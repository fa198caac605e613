"""Which path BFD is to watch for a peer, as routers take it, too: FRR's rules for one hop and several."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd.bfd import transport as wire
from speakerd.bfd.effects import Path
from speakerd.bgp import discovery, listening
from speakerd.findings import TABLE, Finding
from speakerd.model import Interface
from speakerd.peering import BfdProfile, Peer
from speakerd.routers import faster, path_to

ETH1 = Interface(7, "eth1", ipv4=("192.0.2.9",), networks=("192.0.2.9/24", "2001:db8::9/64", "fe80::9/64"))
HERE, AFAR = "192.0.2.1", "198.51.100.1"
EXTERNAL = Peer("one", 64512, 64513, address=HERE)
INTERNAL = replace(EXTERNAL, peer_asn=64512)


def path(peer: Peer, address: str = "") -> Path | None:
    return path_to(peer, address or peer.address, [ETH1])


def packed(text: str) -> bytes:
    return ip_address(text).packed


@pytest.mark.parametrize("address", [HERE, AFAR])
def test_a_peer_of_another_as_is_next_to_us_unless_it_is_said_to_be_far(address: str) -> None:
    peer = replace(EXTERNAL, address=address)
    assert path(peer) == Path(packed(address))
    assert path(replace(peer, multihop=True)) == Path(packed(address), multihop=True)


@pytest.mark.parametrize("address", [HERE, "2001:db8::1"])
def test_a_peer_of_our_as_is_next_to_us_where_its_address_is_on_a_link(address: str) -> None:
    assert path(replace(INTERNAL, address=address)) == Path(packed(address))


@pytest.mark.parametrize("address", [AFAR, "2001:db8:1::1"])
def test_a_peer_of_our_as_is_far_where_no_link_has_its_address(address: str) -> None:
    assert path(replace(INTERNAL, address=address)) == Path(packed(address), multihop=True)
    learnt = replace(INTERNAL, peer_asn=0, dynamic_asn="internal", address=address)
    assert path(learnt) == Path(packed(address), multihop=True)


def test_a_local_asn_makes_a_peer_of_our_own_as_an_external_one() -> None:
    assert path(replace(INTERNAL, address=AFAR, local_asn=65000)) == Path(packed(AFAR))


def test_a_peer_behind_an_interface_is_watched_there_once_its_address_is_known() -> None:
    peer = replace(EXTERNAL, address="", interface="eth1")
    assert path(peer) is None
    assert path(peer, "fe80::1") == Path(packed("fe80::1"), 7)


def test_the_path_begins_at_the_address_and_in_the_vrf_that_are_configured() -> None:
    peer = replace(EXTERNAL, source_address="192.0.2.77", vrf="red")
    assert path(peer) == Path(packed(HERE), local=packed("192.0.2.77"), vrf="red")


@pytest.mark.parametrize(
    "word",
    [listening.PORT_TAKEN, listening.NOT_LISTENING, discovery.UNDISCOVERED, wire.PORT_TAKEN, wire.NOT_SENDING],
)
def test_what_stands_in_the_way_of_a_protocol_is_a_finding_with_a_remedy(word: str) -> None:
    assert TABLE[Finding(word)].remedy


def test_of_two_profiles_for_one_path_the_one_counts_that_notices_a_death_sooner() -> None:
    fast, slow = BfdProfile("fast", receive_interval=100), BfdProfile("slow", receive_interval=50, detect_multiplier=9)
    assert faster(fast, slow) == faster(slow, fast) == fast
