"""Sessions of every kind with FRR and BIRD, each by the router's own view: who peers, over what, signed and watched."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.lab.bgp import (
    OURS,
    THEIRS,
    Stage,
    amend,
    bgp,
    both,
    has_error,
    in_state,
    meet,
    peer,
    staged,
    told,
)
from tests.lab.net import tool
from tests.lab.objects import METALLB, Object, meta
from tests.lab.routers.bird import Bird
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Bfd, Neighbour, Router, Setup
from tests.lab.steps import Family, given, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

TWO: tuple[Family, ...] = ("IPv4", "IPv6")
FAST = {"receiveInterval": 50, "transmitInterval": 50, "detectMultiplier": 3}


@pytest.fixture(scope="module")
def alone() -> Iterator[Stage]:
    with staged() as made:
        yield made


@pytest.fixture
def stage(alone: Stage) -> Iterator[Stage]:
    """Every address is told to all peers."""
    alone.cluster.create(bgp("BGPAdvertisement", "all", localPref=150))
    yield alone
    alone.tidy()


def secret(name: str, password: str) -> Object:
    octets = {"password": b64encode(password.encode()).decode()}
    kind = "kubernetes.io/basic-auth"
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta(name, METALLB), "type": kind, "data": octets}


def addresses(stage: Stage) -> tuple[str, str]:
    """An IPv4 and an IPv6 prefix that are announced from now on."""
    publish(stage.cluster, "web", stage.lan.nodes, families=TWO)
    four, six = sorted(given(stage.cluster, "web"), key=lambda each: ":" in each)
    return f"{four}/32", f"{six}/128"


def test_within_an_as_local_preference_is_told_and_no_path(stage: Stage) -> None:
    node = stage.node
    with both(stage.lan, Neighbour(address=node.ipv4, asn=OURS), asn=OURS) as routers:
        prefixes = addresses(stage)
        for router in routers:
            meet(stage.cluster, router, dualStackAddressFamily=True)
        for router in routers:
            for prefix, hop in zip(prefixes, (node.ipv4, node.ipv6), strict=True):
                seen = told(router, prefix, node.ipv4)
                assert (seen.path, seen.next_hop, seen.local_pref) == ((), hop, 150)
            eventually(partial(leads_to, router, prefixes[0], node.ipv4), "its kernel has the route, too")


def leads_to(router: Router, prefix: str, hop: str) -> bool:
    return router.kernel(prefix) == {hop}


def test_sessions_are_signed_over_both_families_by_a_secret_or_a_password_written_out(stage: Stage) -> None:
    node, password = stage.node, "not-for-everybody"
    neighbours = (
        Neighbour(address=node.ipv4, asn=OURS, password=password),
        Neighbour(address=node.ipv6, asn=OURS, password=password, families=("ipv6",)),
    )
    stage.cluster.create(secret("bgp-password", password))
    with both(stage.lan, *neighbours) as routers:
        four, six = addresses(stage)
        for router in routers:
            meet(stage.cluster, router, passwordSecret={"name": "bgp-password"})
            name = f"{router.host.name}-six"
            meet(stage.cluster, router, name, peerAddress=router.host.ipv6, password=password)
        for router in routers:
            told(router, four, node.ipv4)
            told(router, six, node.ipv6)


def test_a_wrong_password_never_comes_up_is_told_and_put_right_restarts_that_session_alone(stage: Stage) -> None:
    """Both sessions with each router are signed; over IPv6 by the right password from the beginning."""
    node, cluster = stage.node, stage.cluster
    neighbours = (
        Neighbour(address=node.ipv4, asn=OURS, password="right"),
        Neighbour(address=node.ipv6, asn=OURS, password="right", families=("ipv6",)),
    )
    cluster.create(secret("four", "wrong"))
    cluster.create(secret("six", "right"))
    with both(stage.lan, *neighbours) as routers:
        for router in routers:
            meet(cluster, router, passwordSecret={"name": "four"}, connectTime="1s")
            meet(
                cluster, router, f"{router.host.name}-six", peerAddress=router.host.ipv6, passwordSecret={"name": "six"}
            )
        for router in routers:
            router.wait_up(node.ipv6)
        eventually(lambda: len(found(stage, "bgp-session-down")) == 2, "both are told as down", 30)
        before = [router.session(node.ipv6).uptime or 0 for router in routers]
        for router in routers:
            assert not router.session(node.ipv4).up
            assert peer(stage.agent, router.host.name)["ups"] == 0
        cluster.patch("Secret", "four", {"data": secret("four", "right")["data"]}, namespace=METALLB)
        for router, lasted in zip(routers, before, strict=True):
            router.wait_up(node.ipv4)
            assert (router.session(node.ipv6).uptime or 0) >= lasted > 0
            assert peer(stage.agent, f"{router.host.name}-six")["ups"] == 1
        eventually(lambda: not found(stage, "bgp-session-down"), "nothing is wrong any more")


def found(stage: Stage, word: str) -> list[str]:
    """Whom a finding of the node concerns."""
    return [str(each) for each in stage.agent.status().get("findings", []) if word in str(each)]


def test_a_wrong_as_number_is_told_in_the_words_of_the_rfc_at_both_ends(stage: Stage) -> None:
    node = stage.node
    with both(stage.lan, Neighbour(address=node.ipv4, asn=OURS)) as routers:
        for router in routers:
            meet(stage.cluster, router, myASN=OURS + 5)
        for router in routers:
            has_error(stage.agent, router.host.name, "Bad Peer AS")
            assert not router.session(node.ipv4).up
            eventually(lambda: "bad peer as" in router.session(node.ipv4).error.lower(), "the router says so")  # noqa: B023
        for router in routers:
            amend(stage.cluster, "BGPPeer", router.host.name, myASN=OURS)
            router.wait_up(node.ipv4)


def test_a_router_of_another_as_than_expected_is_refused(stage: Stage) -> None:
    node = stage.node
    with both(stage.lan, Neighbour(address=node.ipv4, asn=OURS)) as routers:
        for router in routers:
            meet(stage.cluster, router, peerASN=THEIRS + 5)
        for router in routers:
            has_error(stage.agent, router.host.name, "Bad Peer AS")
            eventually(lambda: "bad peer as" in router.session(node.ipv4).error.lower(), "the router says so")  # noqa: B023
            assert not router.session(node.ipv4).up


@pytest.mark.parametrize(("wish", "asn"), [("external", THEIRS), ("internal", OURS)])
def test_the_number_of_a_router_is_learnt(stage: Stage, wish: str, asn: int) -> None:
    node = stage.node
    with both(stage.lan, Neighbour(address=node.ipv4, asn=OURS), asn=asn) as routers:
        for router in routers:
            meet(stage.cluster, router, peerASN=0, dynamicASN=wish)
        prefix, _ = addresses(stage)
        for router in routers:
            seen = told(router, prefix, node.ipv4)
            assert seen.path == ((OURS,) if wish == "external" else ())
            assert seen.local_pref in ({None, 100} if wish == "external" else {150})


def test_a_router_that_is_shown_another_number_of_ours_sees_that_one(stage: Stage) -> None:
    node, shown = stage.node, OURS + 7
    with both(stage.lan, Neighbour(address=node.ipv4, asn=shown)) as routers:
        for router in routers:
            meet(stage.cluster, router, localASN=shown)
        prefix, _ = addresses(stage)
        for router in routers:
            assert told(router, prefix, node.ipv4).path[0] == shown


def test_a_session_comes_from_the_source_address_asked_for(stage: Stage) -> None:
    other, on_node = "10.99.7.7", ("ip", "-n", stage.node.namespace, "addr")
    tool(*on_node, "add", f"{other}/16", "dev", "eth0")
    with ExitStack() as stack:
        stack.callback(tool, *on_node, "del", f"{other}/16", "dev", "eth0")
        routers = stack.enter_context(both(stage.lan, Neighbour(address=other, asn=OURS)))
        for router in routers:
            meet(stage.cluster, router, sourceAddress=other)
        prefix, _ = addresses(stage)
        for router in routers:
            assert told(router, prefix, other).next_hop == other


def test_several_routers_at_one_address_are_told_apart_by_port(stage: Stage) -> None:
    lan, host = stage.lan, stage.lan.routers[0]
    with ExitStack() as stack:
        routers: list[Router] = []
        for number, (kind, port) in enumerate(((Frr, 1179), (Bird, 2179))):
            neighbours = (Neighbour(address=stage.node.ipv4, asn=OURS, passive=True),)
            setup = Setup(asn=THEIRS + number, router_id=f"192.0.2.{number + 1}", neighbours=neighbours, port=port)
            routers.append(stack.enter_context(kind(lan, host, setup)))
            meet(stage.cluster, routers[-1], f"at-{port}", peerPort=port)
        prefix, _ = addresses(stage)
        for router in routers:
            assert told(router, prefix, stage.node.ipv4).path == (OURS,)


@pytest.mark.parametrize("hops", [1, 2])
def test_bfd_watches_a_session_and_its_end_ends_the_session(stage: Stage, hops: int) -> None:
    """Several hops away by configuration alone, which is all that either end knows."""
    node, cluster = stage.node, stage.cluster
    # BIRD sends with the host's own TTL; FRR insists on 256 less the hops it was told.
    fast = Bfd(transmit=50, receive=50, multiplier=3)
    cluster.create(bgp("BFDProfile", "fast", **FAST, **({"minimumTtl": 60} if hops > 1 else {})))
    neighbours = [
        Neighbour(address=node.ipv4, asn=OURS, bfd=fast, hops=hops),
        Neighbour(address=node.ipv6, asn=OURS, bfd=fast, hops=hops, families=("ipv6",)),
    ]
    with both(stage.lan, *neighbours) as routers:
        wanted = {"bfdProfile": "fast", "ebgpMultiHop": hops > 1}
        for router in routers:
            meet(cluster, router, **wanted)
            meet(cluster, router, f"{router.host.name}-six", peerAddress=router.host.ipv6, **wanted)
        for router in routers:
            for whom in (node.ipv4, node.ipv6):
                router.wait_up(whom)
                eventually(partial(watched, router, whom, multihop=hops > 1), f"BFD with {whom} is up", 60)
        for router in routers:
            router.freeze()
        for router in routers:
            for name in (router.host.name, f"{router.host.name}-six"):
                # The hold time is 90 s: nothing else can have noticed.
                has_error(stage.agent, name, "BFD")
        for router in routers:
            router.thaw()
        for router in routers:
            for name in (router.host.name, f"{router.host.name}-six"):
                in_state(stage.agent, name, "Established")


def watched(router: Router, address: str, *, multihop: bool) -> bool:
    return any((each.peer, each.state, each.multihop) == (address, "up", multihop) for each in router.bfd())


def test_frr_on_the_link_needs_no_address(stage: Stage) -> None:
    lan, host = stage.lan, stage.lan.routers[0]
    neighbour = Neighbour(interface="eth0", asn=OURS)
    with Frr(lan, host, Setup(asn=THEIRS, router_id="192.0.2.1", neighbours=(neighbour,))) as router:
        stage.cluster.create(bgp("BGPPeer", "link", myASN=OURS, peerASN=THEIRS, interface="eth0"))
        router.wait_up("eth0", 30)
        for prefix in addresses(stage):
            seen = eventually(partial(router.route, prefix), f"FRR has {prefix}")
            assert seen[0].path == (OURS,)
            eventually(partial(router.kernel, prefix), f"{prefix} is in the kernel of FRR's host")
        assert peer(stage.agent, "link")["address"].startswith("fe80:")
        assert peer(stage.agent, "link")["families"] == ["ipv4", "ipv6"]
