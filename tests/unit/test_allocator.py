"""The allocator keeps what is held, gives the lowest free address by age, and forgets nothing between passes."""

import pytest
from msgspec.structs import replace

from speakerd.allocator import Book
from speakerd.model import (
    IP,
    Assignment,
    Config,
    FamilyPolicy,
    Pool,
    Problem,
    Reason,
    Release,
    Request,
    ServiceRef,
)
from tests.unit.allocation import V4, V6, assign, given_ips, ips, lease, outcome, pinned, pool, service

SMALL = pool("p", "10.0.0.0/30")


def test_the_oldest_waiting_service_gets_the_lowest_address() -> None:
    found = outcome([service("b2"), service("a3"), service("c1")], SMALL)
    assert given_ips(found) == {"c1": ["10.0.0.0"], "b2": ["10.0.0.1"], "a3": ["10.0.0.2"]}


def test_of_one_age_the_name_decides() -> None:
    found = outcome([service("b1"), service("a1")], SMALL)
    assert given_ips(found) == {"a1": ["10.0.0.0"], "b1": ["10.0.0.1"]}


def test_a_holder_keeps_its_address_although_a_lower_one_is_free() -> None:
    assert given_ips(outcome([service("a1", ["10.0.0.2"])], SMALL)) == {"a1": ["10.0.0.2"]}


def test_open_pools_are_used_in_the_order_of_their_names_and_closed_ones_only_when_named() -> None:
    pools = [pool("b", "10.0.2.0/32"), pool("c", "10.0.3.0/32"), pool("a", "10.0.1.0/32", auto_assign=False)]
    asks = service("a9", request=Request(pool="a"))
    found = outcome([service("a1"), service("a2"), service("a3"), asks], *pools)
    assert given_ips(found) == {"a1": ["10.0.2.0"], "a2": ["10.0.3.0"], "a3": [], "a9": ["10.0.1.0"]}
    assert found["a9"].pool == "a"
    assert found["a3"].reason is Reason.NO_FREE_ADDRESS


def test_when_two_hold_one_address_the_older_keeps_it_and_the_other_moves() -> None:
    found = outcome([service("a2", ["10.0.0.2"]), service("b1", ["10.0.0.2"])], SMALL)
    assert given_ips(found) == {"b1": ["10.0.0.2"], "a2": ["10.0.0.0"]}


def test_an_address_reserved_for_a_service_is_the_one_it_gets() -> None:
    found = outcome([service("a1"), service("b2")], SMALL, leases=[lease("10.0.0.3", "b2"), lease("10.0.0.0", "gone")])
    assert given_ips(found) == {"a1": ["10.0.0.1"], "b2": ["10.0.0.3"]}


def test_a_reservation_of_the_same_name_but_another_uid_is_taken() -> None:
    stale = replace(lease("10.0.0.0", "a1"), services=(ServiceRef("ns/a1", "uid-of-before"),))
    assert given_ips(outcome([service("a1")], SMALL, leases=[stale])) == {"a1": ["10.0.0.1"]}


def test_a_reservation_outside_the_pools_is_not_given() -> None:
    assert given_ips(outcome([service("a1")], SMALL, leases=[lease("10.9.0.0", "a1")])) == {"a1": ["10.0.0.0"]}


def test_an_address_in_a_foreign_status_is_not_free() -> None:
    foreign = service("f1", ["10.0.0.0"], ours=False)
    assert given_ips(outcome([foreign, service("a2")], SMALL)) == {"a2": ["10.0.0.1"]}


def test_an_address_given_up_stays_busy_until_its_status_and_lease_are_gone() -> None:
    mover = service("a1", ["10.0.0.0"], request=Request(ips("10.0.0.1")))
    found = outcome([mover, service("b2"), service("c3"), service("d4")], SMALL, leases=[lease("10.0.0.0", "a1")])
    assert given_ips(found) == {"a1": ["10.0.0.1"], "b2": ["10.0.0.2"], "c3": ["10.0.0.3"], "d4": []}


