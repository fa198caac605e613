"""Every "should this be announced" is answered by the announcement or by the word for why not."""

from ipaddress import ip_address, ip_network

import pytest
from msgspec.structs import replace

from speakerd.advertise import Announcement, Eligible, Reach, eligible, layer2
from speakerd.model import (
    Advertisement,
    Candidate,
    Config,
    Endpoints,
    Member,
    Node,
    Pool,
    Range,
    Reason,
    Service,
)

IP1 = ip_address("10.0.0.1")
SERVICE = Service("ns/web", "uid", "1", "2026-01-01T00:00:00Z", ours=True, ips=(IP1,), pool="p")
LOCAL = replace(SERVICE, local_policy=True)
SOMEWHERE = Endpoints(True, frozenset({"b", "c"}))
ABC = Eligible(tuple(map(Candidate, "abc")))


def pool(name: str, block: str) -> Pool:
    network = ip_network(block)
    return Pool(name, (Range(network.version, int(network[0]), int(network[-1])),))


POOLS = (pool("p", "10.0.0.0/24"), pool("q", "10.0.1.0/24"))


def reach(*advertisements: Advertisement) -> Reach:
    return Reach(Config(POOLS, advertisements))


EVERY = reach(Advertisement("all"))


def members(names: str) -> dict[str, Member]:
    return {name: Member(name) for name in names}


def test_candidates_are_the_members_that_may_announce_sorted_by_name() -> None:
    nodes = {name: Node(name) for name in "dcba"}
    nodes["a"] = Node("a", excluded=True)
    nodes["b"] = Node("b", network_unavailable=True)
    assert eligible(nodes, members("dcbae")).candidates == (Candidate("c"), Candidate("d"))
    assert eligible(nodes, members("c")).candidates == (Candidate("c"),)


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
    found = eligible({node.name: node for node in nodes}, members("ab"))
    assert found == Eligible((), reason)
    assert layer2(SERVICE, IP1, SOMEWHERE, found, EVERY) is reason


def test_with_cluster_policy_every_eligible_node_is_a_candidate_wherever_the_endpoints_are() -> None:
    anywhere = Endpoints(True)
    assert layer2(SERVICE, IP1, anywhere, ABC, EVERY) == Announcement(ABC.candidates)


def test_with_local_policy_only_nodes_with_a_serving_endpoint_are() -> None:
    assert layer2(LOCAL, IP1, SOMEWHERE, ABC, EVERY) == Announcement((Candidate("b"), Candidate("c")))
    elsewhere = Endpoints(True, frozenset("x"))
    assert layer2(LOCAL, IP1, elsewhere, ABC, EVERY) is Reason.NO_LOCAL_ENDPOINTS


@pytest.mark.parametrize("service", [SERVICE, LOCAL])
def test_without_a_serving_endpoint_nobody_announces(service: Service) -> None:
    assert layer2(service, IP1, Endpoints(), ABC, EVERY) is Reason.NO_ENDPOINTS


def test_an_address_is_announced_where_an_advertisement_covers_its_pool() -> None:
    only_q = reach(Advertisement("q", frozenset({"q"})))
    assert layer2(SERVICE, IP1, SOMEWHERE, ABC, only_q) is Reason.NO_ADVERTISEMENT
    moved = replace(SERVICE, ips=(ip_address("10.0.1.1"),))
    assert isinstance(layer2(moved, moved.ips[0], SOMEWHERE, ABC, only_q), Announcement)


def test_interfaces_of_all_its_advertisements_are_united_and_one_without_means_all() -> None:
    two = Advertisement("one", frozenset("p"), ("eth1", "eth0")), Advertisement("two", None, ("eth2", "eth0"))
    assert layer2(SERVICE, IP1, SOMEWHERE, ABC, reach(*two)) == Announcement(ABC.candidates, ("eth0", "eth1", "eth2"))
    third = Advertisement("three", frozenset("p"))
    assert layer2(SERVICE, IP1, SOMEWHERE, ABC, reach(*two, third)) == Announcement(ABC.candidates)


def test_an_address_of_a_pool_this_host_does_not_know_is_announced_everywhere_if_we_gave_it() -> None:
    far = ip_address("192.0.2.1")
    given, foreign = replace(SERVICE, ips=(far,), pool="elsewhere"), replace(SERVICE, ips=(far,), pool="")
    only_p = reach(Advertisement("p", frozenset({"p"}), ("eth0",)))
    assert layer2(given, far, SOMEWHERE, ABC, only_p) == Announcement(ABC.candidates)
    assert layer2(foreign, far, SOMEWHERE, ABC, only_p) is Reason.ADDRESS_IN_NO_POOL
    named = reach(Advertisement("e", frozenset({"elsewhere"}), ("eth1",)))
    assert layer2(given, far, SOMEWHERE, ABC, named) == Announcement(ABC.candidates, ("eth1",))
