"""What each node tells its BGP peers of an address, and why not."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd.model import Config, Endpoints, Node, Reason, Service
from speakerd.peering import Peer, Route, Routing, Wording
from speakerd.routes import Path, Routes
from tests.unit.allocation import pool, service

IP, SIX = ip_address("10.0.0.9"), ip_address("fd00::9")
POOL = pool("p", "10.0.0.0/24", "fd00::/120")
NODES = {name: Node(name) for name in "ab"}
EVERYWHERE = Endpoints(True, frozenset("ab"))
WEB = service("web1", ["10.0.0.9"])
TOR, SPINE = Peer("tor", 64512, 64513), Peer("spine", 64512, 64514)


def announced(
    *routes: Route,
    peers: tuple[Peer, ...] = (TOR,),
    of: Service = WEB,
    six: bool = False,
    endpoints: Endpoints = EVERYWHERE,
    nodes: dict[str, Node] | None = None,
) -> list[Path] | Reason:
    config = Config((POOL,), routing=Routing(peers, routes))
    return Routes(config, NODES if nodes is None else nodes).announced(of, SIX if six else IP, endpoints)


def test_every_node_tells_every_peer_unless_an_advertisement_says_otherwise() -> None:
    assert announced(Route("all"), peers=(TOR, SPINE)) == [
        Path("10.0.0.9/32", "a", ("spine", "tor")),
        Path("10.0.0.9/32", "b", ("spine", "tor")),
    ]
    assert announced(Route("all"), six=True) == [Path("fd00::9/128", name, ("tor",)) for name in "ab"]


def test_pools_nodes_peers_and_services_limit_it() -> None:
    chosen = Route("some", frozenset("p"), frozenset("a"), peers=("spine",), local_pref=7, communities=("1:2",))
    assert announced(chosen, peers=(TOR, SPINE)) == [Path("10.0.0.9/32", "a", ("spine",), 7, ("1:2",))]
    assert announced(replace(chosen, pools=frozenset("q"))) is Reason.NO_ADVERTISEMENT
    assert announced(replace(chosen, by_service=True)) is Reason.NO_ADVERTISEMENT
    meant = replace(WEB, advertised_by=("bgp/some",))
    assert announced(replace(chosen, by_service=True), of=meant, peers=(SPINE,)) != Reason.NO_ADVERTISEMENT
    assert announced(replace(chosen, by_service=True), of=replace(WEB, advertised_by=("some",))) is not None


def test_only_nodes_that_a_peer_selects_have_a_session_with_it() -> None:
    found = announced(Route("all"), peers=(replace(TOR, nodes=frozenset("b")),))
    assert found == [Path("10.0.0.9/32", "b", ("tor",))]
    assert announced(Route("all"), peers=()) is Reason.NO_PEER


def test_an_aggregate_is_announced_in_place_of_the_address() -> None:
    found = announced(Route("both", aggregation=24), Route("single", nodes=frozenset("a"), local_pref=100))
    assert found == [
        Path("10.0.0.0/24", "a", ("tor",)),
        Path("10.0.0.9/32", "a", ("tor",), 100),
        Path("10.0.0.0/24", "b", ("tor",)),
    ]


def test_what_several_advertisements_say_of_one_prefix_adds_up_for_each_peer() -> None:
    found = announced(
        Route("one", communities=("1:1",)),
        Route("two", communities=("2:2", "1:1"), peers=("spine",)),
        peers=(TOR, SPINE),
        nodes={"a": Node("a")},
    )
    assert found == [
        Path("10.0.0.9/32", "a", ("tor",), 0, ("1:1",)),
        Path("10.0.0.9/32", "a", ("spine",), 0, ("1:1", "2:2")),
    ]


@pytest.mark.parametrize(
    ("other", "conflicts"),
    [
        (Route("two", local_pref=9), True),
        (Route("two", local_pref=9, aggregation=24), False),
        (Route("two", local_pref=9, peers=("spine",)), False),
        (Route("two", local_pref=9, peers=("tor",)), True),
        (Route("two", local_pref=0), False),
        (Route("two", med=0), True),
        (Route("two", med=0, peers=("spine",)), False),
        (Route("two", prepend=1), True),
        (Route("two", prepend=1, aggregation=24), False),
    ],
)
def test_two_numbers_for_one_prefix_and_peer_contradict_each_other(other: Route, *, conflicts: bool) -> None:
    found = announced(Route("one", peers=("tor",)), other, peers=(TOR, SPINE))
    assert (found is Reason.CONFLICTING_ADVERTISEMENTS) == conflicts


def test_med_and_prepending_are_said_where_they_are_asked_for() -> None:
    one = Route("one", med=0, prepend=2, nodes=frozenset("a"))
    assert announced(one, Route("two", nodes=frozenset("b"))) == [
        Path("10.0.0.9/32", "a", ("tor",), 0, (), 0, 2),
        Path("10.0.0.9/32", "b", ("tor",)),
    ]


def test_different_preferences_on_different_nodes_do_not() -> None:
    one, two = Route("one", nodes=frozenset("a"), local_pref=1), Route("two", nodes=frozenset("b"), local_pref=2)
    assert announced(one, two) == [
        Path("10.0.0.9/32", "a", ("tor",), 1),
        Path("10.0.0.9/32", "b", ("tor",), 2),
    ]


@pytest.mark.parametrize(
    ("endpoints", "local", "expected"),
    [
        (Endpoints(), False, Reason.NO_ENDPOINTS),
        (Endpoints(True), False, ["a", "b"]),
        (Endpoints(True, frozenset("b")), False, ["a", "b"]),
        (Endpoints(True, frozenset("b")), True, ["b"]),
        (Endpoints(True, frozenset("x")), True, Reason.NO_LOCAL_ENDPOINTS),
    ],
)
def test_endpoints_decide_who_announces(endpoints: Endpoints, *, local: bool, expected: list[str] | Reason) -> None:
    found = announced(Route("all"), endpoints=endpoints, of=replace(WEB, local_policy=local))
    assert (found if isinstance(found, Reason) else [each.node for each in found]) == expected


def test_what_one_node_says_is_worked_out_once_for_all_addresses_of_a_pool_and_for_no_other_node() -> None:
    routes = Routes(Config((POOL,), routing=Routing((TOR,), (Route("all", med=3),))), NODES)
    first = routes.told("a", WEB, IP, EVERYWHERE)
    assert first == ((32, ((Wording(med=3), ("tor",)),)),)
    assert routes.told("a", service("web2"), ip_address("10.0.0.77"), EVERYWHERE) is first
    assert {asked[0] for asked in routes._found} == {"a"}
    assert routes.told("x", WEB, IP, EVERYWHERE) is Reason.NO_MEMBER_RECORD


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (Node("a", excluded=True), Reason.NODE_EXCLUDED),
        (Node("a", network_unavailable=True), Reason.NETWORK_UNAVAILABLE),
    ],
)
def test_a_node_that_may_not_announce_does_not(node: Node, reason: Reason) -> None:
    assert announced(Route("all"), nodes={"a": node}) is reason
    assert announced(Route("all"), nodes={"a": node, "b": Node("b")}) == [Path("10.0.0.9/32", "b", ("tor",))]
    assert announced(Route("all", nodes=frozenset("b")), nodes={"a": Node("a")}) is Reason.NODE_NOT_SELECTED