@pytest.mark.parametrize(
    ("request_", "reason", "message"),
    [
        (Request(ips("10.0.0.1")), Reason.ADDRESS_HELD, "10.0.0.1 is held by ns/b0"),
        (Request(ips("10.9.0.1")), Reason.ADDRESS_IN_NO_POOL, "10.9.0.1 is in no pool"),
        (Request(pool="x"), Reason.UNKNOWN_POOL, 'no pool is named "x"'),
        (Request(pool="full"), Reason.NO_FREE_ADDRESS, 'no free IPv4 in pool "full"'),
        (
            Request(ips("10.0.0.2"), pool="full"),
            Reason.OUTSIDE_REQUESTED_POOL,
            '["10.0.0.2"] are of pool "p", not "full"',
        ),
        (Request(ips("fd00::1")), Reason.FAMILY_MISMATCH, '["fd00::1"] are not of the families of the cluster IPs'),
        (Request(reason=Reason.MALFORMED_ADDRESS, message="bad"), Reason.MALFORMED_ADDRESS, "bad"),
        (Request(reason=Reason.TWO_REQUESTS, message="two"), Reason.TWO_REQUESTS, "two"),
    ],
)
@pytest.mark.parametrize("held", [[], ["10.0.0.0"]])
def test_a_request_that_cannot_be_met_says_why_and_never_costs_what_is_held(
    request_: Request, reason: Reason, message: str, held: list[str]
) -> None:
    others = [service("b0", ["10.0.0.1"]), service("c0", ["10.1.0.0"])]
    pools = [SMALL, pool("full", "10.1.0.0/32"), pool("six", "fd00::/127")]
    found = outcome([service("a1", held, request=request_), *others], *pools)["a1"]
    assert [str(ip) for ip in found.ips] == held
    assert (found.reason, found.message) == (reason, message)


def test_a_request_that_can_be_met_moves_the_holder() -> None:
    mover = service("a1", ["10.0.0.0"], request=Request(ips("10.0.0.3")))
    assert given_ips(outcome([mover], SMALL)) == {"a1": ["10.0.0.3"]}
    named = service("a1", ["10.0.0.0"], request=Request(pool="q"))
    assert given_ips(outcome([named], SMALL, pool("q", "10.5.0.0/32"))) == {"a1": ["10.5.0.0"]}


def test_a_request_is_granted_from_a_pool_that_does_not_assign_by_itself() -> None:
    asks = service("a1", request=Request(ips("10.0.0.1")))
    assert given_ips(outcome([asks], pool("p", "10.0.0.0/30", auto_assign=False))) == {"a1": ["10.0.0.1"]}


def test_a_pair_of_different_pools_is_refused() -> None:
    asks = service("a1", cluster_ips=(V4, V6), request=Request(ips("10.0.0.1", "fd00::1")))
    found = outcome([asks], SMALL, pool("six", "fd00::/127"))["a1"]
    assert found.reason is Reason.BAD_COMBINATION


def test_a_requested_pair_keeps_the_order_written() -> None:
    asks = service("a1", cluster_ips=(V4, V6), request=Request(ips("fd00::1", "10.0.0.1")))
    assert given_ips(outcome([asks], pool("d", "10.0.0.0/30", "fd00::/127"))) == {"a1": ["fd00::1", "10.0.0.1"]}


DUAL, ONLY4, ONLY6 = pool("m", "10.0.0.0/32", "fd00::/128"), pool("a", "10.4.0.0/32"), pool("b", "fd04::/128")
PREFER, REQUIRE, SINGLE = FamilyPolicy.PREFER_DUAL, FamilyPolicy.REQUIRE_DUAL, FamilyPolicy.SINGLE


@pytest.mark.parametrize(
    ("cluster_ips", "policy", "pools", "expected"),
    [
        ((V4,), SINGLE, [DUAL], ["10.0.0.0"]),
        ((V6,), PREFER, [ONLY4, DUAL], ["fd00::"]),
        ((V4, V6), REQUIRE, [ONLY4, ONLY6, DUAL], ["10.0.0.0", "fd00::"]),
        ((V4, V6), REQUIRE, [ONLY4, ONLY6], []),
        ((V4, V6), PREFER, [ONLY4, ONLY6, DUAL], ["10.0.0.0", "fd00::"]),
        ((V4, V6), PREFER, [ONLY4, ONLY6], ["10.4.0.0"]),
        ((V6, V4), PREFER, [ONLY4, ONLY6], ["fd04::"]),
        ((V6, V4), PREFER, [ONLY4], ["10.4.0.0"]),
        ((V4, V6), SINGLE, [DUAL], []),
    ],
)
def test_families_follow_cluster_ips_and_policy(
    cluster_ips: tuple[IP, ...], policy: FamilyPolicy, pools: list[Pool], expected: list[str]
) -> None:
    found = outcome([service("a1", cluster_ips=cluster_ips, family_policy=policy)], *pools)["a1"]
    assert [str(ip) for ip in found.ips] == expected
    assert (found.reason is Reason.NONE) == bool(expected)


