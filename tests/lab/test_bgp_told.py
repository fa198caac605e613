"""What FRR and BIRD are told of routes over eBGP with 4-byte AS numbers, by their own view, while sessions stay up."""

from collections.abc import Iterator

import pytest

from tests.lab.bgp import Stage, amend, bgp, both, forgotten, hears, label, meet, note, peer, remove, staged, told
from tests.lab.objects import METALLB
from tests.lab.routers.router import Neighbour, Router
from tests.lab.steps import Family, clear, given, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

NODES, ROUTERS = 4200000001, 4200000002
TWO: tuple[Family, ...] = ("IPv4", "IPv6")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@pytest.fixture(scope="module")
def routers(stage: Stage) -> Iterator[tuple[Router, ...]]:
    """Each has a session over IPv4 with both families (peers r1, r2), and one over IPv6 (r1-six, r2-six)."""
    node = stage.node
    neighbours = (
        Neighbour(address=node.ipv4, asn=NODES),
        Neighbour(address=node.ipv6, asn=NODES, families=("ipv6",)),
    )
    with both(stage.lan, *neighbours, asn=ROUTERS) as made:
        for router in made:
            name = meet(stage.cluster, router, myASN=NODES, dualStackAddressFamily=True)
            meet(stage.cluster, router, f"{name}-six", myASN=NODES, peerAddress=router.host.ipv6)
            for each in neighbours:
                router.wait_up(each.address)
        yield made


@pytest.fixture(params=(0, 1), ids=("frr", "bird"))
def router(request: pytest.FixtureRequest, stage: Stage, routers: tuple[Router, ...]) -> Iterator[Router]:
    yield routers[request.param]
    print(stage.agent.tail(), stage.agent.status().get("peers"))
    clear(stage.cluster)
    for kind in ("BGPAdvertisement", "Community"):
        remove(stage.cluster, kind)


def test_one_session_carries_both_families_and_one_over_ipv6_its_own(stage: Stage, router: Router) -> None:
    node = stage.node
    stage.cluster.create(bgp("BGPAdvertisement", "all"))
    publish(stage.cluster, "web", stage.lan.nodes, families=TWO)
    four, six = sorted(given(stage.cluster, "web"), key=lambda each: ":" in each)
    for prefix, whom, hop in (
        (f"{four}/32", node.ipv4, node.ipv4),
        (f"{six}/128", node.ipv4, node.ipv6),
        (f"{six}/128", node.ipv6, node.ipv6),
    ):
        seen = told(router, prefix, whom)
        assert (seen.path, seen.next_hop, seen.med) == ((NODES,), hop, None)
    assert [each.peer for each in router.route(f"{four}/32")] == [node.ipv4]
    stage.cluster.delete("Service", "web")
    forgotten(router, f"{four}/32")
    forgotten(router, f"{six}/128")


def test_communities_med_and_a_longer_path_are_told_and_changed(stage: Stage, router: Router) -> None:
    stage.cluster.create(bgp("Community", "names", communities=[{"name": "blue", "value": "65010:300"}]))
    said = ["65010:100", "blue", "large:4200000001:8:9"]
    stage.cluster.create(bgp("BGPAdvertisement", "all", communities=said, localPref=150))
    note(stage.cluster, "all", med="70", as_path_prepend="2")
    publish(stage.cluster, "web", stage.lan.nodes)
    (address,) = given(stage.cluster, "web")
    common = {"large": frozenset({(4200000001, 8, 9)}), "communities": frozenset({(65010, 100), (65010, 300)})}
    hears(router, f"{address}/32", med=70, path=(NODES,) * 3, **common)
    # Local preference stays within an AS (RFC 4271 section 5.1.5): BIRD shows its own default.
    assert all(each.local_pref in {None, 100} for each in router.route(f"{address}/32"))
    note(stage.cluster, "all", med="0", as_path_prepend=None)
    hears(router, f"{address}/32", med=0, path=(NODES,), **common)
    amend(stage.cluster, "BGPAdvertisement", "all", communities=[])
    hears(router, f"{address}/32", med=0, communities=frozenset(), large=frozenset())


