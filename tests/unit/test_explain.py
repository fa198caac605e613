"""An explanation says who answers and why, who could, who may not and why, and what would change it."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd import decide, explain
from speakerd.decision import Snapshot
from speakerd.events import Ring, said
from speakerd.exchange import Candidate, Claim, Counters, Facts, Member, MemberSeen, Observed
from speakerd.explain import AddressReport, Explanation, Unknown, View
from speakerd.model import IP, Advertisement, Config, Endpoints, Interface, Node, Pool, Range, Reason, Service
from speakerd.ownership.message import CAUSES
from speakerd.ownership.ranking import ranking
from speakerd.peering import Peer, Route, Routing

VIP: IP = ip_address("10.0.0.1")
POOL = Pool("p", (Range(4, int(VIP), int(VIP) + 9),))
ETH0 = Interface(2, "eth0", b"\2\0\0\0\0\1", up=True, carrier=True, usable=True)


def service(name: str, *ips: str, **more: object) -> Service:
    key = name if "/" in name else f"default/{name}"
    plain = Service(key, f"uid-{name}", "1", "2026-01-01T00:00:00Z", ours=True, pool="p")
    return replace(plain, ips=tuple(map(ip_address, ips)), **more)


def view(
    *services: Service,
    claims: tuple[Claim, ...] = (),
    endpoints: Endpoints | None = None,
    nodes: tuple[Node, ...] = tuple(map(Node, "abcd")),
    members: str = "abc",
    states: str = "",
    advertisement: Advertisement | None = None,
    **more: object,
) -> View:
    """Node a looks on; `states`: letters of members that are dead, all others live."""
    snapshot = Snapshot(
        me="a",
        settled=True,
        services={each.key: each for each in services},
        endpoints={each.key: endpoints or Endpoints(True, frozenset("abc"), frozenset("abc")) for each in services},
        nodes={each.name: each for each in nodes},
        members={name: Member(name) for name in members},
        config=Config((POOL,), (advertisement or Advertisement("all"),)),
    )
    snapshot = replace(snapshot, **{name: value for name, value in more.items() if hasattr(snapshot, name)})
    plan, _ = decide.decide(snapshot, decide.Memo())
    seen = tuple(MemberSeen(name, "dead" if name in states else "alive") for name in members if name != "a")
    observed = Observed((ETH0,), {each.ip: each for each in claims}, facts=Facts(pid=3), members=seen)
    observed = replace(observed, **{name: value for name, value in more.items() if hasattr(observed, name)})
    return View(snapshot, plan, observed, Ring(), 100.0, 1e9)


def claim(owner: str, cause: str = "first", **more: object) -> Claim:
    return replace(Claim(VIP.packed, 4, owner, 90.0, cause), **more)


def about(seen: View, asked: str = "10.0.0.1") -> AddressReport:
    found = explain.explain(asked, seen)
    assert isinstance(found, Explanation)
    (told,) = found.addresses
    return told


def refused(asked: str, seen: View) -> Unknown:
    found = explain.explain(asked, seen)
    assert isinstance(found, Unknown)
    return found


# -- what may be asked for


@pytest.mark.parametrize("asked", ["10.0.0.1", "web", "default/web"])
def test_an_address_a_service_and_its_bare_name_ask_for_the_same(asked: str) -> None:
    found = explain.explain(asked, view(service("web", "10.0.0.1")))
    assert isinstance(found, Explanation)
    assert (found.me, found.service, [each.ip for each in found.addresses]) == ("a", "default/web", ["10.0.0.1"])


def test_an_ipv6_address_may_be_written_as_one_likes() -> None:
    assert about(view(service("web", "fd00::1")), "FD00:0:0::0001").ip == "fd00::1"


def test_an_unknown_address_is_told_what_is_near() -> None:
    told = refused("10.0.0.8", view(service("web", "10.0.0.1", "fd00::1"), service("two", "10.0.0.7")))
    assert (told.error, told.where) == ("no Service has this address", "10.0.0.8")
    assert told.remedy == "near it: 10.0.0.7, 10.0.0.1"


def test_an_unknown_name_is_told_what_was_meant() -> None:
    seen = view(service("shop/web", "10.0.0.1"))
    assert refused("wbe", seen).remedy == "did you mean shop/web?"
    assert refused("shop/wbe", seen).remedy == "did you mean shop/web?"
    assert "speakerd status" in refused("entirely-else", seen).remedy


def test_a_name_that_several_services_have_must_be_told_apart() -> None:
    told = refused("web", view(service("one/web", "10.0.0.1"), service("two/web", "10.0.0.2")))
    assert (told.error, told.remedy) == ("2 Services have this name", "say which: one/web, two/web")


def test_a_service_without_an_address_is_told_why() -> None:
    seen = view(service("web"))
    held = replace(seen.plan.assignments["default/web"], reason=Reason.NO_FREE_ADDRESS, message="pool p is full")
    found = explain.explain("web", replace(seen, plan=replace(seen.plan, assignments={"default/web": held})))
    assert isinstance(found, Explanation)
    assert (found.addresses, found.reason, found.message) == ([], "no-free-address", "pool p is full")


def test_a_service_of_another_class_is_not_ours_to_explain() -> None:
    seen = view(service("web", "10.0.0.1", ours=False))
    told = about(seen)
    assert (told.reason, told.owner, told.others) == ("ignored", "", [])
    found = explain.explain("web", seen)
    assert isinstance(found, Explanation)
    assert found.reason == "ignored"


# -- who answers, and why


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_has_a_sentence_that_names_who_is_concerned(cause: str) -> None:
    told = about(view(service("web", "10.0.0.1"), claims=(claim("b", cause, previous="c"),)))
    assert told.answer == "is answered by b"
    assert told.because != cause
    assert "b" in told.because or "c" in told.because


def test_the_facts_of_the_claim_are_told() -> None:
    held = claim("b", "owner-dead", previous="c", heir="a", gap=0.1634)
    told = about(view(service("web", "10.0.0.1"), claims=(held,)))
    assert (told.owner, told.heir, told.epoch, told.cause, told.previous) == ("b", "a", 4, "owner-dead", "c")
    assert (told.since, told.lasted, told.gap) == ("2001-09-09T01:48:10.000Z", 10.0, 0.163)
    assert told.because == "c died, and b took over 0.163 s after it was last heard"


def test_an_owner_that_was_handed_nothing_took_it_when_it_could() -> None:
    told = about(view(service("web", "10.0.0.1"), claims=(claim("b", "not-candidate"),)))
    assert told.because == "nobody could have it for a time (not-candidate), and b took it when somebody could again"


def test_a_dead_owner_without_successor_is_told_as_such() -> None:
    told = about(view(service("web", "10.0.0.1"), claims=(claim("b"),), states="bc"))
    assert told.answer == "was answered by b, which is dead; nobody has taken over yet"
    assert told.changes == []


def test_an_address_answered_here_shows_interface_and_what_came_and_went() -> None:
    counters = {VIP.packed: Counters(VIP.packed, 7, 6, 5)}
    told = about(view(service("web", "10.0.0.1"), claims=(claim("a"),), counters=counters))
    assert (told.interfaces, told.mac) == (["eth0"], "02:00:00:00:00:01")
    assert (told.requests, told.responses, told.gratuitous) == (7, 6, 5)


def test_an_address_nobody_has_claimed_yet_is_told_so() -> None:
    told = about(view(service("web", "10.0.0.1")))
    assert (told.answer, told.because) == ("is answered by nobody", "no node has claimed it yet")


def test_a_withdrawn_address_is_told_by_whom_and_why() -> None:
    told = about(view(service("web", "10.0.0.1"), claims=(claim("", "not-candidate", previous="b"),)))
    assert told.answer == "is answered by nobody"
    assert told.because == "b withdrew it, with no other node to take it: not-candidate"


def test_an_address_without_endpoints_is_told_so_for_every_node() -> None:
    told = about(view(service("web", "10.0.0.1"), endpoints=Endpoints()))
    assert (told.answer, told.reason, told.candidates) == ("is announced by nobody", "no-endpoints", [])
    assert {each.reason for each in told.others} == {"no-endpoints"}
    assert [each.node for each in told.others] == ["a", "b", "c", "d"]


def test_an_address_that_routers_alone_learn_is_told_so_and_not_as_a_fault() -> None:
    config = Config((POOL,), routing=Routing((Peer("tor", 1, 2),), (Route("all"),)))
    told = about(view(service("web", "10.0.0.1"), config=config))
    assert (told.answer, told.reason) == ("is announced by BGP alone", "by-bgp-alone")
    assert told.because.startswith("no L2Advertisement selects its pool")
    unserved = about(view(service("web", "10.0.0.1"), config=config, endpoints=Endpoints()))
    assert (unserved.answer, unserved.reason) == ("is announced by nobody", "no-endpoints")


def test_a_host_that_announces_nothing_says_so() -> None:
    told = about(view(service("web", "10.0.0.1"), announce=False))
    assert "announce: none" in told.because


# -- candidates, and those that are none


def test_candidates_come_in_ranking_order_with_state_and_role() -> None:
    told = about(view(service("web", "10.0.0.1"), claims=(claim("b", heir="a"),), states="c"))
    assert {each.node: (each.state, each.role) for each in told.candidates} == {
        "a": ("alive", "heir"),
        "b": ("alive", "owner"),
        "c": ("dead", ""),
    }
    assert [each.node for each in told.candidates] == list(ranking(VIP.packed, map(Candidate, "abc")))


def test_each_node_that_is_no_candidate_is_told_with_its_reason() -> None:
    nodes = (Node("a"), Node("b", excluded=True), Node("c", network_unavailable=True), Node("d"))
    told = about(view(service("web", "10.0.0.1"), nodes=nodes))
    assert {each.node: each.reason for each in told.others} == {
        "b": "node-excluded",
        "c": "network-unavailable",
        "d": "no-member-record",
    }
    assert all(each.message for each in told.others)


def test_local_policy_leaves_the_nodes_with_endpoints() -> None:
    local = Endpoints(True, frozenset("ab"), frozenset("b"))
    told = about(view(service("web", "10.0.0.1", local_policy=True), endpoints=local))
    assert [(each.node, each.ending) for each in told.candidates] == [("b", False), ("a", True)]
    assert {each.node: each.reason for each in told.others} == {"c": "no-local-endpoints", "d": "no-member-record"}


def test_preferences_and_selectors_show() -> None:
    chosen = Advertisement("all", nodes=frozenset("ab"), weights=(("a", 30), ("b", 10)))
    told = about(view(service("web", "10.0.0.1"), advertisement=chosen))
    assert [(each.node, each.preference) for each in told.candidates] == [("a", 30), ("b", 10)]
    assert {each.node: each.reason for each in told.others}["c"] == "node-not-selected"


def test_a_candidate_without_the_interface_is_told_so() -> None:
    elsewhere = Advertisement("all", interfaces=("eth7",))
    told = about(view(service("web", "10.0.0.1"), advertisement=elsewhere))
    assert {each.node: each.reason for each in told.candidates} == {"a": "no-interface", "b": "", "c": ""}


def test_a_drained_member_is_a_candidate_that_is_drained() -> None:
    seen = view(service("web", "10.0.0.1"), claims=(claim("a", heir="b"),), drained=True)
    assert {each.node: each.drained for each in about(seen).candidates} == {"a": True, "b": False, "c": False}


def test_services_that_share_an_address_are_all_named() -> None:
    sharing = [service(name, "10.0.0.1") for name in ("one", "two")]
    told = about(view(*sharing))
    assert sorted(told.services) == ["default/one", "default/two"]


# -- what stands in the way, and what happened


def test_what_would_change_it_is_told() -> None:
    told = about(view(service("web", "10.0.0.1"), claims=(claim("b", heir="c"),)))
    assert [(each.when, each.to) for each in told.changes] == [("b dies", "c"), ("b is drained", "c")]


def test_findings_are_those_of_this_address_and_of_the_whole_node() -> None:
    conditions = {
        "answered-by-stranger": "02:00:00:00:00:09: 10.0.0.1, 10.0.0.12",
        "member-stalled": "b",
        "no-mesh-key": "no key for the members' messages",
    }
    found = explain.explain("web", view(service("web", "10.0.0.1", "10.0.0.2"), conditions=conditions))
    assert isinstance(found, Explanation)
    words = {each.ip: [text.partition(":")[0] for text in each.findings] for each in found.addresses}
    assert words == {"10.0.0.1": ["answered-by-stranger", "no-mesh-key"], "10.0.0.2": ["no-mesh-key"]}


def test_its_last_events_are_told() -> None:
    seen = view(service("web", "10.0.0.1"))
    seen.ring.add([said("vip.conflict", float(n), "10.0.0.1") for n in range(30)])
    seen.ring.add([said("vip.conflict", 1.0, "10.0.0.2")])
    assert [each.number for each in about(seen).events] == list(range(21, 31))
