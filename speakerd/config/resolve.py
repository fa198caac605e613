"""The cluster's resources and the settings file's -> one checked Config; a faulty object never takes the rest down.

What is wrong is told, and what can be kept is kept: of overlapping pools the older holds the shared addresses, so that
no address belongs to two pools and none to nobody.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from speakerd.config import addresses, selectors
from speakerd.config.addresses import Malformed, Taken, shown
from speakerd.config.origin import Labels, Origin, faults, matching, named, repeated, selector_problems
from speakerd.config.resources import (
    MED,
    PREPEND,
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    LabelSelector,
    Preference,
    Resources,
    ServiceAllocation,
)
from speakerd.config.sides import NOTHING, Given, Ground, every, given
from speakerd.config.words import INTERFACE
from speakerd.model import Advertisement, Config, Pool, Problem, Range
from speakerd.peering import Route, Routing

WEIGHTS = range(1, 101)
"""Of a preference, as MetalLB's schema has it."""


def resolve(cluster: Resources, file: Resources = NOTHING, nodes: Labels | None = None) -> Config:
    """The configuration these come to, its pools and advertisements by name, and every fault in it.

    `nodes`: labels of each by its name, as far as `node_labels` asks for them; None: no Node is known.
    """
    problems: list[Problem] = []
    pools = every("IPAddressPool", cluster.pools, file.pools, file.places, problems)
    advertisements = every("L2Advertisement", cluster.advertisements, file.advertisements, file.places, problems)
    taken = Taken()
    good_pools = [_pool(origin, each, taken, problems) for origin, each in pools]
    labels = {each.metadata.name: each.metadata.labels for _, each in pools}
    routes = _routing(given(cluster, file, problems), Ground(good_pools, labels, nodes, cluster.secrets), problems)
    good_advertisements = [_advertisement(origin, each, labels, nodes, problems) for origin, each in advertisements]
    problems += _unadvertised(pools, [*good_advertisements, *routes.routes])
    by_name = tuple(sorted(good_pools, key=lambda p: p.name))
    announced = tuple(sorted(good_advertisements, key=lambda a: a.name))
    specs = {each.metadata.name: each.spec for _, each in advertisements}
    allocated = allocations(cluster, file)
    written = digest(by_name, allocated, announced, specs, [*_routing_lines(cluster, file)])
    return Config(by_name, announced, tuple(problems), written, routes)


def _routing(objects: Given, ground: Ground, problems: list[Problem]) -> Routing:
    """What there is to say by BGP."""
    if not any((objects.peers, objects.routes, objects.profiles, objects.communities)):
        return Routing()
    from speakerd.config.routing import routing  # noqa: PLC0415  most clusters have no BGP

    return routing(objects, ground, problems)


def node_labels(*sides: Resources) -> frozenset[str] | None:
    """Keys of the labels of Nodes that a selector asks for: no others concern anybody.

    None where not even their names do; two advertisements by BGP may contradict each other on any Node.
    """
    asking = [wish.preference for side in sides for each in side.advertisements for wish in _wishes(each)]
    for side in sides:
        asking += [selector for each in side.advertisements for selector in each.spec.node_selectors]
        asking += [selector for each in side.routes for selector in each.spec.node_selectors]
        asking += [selector for each in side.peers for selector in each.spec.node_selectors]
    return selectors.keys(asking) if asking or sum(len(side.routes) for side in sides) > 1 else None


def _wishes(each: L2Advertisement) -> tuple[Preference, ...]:
    return each.spec.preferred_node_selectors


def service_selectors(*sides: Resources) -> dict[str, tuple[LabelSelector, ...]]:
    """Of the advertisements that choose Services by label, by key; the first side's count where both have a name."""
    found: dict[str, tuple[LabelSelector, ...]] = {}
    for side in reversed(sides):
        found |= {each.metadata.name: each.spec.service_selectors for each in side.advertisements}
        found |= {Route(each.metadata.name).key: each.spec.service_selectors for each in side.routes}
    return {key: chosen for key, chosen in found.items() if chosen}


def allocations(*sides: Resources) -> dict[str, ServiceAllocation]:
    """Of the pools that are for some Services alone, by name; the first side's count where both have a name."""
    found = {each.metadata.name: each.spec.service_allocation for side in reversed(sides) for each in side.pools}
    return {name: allocation for name, allocation in found.items() if allocation}