def test_an_alias_that_gets_its_value_later_is_told_then(stage: Stage, router: Router) -> None:
    stage.cluster.create(bgp("BGPAdvertisement", "all", communities=["late"]))
    publish(stage.cluster, "web", stage.lan.nodes)
    (address,) = given(stage.cluster, "web")
    stage.cluster.create(bgp("Community", "names", communities=[{"name": "late", "value": "65010:301"}]))
    hears(router, f"{address}/32", communities=frozenset({(65010, 301)}))


def test_addresses_under_one_prefix_are_one_route_until_the_last_is_gone(stage: Stage, router: Router) -> None:
    stage.cluster.create(bgp("BGPAdvertisement", "all", aggregationLength=28, aggregationLengthV6=124))
    for name in ("one", "two"):
        publish(stage.cluster, name, stage.lan.nodes, families=TWO)
        given(stage.cluster, name)
    both_of = frozenset({"198.51.100.0/28", "2001:db8:5::/124"})
    eventually(lambda: router.prefixes() == both_of, f"{both_of} and nothing else")
    before = router.session(stage.node.ipv4)
    stage.cluster.delete("Service", "one")
    eventually(lambda: not stage.cluster.addresses("one"), "one is gone")
    assert router.prefixes() == both_of
    stage.cluster.delete("Service", "two")
    eventually(lambda: not router.prefixes(), "nothing is left")
    assert (router.session(stage.node.ipv4).uptime or 0) >= (before.uptime or 0)


def test_a_route_for_one_peer_is_told_to_that_one_alone(stage: Stage, router: Router) -> None:
    stage.cluster.create(bgp("BGPAdvertisement", "all", peers=[f"{router.host.name}-six"]))
    publish(stage.cluster, "web", stage.lan.nodes, families=("IPv6",))
    (address,) = given(stage.cluster, "web")
    told(router, f"{address}/128", stage.node.ipv6)
    assert [each.peer for each in router.route(f"{address}/128")] == [stage.node.ipv6]


def test_a_router_that_asks_for_a_refresh_has_all_told_again(stage: Stage, router: Router) -> None:
    node, name = stage.node, router.host.name
    stage.cluster.create(bgp("BGPAdvertisement", "all"))
    publish(stage.cluster, "web", stage.lan.nodes, families=TWO)
    prefixes = [f"{each}/{128 if ':' in each else 32}" for each in given(stage.cluster, "web")]
    for each in prefixes:
        told(router, each, node.ipv4)
    heard, before = router.heard(node.ipv4), peer(stage.agent, name)
    router.refresh(node.ipv4)
    eventually(lambda: router.heard(node.ipv4) >= heard + len(prefixes), "the router heard both routes again")
    asked = peer(stage.agent, name)["heard"]["route-refresh"] - before["heard"].get("route-refresh", 0)
    assert asked >= 1
    assert router.prefixes() >= set(prefixes)
    assert peer(stage.agent, name)["ups"] == 1


def test_labels_and_annotations_reset_no_session(stage: Stage, router: Router) -> None:
    """The label is one that a route depends on, so that it has had its effect when the session is looked at."""
    node, cluster = stage.node, stage.cluster
    eventually(lambda: router.session(node.ipv4).uptime, "the session has lasted for a second")
    before = router.session(node.ipv4)
    cluster.create(bgp("BGPAdvertisement", "all", nodeSelectors=[{"matchLabels": {"rack": "a"}}]))
    publish(cluster, "web", stage.lan.nodes)
    (address,) = given(cluster, "web")
    cluster.patch(
        "Node", node.name, {"metadata": {"labels": {"rack": "a"}, "annotations": {"some": "thing"}}}, namespace=""
    )
    told(router, f"{address}/32", node.ipv4)
    noted = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    cluster.patch("BGPPeer", router.host.name, {"metadata": noted}, namespace=METALLB)
    label(cluster, node, rack=None)
    forgotten(router, f"{address}/32")
    for whom in (node.ipv4, node.ipv6):
        assert router.session(whom).up
    assert (router.session(node.ipv4).uptime or 0) >= (before.uptime or 0) > 0
    assert [peer(stage.agent, name)["ups"] for name in (router.host.name, f"{router.host.name}-six")] == [1, 1]
