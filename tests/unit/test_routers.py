"""Which path BFD is to watch for a peer, as routers take it, too: FRR's rules for one hop and several."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd.bfd import transport as wire
from speakerd.bfd.effects import Changed, Path
from speakerd.bfd.packet import Diagnostic, State
from speakerd.bgp import discovery, listening
from speakerd.findings import TABLE, Finding
from speakerd.model import Interface
from speakerd.peering import BfdProfile, Peer
from speakerd.routers import DOUBT, SETTLING, Doubts, faster, path_to

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


def down(said: Diagnostic) -> Changed:
    """The neighbour has said that its session is down."""
    signaled = Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN
    return Changed(Path(packed(HERE)), State.DOWN, signaled, State.DOWN, 1.0, said)


ANEW, FAILED = down(Diagnostic.NO_DIAGNOSTIC), down(Diagnostic.CONTROL_DETECTION_TIME_EXPIRED)


def test_a_young_session_outlives_bfd_that_begins_anew_if_the_path_comes_back_soon() -> None:
    doubts = Doubts()
    assert doubts.arise("tor", ANEW, 0.1, 10.0)
    assert doubts.deadline() == 10.0 + DOUBT
    doubts.settle("tor")
    assert (doubts.deadline(), doubts.over(10.0 + DOUBT)) == (None, [])


def test_a_path_that_does_not_come_back_ends_the_session_once() -> None:
    doubts = Doubts()
    doubts.arise("tor", ANEW, 0.1, 10.0)
    assert doubts.over(9.9 + DOUBT) == []
    assert doubts.over(10.0 + DOUBT) == ["tor"]
    assert doubts.over(10.0 + DOUBT) == []


@pytest.mark.parametrize(("change", "up_for"), [(FAILED, 0.1), (ANEW, SETTLING), (ANEW, 0.0)])
def test_a_failure_or_an_older_session_is_never_in_doubt(change: Changed, up_for: float) -> None:
    assert not Doubts().arise("tor", change, up_for, 10.0)