def digest(
    pools: Iterable[Pool],
    allocated: Mapping[str, ServiceAllocation],
    advertisements: Iterable[Advertisement],
    specs: Mapping[str, L2AdvertisementSpec],
    more: Iterable[str] = (),
) -> str:
    """The same on every host whose configuration comes to the same, wherever it was written."""
    lines = [_pool_line(each, allocated.get(each.name)) for each in pools]
    lines += [_advertisement_line(each, specs[each.name]) for each in advertisements]
    return hashlib.sha256("\n".join(sorted([*lines, *more])).encode()).hexdigest()[:12]


def pools_digest(file: Resources) -> str:
    """The same on every host whose settings' pools come to the same."""
    return digest(resolve(NOTHING, file).pools, allocations(file), (), {})


def _routing_lines(*sides: Resources) -> Iterator[str]:
    """What is written of BGP, but for passwords: a digest that everybody reads must not help to guess one."""
    for side in sides:
        for peer in side.peers:
            shown = replace(peer.spec, password="*" if peer.spec.password else "")
            yield f"BGPPeer {peer.metadata.name} {_written(shown)}"
        for route in side.routes:
            noted = sorted((key, text) for key, text in route.metadata.annotations.items() if key in (PREPEND, MED))
            yield f"BGPAdvertisement {route.metadata.name} {_written(route.spec)}{_written(noted)}"
        for kind in (side.bfd_profiles, side.communities):
            for each in kind:
                yield f"{type(each).__name__} {each.metadata.name} {_written(each.spec)}"


def _pool_line(pool: Pool, allocation: ServiceAllocation | None) -> str:
    ranges = " ".join(f"{each.first:x}-{each.last:x}/{each.family}" for each in pool.ranges)
    return f"pool {pool.name} {pool.auto_assign:d} {pool.avoid_buggy:d} {ranges} {_written(allocation)}".rstrip()


def _written(chosen: object) -> str:
    """The same for equal structs; nothing for None and an empty tuple."""
    return msgspec.json.encode(chosen, order="deterministic").decode() if chosen else ""


def _advertisement_line(advertisement: Advertisement, spec: L2AdvertisementSpec) -> str:
    pools = "*" if advertisement.pools is None else ",".join(sorted(advertisement.pools))
    chosen = (spec.node_selectors, spec.preferred_node_selectors, spec.service_selectors)
    written = _written(chosen if any(chosen) else ())
    return f"layer2 {advertisement.name} {pools} {','.join(sorted(advertisement.interfaces))} {written}".rstrip()


def _pool(origin: Origin, each: IPAddressPool, taken: Taken, problems: list[Problem]) -> Pool:
    spec, name = each.spec, each.metadata.name
    ranges: list[Range] = []
    for i, entry in enumerate(spec.addresses):
        field = f"addresses[{i}]"
        try:
            wanted = addresses.parse(entry)
        except Malformed as fault:
            problems.append(origin.error(field, "malformed-address", fault.what, fault.remedy))
            continue
        problems += _entry_problems(origin, field, entry, wanted, taken)
        ranges += taken.add(wanted, name)
    problems += _pool_problems(origin, spec)
    pinned, priority = spec.service_allocation is not None, _priority(spec.service_allocation)
    uid = each.metadata.uid
    return Pool(name, tuple(ranges), spec.auto_assign, spec.avoid_buggy_ips, origin.name, pinned, priority, uid)


def _priority(allocation: ServiceAllocation | None) -> int:
    """As it counts: a negative one is as none."""
    return max(0, allocation.priority) if allocation else 0


def _entry_problems(origin: Origin, field: str, entry: str, wanted: Range, taken: Taken) -> Iterator[Problem]:
    for other, owner in taken.overlapping(wanted)[:1]:
        what = f"{entry} overlaps {shown(other)} of pool {owner}, which keeps what both hold"
        yield origin.error(field, "overlap", what, "let each address stand in one pool, once")
    if addresses.host_bits(entry):
        what = f"{entry} is not the first address of its block and means {shown(wanted)}"
        yield origin.warning(field, "host-bits", what, f"write {shown(wanted)}")
    if addresses.unreachable(wanted):
        what = f"{entry} holds addresses no Service can have (unspecified, loopback, link-local, multicast)"
        yield origin.warning(field, "unreachable-address", what, "use addresses of your network")


