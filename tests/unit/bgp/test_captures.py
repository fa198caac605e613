"""What five routers really say is read as what it says, and where we would say the same we say it in the same octets.

tests/data/bgp has what they said, recorded by tests/lab/routers/goldens.py, which has each do the same things.
"""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from speakerd.bgp import message, nlri, opening, update
from speakerd.bgp.aspath import Segment, SegmentKind
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.capability import Capabilities, Restart
from speakerd.bgp.error import Notification
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.frame import MOST
from speakerd.bgp.message import KEEPALIVE, Keepalive, Message, RouteRefresh
from speakerd.bgp.opening import Open
from speakerd.bgp.tolerance import Routes
from speakerd.bgp.update import Update
from tests.unit.bgp.golden import TERMS, frame, octets

FOLDER = Path(__file__).parents[2] / "data" / "bgp"
ROUTERS = ("frr", "bird", "gobgp", "exabgp", "openbgpd")
ASN = 4200000001


def captured(router: str) -> dict[str, bytes]:
    """What a router said, by what it is; each stands below a line that tells who, which version and what."""
    lines = (FOLDER / f"{router}.hex").read_text().splitlines()
    return {head.partition(": ")[2]: bytes.fromhex(data) for head, data in zip(lines[::2], lines[1::2], strict=True)}


SAID = {router: captured(router) for router in ROUTERS}


def read(router: str, name: str) -> Message:
    found = frame(SAID[router][name])
    assert found
    return message.decode(found, TERMS)


BOTH = (IPV4, IPV6)
KEPT = ((IPV4, True), (IPV6, True))
LOST = ((IPV4, False), (IPV6, False))
CAPABILITIES = {
    # 128 is route refresh before it had a number; 70 enhanced route refresh, 69 additional paths, both families, to
    # receive; 73 the name "frr"; 71 long-lived graceful restart
    "frr": Capabilities(
        BOTH,
        ASN,
        route_refresh=True,
        extended_message=True,
        restart=Restart(120, LOST, restarted=True, notifies=True),
        other=(
            (128, b""),
            (70, b""),
            (69, octets("0001 01 01 0002 01 01")),
            (73, b"\x03frr\x00"),
            (71, octets("0001 01 80 000000 0002 01 80 000000")),
        ),
    ),
    "bird": Capabilities(BOTH, ASN, route_refresh=True, restart=Restart(120, LOST), other=((70, b""), (71, b""))),
    "gobgp": Capabilities(
        BOTH,
        ASN,
        route_refresh=True,
        next_hops=((IPV4, 2),),
        restart=Restart(120, LOST),
        other=((73, b"\x05gobgp\x00"),),
    ),
    "exabgp": Capabilities(
        BOTH,
        ASN,
        route_refresh=True,
        extended_message=True,
        restart=Restart(120, KEPT, restarted=True),
        other=((70, b""),),
    ),
    # End-of-RIB is all that it does: no time, no family
    "openbgpd": Capabilities(BOTH, ASN, route_refresh=True, restart=Restart(0, restarted=True)),
}


@pytest.mark.parametrize("router", ROUTERS)
def test_an_open_says_who_a_router_is_and_what_it_can_do(router: str) -> None:
    assert read(router, "open") == Open(ASN, 90, octets("c0000201"), CAPABILITIES[router])


@pytest.mark.parametrize("router", ["bird", "openbgpd"])
def test_the_same_open_of_ours_has_the_same_octets(router: str) -> None:
    said = Open(ASN, 90, octets("c0000201"), CAPABILITIES[router])
    assert opening.encode(said) == SAID[router]["open"]


@pytest.mark.parametrize("router", ["frr", "gobgp", "exabgp"])
def test_an_open_in_another_order_or_in_many_parameters_says_the_same_as_ours(router: str) -> None:
    said = Open(ASN, 90, octets("c0000201"), CAPABILITIES[router])
    assert opening.encode(said) != SAID[router]["open"]
    assert opening.decode(opening.encode(said)[19:]) == said


@pytest.mark.parametrize("router", ROUTERS)
def test_a_keepalive_is_one_and_ours_is_the_same(router: str) -> None:
    assert read(router, "keepalive") == Keepalive()
    assert SAID[router]["keepalive"] == KEEPALIVE


def sequence(*numbers: int) -> tuple[Segment, ...]:
    return (Segment(SegmentKind.SEQUENCE, numbers),)


NET = nlri.encode(ip_network("203.0.113.0/24"))
NET_SIX = nlri.encode(ip_network("2001:db8:1::/48"))
BY_FOUR = ip_address("10.99.0.201").packed
BY_SIX = ip_address("fd99::201").packed
BY_LINK = BY_SIX + ip_address("fe80::201").packed
"""A router that sits on the link with us tells its link-local address too (RFC 2545 section 3)."""
HOPS = {"frr": BY_LINK, "bird": BY_LINK, "gobgp": BY_SIX, "exabgp": BY_SIX, "openbgpd": BY_SIX}


