"""Resources come to one configuration; what is wrong is told, and what can be kept is kept."""

from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.config.origin import Labels
from speakerd.config.resolve import node_labels, resolve, service_selectors
from speakerd.config.resources import (
    BGPAdvertisement,
    Expression,
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    LabelSelector,
    Metadata,
    Preference,
    Resources,
    ServiceAllocation,
)
from speakerd.model import Advertisement, Config, Pool, Range

EVERYTHING = L2Advertisement(Metadata("all", "ns"))


def pool(name: str, *addresses: str, created: str = "", labels: dict[str, str] | None = None) -> IPAddressPool:
    metadata = Metadata(name, "ns", creation_timestamp=created, labels=labels or {})
    return IPAddressPool(metadata, IPAddressPoolSpec(addresses))


def config(*pools: IPAddressPool, advertisement: L2Advertisement = EVERYTHING) -> Config:
    return resolve(Resources(pools, (advertisement,)))


def told(found: Config) -> list[tuple[str, str, str, str]]:
    return [(p.object, p.field, p.reason, p.severity) for p in found.problems]


WRONG = LabelSelector(match_expressions=(Expression("zone", "Near"),))


def test_nothing_comes_to_nothing() -> None:
    assert (resolve(Resources()).pools, resolve(Resources()).problems) == ((), ())


def test_a_pool_holds_its_ranges_in_the_order_written() -> None:
    spec = IPAddressPoolSpec(("10.0.1.0/30", "10.0.0.1-10.0.0.2", "fd00::/127"), False, True)
    found = config(IPAddressPool(Metadata("p", "ns"), spec))
    base, v6 = int(ip_address("10.0.0.0")), int(ip_address("fd00::"))
    ranges = (Range(4, base + 256, base + 259), Range(4, base + 1, base + 2), Range(6, v6, v6 + 1))
    assert found.pools == (Pool("p", ranges, False, True, "IPAddressPool/ns/p"),)
    assert found.problems == ()


def test_a_malformed_entry_takes_nothing_else_down() -> None:
    found = config(pool("a", "10.0.0.0/24", "oops"), pool("b", "10.1.0.0/24"))
    assert told(found) == [("IPAddressPool/ns/a", "spec.addresses[1]", "malformed-address", "error")]
    assert [len(each.ranges) for each in found.pools] == [1, 1]


def test_of_overlapping_pools_the_older_keeps_what_both_hold() -> None:
    found = config(
        pool("a", "10.0.0.0/24", created="2026-01-02T00:00:00Z"),
        pool("b", "10.0.0.128/25", created="2026-01-01T00:00:00Z"),
    )
    assert told(found) == [("IPAddressPool/ns/a", "spec.addresses[0]", "overlap", "error")]
    a, b = found.pools
    assert (a.holds(ip_address("10.0.0.127")), a.holds(ip_address("10.0.0.128"))) == (True, False)
    assert b.holds(ip_address("10.0.0.128"))


def test_an_entry_that_overlaps_its_own_pool_is_told_and_counts_once() -> None:
    found = config(pool("a", "10.0.0.0/24", "10.0.0.0/25"))
    assert told(found) == [("IPAddressPool/ns/a", "spec.addresses[1]", "overlap", "error")]
    assert sum(each.size for each in found.pools[0].ranges) == 256


def test_host_bits_are_tolerated_with_a_warning() -> None:
    found = config(pool("a", "10.0.0.5/24"))
    assert told(found) == [("IPAddressPool/ns/a", "spec.addresses[0]", "host-bits", "warning")]
    assert found.pools[0].ranges[0].size == 256


def test_addresses_no_service_can_have_are_a_warning() -> None:
    assert told(config(pool("a", "224.0.0.0/24")))[0][2:] == ("unreachable-address", "warning")


def test_a_pool_without_addresses_is_told() -> None:
    assert told(config(pool("a"))) == [("IPAddressPool/ns/a", "spec.addresses", "no-addresses", "error")]