def test_require_dual_stack_with_one_cluster_ip_is_cleared() -> None:
    found = outcome([service("a1", ["10.0.0.0"], family_policy=REQUIRE)], DUAL)["a1"]
    assert (found.ips, found.reason) == ((), Reason.DUAL_STACK_REQUIRED)


def test_a_prefer_dual_stack_holder_gains_the_second_address_and_lives_without() -> None:
    holder = service("a1", ["10.0.0.0"], cluster_ips=(V4, V6), family_policy=PREFER)
    assert given_ips(outcome([holder], DUAL)) == {"a1": ["10.0.0.0", "fd00::"]}
    taken = service("b0", ["fd00::"], cluster_ips=(V6,))
    found = outcome([holder, taken], DUAL)["a1"]
    assert (found.ips, found.reason) == (ips("10.0.0.0"), Reason.NONE)
    assert found.message == 'no free IPv6 in pool "m"'


def test_a_pair_that_loses_a_family_keeps_the_other_address() -> None:
    holder = service("a1", ["10.0.0.3", "fd00::"], cluster_ips=(V4, V6), family_policy=PREFER)
    assert given_ips(outcome([holder], SMALL)) == {"a1": ["10.0.0.3"]}


def test_a_holder_whose_pool_is_gone_moves_while_others_stand() -> None:
    assert given_ips(outcome([service("a1", ["10.9.0.0"])], SMALL)) == {"a1": ["10.0.0.0"]}


def test_a_renamed_pool_is_noted() -> None:
    assert outcome([service("a1", ["10.0.0.1"], pool="old")], SMALL)["a1"] == Assignment(ips("10.0.0.1"), "p")


def test_all_pools_gone_takes_nothing_from_anybody() -> None:
    found = outcome([service("a1", ["10.9.0.0"], pool="was"), service("b2")])
    assert found["a1"] == Assignment(ips("10.9.0.0"), "was")
    assert found["b2"].reason is Reason.NO_POOL


def test_all_pools_deleted_on_purpose_releases_their_addresses() -> None:
    held, config = service("a1", ["10.9.0.0"], pool="was"), Config((pool("was", "10.9.0.0/30"),))
    found, book = assign({held.key: held}, config, {}, Book())
    assert found[held.key].ips == ips("10.9.0.0")
    found, _ = assign({held.key: held}, Config(pools_gone=True), {}, book)
    assert (found[held.key].ips, found[held.key].reason) == ((), Reason.NO_POOL)


def test_a_pool_missing_by_a_fault_takes_nothing_from_its_holders() -> None:
    fault = Problem("IPAddressPool/metallb-system/q", "spec.addresses[0]", "malformed-address", "")
    holder = service("a1", ["10.9.0.0"], pool="q")
    found, _ = assign({holder.key: holder}, Config((SMALL,), problems=(fault,)), {}, Book())
    assert found[holder.key] == Assignment(holder.ips, "q")


def test_a_service_without_cluster_ip_is_refused() -> None:
    assert outcome([service("a1", cluster_ips=())], SMALL)["a1"].reason is Reason.FAMILY_MISMATCH


def test_leases_whose_services_are_gone_are_idle_and_kept_addresses_without_a_lease_are_named() -> None:
    services = {s.key: s for s in [service("a1", ["10.0.0.0"]), service("b2", ["10.0.0.1"]), service("c3")]}
    leases = [lease("10.0.0.0", "a1"), lease("10.0.0.2", "gone"), lease("10.0.0.3", "c3"), lease("10.9.0.3", "b2")]
    _, book = assign(services, Config((SMALL,)), {each.ip: each for each in leases}, Book())
    assert {str(each.held.ip) for each in book.idle.values()} == {"10.0.0.2", "10.9.0.3"}
    assert book.unreserved == {"ns/b2": ips("10.0.0.1")}


def test_an_address_set_aside_is_given_to_nobody_while_its_service_lives() -> None:
    aside = replace(lease("10.0.0.0", "a1"), stranger="02:ff:00:00:00:01")
    found = outcome([service("a1", ["10.0.0.0"]), service("b2")], SMALL, leases=[aside])
    assert given_ips(found) == {"a1": ["10.0.0.1"], "b2": ["10.0.0.2"]}