OF_FOUR = Attributes(
    path=sequence(ASN, ASN, ASN),
    med=50,
    communities=(65001 << 16 | 100, 65001 << 16 | 101),
    large=((ASN, 1, 2),),
)
"""65001:100 and 65001:101, 4200000001:1:2, MED 50, two prepended."""


def of_six(router: str) -> Attributes:
    """65001:100, 4200000001:3:4; FRR adds a MED that nobody asked for."""
    return Attributes(
        path=sequence(ASN),
        med=0 if router == "frr" else None,
        communities=(65001 << 16 | 100,),
        large=((ASN, 3, 4),),
    )


@pytest.mark.parametrize("router", ROUTERS)
def test_an_announcement_of_ipv4_says_all_that_the_router_was_told(router: str) -> None:
    expected = Update((Routes(IPV4, NET, 1, BY_FOUR),), attributes=OF_FOUR)
    assert read(router, "announce ipv4") == expected


@pytest.mark.parametrize("router", ROUTERS)
def test_an_announcement_of_ipv6_says_all_that_the_router_was_told(router: str) -> None:
    expected = Update((Routes(IPV6, NET_SIX, 1, HOPS[router]),), attributes=of_six(router))
    assert read(router, "announce ipv6") == expected


@pytest.mark.parametrize("router", ["bird", "exabgp", "openbgpd"])
def test_the_same_announcement_of_ipv4_by_us_has_the_same_octets(router: str) -> None:
    made = update.announced(OF_FOUR, IPV4, BY_FOUR, [NET], TERMS, MOST)
    assert list(made) == [SAID[router]["announce ipv4"]]


def test_the_same_announcement_of_ipv6_by_us_has_the_same_octets() -> None:
    """Others put the routes last, or have a length in two octets where we have it in one."""
    made = update.announced(of_six("bird"), IPV6, BY_LINK, [NET_SIX], TERMS, MOST)
    assert list(made) == [SAID["bird"]["announce ipv6"]]


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize(("name", "family", "net"), [("ipv4", IPV4, NET), ("ipv6", IPV6, NET_SIX)])
def test_a_withdrawal_is_one_whatever_else_is_said_with_it(router: str, name: str, family: Family, net: bytes) -> None:
    """ExaBGP tells origin and path of an IPv6 route that it withdraws."""
    assert read(router, f"withdraw {name}") == Update(withdrawn=(Routes(family, net, 1),))


@pytest.mark.parametrize("router", ROUTERS)
def test_the_same_withdrawal_by_us_has_the_same_octets(router: str) -> None:
    assert list(update.withdrawn(IPV4, [NET], MOST)) == [SAID[router]["withdraw ipv4"]]
    if router not in {"gobgp", "exabgp"}:
        assert list(update.withdrawn(IPV6, [NET_SIX], MOST)) == [SAID[router]["withdraw ipv6"]]


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize(("name", "family"), [("ipv4", IPV4), ("ipv6", IPV6)])
def test_the_end_of_rib_is_one_and_ours_is_the_same_but_exabgps(router: str, name: str, family: Family) -> None:
    """ExaBGP's of IPv6 has its length in two octets, as any attribute may."""
    said = f"end of rib {name}"
    assert read(router, said) == Update(end_of_rib=family)
    assert (update.end_of_rib(family) == SAID[router][said]) == ((router, family) != ("exabgp", IPV6))


@pytest.mark.parametrize("router", ["frr", "bird", "exabgp", "openbgpd"])
@pytest.mark.parametrize(("name", "family"), [("ipv4", IPV4), ("ipv6", IPV6)])
def test_a_request_for_all_routes_is_one_and_ours_is_the_same(router: str, name: str, family: Family) -> None:
    assert read(router, f"refresh {name}") == RouteRefresh(family)
    assert SAID[router][f"refresh {name}"] == message.route_refresh(family)


@pytest.mark.parametrize("router", ROUTERS)
def test_a_shutdown_tells_what_the_operator_wrote_where_the_router_can(router: str) -> None:
    text = "Administrative Shutdown" if router == "exabgp" else "maintenance at noon"
    said = read(router, "notification 6/2")
    assert said == Notification(6, 2, bytes((len(text),)) + text.encode())
    assert (said.words, said.communication) == ("Cease/Administrative Shutdown", text)
    assert message.notification(said) == SAID[router]["notification 6/2"]


STRANGERS = {
    # The number that was not expected, in two octets or four, or in words; 65010
    "frr": octets("fdf2"),
    "bird": octets("0000fdf2"),
    "gobgp": b"",
    "exabgp": b"ASN in OPEN (65010) did not match ASN expected (65099)",
    "openbgpd": b"",
}


@pytest.mark.parametrize("router", ROUTERS)
def test_who_is_taken_for_another_as_is_told_so(router: str) -> None:
    said = read(router, "notification 2/2")
    assert said == Notification(2, 2, STRANGERS[router])
    assert (said.words, said.communication) == ("OPEN Message Error/Bad Peer AS", "")
    assert message.notification(said) == SAID[router]["notification 2/2"]
