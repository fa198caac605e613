"""Real routers in the lab: what each says of its sessions and routes is what the other end did."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.lab import net
from tests.lab.net import Lan
from tests.lab.routers.bird import Bird
from tests.lab.routers.capture import Stream
from tests.lab.routers.exabgp import ExaBgp
from tests.lab.routers.frr import Frr
from tests.lab.routers.gobgp import GoBgp
from tests.lab.routers.openbgpd import OpenBgpd
from tests.lab.routers.router import Bfd, BfdSession, Neighbour, Route, Router, Seen, Setup, missing
from tests.lab.waiting import eventually

OTHERS: tuple[type[Router], ...] = (Bird, GoBgp, ExaBgp, OpenBgpd)
FRR_ASN = 4200000001


def asn(kind: type[Router]) -> int:
    return 65002 + OTHERS.index(kind)


def of_frr(prefix: str) -> Route:
    return Route(prefix=prefix, communities=((65001, 100), (65001, 101)), large=((FRR_ASN, 1, 2),), med=50, prepend=2)


def of_other(number: int, prefix: str) -> Route:
    return Route(prefix=prefix, communities=((number, 7),), large=((FRR_ASN, 8, 9),), med=70, prepend=1)


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if lacking := net.missing() or missing((Frr, *OTHERS)):
        pytest.skip(f"needed: {lacking}")
    with Lan(0, 5) as made:
        yield made


@pytest.fixture(scope="module")
def routers(lan: Lan) -> Iterator[dict[type[Router], Router]]:
    """FRR, and each of the others in a session with it, both families over one; with BIRD it speaks BFD too."""
    first, *hosts = lan.routers
    ours = tuple(
        Neighbour(address=host.ipv4, asn=asn(kind), bfd=Bfd() if kind is Bird else None)
        for kind, host in zip(OTHERS, hosts, strict=True)
    )
    told = tuple(map(of_frr, ("203.0.113.0/24", "2001:db8:1::/48")))
    with ExitStack() as stack:
        setup = Setup(asn=FRR_ASN, router_id="192.0.2.1", neighbours=ours, routes=told)
        found: dict[type[Router], Router] = {Frr: stack.enter_context(Frr(lan, first, setup))}
        for number, (kind, host) in enumerate(zip(OTHERS, hosts, strict=True), 2):
            theirs = Neighbour(address=first.ipv4, asn=FRR_ASN, bfd=Bfd() if kind is Bird else None)
            routes = tuple(
                of_other(asn(kind), each) for each in (f"198.51.100.{number}/32", f"2001:db8:2::{number}/128")
            )
            setup = Setup(asn=asn(kind), router_id=f"192.0.2.{number}", neighbours=(theirs,), routes=routes)
            found[kind] = stack.enter_context(kind(lan, host, setup))
        yield found


@pytest.mark.parametrize("kind", OTHERS)
def test_both_ends_say_that_the_session_is_up(routers: dict[type[Router], Router], kind: type[Router]) -> None:
    frr, other = routers[Frr], routers[kind]
    for one, two in ((frr, other), (other, frr)):
        session = one.wait_up(two.host.ipv4)
        assert session.uptime is not None
        assert session.capabilities


@pytest.mark.parametrize("kind", OTHERS)
def test_the_other_sees_all_that_frr_says_of_a_route(routers: dict[type[Router], Router], kind: type[Router]) -> None:
    frr, other = routers[Frr].host, routers[kind]
    for prefix, hop in (("203.0.113.0/24", frr.ipv4), ("2001:db8:1::/48", frr.ipv6)):
        (seen,) = other.wait_route(prefix)
        assert_said(seen, of_frr(prefix), frr.ipv4, hop, FRR_ASN)


@pytest.mark.parametrize("kind", OTHERS)
def test_frr_sees_all_that_the_other_says_of_a_route(routers: dict[type[Router], Router], kind: type[Router]) -> None:
    frr, other = routers[Frr], routers[kind]
    for route in other.setup.routes:
        hop = other.host.ipv4 if route.family == "ipv4" else other.host.ipv6
        seen = next(each for each in frr.wait_route(route.prefix) if each.peer == other.host.ipv4)
        assert_said(seen, route, other.host.ipv4, hop, asn(kind))


def test_frr_and_bird_have_a_bfd_session_and_routes_in_their_kernels(routers: dict[type[Router], Router]) -> None:
    frr, bird = routers[Frr], routers[Bird]
    for one, two in ((frr, bird), (bird, frr)):
        eventually(lambda: one.bfd() == [BfdSession(two.host.ipv4, "up")], "BFD is up")  # noqa: B023 - waited for here
        for route in two.setup.routes:
            hops = eventually(partial(one.kernel, route.prefix), f"{route.prefix} is in the kernel")
            assert len(hops) == 1
    eventually(lambda: frr.kernel("198.51.100.2/32") == {bird.host.ipv4}, "by way of BIRD")


def test_all_who_announce_a_prefix_are_its_next_hops_in_the_kernel(routers: dict[type[Router], Router]) -> None:
    prefix = "198.51.100.99/32"
    announcing = [routers[kind] for kind in OTHERS]
    for each in announcing:
        each.announce(Route(prefix=prefix))
    eventually(lambda: routers[Frr].kernel(prefix) == {each.host.ipv4 for each in announcing}, "all are next hops")
    for each in announcing:
        each.withdraw(prefix)
    eventually(lambda: prefix not in routers[Frr].prefixes() and not routers[Frr].kernel(prefix), "none is left")


def test_a_shutdown_is_told_with_its_reason(routers: dict[type[Router], Router]) -> None:
    """The last of all: these sessions do not come back. ExaBGP's does, and only it remembers."""
    frr = routers[Frr]
    for kind in OTHERS:
        host, peer = routers[kind].host.ipv4, frr.host.ipv4
        # A busy machine may just have ended it (BFD), and who has no session can tell nobody.
        frr.wait_up(host)
        routers[kind].shut(peer, "maintenance at noon")
        told = partial(routers[kind].session, peer) if kind is ExaBgp else partial(frr.session, host)
        said = "Administrative Shutdown" if kind is ExaBgp else "Administrative Shutdown: maintenance at noon"
        eventually(lambda: said in told().error, f"{said!r} is told by {kind.__name__}")  # noqa: B023 - waited for here


def test_segments_in_any_order_twice_and_past_the_end_of_numbers_are_one_stream() -> None:
    message = b"\xff" * 16 + b"\x00\x17\x02" + bytes(4)
    stream, first = Stream((1 << 32) - 10), (1 << 32) - 10
    both = message + message
    for start, end in ((20, 30), (0, 5), (0, 12), (25, 46), (12, 20)):
        stream.segment((first + start) % (1 << 32), both[start:end])
    assert stream.messages() == [message, message]


def assert_said(seen: Seen, route: Route, peer: str, hop: str, number: int) -> None:
    assert (seen.prefix, seen.peer, seen.next_hop) == (route.prefix, peer, hop)
    assert seen.path == (number,) * (route.prepend + 1)
    assert (seen.communities, seen.large) == (frozenset(route.communities), frozenset(route.large))
    assert seen.med == route.med