def test_a_service_keeps_the_address_of_the_other_family_when_one_is_set_aside() -> None:
    both = pool("p", "10.0.0.0/30", "fd00::/126")
    dual = service("a1", ["10.0.0.0", "fd00::2"], cluster_ips=(V4, V6), family_policy=FamilyPolicy.REQUIRE_DUAL)
    leases = [replace(lease("10.0.0.0", "a1"), stranger="02:ff:00:00:00:01"), lease("fd00::2", "a1")]
    assert given_ips(outcome([dual], both, leases=leases)) == {"a1": ["10.0.0.1", "fd00::2"]}


def test_who_asks_for_an_address_that_a_stranger_has_is_told_so() -> None:
    aside = replace(lease("10.0.0.0", "a1"), stranger="02:ff:00:00:00:01")
    asks = service("b2", request=Request(ips("10.0.0.0")))
    found = outcome([service("a1", ["10.0.0.1"]), asks], SMALL, leases=[aside, lease("10.0.0.1", "a1")])
    assert (found["b2"].ips, found["b2"].reason) == ((), Reason.ANSWERED_BY_STRANGER)
    assert "02:ff:00:00:00:01" in found["b2"].message


def test_what_was_set_aside_is_released_with_its_service() -> None:
    aside = replace(lease("10.0.0.0", "a1"), stranger="02:ff:00:00:00:01")
    config, ledger = Config((SMALL,)), {aside.ip: aside}
    _, book = assign({"ns/a1": service("a1", ["10.0.0.1"])}, config, ledger, Book())
    assert not book.idle
    _, book = assign({}, config, ledger, book)
    assert list(book.idle.values()) == [Release(aside)]


def test_pools_pinned_to_a_service_come_first_by_priority_then_by_name_then_the_open_ones() -> None:
    priorities = {"none": 0, "two": 2, "late": 0, "one": 1}
    pools = [pinned(name, f"10.0.{i}.0/32", priority=priorities[name]) for i, name in enumerate(priorities)]
    ours = [service(f"a{n}", admitted_by=tuple(priorities)) for n in range(6)]
    found = outcome(ours, *pools, pool("all", "10.9.0.0/32"), pinned("others", "10.8.0.0/24", priority=1))
    assert [found[f"a{n}"].pool for n in range(6)] == ["one", "two", "late", "none", "all", ""]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(pool="pin"), 'pool "pin" is for other Services'),
        (Request(ips("10.0.0.1")), '["10.0.0.1"] are of pool "pin", which is for other Services'),
    ],
)
def test_a_pool_for_others_is_refused_also_to_who_asks_for_it(request_: Request, message: str) -> None:
    pools = (pinned("pin", "10.0.0.0/30", auto_assign=False), pool("all", "10.9.0.0/32"))
    stranger, friend = service("a1", request=request_), service("a2", request=request_, admitted_by=("pin",))
    found = outcome([stranger, friend], *pools)
    assert (found["a1"].reason, found["a1"].message, found["a1"].ips) == (Reason.POOL_SCOPED, message, ())
    assert found["a2"].pool == "pin"


def test_a_holder_that_a_pool_is_no_longer_for_is_given_another_address() -> None:
    pools = (pinned("pin", "10.0.0.0/30"), pool("all", "10.9.0.0/32"))
    held = service("a1", ["10.0.0.1"], admitted_by=("pin",))
    assert given_ips(outcome([held], *pools)) == {"a1": ["10.0.0.1"]}
    assert given_ips(outcome([replace(held, admitted_by=())], *pools)) == {"a1": ["10.9.0.0"]}


def test_a_pair_is_preferred_within_a_tier_and_no_pinned_pool_is_passed_over_for_it() -> None:
    both = (pinned("four", "10.0.0.0/31", priority=1), pinned("dual", "10.1.0.0/32", "fd01::/128", priority=2))
    pools = (*both, pool("all", "10.9.0.0/24", "fd09::/120"))
    wants = [service(f"a{n}", cluster_ips=(V4, V6), family_policy=PREFER, admitted_by=("four", "dual")) for n in (1, 2)]
    assert [outcome(wants, *pools)[name].pool for name in ("a1", "a2")] == ["dual", "four"]
