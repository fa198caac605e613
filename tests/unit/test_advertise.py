"""Every "should this be announced" is answered by the announcement or by the word for why not."""

from ipaddress import ip_address, ip_network

import pytest
from msgspec.structs import replace

from speakerd.advertise import Announcement, Reach, layer2, sharing, united, why
from speakerd.decision import Snapshot
from speakerd.exchange import READY, Candidate, Member
from speakerd.model import Advertisement, Config, Endpoints, Interface, Node, Pool, Range, Reason, Service, Sharing

IP1 = ip_address("10.0.0.1")
SERVICE = Service("ns/web", "uid", "1", "2026-01-01T00:00:00Z", ours=True, ips=(IP1,), pool="p")
LOCAL = replace(SERVICE, local_policy=True)
SOMEWHERE = Endpoints(True, frozenset("bc"), frozenset("bc"))
ABC = tuple(map(Candidate, "abc"))
ALL = Advertisement("all")


def pool(name: str, block: str) -> Pool:
    network = ip_network(block)
    return Pool(name, (Range(network.version, int(network[0]), int(network[-1])),))


POOLS = (pool("p", "10.0.0.0/24"), pool("q", "10.0.1.0/24"))


def named(names: str) -> dict[str, Node]:
    return {name: Node(name) for name in names}


def members(names: str) -> dict[str, Member]:
    return {name: Member(name) for name in names}


def reach(*advertisements: Advertisement, nodes: dict[str, Node] | None = None, recorded: str = "abc") -> Reach:
    return Reach(Config(POOLS, advertisements), named("abc") if nodes is None else nodes, members(recorded), "a")


EVERY = reach(ALL)


def test_candidates_are_the_members_that_may_announce_sorted_by_name() -> None:
    nodes = named("dcba")
    nodes["a"] = Node("a", excluded=True)
    nodes["b"] = Node("b", network_unavailable=True)
    everybody = layer2(SERVICE, IP1, SOMEWHERE, reach(ALL, nodes=nodes, recorded="dcbae"))
    assert everybody == Announcement((Candidate("c"), Candidate("d")))
    assert layer2(SERVICE, IP1, SOMEWHERE, reach(ALL, nodes=nodes, recorded="c")) == Announcement((Candidate("c"),))


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([], Reason.NO_CANDIDATE),
        ([Node("a", excluded=True), Node("b", excluded=True)], Reason.NODE_EXCLUDED),
        ([Node("a", network_unavailable=True)], Reason.NETWORK_UNAVAILABLE),
        ([Node("a", network_unavailable=True), Node("b", excluded=True)], Reason.NO_CANDIDATE),
    ],
)
def test_without_a_candidate_the_reason_says_what_all_nodes_lack(nodes: list[Node], reason: Reason) -> None:
    found = reach(ALL, nodes={node.name: node for node in nodes}, recorded="ab")
    assert layer2(SERVICE, IP1, SOMEWHERE, found) is reason


def test_with_cluster_policy_every_eligible_node_is_a_candidate_wherever_the_endpoints_are() -> None:
    assert layer2(SERVICE, IP1, Endpoints(True), EVERY) == Announcement(ABC)
    assert layer2(SERVICE, IP1, SOMEWHERE, EVERY) == Announcement(ABC)


def test_with_local_policy_only_nodes_with_a_serving_endpoint_are() -> None:
    announced = Announcement((Candidate("b", READY), Candidate("c", READY)))
    assert layer2(LOCAL, IP1, SOMEWHERE, EVERY) == announced
    elsewhere = Endpoints(True, frozenset("x"))
    assert layer2(LOCAL, IP1, elsewhere, EVERY) is Reason.NO_LOCAL_ENDPOINTS


def test_with_local_policy_a_ready_node_comes_before_any_whose_endpoints_end_whatever_is_preferred() -> None:
    prefers_b = Advertisement("all", weights=(("b", 100),))
    ending_on_b = Endpoints(True, frozenset("bc"), frozenset("c"))
    found = layer2(LOCAL, IP1, ending_on_b, reach(prefers_b))
    assert found == Announcement((Candidate("b", 100), Candidate("c", READY)))


@pytest.mark.parametrize("service", [SERVICE, LOCAL])
def test_without_a_serving_endpoint_nobody_announces(service: Service) -> None:
    assert layer2(service, IP1, Endpoints(), EVERY) is Reason.NO_ENDPOINTS


