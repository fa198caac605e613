"""Services of one sharing key and backend have one address together, as long as their ports differ."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd.allocator import Book
from speakerd.model import (
    Config,
    FamilyPolicy,
    Reason,
    Release,
    Request,
    Service,
    ServiceRef,
    Sharing,
)
from speakerd.sharing import Shared
from tests.unit.allocation import V4, V6, assign, given_ips, ips, joined, lease, outcome, pool, service

POOL = pool("p", "10.0.0.0/30")
WEB, TLS, DNS = ("TCP", 80), ("TCP", 443), ("UDP", 53)


def sharer(name: str, *held: str, key: str = "k", backend: str = "", ports: tuple[str, int] = WEB) -> Service:
    return service(name, held, sharing=Sharing(key, backend, frozenset({ports})))


# ---- who may share


def test_who_shares_joins_the_lowest_address_and_who_cannot_gets_one_of_its_own() -> None:
    found = outcome(
        [
            sharer("a1"),
            sharer("a2", ports=TLS),
            sharer("a3"),
            sharer("a4", key="other", ports=DNS),
            service("a5"),
            sharer("a6", ports=DNS),
        ],
        POOL,
    )
    assert given_ips(found) == {
        "a1": ["10.0.0.0"],
        "a2": ["10.0.0.0"],
        "a3": ["10.0.0.1"],
        "a4": ["10.0.0.2"],
        "a5": ["10.0.0.3"],
        "a6": ["10.0.0.0"],
    }


@pytest.mark.parametrize(
    ("other", "together"),
    [
        (sharer("a2", ports=TLS), True),
        (sharer("a2", ports=("UDP", 80)), True),
        (sharer("a2"), False),
        (sharer("a2", key="x", ports=TLS), False),
        (sharer("a2", backend="app=web", ports=TLS), False),
        (service("a2"), False),
        (replace(sharer("a2", ports=TLS), ours=False), False),
    ],
    ids=["other port", "other protocol", "same port", "other key", "other backend", "no key", "not ours"],
)
def test_two_have_one_address_if_key_and_backend_agree_and_no_port_is_in_both(
    other: Service, *, together: bool
) -> None:
    one = sharer("a1", "10.0.0.1")
    found = outcome([one, replace(other, request=Request(ips("10.0.0.1")))], POOL)
    assert found["a1"].ips == ips("10.0.0.1")
    assert (found["a2"].ips == ips("10.0.0.1") if "a2" in found else False) == together


def test_a_free_address_that_is_lower_comes_before_one_to_be_joined() -> None:
    assert given_ips(outcome([sharer("a1", "10.0.0.2"), sharer("a2", ports=TLS)], POOL))["a2"] == ["10.0.0.0"]


def test_a_full_pool_still_serves_who_can_join() -> None:
    holders = [service(f"a{n}", [f"10.0.0.{n}"]) for n in range(3)]
    found = outcome([*holders, sharer("b1", "10.0.0.3"), sharer("b2", ports=TLS), sharer("b3")], POOL)
    assert found["b2"].ips == ips("10.0.0.3")
    assert found["b3"].reason is Reason.NO_FREE_ADDRESS


def test_of_a_pair_both_addresses_must_be_free_or_shared() -> None:
    dual = pool("p", "10.0.0.0/31", "fd00::/127")
    one, two = (
        replace(sharer(name, ports=ports), cluster_ips=(V4, V6), family_policy=FamilyPolicy.REQUIRE_DUAL)
        for name, ports in (("a1", WEB), ("a2", TLS))
    )
    found = outcome([one, two, service("a0", ["fd00::"], cluster_ips=(V6,))], dual)
    assert given_ips(found) == {"a0": ["fd00::"], "a1": ["10.0.0.0", "fd00::1"], "a2": ["10.0.0.0", "fd00::1"]}


@pytest.mark.parametrize(
    ("holder", "reason", "message"),
    [
        (sharer("a1", "10.0.0.1"), Reason.PORT_USED, "port 80/TCP of 10.0.0.1 is used by ns/a1"),
        (sharer("a1", "10.0.0.1", key="x"), Reason.ADDRESS_HELD, "10.0.0.1 is held by ns/a1"),
    ],
)
def test_who_asks_for_an_address_it_cannot_share_is_told_why(holder: Service, reason: Reason, message: str) -> None:
    asks = replace(sharer("a2"), request=Request(ips("10.0.0.1")))
    refused = outcome([holder, asks], POOL)["a2"]
    assert (refused.ips, refused.reason, refused.message) == ((), reason, message)


def test_a_pair_made_anew_under_the_lease_of_the_old_one_waits_for_it_to_go() -> None:
    held = replace(lease("10.0.0.1", "a1", "a2"), services=(ServiceRef("ns/a1", "old"), ServiceRef("ns/a2", "old")))
    wish = Request(ips("10.0.0.1"))
    pair = [replace(sharer("a1"), request=wish), replace(sharer("a2", ports=DNS), request=wish)]
    found = outcome(pair, POOL, leases=[held])
    assert {(each.ips, each.reason) for each in found.values()} == {((), Reason.ADDRESS_HELD)}
    assert found["a1"].message == "10.0.0.1 is held by a Lease of an earlier Service of that name"


def test_one_that_is_ours_no_longer_shares_with_nobody_whatever_its_ports() -> None:
    gone = replace(sharer("a1", "10.0.0.1"), ours=False)
    asks = replace(sharer("a2", ports=TLS), request=Request(ips("10.0.0.1")))
    assert outcome([gone, asks], POOL)["a2"].reason is Reason.ADDRESS_HELD


# ---- holders


def test_those_whose_terms_do_not_agree_are_parted_and_without_leases_the_older_keeps_the_address() -> None:
    found = outcome([sharer("a1", "10.0.0.1"), sharer("a2", "10.0.0.1", key="new", ports=TLS)], POOL)
    assert given_ips(found) == {"a1": ["10.0.0.1"], "a2": ["10.0.0.0"]}


def test_a_sole_holder_changes_its_terms_in_place_and_others_may_join_then() -> None:
    holder, waits = service("a1", ["10.0.0.0"]), sharer("a2", ports=TLS)
    full = Config((pool("p", "10.0.0.0/32"),))
    found, book = assign({each.key: each for each in (holder, waits)}, full, {}, Book())
    assert found["ns/a2"].reason is Reason.NO_FREE_ADDRESS
    found, book = assign({each.key: each for each in (sharer("a1", "10.0.0.0"), waits)}, full, {}, book)
    assert found["ns/a1"].ips == found["ns/a2"].ips == ips("10.0.0.0")


def test_who_waits_joins_once_the_port_it_needs_is_given_up() -> None:
    full = Config((pool("p", "10.0.0.0/32"),))
    stays, goes, waits = sharer("a1", "10.0.0.0", ports=TLS), sharer("a2", "10.0.0.0"), sharer("a3")
    found, book = assign({each.key: each for each in (stays, goes, waits)}, full, {}, Book())
    assert found["ns/a3"].reason is Reason.NO_FREE_ADDRESS
    found, _ = assign({each.key: each for each in (stays, waits)}, full, {}, book)
    assert found["ns/a3"].ips == ips("10.0.0.0")


# ---- Leases


def test_a_lease_names_each_of_them_and_loses_the_one_that_goes() -> None:
    stays, goes = sharer("a1", "10.0.0.1"), sharer("a2", "10.0.0.1", ports=TLS)
    held = joined("10.0.0.1", stays, goes)
    _, book = assign({stays.key: stays, goes.key: goes}, Config((POOL,)), {held.ip: held}, Book())
    assert not book.idle
    assert not book.unreserved
    _, book = assign({stays.key: stays}, Config((POOL,)), {held.ip: held}, book)
    assert list(book.idle.values()) == [Release(held, (ServiceRef("ns/a1", "uid-a1"),))]


def test_who_shares_an_address_by_its_status_is_added_to_the_lease_of_the_others() -> None:
    one, two = sharer("a1", "10.0.0.1"), sharer("a2", "10.0.0.1", ports=TLS)
    held = joined("10.0.0.1", one)
    _, book = assign({one.key: one, two.key: two}, Config((POOL,)), {held.ip: held}, Book())
    assert book.unreserved == {"ns/a2": ips("10.0.0.1")}


def test_a_lease_that_names_one_who_does_not_share_bars_the_address() -> None:
    waits = sharer("a2", ports=TLS)
    held = lease("10.0.0.0", "gone")
    assert outcome([waits], POOL, leases=[held])["a2"].ips == ips("10.0.0.1")


def test_those_who_share_an_address_that_a_stranger_has_are_all_given_another() -> None:
    one, two = sharer("a1", "10.0.0.0"), sharer("a2", "10.0.0.0", ports=TLS)
    held = replace(lease("10.0.0.0", "a1", "a2"), stranger="02:ff:00:00:00:01")
    assert given_ips(outcome([one, two], POOL, leases=[held])) == {"a1": ["10.0.0.1"], "a2": ["10.0.0.1"]}


def test_what_was_chosen_is_given_up_where_a_lease_turns_out_to_name_another_alone() -> None:
    full, first, other = Config((pool("p", "10.0.0.0/32"),)), sharer("a1"), sharer("a2", ports=TLS)
    asks_elsewhere = replace(other, request=Request(pool="none"))
    services = {each.key: each for each in (first, asks_elsewhere)}
    found, book = assign(services, full, {}, Book())
    assert found["ns/a1"].ips == ips("10.0.0.0")
    held = lease("10.0.0.0", "a2")
    found, _ = assign(services, full, {held.ip: held}, book)
    anew, _ = assign(services, full, {held.ip: held}, Book())
    assert found == anew


def test_a_status_that_shows_what_was_chosen_lets_nobody_choose_anew() -> None:
    full = Config((pool("p", "10.0.0.0/32"),))
    first, waits = sharer("a1"), sharer("a2")
    _, book = assign({each.key: each for each in (first, waits)}, full, {}, Book())
    shown = replace(first, ips=ips("10.0.0.0"))
    _, book = assign({each.key: each for each in (shown, waits)}, full, {}, book)
    assert not book._gained


# ---- the index


def test_what_entered_and_left_leaves_no_trace() -> None:
    shared, at = Shared(), int(ip_address("10.0.0.1"))
    web, tls = Sharing("k", ports=frozenset({WEB})), Sharing("k", ports=frozenset({TLS}))
    shared.enter(at, web)
    assert (shared.open(tls), shared.open(web)) == ([at], [])
    shared.enter(at, web)
    shared.leave(at, web)
    assert shared.open(tls) == [at]
    shared.leave(at, web)
    assert shared.open(tls) == []
    with pytest.raises(KeyError):
        shared.leave(at, web)
