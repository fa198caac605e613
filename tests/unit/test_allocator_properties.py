"""Whatever happens: a pass over what changed ends where a pass over everything does, and no address is given twice."""

from collections.abc import Callable
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.allocator import Book
from speakerd.model import (
    IP,
    Assignment,
    Config,
    FamilyPolicy,
    Request,
    Reservation,
    Service,
    Sharing,
)
from speakerd.terms import holder
from tests.unit.allocation import V4, V6, assign, ips, joined, lease, pinned, pool, service

NAMES = [f"{letter}{age}" for age in range(3) for letter in "abc"]
TEXTS = ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.1.0.0", "fd00::", "10.9.9.9"]
requests = st.one_of(
    st.just(Request()),
    st.builds(Request, st.sampled_from([ips(t) for t in TEXTS] + [ips("10.0.0.1", "fd00::")])),
    st.builds(Request, pool=st.sampled_from(["p", "q", "none"])),
)
cluster = st.sampled_from([(V4,), (V4,), (V4, V6), (V6,)])
some_terms = st.one_of(
    st.none(),
    st.builds(
        Sharing,
        st.sampled_from(["k", "k", "other"]),
        st.sampled_from(["", "", "app=web"]),
        st.frozensets(st.sampled_from([("TCP", 80), ("UDP", 80), ("TCP", 443)]), max_size=2),
    ),
)
a_service = st.builds(
    lambda name, held, request, cluster_ips, policy, ours, admitted, sharing: service(
        name,
        held,
        request=request,
        cluster_ips=cluster_ips,
        family_policy=policy,
        ours=ours,
        admitted_by=("q",) if admitted else (),
        sharing=sharing,
    ),
    st.sampled_from(NAMES),
    st.one_of(st.just([]), st.lists(st.sampled_from(TEXTS), max_size=2, unique=True)),
    requests,
    cluster,
    st.sampled_from(FamilyPolicy),
    st.sampled_from([True, True, True, False]),
    st.booleans(),
    some_terms,
)
a_lease = st.builds(
    lambda ip, services, stranger: replace(joined(ip, *services), stranger=stranger),
    st.sampled_from(TEXTS),
    st.lists(st.builds(service, st.sampled_from([*NAMES, "gone"]), sharing=some_terms), max_size=3),
    st.sampled_from(["", "", "02:ff:00:00:00:01"]),
)
a_config = st.sampled_from(
    [
        Config((pool("p", "10.0.0.0/30", "fd00::/127"),)),
        Config((pool("p", "10.0.0.0/31"), pool("q", "10.1.0.0/32", "fd00::/128"))),
        Config((pool("p", "10.0.0.0/31"), pinned("q", "10.1.0.0/32", "fd00::/128"))),
        Config(),
    ]
)
World = tuple[dict[str, Service], dict[IP, Reservation], Config]
Edit = Callable[[World], World]


def put(each: Service) -> Edit:
    return lambda world: (world[0] | {each.key: each}, world[1], world[2])


def drop(key: str) -> Edit:
    return lambda world: ({k: v for k, v in world[0].items() if k != key}, world[1], world[2])


def reserve(each: Reservation) -> Edit:
    return lambda world: (world[0], world[1] | {each.ip: each}, world[2])


def release(ip: str) -> Edit:
    return lambda world: (world[0], {k: v for k, v in world[1].items() if str(k) != ip}, world[2])


def carry_out(world: World) -> World:
    """What the writer does with the first outcome: Lease, then status."""
    services, ledger, config = world
    found, _ = assign(services, config, ledger, Book())
    for key, assignment in found.items():
        if assignment.ips != services[key].ips:
            one = holder(services[key])
            reserved = {ip: ledger.get(ip, lease(str(ip))).joined(one) for ip in assignment.ips}
            return services | {key: replace(services[key], ips=assignment.ips)}, ledger | reserved, config
    return world


edits = st.one_of(
    a_service.map(put),
    a_service.map(put),
    st.sampled_from(NAMES).map(lambda name: drop(f"ns/{name}")),
    a_lease.map(reserve),
    st.sampled_from(TEXTS).map(release),
    a_config.map(lambda config: lambda world: (world[0], world[1], config)),
    st.just(carry_out),
)


def given_and_why(found: dict[str, Assignment]) -> dict[str, Assignment]:
    """All but the words: of several who have an address, the one that is named is anyone."""
    return {key: replace(each, message="") for key, each in found.items()}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(edits, min_size=1, max_size=3), max_size=12))
def test_an_incremental_pass_ends_where_a_full_one_does(history: list[list[Edit]]) -> None:
    book = Book()
    world: World = ({}, {}, Config((pool("p", "10.0.0.0/30", "fd00::/127"),)))
    before: dict[str, Assignment] = {}
    for step in history:
        for edit in step:
            world = edit(world)
        services, ledger, config = world
        full, fresh = assign(services, config, ledger, Book())
        found, book = assign(services, config, ledger, book)
        assert given_and_why(found) == given_and_why(full)
        assert book.idle == fresh.idle
        assert book.unreserved == fresh.unreserved
        unlike = {key for key in found.keys() | before.keys() if found.get(key) != before.get(key)}
        assert unlike <= book.changed
        before = dict(found)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(a_service.map(put), a_lease.map(reserve)), max_size=12), a_config)
def test_no_address_is_given_to_two_that_do_not_share_nor_taken_from_another(
    history: list[Edit], config: Config
) -> None:
    world: World = ({}, {}, config)
    for edit in history:
        world = edit(world)
    services, ledger, _ = world
    found, _ = assign(services, config, ledger, Book())
    holders = {
        ip: [services[k] for k, each in found.items() if ip in each.ips] for each in found.values() for ip in each.ips
    }
    if config.pools:
        for together in holders.values():
            assert all(one.shares_with(other) for one, other in combinations(together, 2))
    for key, assignment in found.items():
        for ip in set(assignment.ips) - set(services[key].ips):
            others = {other.key for other in services.values() if ip in other.ips}
            others |= {ref.key for ref in ledger[ip].services} if ip in ledger else set()
            assert all(services[key].shares_with(services.get(other)) for other in others - {key})
            assert ip not in ledger or ledger[ip].services