def _pool_problems(origin: Origin, spec: IPAddressPoolSpec) -> Iterator[Problem]:
    if not spec.addresses:
        yield origin.error("addresses", "no-addresses", "the pool has no addresses", "add a CIDR or a range")
    if spec.service_allocation:
        yield from _allocation_problems(origin, spec.service_allocation)


def _allocation_problems(origin: Origin, allocation: ServiceAllocation) -> Iterator[Problem]:
    if allocation.priority < 0:
        what = f"priority {allocation.priority} counts as 0: after all positive ones"
        yield origin.warning("serviceAllocation.priority", "out-of-range", what, "write 1 or more, or leave it out")
    yield from repeated(origin, "serviceAllocation.namespaces", allocation.namespaces)
    yield from selector_problems(origin, "serviceAllocation.namespaceSelectors", allocation.namespace_selectors)
    yield from selector_problems(origin, "serviceAllocation.serviceSelectors", allocation.service_selectors)


def _advertisement(
    origin: Origin, each: L2Advertisement, pools: Labels, nodes: Labels | None, problems: list[Problem]
) -> Advertisement:
    spec = each.spec
    problems += _advertisement_problems(origin, spec, pools)
    chosen = frozenset(spec.ip_address_pools) | matching(spec.ip_address_pool_selectors, pools)
    every = not spec.ip_address_pools and not spec.ip_address_pool_selectors
    selected = matching(spec.node_selectors, nodes or {}) if spec.node_selectors else None
    if nodes and selected is not None and not selected:
        what = "no Node has the labels that nodeSelectors asks for"
        problems.append(origin.warning("nodeSelectors", "selects-nothing", what, "label a Node, or mend the selector"))
    return Advertisement(
        name=each.metadata.name,
        pools=None if every else chosen,
        interfaces=tuple(dict.fromkeys(spec.interfaces)),
        origin=origin.name,
        nodes=selected,
        weights=_weights(spec.preferred_node_selectors, selected, nodes or {}),
        by_service=bool(spec.service_selectors),
    )


def _weights(
    wishes: Iterable[Preference], selected: frozenset[str] | None, nodes: Labels
) -> tuple[tuple[str, int], ...]:
    """What each node weighs that may announce and is preferred; several matching preferences add up."""
    weights: Counter[str] = Counter()
    for wish in wishes:
        if wish.weight in WEIGHTS:
            preferred = matching((wish.preference,), nodes)
            weights.update(dict.fromkeys(preferred if selected is None else preferred & selected, wish.weight))
    return tuple(sorted(weights.items()))


def _advertisement_problems(origin: Origin, spec: L2AdvertisementSpec, known: Iterable[str]) -> Iterator[Problem]:
    yield from named(origin, "ipAddressPools", "pool", spec.ip_address_pools, known)
    for i, name in enumerate(spec.interfaces):
        if not INTERFACE.fullmatch(name) or "*" in name:
            remedy = "write a whole name as ip link shows it, such as eth0"
            yield origin.warning(f"interfaces[{i}]", "malformed-name", f"{name!r} is no interface name", remedy)
    yield from selector_problems(origin, "ipAddressPoolSelectors", spec.ip_address_pool_selectors)
    yield from selector_problems(origin, "nodeSelectors", spec.node_selectors)
    yield from selector_problems(origin, "serviceSelectors", spec.service_selectors)
    yield from _preference_problems(origin, spec.preferred_node_selectors)


def _preference_problems(origin: Origin, wishes: tuple[Preference, ...]) -> Iterator[Problem]:
    for i, wish in enumerate(wishes):
        field = f"preferredNodeSelectors[{i}]"
        if wish.weight not in WEIGHTS:
            what = f"weight {wish.weight} is not 1 to 100: the preference has no effect"
            yield origin.error(f"{field}.weight", "out-of-range", what, "write 1 to 100")
        yield from faults(origin, f"{field}.preference", wish.preference)


def _unadvertised(
    pools: Iterable[tuple[Origin, IPAddressPool]], advertisements: Iterable[Advertisement | Route]
) -> Iterator[Problem]:
    covered = [each.pools for each in advertisements]
    for origin, pool in pools:
        if not any(names is None or pool.metadata.name in names for names in covered):
            what = f"no advertisement covers pool {pool.metadata.name}: its addresses are given out, not announced"
            remedy = "add an L2Advertisement or a BGPAdvertisement"
            yield Problem(origin.name, "", "not-advertised", what, remedy, "warning")
