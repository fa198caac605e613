"""The prefixes a node announces follow what is so, and one change costs what it changes."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.decide import Memo, decide
from speakerd.decision import Snapshot
from speakerd.difference import difference
from speakerd.model import Config, Endpoints, Node, Reason, Service, Sharing
from speakerd.peering import Peer, Prefix, Route, Routing, Said, Wording
from speakerd.prefixes import Prefixes
from tests.unit.allocation import pool, service

TOR, SPINE = Peer("tor", 64512, 64513), Peer("spine", 64512, 64514)
POOLS = (pool("p", "10.0.0.0/16", "fd00::/112"), pool("q", "10.1.0.0/16"))
HERE, THERE = Endpoints(True, frozenset("a")), Endpoints(True, frozenset("b"))
TO_BOTH: Said = ((Wording(), ("spine", "tor")),)


def config(*routes: Route, peers: tuple[Peer, ...] = (TOR, SPINE)) -> Config:
    return Config(POOLS, routing=Routing(peers, routes))


def world(*services: Service, routes: tuple[Route, ...] = (Route("all"),), **fields: object) -> Snapshot:
    every = {each.key: each for each in services}
    nodes = {name: Node(name) for name in "ab"}
    plain = Snapshot("a", True, every, dict.fromkeys(every, HERE), nodes, {}, config(*routes))
    return replace(plain, **fields)


class Turns:
    """One node, turn by turn."""

    def __init__(self) -> None:
        self.found = Prefixes()
        self._services: Mapping[str, Service] = {}

    def __call__(self, snapshot: Snapshot) -> dict[str, Said]:
        changed = difference(self._services, snapshot.services)
        self._services = dict(snapshot.services)
        self.found.turn(snapshot, changed)
        return {shown(each): each.said for each in self.found.rows.values()}

    @property
    def refused(self) -> dict[str, Reason]:
        return {f"{key.removeprefix('ns/')} {ip}": reason for (key, ip), reason in self.found.refused.items()}


def shown(prefix: Prefix) -> str:
    octets = prefix.nlri[1:].ljust(4 if prefix.version == 4 else 16, b"\0")
    return f"{ip_address(octets)}/{prefix.nlri[0]}"


def test_each_address_of_each_family_is_announced_as_update_has_it() -> None:
    turns = Turns()
    assert turns(world(service("web1", ["10.0.0.9", "fd00::9"]))) == {"10.0.0.9/32": TO_BOTH, "fd00::9/128": TO_BOTH}
    assert set(turns.found.rows) == {
        b"\4\x20" + ip_address("10.0.0.9").packed,
        b"\6\x80" + ip_address("fd00::9").packed,
    }
    assert all(key == row.key for key, row in turns.found.rows.items())
    assert turns.found.routed == {
        ("ns/web1", ip_address("10.0.0.9")): (b"\4\x20\x0a\0\0\x09",),
        ("ns/web1", ip_address("fd00::9")): (b"\6\x80" + ip_address("fd00::9").packed,),
    }


@pytest.mark.parametrize(
    ("length", "nlri"),
    [(1, "0100"), (8, "080a"), (9, "090a00"), (23, "170a000c"), (31, "1f0a000d08"), (32, "200a000d09")],
)
def test_a_prefix_has_no_more_octets_than_its_length_needs_and_no_bits_beyond(length: int, nlri: str) -> None:
    turns = Turns()
    turns(world(service("web1", ["10.0.13.9"]), routes=(Route("r", aggregation=length),)))
    assert [each.nlri.hex() for each in turns.found.rows.values()] == [nlri]


def test_several_addresses_under_an_aggregate_are_one_prefix_withdrawn_when_the_last_is_gone() -> None:
    turns, routes = Turns(), (Route("r", aggregation=24, local_pref=7),)
    one, two = service("web1", ["10.0.0.1"]), service("web2", ["10.0.0.2"])
    said: Said = ((Wording(7), ("spine", "tor")),)
    assert turns(world(one, two, routes=routes)) == {"10.0.0.0/24": said}
    (row,) = turns.found.rows.values()
    assert turns(world(two, routes=routes)) == {"10.0.0.0/24": said}
    assert turns.found.rows[row.key] is row
    assert turns(world(replace(two, ips=()), routes=routes)) == {}
    assert (turns.found.routed, turns.found.refused) == ({}, {})


def test_local_policy_announces_where_an_endpoint_is() -> None:
    turns, local = Turns(), service("web1", ["10.0.0.1"], local_policy=True)
    assert turns(world(local, endpoints={local.key: THERE})) == {}
    assert turns.refused == {"web1 10.0.0.1": Reason.NO_LOCAL_ENDPOINTS}
    assert turns(world(local, endpoints={local.key: HERE})) == {"10.0.0.1/32": TO_BOTH}
    assert turns.refused == {}
    assert turns(world(local, endpoints={})) == {}
    assert turns.refused == {"web1 10.0.0.1": Reason.NO_ENDPOINTS}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"nodes": {"a": Node("a", excluded=True)}}, Reason.NODE_EXCLUDED),
        ({"nodes": {"a": Node("a", network_unavailable=True)}}, Reason.NETWORK_UNAVAILABLE),
        ({"nodes": {}}, Reason.NO_MEMBER_RECORD),
        ({"config": config(Route("all", nodes=frozenset("b")))}, Reason.NODE_NOT_SELECTED),
        ({"config": config(Route("q", pools=frozenset("q")))}, Reason.NO_ADVERTISEMENT),
        ({"config": config(Route("all"), peers=())}, Reason.NO_PEER),
    ],
)
def test_what_this_node_may_not_announce_goes_and_comes_back_and_the_reason_is_told(
    fields: dict[str, object], reason: Reason
) -> None:
    turns, seen = Turns(), world(service("web1", ["10.0.0.1"]))
    before = turns(seen)
    assert turns(replace(seen, **fields)) == {}
    assert turns.refused == {"web1 10.0.0.1": reason}
    assert turns(seen) == before != {}
    assert turns.refused == {}


@pytest.mark.parametrize("fields", [{"announce": False}, {"config": config()}])
def test_where_nothing_is_to_be_announced_by_bgp_nothing_is_said_of_it(fields: dict[str, object]) -> None:
    turns, seen = Turns(), world(service("web1", ["10.0.0.1"]))
    before = turns(seen)
    assert turns(replace(seen, **fields)) == {}
    assert (turns.refused, turns.found.routed) == ({}, {})
    assert turns(seen) == before


def test_a_drained_node_goes_on_wanting_its_prefixes() -> None:
    turns, seen = Turns(), world(service("web1", ["10.0.0.1"]))
    assert turns(replace(seen, drained=True)) == {"10.0.0.1/32": TO_BOTH}


def test_an_address_that_may_not_be_shared_is_announced_for_its_oldest_service_alone() -> None:
    turns = Turns()
    old, young = service("web1", ["10.0.0.1"], local_policy=True), service("web2", ["10.0.0.1"])
    assert turns(world(old, young, endpoints={old.key: THERE, young.key: HERE})) == {}
    assert turns.refused == {
        "web1 10.0.0.1": Reason.NO_LOCAL_ENDPOINTS,
        "web2 10.0.0.1": Reason.ADDRESS_HELD,
    }
    assert turns(world(young)) == {"10.0.0.1/32": TO_BOTH}
    assert turns.refused == {}


def test_a_shared_address_is_announced_as_long_as_one_of_its_services_wants_it() -> None:
    turns = Turns()
    one, two = (service(name, ["10.0.0.1"], sharing=Sharing("k")) for name in ("web1", "web2"))
    assert turns(world(one, two, endpoints={two.key: HERE})) == {"10.0.0.1/32": TO_BOTH}
    assert turns.refused == {"web1 10.0.0.1": Reason.NO_ENDPOINTS}


CHOSEN = (
    Route("one", by_service=True, communities=("1:1",)),
    Route("two", by_service=True, communities=("2:2",), peers=("tor",)),
    Route("low", by_service=True, local_pref=5, peers=("tor",)),
)


def chosen(name: str, *routes: str) -> Service:
    keys = tuple(f"bgp/{each}" for each in routes)
    return service(name, ["10.0.0.1"], sharing=Sharing("k"), advertised_by=keys)


def test_what_services_of_one_address_ask_for_adds_up() -> None:
    found = Turns()(world(chosen("web1", "one"), chosen("web2", "two"), routes=CHOSEN))
    assert found == {
        "10.0.0.1/32": (
            (Wording(communities=("1:1",)), ("spine",)),
            (Wording(communities=("1:1", "2:2")), ("tor",)),
        )
    }


def test_where_they_contradict_each_other_the_oldest_counts_until_it_goes() -> None:
    turns, old, young = Turns(), chosen("web1", "one"), chosen("web2", "low")
    said: Said = ((Wording(communities=("1:1",)), ("spine", "tor")),)
    assert turns(world(young, old, routes=CHOSEN)) == {"10.0.0.1/32": said}
    assert turns.refused == {"web2 10.0.0.1": Reason.CONFLICTING_ADVERTISEMENTS}
    assert {key for key, _ in turns.found.routed} == {"ns/web1"}
    assert turns(world(young, routes=CHOSEN)) == {"10.0.0.1/32": ((Wording(5), ("tor",)),)}
    assert turns.refused == {}
    assert turns(world(replace(young, created="2025"), old, routes=CHOSEN)) == {
        "10.0.0.1/32": ((Wording(5), ("tor",)),)
    }
    assert turns.refused == {"web1 10.0.0.1": Reason.CONFLICTING_ADVERTISEMENTS}


def test_a_change_that_changes_nothing_here_leaves_every_mapping_as_it_is() -> None:
    turns, seen = Turns(), world(service("web1", ["10.0.0.1"]), service("web2", ["10.0.0.2"]))
    turns(seen)
    before = turns.found.rows, turns.found.refused, turns.found.routed
    turns(replace(seen, nodes={**seen.nodes, "c": Node("c")}))
    turns(replace(seen, config=replace(seen.config, digest="other")))
    turns(replace(seen, services={**seen.services, "ns/web2": service("web2", ["10.0.0.2"], resource_version="9")}))
    after = turns.found.rows, turns.found.refused, turns.found.routed
    assert all(new is old for new, old in zip(after, before, strict=True))


MANY = 10_000


class Counted(dict[str, Service]):
    """Counts how often a Service is looked up."""

    looked = 0

    def __getitem__(self, key: str) -> Service:
        self.looked += 1
        return super().__getitem__(key)


def many() -> list[Service]:
    return [service(f"web{i}", [str(ip_address("10.0.0.0") + i)]) for i in range(MANY)]


@pytest.mark.parametrize(("length", "left"), [(32, MANY), (16, 2)])
def test_one_change_among_ten_thousand_looks_at_one_service_and_leaves_the_other_rows(length: int, left: int) -> None:
    found, services = Prefixes(), Counted((each.key, each) for each in many())
    seen = world(routes=(Route("r", aggregation=length),), services=services, endpoints=dict.fromkeys(services, HERE))
    found.turn(seen, difference({}, services))
    assert services.looked <= 2 * MANY
    rows = dict(found.rows)
    changed = Counted(services)
    changed["ns/web7"] = service("web7", ["10.1.0.7"])
    found.turn(replace(seen, services=changed), difference(services, changed))
    assert changed.looked <= 3
    assert len(found.rows) == left
    assert all(found.rows[key] is row for key, row in rows.items() if key in found.rows)
    assert len(rows.keys() - found.rows.keys()) <= 1


def test_what_is_said_is_one_object_for_all_of_ten_thousand() -> None:
    found, services = Prefixes(), {each.key: each for each in many()}
    found.turn(world(services=services, endpoints=dict.fromkeys(services, HERE)), difference({}, services))
    assert len(found.rows) == MANY
    assert len({id(each.said) for each in found.rows.values()}) == 1


STEPS = st.lists(
    st.dictionaries(
        st.sampled_from(["web1", "web2", "web3"]),
        st.tuples(
            st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", "fd00::1"]), unique=True), st.booleans()
        ),
    ),
    max_size=6,
)
SETS = st.sampled_from([(Route("all"),), (Route("r", aggregation=24),), (*CHOSEN, Route("all", aggregation=24)), ()])


@given(STEPS, st.lists(SETS, min_size=6, max_size=6))
def test_what_many_turns_come_to_is_what_one_turn_from_nothing_does(
    steps: list[dict[str, tuple[list[str], bool]]], routes: list[tuple[Route, ...]]
) -> None:
    turns = Turns()
    for wanted, set_ in zip(steps, routes, strict=False):
        services = [made(name, ips, local=local) for name, (ips, local) in wanted.items()]
        seen, anew = world(*services, routes=set_), Turns()
        assert turns(seen) == anew(seen)
        assert turns.refused == anew.refused
        assert turns.found.routed == anew.found.routed


def made(name: str, ips: Iterable[str], *, local: bool) -> Service:
    by = {"web1": ("bgp/one",), "web2": ("bgp/low",), "web3": ("bgp/two",)}[name]
    return service(name, ips, local_policy=local, sharing=Sharing("k"), advertised_by=by)


def test_an_address_that_routers_alone_are_to_learn_is_no_fault_of_layer_2() -> None:
    seen = world(service("web1", ["10.0.0.1"]), service("web2", ["10.1.0.1"]), ledger=None)
    seen = replace(seen, config=config(Route("p", pools=frozenset("p"))))
    plan, memo = decide(seen, Memo())
    assert plan.refused == {("ns/web2", ip_address("10.1.0.1")): Reason.NO_ADVERTISEMENT}
    assert plan.unrouted == plan.refused
    assert [shown(each) for each in plan.wanted.prefixes.values()] == ["10.0.0.1/32"]
    plan, memo = decide(replace(seen, endpoints={}), memo)
    assert plan.refused[("ns/web1", ip_address("10.0.0.1"))] is Reason.NO_ENDPOINTS
    plan, _ = decide(replace(seen, config=config()), memo)
    assert plan.refused[("ns/web1", ip_address("10.0.0.1"))] is Reason.NO_ADVERTISEMENT
