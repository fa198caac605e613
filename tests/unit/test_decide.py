"""The decision is a function of the snapshot: it is at rest in its own outcome, and remembers only to be quick."""

from ipaddress import ip_address

from msgspec.structs import replace

from speakerd.decide import Memo, decide
from speakerd.exchange import Candidate, Key, Member, MembershipSettings
from speakerd.model import (
    Advertisement,
    Config,
    Endpoints,
    Holder,
    Node,
    Pool,
    Range,
    Reason,
    Record,
    Release,
    Service,
    ServiceRef,
    Sharing,
)
from speakerd.outlook import carried_out
from tests.unit.deciding import CONFIG, FIRST, held, ips, is_at_rest, lease, service, world


def test_it_finds_no_write_left_in_its_own_outcome() -> None:
    before = world([service("a1"), service("b2", "10.0.0.3"), service("c3", "10.0.0.3"), service("d4")])
    plan, memo = decide(before, Memo())
    after = carried_out(before, plan)
    assert held(after) == {"a1": ["10.0.0.0"], "b2": ["10.0.0.3"], "c3": ["10.0.0.1"], "d4": ["10.0.0.2"]}
    assert is_at_rest(decide(after, memo)[0])
    assert is_at_rest(decide(after, Memo())[0])


def test_a_service_whose_new_address_a_stranger_has_gets_the_next_and_nobody_gets_that_one() -> None:
    seen, memo = world([service("a1")]), Memo()
    for _ in range(2):
        plan, memo = decide(seen, memo)
        seen = carried_out(seen, plan)
    assert held(seen) == {"a1": ["10.0.0.0"]}
    seen = replace(seen, strangers={ip_address("10.0.0.0"): "02:ff:00:00:00:01"})
    for _ in range(3):
        plan, memo = decide(seen, memo)
        seen = carried_out(seen, plan)
    assert held(seen) == {"a1": ["10.0.0.1"]}
    assert is_at_rest(decide(seen, memo)[0])
    assert is_at_rest(decide(seen, Memo())[0])
    seen = replace(seen, services={**seen.services, "ns/b2": service("b2")})
    seen = carried_out(seen, decide(seen, memo)[0])
    assert held(seen) == {"a1": ["10.0.0.1"], "b2": ["10.0.0.2"]}


def test_the_oldest_service_is_written_first() -> None:
    plan, _ = decide(world([service("c3"), service("a2"), service("b1")]), Memo())
    assert [write.service.name for write in plan.writes] == ["b1", "a2", "c3"]


def test_an_address_without_a_lease_is_adopted() -> None:
    plan, _ = decide(world([service("a1", "10.0.0.2")]), Memo())
    assert not plan.writes
    assert plan.adoptions == ((ip_address("10.0.0.2"), Holder(ServiceRef("ns/a1", "uid-a1"))),)


def test_a_lease_is_released_only_when_the_status_no_longer_shows_the_address() -> None:
    (ip,) = ips("10.0.0.2")
    reserved = lease(ip, ServiceRef("ns/a1", "uid-a1"))
    lapsed = replace(service("a1", "10.0.0.2"), ours=False, lapsed=True)
    first = world([lapsed], [reserved])
    plan, memo = decide(first, Memo())
    assert [write.assignment.ips for write in plan.writes] == [()]
    assert not plan.releases
    second = replace(first, services={})
    plan, memo = decide(second, memo)
    assert plan.releases == (Release(reserved),)
    assert is_at_rest(decide(carried_out(second, plan), memo)[0])


def test_a_lease_of_a_service_that_was_made_anew_is_released() -> None:
    stale = lease(ip_address("10.0.0.0"), ServiceRef("ns/a1", "uid-of-before"))
    plan, _ = decide(world([service("a1")], [stale]), Memo())
    assert plan.releases == (Release(stale),)
    assert plan.assignments["ns/a1"].ips == ips("10.0.0.1")


def test_an_address_held_under_the_lease_of_another_is_adopted_once_that_lease_is_gone() -> None:
    holder, foreign = service("a1", "10.0.0.2"), lease(ip_address("10.0.0.2"), ServiceRef("ns/gone", "uid"))
    before = world([holder], [foreign])
    plan, memo = decide(before, Memo())
    assert (plan.releases, plan.adoptions) == ((Release(foreign),), ())
    plan, memo = decide(carried_out(before, plan), memo)
    assert plan.adoptions == ((foreign.ip, Holder(ServiceRef("ns/a1", "uid-a1"))),)


def test_a_write_that_is_due_goes_with_its_service_also_when_the_pools_change() -> None:
    plan, memo = decide(world([service("a1"), service("b2", "10.0.0.3")]), Memo())
    assert len(plan.writes) == 1
    grown = Config((Pool("p", (Range(4, FIRST, FIRST + 7),)),), (Advertisement("all"),))
    plan, memo = decide(replace(world([service("b2", "10.0.0.3")]), config=grown), memo)
    assert not plan.writes


