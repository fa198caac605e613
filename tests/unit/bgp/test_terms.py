"""What a peer's configuration makes of a session, and what a change of it costs."""

import pytest
from msgspec.structs import replace

from speakerd.bgp import opening
from speakerd.bgp.capability import Capabilities, Restart
from speakerd.bgp.family import IPV4, IPV6
from speakerd.bgp.opening import Open
from speakerd.bgp.terms import HOLD_TIME, RESTART_TIME, Terms, of_peer
from speakerd.peering import Peer

PEER = Peer("tor", 65001, 65002, address="192.0.2.254")
OURS = bytes((10, 0, 0, 1))
BOTH = (IPV4, IPV6)


def terms(peer: Peer = PEER) -> Terms:
    return of_peer(peer, OURS, BOTH)


def test_an_open_offers_what_we_can_do() -> None:
    said = Capabilities(BOTH, 65001, route_refresh=True, extended_message=True)
    assert terms().open == Open(65001, HOLD_TIME, OURS, said)
    assert opening.decode(opening.encode(terms().open)[19:]) == terms().open


def test_a_peers_own_router_id_and_local_as_go_first() -> None:
    found = terms(replace(PEER, router_id="192.0.2.7", local_asn=64999))
    assert (found.identifier, found.asn) == (bytes((192, 0, 2, 7)), 64999)


def test_no_hold_time_is_another_wish_than_none_said() -> None:
    assert terms(replace(PEER, hold_time=0)).hold_time == 0
    assert terms(replace(PEER, hold_time=None)).hold_time == HOLD_TIME


def test_a_restart_is_offered_when_wanted_and_told_when_it_has_been() -> None:
    wanted = terms(replace(PEER, graceful_restart=True))
    fresh = wanted.open.capabilities.restart
    assert fresh == Restart(RESTART_TIME, ((IPV4, True), (IPV6, True)))
    back = replace(wanted, restarted=True).open.capabilities.restart
    assert back == Restart(RESTART_TIME, ((IPV4, True), (IPV6, True)), restarted=True)


@pytest.mark.parametrize(
    ("change", "offered"), [({}, False), ({"address": "2001:db8::1"}, True), ({"address": "", "interface": "e0"}, True)]
)
def test_next_hops_of_six_are_offered_over_six(change: dict[str, str], offered: bool) -> None:
    assert bool(terms(replace(PEER, **change)).open.capabilities.next_hops) is offered


@pytest.mark.parametrize("change", [{"name": "other"}, {"origin": "file"}, {"nodes": frozenset("a")}, {"bfd": "fast"}])
def test_what_only_names_a_peer_is_no_part_of_its_terms(change: dict[str, object]) -> None:
    assert terms(replace(PEER, **change)) == terms()


@pytest.mark.parametrize("change", [{"connect_time": 7}, {"keepalive_time": 7}])
def test_a_session_outlives_a_change_of_its_pace(change: dict[str, int]) -> None:
    assert terms(replace(PEER, **change)) != terms()
    assert terms().outlived_by(terms(replace(PEER, **change)))


@pytest.mark.parametrize(
    "change",
    [
        {"address": "192.0.2.253"},
        {"port": 1179},
        {"source_address": "192.0.2.1"},
        {"vrf": "red"},
        {"multihop": True},
        {"peer_asn": 65003},
        {"my_asn": 65003},
        {"router_id": "192.0.2.7"},
        {"hold_time": 30},
        {"graceful_restart": True},
    ],
)
def test_a_session_does_not_outlive_a_change_of_its_way_or_its_open(change: dict[str, object]) -> None:
    assert not terms().outlived_by(terms(replace(PEER, **change)))


def test_a_session_does_not_outlive_another_password() -> None:
    assert not of_peer(PEER, OURS, BOTH, "a1").outlived_by(of_peer(PEER, OURS, BOTH, "b2"))