def test_an_address_is_announced_where_an_advertisement_covers_its_pool() -> None:
    only_q = reach(Advertisement("q", frozenset({"q"})))
    assert layer2(SERVICE, IP1, SOMEWHERE, only_q) is Reason.NO_ADVERTISEMENT
    moved = replace(SERVICE, ips=(ip_address("10.0.1.1"),))
    assert isinstance(layer2(moved, moved.ips[0], SOMEWHERE, only_q), Announcement)


def test_interfaces_of_all_its_advertisements_are_united_and_one_without_means_all() -> None:
    two = Advertisement("one", frozenset("p"), ("eth1", "eth0")), Advertisement("two", None, ("eth2", "eth0"))
    assert layer2(SERVICE, IP1, SOMEWHERE, reach(*two)) == Announcement(ABC, ("eth0", "eth1", "eth2"))
    third = Advertisement("three", frozenset("p"))
    assert layer2(SERVICE, IP1, SOMEWHERE, reach(*two, third)) == Announcement(ABC)


def test_only_advertisements_that_select_this_node_name_its_interfaces() -> None:
    mine = Advertisement("mine", None, ("eth0",), nodes=frozenset("a"))
    theirs = Advertisement("theirs", None, ("eth1",), nodes=frozenset("bc"))
    assert layer2(SERVICE, IP1, SOMEWHERE, reach(mine, theirs)) == Announcement(ABC, ("eth0",))
    not_here = replace(mine, interfaces=("eth2",), nodes=frozenset("b"))
    found = layer2(SERVICE, IP1, SOMEWHERE, reach(not_here, theirs))
    assert found == Announcement((Candidate("b"), Candidate("c")), ("eth1", "eth2"))


def test_a_node_is_a_candidate_where_one_advertisement_selects_it() -> None:
    two = Advertisement("one", nodes=frozenset("b")), Advertisement("two", nodes=frozenset("cx"))
    found = layer2(SERVICE, IP1, SOMEWHERE, reach(*two))
    assert found == Announcement((Candidate("b"), Candidate("c")))
    assert layer2(SERVICE, IP1, SOMEWHERE, reach(Advertisement("x", nodes=frozenset("x")))) is Reason.NO_CANDIDATE


def test_the_weights_of_several_advertisements_add_up() -> None:
    two = Advertisement("one", weights=(("a", 10), ("b", 1))), Advertisement("two", weights=(("b", 5),))
    found = layer2(SERVICE, IP1, SOMEWHERE, reach(*two))
    assert found == Announcement((Candidate("a", 10), Candidate("b", 6), Candidate("c", 0)))


def test_an_advertisement_with_service_selectors_counts_for_the_services_it_chooses() -> None:
    chosen = reach(Advertisement("l", nodes=frozenset("a"), by_service=True))
    assert layer2(SERVICE, IP1, SOMEWHERE, chosen) is Reason.NO_ADVERTISEMENT
    found = layer2(replace(SERVICE, advertised_by=("l",)), IP1, SOMEWHERE, chosen)
    assert found == Announcement((Candidate("a"),))


def test_an_address_of_a_pool_this_host_does_not_know_is_announced_everywhere_if_we_gave_it() -> None:
    far = ip_address("192.0.2.1")
    given, foreign = replace(SERVICE, ips=(far,), pool="elsewhere"), replace(SERVICE, ips=(far,), pool="")
    only_p = reach(Advertisement("p", frozenset({"p"}), ("eth0",)))
    assert layer2(given, far, SOMEWHERE, only_p) == Announcement(ABC)
    assert layer2(foreign, far, SOMEWHERE, only_p) is Reason.ADDRESS_IN_NO_POOL
    elsewhere = reach(Advertisement("e", frozenset({"elsewhere"}), ("eth1",)))
    assert layer2(given, far, SOMEWHERE, elsewhere) == Announcement(ABC, ("eth1",))


def test_a_reach_agrees_with_another_as_long_as_every_answer_given_holds() -> None:
    asked = reach(Advertisement("one", nodes=frozenset("ab")))
    layer2(SERVICE, IP1, SOMEWHERE, asked)
    labelled = reach(Advertisement("one", nodes=frozenset("abx")))
    assert labelled.agrees(asked)
    assert not reach(Advertisement("one", nodes=frozenset("a"))).agrees(asked)
    assert not reach(Advertisement("one", nodes=frozenset("ab")), recorded="a").agrees(asked)


# ---- an address of several Services


def keyed(name: str, key: str) -> Service:
    return replace(SERVICE, key=f"ns/{name}", sharing=Sharing(key) if key else None)