def allocated(*allocations: ServiceAllocation | None) -> Config:
    """Pools of one address each, with these serviceAllocations."""
    return config(
        *(
            IPAddressPool(Metadata(f"p{i}", "ns"), IPAddressPoolSpec((f"10.0.0.{i}/32",), service_allocation=each))
            for i, each in enumerate(allocations)
        )
    )


def test_a_pool_with_a_service_allocation_is_pinned_and_a_negative_priority_counts_as_none() -> None:
    found = allocated(None, ServiceAllocation(), ServiceAllocation(priority=7), ServiceAllocation(priority=-1))
    assert [(each.pinned, each.priority) for each in found.pools] == [(False, 0), (True, 0), (True, 7), (True, 0)]
    assert told(found) == [("IPAddressPool/ns/p3", "spec.serviceAllocation.priority", "out-of-range", "warning")]


@pytest.mark.parametrize(
    ("allocation", "field", "reason"),
    [
        (ServiceAllocation(namespaces=("a", "b", "a")), "namespaces", "repeated"),
        (ServiceAllocation(namespace_selectors=(WRONG,)), "namespaceSelectors[0]", "malformed-selector"),
        (ServiceAllocation(service_selectors=(WRONG,)), "serviceSelectors[0]", "malformed-selector"),
    ],
)
def test_faults_of_a_service_allocation_are_told(allocation: ServiceAllocation, field: str, reason: str) -> None:
    found = allocated(allocation)
    assert told(found) == [("IPAddressPool/ns/p0", f"spec.serviceAllocation.{field}", reason, "error")]
    assert len(found.pools) == 1


def test_whom_a_pool_is_for_is_part_of_the_digest() -> None:
    chosen = [None, ServiceAllocation(), ServiceAllocation(1), ServiceAllocation(namespaces=("a",))]
    assert len({allocated(each).digest for each in chosen}) == len(chosen)


def advertised(spec: L2AdvertisementSpec, *pools: IPAddressPool) -> tuple[Advertisement, Config]:
    found = config(*pools, advertisement=L2Advertisement(Metadata("l", "ns"), spec))
    return found.advertisements[0], found


def test_an_empty_advertisement_covers_every_pool() -> None:
    assert config(pool("a", "10.0.0.0/24")).advertisements == (
        Advertisement("all", None, (), "L2Advertisement/ns/all"),
    )


def test_names_and_labels_choose_pools_together() -> None:
    selector = LabelSelector({"zone": "a"})
    spec = L2AdvertisementSpec(("c",), (selector,), interfaces=("eth1", "eth0", "eth1"))
    pools = (pool("a", "10.0.0.0/24", labels={"zone": "a"}), pool("b", "10.1.0.0/24"), pool("c", "10.2.0.0/24"))
    found, whole = advertised(spec, *pools)
    assert (found.pools, found.interfaces) == (frozenset("ac"), ("eth1", "eth0"))
    assert told(whole) == [("IPAddressPool/ns/b", "", "not-advertised", "warning")]


def test_a_selector_that_matches_no_pool_covers_none() -> None:
    found, whole = advertised(L2AdvertisementSpec((), (LabelSelector({"zone": "x"}),)), pool("a", "10.0.0.0/24"))
    assert found.pools == frozenset()
    assert told(whole) == [("IPAddressPool/ns/a", "", "not-advertised", "warning")]


def test_an_unknown_pool_names_the_nearest() -> None:
    _, whole = advertised(L2AdvertisementSpec(("frontt", "front", "front")), pool("front", "10.0.0.0/24"))
    assert [(p.field, p.reason, p.remedy) for p in whole.problems] == [
        ("spec.ipAddressPools[0]", "unknown-pool", "did you mean front?"),
        ("spec.ipAddressPools", "repeated", "name it once"),
    ]


def test_interfaces_are_names_and_no_patterns() -> None:
    _, whole = advertised(L2AdvertisementSpec(interfaces=("eth0", "eth*")), pool("a", "10.0.0.0/24"))
    assert told(whole) == [("L2Advertisement/ns/l", "spec.interfaces[1]", "malformed-name", "warning")]


