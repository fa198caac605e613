"""Of each peer of a node it is told whether it hears of an address, in what words, or why not and what would help."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd import decide, hearers
from speakerd.decision import Snapshot
from speakerd.exchange import Facts, Member, Observed
from speakerd.hearers import HearerReport, RoutersReport, Untold
from speakerd.model import IP, Config, Endpoints, Interface, Node, Pool, Range, Reason, Service
from speakerd.peering import Password, Peer, Route, Routing, SessionSeen

V4, V6 = ip_address("10.0.0.1"), ip_address("fd00::1")
POOLS = tuple(Pool(f"p{ip.version}", (Range(ip.version, int(ip), int(ip) + 9),)) for ip in (V4, V6))
TOR = Peer("tor", 64512, 64513, address="192.0.2.1", dual_stack=True)
INSIDE = Peer("inside", 64512, 64512, address="192.0.2.2")
WEB = Service("ns/web", "u", "1", "2026-01-01T00:00:00Z", ours=True, ips=(V4, V6), pool="p4")
UP = SessionSeen("tor", "Established", 1.0, "192.0.2.1", "192.0.2.9", announced=2, families=("ipv4", "ipv6"))
ETH0 = Interface(2, "eth0", b"\2\0\0\0\0\1", ipv4=("192.0.2.9",), ipv6=("2001:db8::9",))
EVERYWHERE = Endpoints(somewhere=True, nodes=frozenset("ab"), ready=frozenset("ab"))


def report(
    *sessions: SessionSeen,
    ip: IP = V4,
    routes: tuple[Route, ...] = (Route("all"),),
    peers: tuple[Peer, ...] = (TOR,),
    pid: int = 3,
    **more: object,
) -> RoutersReport | None:
    """Node a looks on."""
    snapshot = Snapshot(
        me="a",
        settled=True,
        services={WEB.key: WEB},
        endpoints={WEB.key: EVERYWHERE},
        nodes={name: Node(name) for name in "ab"},
        members={"a": Member("a")},
        config=Config(POOLS, routing=Routing(peers, routes)),
    )
    snapshot = replace(snapshot, **more)
    plan, _ = decide.decide(snapshot, decide.Memo())
    observed = Observed((ETH0,), facts=Facts(pid=pid), sessions=sessions)
    return hearers.routers(ip, (WEB.key,), snapshot, plan, observed)


def one(*sessions: SessionSeen, **more: object) -> HearerReport:
    found = report(*sessions, **more)  # type: ignore[arg-type]
    assert found
    assert not found.reason
    (told,) = found.peers
    return told


# -- who is told, and what


def test_a_peer_with_a_session_is_told_by_the_words_of_its_advertisement() -> None:
    route = Route("all", local_pref=200, communities=("64512:1", "large:1:2:3"), med=0, prepend=2)
    told = one(UP, routes=(route,))
    assert (told.peer, told.address, told.prefix, told.told) == ("tor", "192.0.2.1", "10.0.0.1/32", True)
    assert (told.communities, told.large, told.med, told.prepend) == (["64512:1"], ["1:2:3"], 0, 2)
    assert told.local_pref is None, "nobody of another AS hears of a preference"
    assert (told.reason, told.message) == ("", "")


@pytest.mark.parametrize("inside", [INSIDE, replace(TOR, peer_asn=0, dynamic_asn="internal")])
def test_a_peer_of_our_own_as_hears_a_preference_and_no_longer_path(inside: Peer) -> None:
    told = one(replace(UP, peer=inside.name), routes=(Route("all", local_pref=200, prepend=2),), peers=(inside,))
    assert (told.told, told.local_pref, told.prepend) == (True, 200, 0)
    told = one(replace(UP, peer=inside.name), peers=(inside,))
    assert told.local_pref == 100


def test_a_prefix_of_several_addresses_is_told_whole() -> None:
    routes = (Route("all", aggregation=24, aggregation_v6=61),)
    assert one(UP, routes=routes).prefix == "10.0.0.0/24"
    assert one(UP, routes=routes, ip=V6).prefix == "fd00::/61"


def test_each_prefix_and_each_peer_has_its_line_and_peers_of_other_nodes_have_none() -> None:
    routes = Route("wide", aggregation=24, peers=("tor",)), Route("all")
    found = report(UP, routes=routes, peers=(TOR, INSIDE, Peer("other", 1, 2, nodes=frozenset("b"))))
    assert found
    assert [(each.prefix, each.peer, each.reason) for each in found.peers] == [
        ("10.0.0.0/24", "inside", "peer-not-selected"),
        ("10.0.0.0/24", "tor", ""),
        ("10.0.0.1/32", "inside", "session-down"),
        ("10.0.0.1/32", "tor", ""),
    ]


# -- why one is not


def test_a_session_that_is_down_is_told_with_its_last_error() -> None:
    told = one(replace(UP, state="Active", error="connection refused"))
    assert (told.told, told.reason) == (False, "session-down")
    assert told.message == "the session is Active: connection refused"
    assert one().message == "the session is Idle: the router has not answered yet"


def test_a_family_that_was_not_agreed_says_how_to_get_it() -> None:
    told = one(replace(UP, families=("ipv4",)), ip=V6)
    assert told.reason == "family-not-agreed"
    assert "ipv6" in told.message
    assert "dualStackAddressFamily" in told.message


def test_a_host_without_an_address_of_the_family_has_no_next_hop() -> None:
    half = replace(UP, unsent={"ipv6": {"no-next-hop": 1}, "ipv4": {}})
    told = one(half, ip=V6)
    assert (told.told, told.reason) == (False, "no-next-hop")
    assert "no ipv6 address" in told.message
    assert one(half, ip=V4).told


def test_words_that_no_message_holds_are_told_as_such() -> None:
    told = one(replace(UP, announced=0, unsent={"ipv4": {"too-long": 1}}))
    assert (told.told, told.reason) == (False, "too-long")
    assert "fewer communities" in told.message


def test_a_drained_node_withdraws() -> None:
    told = one(UP, drained=True)
    assert (told.told, told.reason) == (False, "drained")
    assert "undrain" in told.message


def test_what_is_on_its_way_is_not_there_yet() -> None:
    assert one(replace(UP, announced=0, due=7)).message == "it is on its way: the router is to take 7 prefixes yet"


def test_a_peer_whose_password_is_not_known_has_no_session() -> None:
    locked = replace(TOR, secret="tor-password")
    assert one(UP, peers=(locked,)).reason == "no-password"
    told = one(UP, peers=(locked,), passwords={"tor": Password(b"hush")})
    assert told.told
    assert "hush" not in repr(told)


def test_without_an_announcer_nobody_is_told() -> None:
    assert one(UP, pid=0).reason == "announcer-not-running"


# -- why nobody is


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"routes": ()}, Reason.NO_ADVERTISEMENT),
        ({"routes": (Route("other", pools=frozenset({"p6"})),)}, Reason.NO_ADVERTISEMENT),
        ({"routes": (Route("b", nodes=frozenset("b")),)}, Reason.NODE_NOT_SELECTED),
        ({"peers": ()}, Reason.NO_PEER),
        ({"peers": (replace(TOR, nodes=frozenset("b")),)}, Reason.NO_PEER),
        ({"routes": (Route("one", med=1), Route("two", med=2))}, Reason.CONFLICTING_ADVERTISEMENTS),
        ({"endpoints": {}}, Reason.NO_ENDPOINTS),
        (
            {
                "services": {WEB.key: replace(WEB, local_policy=True)},
                "endpoints": {WEB.key: replace(EVERYWHERE, nodes=frozenset("b"))},
            },
            Reason.NO_LOCAL_ENDPOINTS,
        ),
        ({"nodes": {"a": Node("a", excluded=True)}}, Reason.NODE_EXCLUDED),
        ({"nodes": {"a": Node("a", network_unavailable=True)}}, Reason.NETWORK_UNAVAILABLE),
        ({"nodes": {}}, Reason.NO_MEMBER_RECORD),
        ({"announce": False}, Untold.ANNOUNCES_NOTHING),
    ],
)
def test_where_nobody_is_told_the_reason_is_told_once_with_the_way_out(more: dict[str, object], reason: str) -> None:
    found = report(UP, **more)  # type: ignore[arg-type]
    assert found
    assert (found.reason, found.peers) == (reason, [])
    assert len(found.message) > len(reason)


def test_a_cluster_without_bgp_is_not_bothered() -> None:
    assert report(routes=(), peers=()) is None


def test_every_reason_has_words() -> None:
    assert set(hearers.MEANING) == set(Untold) - {Untold.NONE}