def test_only_services_with_the_oldest_s_sharing_key_hold_an_address_together() -> None:
    one, two, other, none = keyed("one", "k"), keyed("two", "k"), keyed("other", "x"), keyed("none", "")
    assert sharing((one, two, other, none)) == (one, two)
    assert sharing((none, replace(none, key="ns/more"))) == (none,)


def test_it_is_announced_by_nodes_and_on_interfaces_that_serve_for_all_of_them() -> None:
    one = Announcement((Candidate("a", 5), Candidate("b", 5), Candidate("c")), ("eth0", "eth1"))
    two = Announcement((Candidate("b"), Candidate("c", 7)), ("eth1", "eth2"))
    assert united((one,)) == one
    assert united((one, two)) == Announcement((Candidate("b"), Candidate("c")), ("eth1",))
    assert united((one, replace(two, interfaces=()))) == Announcement(two.candidates[:1] + ABC[2:], ("eth0", "eth1"))


@pytest.mark.parametrize(
    "other", [Announcement((Candidate("c"),)), Announcement((Candidate("a"),), ("eth9",)), Announcement(())]
)
def test_where_nothing_is_common_the_advertisements_conflict(other: Announcement) -> None:
    one = Announcement((Candidate("a"), Candidate("b")), ("eth0",))
    assert united((one, other)) is Reason.CONFLICTING_ADVERTISEMENTS


# ---- node by node


def seen(*advertisements: Advertisement, service: Service = LOCAL, endpoints: Endpoints = SOMEWHERE) -> Snapshot:
    return Snapshot(
        me="b",
        settled=True,
        services={service.key: service},
        endpoints={service.key: endpoints},
        nodes=named("abcdef") | {"a": Node("a", excluded=True), "d": Node("d", network_unavailable=True)},
        members=members("abcde") | {"c": Member("c", drained=True)},
        config=Config(POOLS, advertisements),
    )


def test_each_node_is_told_its_own_reason() -> None:
    world = seen(Advertisement("l", nodes=frozenset("abcdf")), endpoints=Endpoints(True, frozenset("bc")))
    assert why(world, "ns/web", IP1) == {
        "a": Reason.NODE_EXCLUDED,
        "b": Reason.NONE,
        "c": Reason.DRAINED,
        "d": Reason.NETWORK_UNAVAILABLE,
        "e": Reason.NODE_NOT_SELECTED,
        "f": Reason.NO_MEMBER_RECORD,
    }


def test_a_node_without_an_endpoint_of_a_local_service_is_told_so() -> None:
    world = seen(ALL, endpoints=Endpoints(True, frozenset("b")))
    assert why(world, "ns/web", IP1)["e"] is Reason.NO_LOCAL_ENDPOINTS


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (seen(), Reason.NO_ADVERTISEMENT),
        (seen(ALL, endpoints=Endpoints()), Reason.NO_ENDPOINTS),
        (seen(ALL, service=replace(LOCAL, ips=(ip_address("192.0.2.1"),), pool="")), Reason.ADDRESS_IN_NO_POOL),
    ],
)
def test_what_holds_for_all_nodes_is_told_of_each(world: Snapshot, reason: Reason) -> None:
    assert set(why(world, "ns/web", world.services["ns/web"].ips[0]).values()) == {reason}


def test_this_node_is_told_when_it_has_none_of_the_interfaces() -> None:
    world = seen(Advertisement("l", interfaces=("eth7",)))
    assert why(world, "ns/web", IP1, (Interface(1, "eth0", usable=True),))["b"] is Reason.NO_INTERFACE
    assert not why(world, "ns/web", IP1, (Interface(1, "eth7", usable=True),))["b"]


def test_of_a_shared_address_a_node_that_may_not_announce_for_all_is_told_that_they_conflict() -> None:
    one, two = replace(keyed("web", "k"), advertised_by=("l",)), replace(keyed("two", "k"), advertised_by=("m",))
    world = seen(
        Advertisement("l", nodes=frozenset("be"), by_service=True),
        Advertisement("m", nodes=frozenset("b"), by_service=True),
        service=one,
    )
    world = replace(
        world, services={one.key: one, two.key: two}, endpoints=dict.fromkeys((one.key, two.key), SOMEWHERE)
    )
    told = why(world, "ns/web", IP1)
    assert (told["b"], told["e"]) == (Reason.NONE, Reason.CONFLICTING_ADVERTISEMENTS)