def test_a_malformed_selector_is_told() -> None:
    selector = LabelSelector({}, (Expression("a", "Is"),))
    _, whole = advertised(L2AdvertisementSpec((), (selector,)), pool("a", "10.0.0.0/24"))
    assert ("L2Advertisement/ns/l", "spec.ipAddressPoolSelectors[0]", "malformed-selector", "error") in told(whole)


@pytest.mark.parametrize("field", ["node_selectors", "service_selectors"])
def test_a_malformed_selector_of_nodes_or_services_is_told(field: str) -> None:
    wrong = (LabelSelector(), LabelSelector({}, (Expression("a", "In"),)))
    _, whole = advertised(replace(L2AdvertisementSpec(), **{field: wrong}), pool("a", "10.0.0.0/24"))
    name = field.replace("_s", "S")
    assert told(whole) == [("L2Advertisement/ns/l", f"spec.{name}[1]", "malformed-selector", "error")]


NODES = {"n1": {"zone": "a"}, "n2": {"zone": "b", "disk": "ssd"}, "n3": {}}
ZONE_A, SSD = LabelSelector({"zone": "a"}), LabelSelector({"disk": "ssd"})


def chosen(spec: L2AdvertisementSpec, nodes: Labels | None = None) -> tuple[Advertisement, Config]:
    found = resolve(Resources((pool("a", "10.0.0.0/24"),), (L2Advertisement(Metadata("l", "ns"), spec),)), nodes=nodes)
    return found.advertisements[0], found


def test_node_selectors_come_to_the_nodes_one_of_them_matches() -> None:
    found, whole = chosen(L2AdvertisementSpec(node_selectors=(ZONE_A, SSD)), NODES)
    assert found.nodes == frozenset({"n1", "n2"})
    assert not whole.problems
    assert chosen(L2AdvertisementSpec(), NODES)[0].nodes is None


def test_node_selectors_that_match_no_node_are_told_once_nodes_are_known() -> None:
    nobody = L2AdvertisementSpec(node_selectors=(LabelSelector({"zone": "x"}),))
    found, whole = chosen(nobody, NODES)
    assert found.nodes == frozenset()
    assert told(whole) == [("L2Advertisement/ns/l", "spec.nodeSelectors", "selects-nothing", "warning")]
    assert not chosen(nobody)[1].problems


def test_weights_of_matching_preferences_add_up_for_nodes_that_may_announce() -> None:
    wishes = (Preference(10, ZONE_A), Preference(5, LabelSelector()), Preference(7, SSD))
    found, _ = chosen(L2AdvertisementSpec(preferred_node_selectors=wishes), NODES)
    assert found.weights == (("n1", 15), ("n2", 12), ("n3", 5))
    found, _ = chosen(L2AdvertisementSpec(node_selectors=(ZONE_A,), preferred_node_selectors=wishes), NODES)
    assert found.weights == (("n1", 15),)


@pytest.mark.parametrize("weight", [0, 101, -1])
def test_a_weight_out_of_range_is_told_and_has_no_effect(weight: int) -> None:
    found, whole = chosen(L2AdvertisementSpec(preferred_node_selectors=(Preference(weight, ZONE_A),)), NODES)
    assert found.weights == ()
    field = "spec.preferredNodeSelectors[0].weight"
    assert told(whole) == [("L2Advertisement/ns/l", field, "out-of-range", "error")]


def test_what_selectors_ask_for_is_known_without_any_node() -> None:
    spec = L2AdvertisementSpec(node_selectors=(ZONE_A,), preferred_node_selectors=(Preference(1, SSD),))
    side = Resources((), (L2Advertisement(Metadata("l"), spec),))
    assert node_labels(Resources(), side) == frozenset({"zone", "disk"})
    assert node_labels(Resources((), (EVERYTHING,))) is None