def test_who_waits_is_served_once_the_lease_of_a_deleted_service_is_gone() -> None:
    holders = [service(f"a{i}", f"10.0.0.{i}") for i in range(4)]
    leases = [lease(each.ips[0], ServiceRef(each.key, each.uid)) for each in holders]
    plan, memo = decide(world([*holders, service("w5")], leases), Memo())
    assert plan.assignments["ns/w5"].reason is Reason.NO_FREE_ADDRESS
    deleted = world([*holders[:2], holders[3], service("w5")], leases)
    plan, memo = decide(deleted, memo)
    assert (plan.assignments["ns/w5"].ips, plan.releases) == ((), (Release(leases[2]),))
    plan, memo = decide(carried_out(deleted, plan), memo)
    assert plan.assignments["ns/w5"].ips == ips("10.0.0.2")


def test_who_does_not_allocate_writes_nothing_and_shows_what_statuses_say() -> None:
    looking_on = replace(world([service("a1"), service("b2", "10.0.0.1")]), ledger=None)
    plan, memo = decide(looking_on, Memo())
    assert is_at_rest(plan)
    assert not plan.events
    assert plan.assignments["ns/b2"].ips == ips("10.0.0.1")
    plan, memo = decide(replace(looking_on, services={}), memo)
    assert not plan.assignments
    assert not is_at_rest(decide(world([service("a1")]), memo)[0])


def test_until_everything_was_listed_what_was_wanted_stands() -> None:
    plan, memo = decide(world([service("a1", "10.0.0.1"), service("b2")]), Memo())
    blind = replace(world([]), settled=False)
    later, memo = decide(blind, memo)
    assert later.wanted is plan.wanted
    assert later.assignments is plan.assignments
    assert is_at_rest(later)
    assert decide(blind, Memo())[0].wanted.vips == {}


def test_vips_are_what_statuses_show_and_candidates_are_sorted() -> None:
    plan, _ = decide(world([service("a1", "10.0.0.1")], nodes="cab"), Memo())
    (vip,) = plan.wanted.vips.values()
    assert (vip.ip, vip.service, vip.rank_by) == (b"\x0a\x00\x00\x01", "ns/a1", b"\x0a\x00\x00\x01")
    assert plan.wanted.candidate_sets[vip.candidates] == tuple(map(Candidate, "abc"))
    assert [member.name for member in plan.wanted.members] == ["a", "b", "c"]


def test_all_addresses_of_a_service_rank_by_its_first() -> None:
    both = service("a1", "10.0.0.1", "fd00::1")
    plan, _ = decide(world([both]), Memo())
    assert {vip.rank_by for vip in plan.wanted.vips.values()} == {both.ips[0].packed}


def test_announce_none_gives_no_vips_and_still_allocates() -> None:
    quiet = replace(world([service("a1", "10.0.0.1"), service("b2")]), announce=False)
    plan, memo = decide(quiet, Memo())
    assert not plan.wanted.vips
    assert plan.assignments["ns/b2"].ips == ips("10.0.0.0")
    assert decide(replace(quiet, announce=True), memo)[0].wanted.vips


def test_an_address_two_statuses_show_is_announced_for_the_older_one() -> None:
    plan, _ = decide(replace(world([service("a2", "10.0.0.1"), service("b1", "10.0.0.1")]), ledger=None), Memo())
    (vip,) = plan.wanted.vips.values()
    assert vip.service == "ns/b1"
    assert plan.refused == {("ns/a2", ip_address("10.0.0.1")): Reason.ADDRESS_HELD}


def shared(name: str, *held: str, **fields: object) -> Service:
    return service(name, *held, sharing=Sharing("k"), **fields)


def test_an_address_of_several_services_ranks_by_the_first_of_the_oldest_and_serves_where_all_are_served() -> None:
    config = Config(
        CONFIG.pools,
        (
            Advertisement("one", nodes=frozenset("ab"), by_service=True),
            Advertisement("two", nodes=frozenset("bc"), by_service=True),
        ),
    )
    old = shared("b1", "10.0.0.2", "10.0.0.1", advertised_by=("one",))
    young = shared("a2", "10.0.0.1", advertised_by=("two",))
    snapshot = replace(world([old, young], nodes="abc"), config=config, ledger=None)
    plan, memo = decide(snapshot, Memo())
    row = plan.wanted.vips[ip_address("10.0.0.1").packed]
    assert (row.service, row.rank_by) == ("ns/b1", ip_address("10.0.0.2").packed)
    assert plan.wanted.candidate_sets[row.candidates] == (Candidate("b"),)
    assert plan.shared == {row.ip: ("ns/b1", "ns/a2")}
    assert not plan.refused
    apart = Config(CONFIG.pools, (config.advertisements[0], replace(config.advertisements[1], nodes=frozenset("c"))))
    plan, memo = decide(replace(snapshot, config=apart), memo)
    assert row.ip not in plan.wanted.vips
    conflict = Reason.CONFLICTING_ADVERTISEMENTS
    assert {key: why for (key, ip), why in plan.refused.items() if ip.packed == row.ip} == {
        "ns/b1": conflict,
        "ns/a2": conflict,
    }
    assert not plan.shared


