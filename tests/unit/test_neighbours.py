"""Whom a node has sessions with, by which password, and what it calls itself; what stays the same stays one object."""

from ipaddress import IPv4Address

import pytest
from msgspec.structs import replace

from speakerd.decision import Snapshot
from speakerd.model import Config, Node
from speakerd.neighbours import Neighbours, router_id
from speakerd.peering import BfdProfile, BgpSettings, Neighbour, Password, Peer, Routing

TOR, SPINE = Peer("tor", 64512, 64513, bfd="fast"), Peer("spine", 64512, 64514, secret="s")
FAST, SECRET = BfdProfile("fast"), Password(b"hunter2")


def seen(*peers: Peer, **fields: object) -> Snapshot:
    config = Config(routing=Routing(peers, bfd_profiles=(FAST,)))
    node = Node("a", addresses=("fd00::1", "192.0.2.7", "192.0.2.8"))
    return replace(Snapshot("a", True, {}, {}, {"a": node}, {}, config), **fields)


def turned(snapshot: Snapshot) -> tuple[Neighbour, ...]:
    found = Neighbours()
    found.turn(snapshot)
    return found.value


def test_peers_that_select_this_node_come_with_profile_and_password() -> None:
    elsewhere = Peer("elsewhere", 64512, 64515, nodes=frozenset("b"))
    here = Peer("here", 64512, 64516, nodes=frozenset("ab"))
    found = turned(seen(elsewhere, here, SPINE, TOR, passwords={"spine": SECRET}))
    assert found == (Neighbour(here), Neighbour(SPINE, SECRET), Neighbour(TOR, None, FAST))


def test_a_peer_whose_secret_is_not_known_gets_no_session_rather_than_one_without_password() -> None:
    assert turned(seen(SPINE, TOR)) == (Neighbour(TOR, None, FAST),)


def test_a_host_that_announces_nothing_has_no_session() -> None:
    found = Neighbours()
    found.turn(seen(TOR, announce=False))
    assert (found.value, found.settings.router_id) == ((), "")


def test_what_stays_the_same_stays_one_object() -> None:
    found, first = Neighbours(), seen(TOR, SPINE, passwords={"spine": SECRET})
    found.turn(first)
    value, settings = found.value, found.settings
    again = seen(replace(TOR), replace(SPINE), passwords={"spine": Password(b"hunter2")}, bgp=BgpSettings())
    found.turn(again)
    assert found.value is value
    assert found.settings is settings
    found.turn(replace(again, passwords={"spine": Password(b"other")}))
    assert found.value[0] is value[0]
    assert found.value[1] == Neighbour(SPINE, Password(b"other"))


def test_the_router_id_is_the_setting_or_the_first_ipv4_address_of_the_node() -> None:
    found = Neighbours()
    found.turn(seen(TOR))
    assert found.settings == BgpSettings(router_id="192.0.2.7")
    found.turn(seen(TOR, bgp=BgpSettings(router_id="10.9.9.9", drain=3.0)))
    assert found.settings == BgpSettings(router_id="10.9.9.9", drain=3.0)


@pytest.mark.parametrize("addresses", [(), ("fd00::1",), ("0.0.0.0",), ("no address",)])  # noqa: S104  nobody
def test_without_such_an_address_it_is_made_of_the_name_and_never_nobody_s(addresses: tuple[str, ...]) -> None:
    found = {name: router_id(Node(name, addresses=addresses)) for name in ("a", "b")}
    assert len(set(found.values())) == 2
    assert found == {name: router_id(Node(name, addresses=addresses)) for name in ("a", "b")}
    assert all(int(IPv4Address(each)) for each in found.values())


def test_no_password_is_shown() -> None:
    found = Neighbours()
    snapshot = seen(SPINE, passwords={"spine": SECRET})
    found.turn(snapshot)
    assert "hunter2" not in repr(found.value) + repr(snapshot) + str(SECRET)