def test_two_advertisements_by_bgp_ask_which_nodes_there_are_since_they_may_contradict_each_other() -> None:
    one, other = (BGPAdvertisement(Metadata(name)) for name in "ab")
    assert node_labels(Resources(routes=(one,))) is None
    assert node_labels(Resources(routes=(one,)), Resources(routes=(other,))) == frozenset()


def test_of_two_advertisements_of_a_name_the_cluster_s_chooses_services() -> None:
    one = L2Advertisement(Metadata("l"), L2AdvertisementSpec(service_selectors=(ZONE_A,)))
    two = L2Advertisement(Metadata("l"), L2AdvertisementSpec())
    assert service_selectors(Resources((), (one,)), Resources((), (two,))) == {"l": (ZONE_A,)}
    assert service_selectors(Resources((), (two,)), Resources((), (one,))) == {}


def test_a_name_in_file_and_cluster_is_told_with_both_places_and_the_cluster_s_counts() -> None:
    own = Resources(
        (IPAddressPool(Metadata("a"), IPAddressPoolSpec(("10.9.0.0/24",))),), (), {"IPAddressPool/a": "s:3:5"}
    )
    found = resolve(Resources((pool("a", "10.0.0.0/24"),), (EVERYTHING,)), own)
    (problem,) = found.problems
    assert (problem.object, problem.field, problem.reason) == ("s:3:5", "name", "duplicate-name")
    assert "IPAddressPool/ns/a" in problem.message
    assert found.pools[0].origin == "IPAddressPool/ns/a"


def test_file_and_cluster_are_one_set() -> None:
    own = Resources(
        (IPAddressPool(Metadata("b"), IPAddressPoolSpec(("10.9.0.0/24", "x"))),), (), {"IPAddressPool/b": "s:3:5"}
    )
    found = resolve(Resources((pool("a", "10.0.0.0/24"),), (EVERYTHING,)), own)
    assert [each.origin for each in found.pools] == ["IPAddressPool/ns/a", "s:3:5"]
    assert told(found) == [("s:3:5", "addresses[1]", "malformed-address", "error")]


@pytest.mark.parametrize(
    "other",
    [
        pool("a", "10.0.0.0/25"),
        pool("b", "10.0.0.0/24"),
        IPAddressPool(Metadata("a", "ns"), IPAddressPoolSpec(("10.0.0.0/24",), auto_assign=False)),
        IPAddressPool(Metadata("a", "ns"), IPAddressPoolSpec(("10.0.0.0/24",), avoid_buggy_ips=True)),
    ],
)
def test_the_digest_tells_what_differs(other: IPAddressPool) -> None:
    assert config(pool("a", "10.0.0.0/24")).digest != config(other).digest


@pytest.mark.parametrize(
    "spec",
    [
        L2AdvertisementSpec(interfaces=("eth0",)),
        L2AdvertisementSpec(node_selectors=(ZONE_A,)),
        L2AdvertisementSpec(service_selectors=(ZONE_A,)),
        L2AdvertisementSpec(preferred_node_selectors=(Preference(1, ZONE_A),)),
    ],
)
def test_the_digest_tells_how_advertisements_differ_and_not_which_nodes_there_are(spec: L2AdvertisementSpec) -> None:
    assert chosen(spec)[1].digest != chosen(L2AdvertisementSpec())[1].digest
    assert chosen(spec, NODES)[1].digest == chosen(spec)[1].digest


def test_the_digest_does_not_tell_where_it_was_written() -> None:
    own = Resources((IPAddressPool(Metadata("a"), IPAddressPoolSpec(("10.0.0.0-10.0.0.255",))),), (EVERYTHING,))
    assert resolve(Resources(), own).digest == config(pool("a", "10.0.0.0/24")).digest


@settings(max_examples=30)
@given(st.randoms(use_true_random=False))
def test_the_order_of_objects_changes_nothing(random: Random) -> None:
    pools = [pool(f"p{i}", f"10.0.{i}.0/23", created=f"2026-01-0{9 - i}T00:00:00Z") for i in range(8)]
    shuffled = list(pools)
    random.shuffle(shuffled)
    assert config(*shuffled) == config(*pools)