def test_a_service_without_endpoints_does_not_silence_those_it_shares_its_address_with() -> None:
    one, two = shared("a1", "10.0.0.1"), shared("b2", "10.0.0.1")
    snapshot = replace(world([one, two]), ledger=None, endpoints={two.key: Endpoints(True)})
    plan, _ = decide(snapshot, Memo())
    (row,) = plan.wanted.vips.values()
    assert row.service == "ns/b2"
    assert plan.refused == {("ns/a1", ip_address("10.0.0.1")): Reason.NO_ENDPOINTS}


def test_a_change_of_nodes_that_changes_no_candidate_changes_nothing_wanted() -> None:
    chosen = Config(CONFIG.pools, (Advertisement("l", nodes=frozenset("ab")),))
    snapshot = replace(world([service("a1", "10.0.0.1")], nodes="ab"), config=chosen)
    before, memo = decide(snapshot, Memo())
    more = Config(CONFIG.pools, (Advertisement("l", nodes=frozenset("abx")),))
    nodes = {**snapshot.nodes, "x": Node("x")}
    after, memo = decide(replace(snapshot, config=more, nodes=nodes, row_version=9), memo)
    assert after.wanted == before.wanted
    assert after.wanted.vips is before.wanted.vips
    joined = {**snapshot.members, "x": Member("x")}
    after, memo = decide(replace(snapshot, config=more, nodes=nodes, members=joined), memo)
    (row,) = after.wanted.vips.values()
    assert after.wanted.candidate_sets[row.candidates] == tuple(map(Candidate, "abx"))


def test_keys_drain_and_membership_reach_the_announcer() -> None:
    keys, pace = (Key("0a", b"new"), Key("0b", b"old")), MembershipSettings(interval=0.25)
    snapshot = replace(world([]), keys=keys, drained=True, membership=pace)
    plan, _ = decide(snapshot, Memo())
    assert (plan.wanted.keys, plan.wanted.drained, plan.wanted.membership) == (keys, True, pace)


def test_who_owned_a_vip_at_the_start_is_told_as_long_as_the_row_stands() -> None:
    (raw,) = (ip.packed for ip in ips("10.0.0.1"))
    snapshot = replace(world([service("a1", "10.0.0.1"), service("b2", "10.0.0.2")]), hints={raw: Record("b", 7)})
    plan, memo = decide(snapshot, Memo())
    assert {(vip.owner, vip.epoch) for vip in plan.wanted.vips.values()} == {("b", 7), ("", 0)}
    again, _ = decide(replace(snapshot, row_version=9), memo)
    assert again.wanted.vips is plan.wanted.vips


def test_unchanged_vips_stay_one_object_and_note_when_they_last_changed() -> None:
    services = [service("a1", "10.0.0.1"), service("b2", "10.0.0.2")]
    before = replace(world(services), row_version=5)
    first, memo = decide(before, Memo())
    rows = dict(first.wanted.vips)
    changed = replace(services[1], local_policy=True)
    second, memo = decide(replace(world([services[0], changed]), row_version=9), memo)
    a, b = (ip_address(f"10.0.0.{i}").packed for i in (1, 2))
    assert second.wanted.vips[a] is rows[a]
    assert rows[b] is first.wanted.vips[b]
    assert (second.wanted.vips[a].row_version, second.wanted.vips[b].row_version) == (5, 9)


def test_a_refusal_goes_when_its_cause_goes() -> None:
    snapshot = world([service("a1", "10.0.0.1")])
    plan, memo = decide(replace(snapshot, endpoints={}), Memo())
    assert plan.refused == {("ns/a1", ip_address("10.0.0.1")): Reason.NO_ENDPOINTS}
    assert not plan.wanted.vips
    plan, memo = decide(snapshot, memo)
    assert not plan.refused
    plan, memo = decide(replace(snapshot, nodes={}), memo)
    assert list(plan.refused.values()) == [Reason.NO_CANDIDATE]
    plan, memo = decide(replace(snapshot, services={}), memo)
    assert not plan.refused


def test_candidate_sets_out_of_use_do_not_pile_up() -> None:
    names = [f"n{number}" for number in range(400)]
    local = service("a1", "10.0.0.1", local_policy=True)
    nodes = {name: Node(name) for name in names}
    members = {name: Member(name) for name in names}
    base = replace(world([local]), nodes=nodes, members=members)
    memo = Memo()
    for name in names:
        snapshot = replace(base, endpoints={local.key: Endpoints(True, frozenset([name]))})
        plan, memo = decide(snapshot, memo)
        (vip,) = plan.wanted.vips.values()
        assert plan.wanted.candidate_sets[vip.candidates] == (Candidate(name),)
        assert len(plan.wanted.candidate_sets) < 100
