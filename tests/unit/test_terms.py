"""Of several that have one address and no longer agree, whoever has changed its terms is moved."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.allocator import Book
from speakerd.decide import Memo, decide
from speakerd.decision import Snapshot
from speakerd.model import Config, FamilyPolicy, Reservation, Service, Sharing
from speakerd.outlook import carried_out
from speakerd.terms import digest
from tests.unit import deciding
from tests.unit.allocation import V4, V6, assign, given_ips, joined, lease, outcome, pool, service

POOL = pool("p", "10.0.0.0/30")
X, ELSEWHERE = "10.0.0.2", "10.0.0.0"
WEB, TLS, DNS = ("TCP", 80), ("TCP", 443), ("UDP", 53)


def terms(*ports: tuple[str, int], key: str = "k", backend: str = "") -> Sharing:
    return Sharing(key, backend, frozenset(ports))


OLD = service("a1", [X], sharing=terms(WEB))
NEW = service("a2", [X], sharing=terms(TLS))
THIRD = service("a3", [X], sharing=terms(DNS))
AGREED = joined(X, OLD, NEW)
CHANGES = {
    "its key": terms(DNS, key="other"),
    "its traffic policy": terms(DNS, backend="app=web"),
    "its ports": terms(WEB, TLS),
    "its mind": None,
}


def unreserved(*services: Service, leases: Reservation) -> dict[str, list[str]]:
    """The addresses whose Lease does not say yet that these Services have it by their terms."""
    _, book = assign({each.key: each for each in services}, Config((POOL,)), {leases.ip: leases}, Book())
    return {key.removeprefix("ns/"): [*map(str, found)] for key, found in book.unreserved.items()}


# ---- who is moved


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(("changes", "stays"), [(OLD, NEW), (NEW, OLD)], ids=["the older", "the newer"])
def test_who_changes_is_moved_and_the_other_keeps_the_address(
    changes: Service, stays: Service, change: Sharing | None
) -> None:
    found = outcome([replace(changes, sharing=change), stays], POOL, leases=[AGREED])
    assert given_ips(found) == {changes.name: [ELSEWHERE], stays.name: [X]}


def test_a_change_that_still_agrees_moves_nobody_and_is_written_down() -> None:
    changed = replace(OLD, sharing=terms(WEB, DNS))
    assert given_ips(outcome([changed, NEW], POOL, leases=[AGREED])) == {"a1": [X], "a2": [X]}
    assert unreserved(changed, NEW, leases=AGREED) == {"a1": [X]}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_sole_holder_changes_in_place_and_its_lease_is_brought_up_to_date(change: Sharing | None) -> None:
    changed, held = replace(OLD, sharing=change), joined(X, OLD)
    assert given_ips(outcome([changed], POOL, leases=[held])) == {"a1": [X]}
    assert unreserved(changed, leases=held) == {"a1": [X]}
    assert unreserved(changed, leases=joined(X, changed)) == {}


def test_who_changed_while_it_was_alone_stays_where_one_that_joined_it_changes() -> None:
    was, joins = replace(OLD, sharing=terms(WEB, key="other")), replace(NEW, sharing=terms(TLS, key="other"))
    changed = replace(joins, sharing=terms(TLS))
    assert given_ips(outcome([was, changed], POOL, leases=[joined(X, was, joins)])) == {"a1": [X], "a2": [ELSEWHERE]}


def test_of_two_that_both_changed_the_older_keeps_the_address() -> None:
    both = [replace(OLD, sharing=terms(key="x")), replace(NEW, sharing=terms(key="y"))]
    assert given_ips(outcome(both, POOL, leases=[AGREED])) == {"a1": [X], "a2": [ELSEWHERE]}


def test_two_that_changed_alike_keep_the_address_together() -> None:
    both = [replace(each, sharing=replace(each.sharing, key="new")) for each in (OLD, NEW) if each.sharing]
    assert given_ips(outcome(both, POOL, leases=[AGREED])) == {"a1": [X], "a2": [X]}
    assert unreserved(*both, leases=AGREED) == {"a1": [X], "a2": [X]}
    third = outcome([*both, THIRD], POOL, leases=[joined(X, OLD, NEW, THIRD)])
    assert given_ips(third) == {"a1": [ELSEWHERE], "a2": [ELSEWHERE], "a3": [X]}, "where nobody else keeps it"


def test_who_has_to_leave_keeps_its_former_terms_in_the_lease() -> None:
    assert unreserved(replace(OLD, sharing=terms(key="x")), NEW, leases=AGREED) == {}


def test_terms_are_written_down_once_the_lease_names_nobody_any_more_with_whom_they_do_not_agree() -> None:
    changed, left = replace(OLD, sharing=terms(key="x")), replace(NEW, ips=())
    assert given_ips(outcome([changed, left], POOL, leases=[AGREED])) == {"a1": [X], "a2": [ELSEWHERE]}
    assert unreserved(changed, left, leases=AGREED) == {}
    assert unreserved(changed, left, leases=joined(X, OLD)) == {"a1": [X]}


def test_a_service_of_two_addresses_has_changed_where_one_of_their_leases_says_so() -> None:
    dual = pool("p", "10.0.0.0/30", "fd00::/126")
    both = {"cluster_ips": (V4, V6), "family_policy": FamilyPolicy.REQUIRE_DUAL}
    before = service("a1", [X, "fd00::1"], sharing=terms(WEB), **both)
    after = replace(before, sharing=terms(WEB, key="x"))
    leases = [joined(X, before, NEW), joined("fd00::1", after)]
    assert given_ips(outcome([after, NEW], dual, leases=leases)) == {"a1": [ELSEWHERE, "fd00::1"], "a2": [X]}


# ---- what is not known


@pytest.mark.parametrize("held", [None, lease(X), lease(X, "a1", "a2")], ids=["no Lease", "names none", "no terms"])
def test_without_terms_in_the_lease_the_older_keeps_the_address(held: Reservation | None) -> None:
    found = outcome([OLD, replace(NEW, sharing=None)], POOL, leases=[held] if held else [])
    assert given_ips(found) == {"a1": [X], "a2": [ELSEWHERE]}


def test_who_holds_to_its_terms_comes_before_one_whose_terms_are_not_known() -> None:
    unknown = replace(OLD, sharing=terms(key="x"))
    for held in (joined(X, NEW), replace(AGREED, terms=joined(X, NEW).terms)):
        assert given_ips(outcome([unknown, NEW], POOL, leases=[held])) == {"a1": [ELSEWHERE], "a2": [X]}


def test_one_whose_terms_are_not_known_comes_before_one_that_has_changed() -> None:
    changed = replace(OLD, sharing=terms(key="x"))
    for held in (joined(X, OLD), replace(AGREED, terms=joined(X, OLD).terms)):
        assert given_ips(outcome([changed, NEW], POOL, leases=[held])) == {"a1": [ELSEWHERE], "a2": [X]}


def test_terms_of_an_earlier_service_of_that_name_say_nothing() -> None:
    anew = replace(OLD, uid="anew", sharing=terms(key="x"))
    leases = replace(joined(X, replace(anew, uid="before"), NEW), terms=joined(X, replace(OLD, uid="before")).terms)
    assert given_ips(outcome([anew, NEW], POOL, leases=[leases])) == {"a1": [X], "a2": [ELSEWHERE]}


def test_a_lease_without_terms_is_left_alone_but_for_those_that_share() -> None:
    alone = replace(OLD, sharing=None)
    assert unreserved(alone, leases=lease(X, "a1")) == {}
    assert unreserved(OLD, NEW, leases=lease(X, "a1", "a2")) == {"a1": [X], "a2": [X]}
    assert unreserved(OLD, NEW, leases=AGREED) == {}


# ---- to the end, and from the start


def at_rest(seen: Snapshot, memo: Memo | None = None) -> Snapshot:
    """What a cluster comes to; without a memo every decision is that of an allocator that has just started."""
    for _ in range(20):
        plan, left = decide(seen, memo or Memo())
        if deciding.is_at_rest(plan):
            return seen
        memo = left if memo else None
        seen = carried_out(seen, plan)
    raise AssertionError("it does not come to rest")


def with_services(seen: Snapshot, *services: Service) -> Snapshot:
    return replace(seen, services={each.key: each for each in services})


def test_who_moved_and_changes_back_stays_where_it_is() -> None:
    one, two = deciding.service("a1", sharing=terms(WEB)), deciding.service("b2", sharing=terms(TLS))
    seen = at_rest(deciding.world([one, two]))
    assert deciding.held(seen) == {"a1": ["10.0.0.0"], "b2": ["10.0.0.0"]}
    for change in (terms(WEB, key="x"), terms(WEB)):
        first, second = (seen.services[each.key] for each in (one, two))
        seen = at_rest(with_services(seen, replace(first, sharing=change), second))
        assert deciding.held(seen) == {"a1": ["10.0.0.1"], "b2": ["10.0.0.0"]}


def test_an_allocator_that_starts_between_the_change_and_the_move_moves_the_same_one() -> None:
    one, two = deciding.service("a1", sharing=terms(WEB)), deciding.service("b2", sharing=terms(TLS))
    memo = Memo()
    seen = at_rest(deciding.world([one, two]), memo)
    first, second = (seen.services[each.key] for each in (one, two))
    changed = with_services(seen, replace(first, sharing=None), second)
    plan, memo = decide(changed, memo)
    fresh, _ = decide(changed, Memo())
    assert plan.writes == fresh.writes
    assert [each.service.name for each in plan.writes] == ["a1"]
    half = replace(carried_out(changed, replace(plan, writes=())), services=changed.services)
    assert (
        deciding.held(at_rest(half))
        == deciding.held(at_rest(changed, memo))
        == {"a1": ["10.0.0.1"], "b2": ["10.0.0.0"]}
    )


some_terms = st.one_of(
    st.none(),
    st.builds(
        Sharing,
        st.sampled_from(["k", "x"]),
        st.sampled_from(["", "app=web"]),
        st.frozensets(st.sampled_from([WEB, TLS])),
    ),
)
some_services = st.dictionaries(st.sampled_from(["d1", "c2", "b3", "a4"]), some_terms)


@settings(max_examples=60, deadline=None)
@given(some_services, st.lists(some_services, max_size=3), st.randoms())
def test_who_does_not_change_its_terms_keeps_its_address_whatever_others_do(
    first: dict[str, Sharing | None], changes: list[dict[str, Sharing | None]], chance: Random
) -> None:
    memo = Memo()
    seen = at_rest(deciding.world(deciding.service(name, sharing=by) for name, by in first.items()), memo)
    for change in changes:
        before = deciding.held(seen)
        every = [replace(each, sharing=change.get(each.name, each.sharing)) for each in seen.services.values()]
        stay = [each.name for each in every if each.sharing == seen.services[each.key].sharing]
        changed = with_services(seen, *every)
        chance.shuffle(every)
        anew = at_rest(with_services(seen, *every))
        seen = at_rest(changed, memo)
        after = deciding.held(seen)
        assert after == deciding.held(anew)
        assert {name: after[name] for name in stay} == {name: before[name] for name in stay}
        for one, two in combinations(seen.services.values(), 2):
            assert one.shares_with(two) or not set(one.ips) & set(two.ips)


# ---- the word


def test_terms_are_told_alike_by_every_release_and_on_every_host() -> None:
    assert digest(None) == ""
    assert digest(terms(WEB)) == "32a73f2432db"
    assert digest(terms(WEB, TLS, DNS, ("UDP", 443))) == "b681ecfa5e12"


def test_other_terms_are_another_word() -> None:
    every = [
        terms(WEB),
        terms(TLS),
        terms(WEB, TLS),
        terms(),
        terms(WEB, key="x"),
        terms(WEB, backend="x"),
        terms(WEB, key="", backend="k"),
        terms(WEB, key="k,", backend=""),
    ]
    assert len({digest(each) for each in every}) == len(every)
