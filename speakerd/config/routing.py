"""MetalLB's BGP objects -> one checked Routing; a faulty object never takes the rest down; pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import combinations
from typing import TypeVar

from speakerd.config import communities, peers, wishes
from speakerd.config.origin import Origin, matching, named, selector_problems
from speakerd.config.resources import MED, PREPEND, BGPAdvertisement, BGPAdvertisementSpec
from speakerd.config.sides import Given, Ground
from speakerd.model import Pool, Problem, Range
from speakerd.peering import BfdProfile, Peer, Route, Routing

PREFERENCES = range(1 << 32)
LENGTHS = {4: range(1, 33), 6: range(129)}
"""Aggregation lengths by family, as MetalLB has them."""
FIELDS = {4: "aggregationLength", 6: "aggregationLengthV6"}


def routing(given: Given, ground: Ground, problems: list[Problem]) -> Routing:
    """What all of them come to, by name; those with a fault are not in force."""
    profiles = _sorted(peers.profile(origin, each, problems) for origin, each in given.profiles)
    known = {each.name for each in profiles}
    found = _sorted(peers.peer(origin, each, known, ground, problems) for origin, each in given.peers)
    aliases = communities.aliases(given.communities, problems)
    names = {each.metadata.name for _, each in given.peers}
    routes = _sorted(_route(origin, each, ground, aliases, names, problems) for origin, each in given.routes)
    problems += _clashes(routes, ground)
    if not names:
        problems += _untold(routes)
    problems += _echoes(found, profiles, routes, ground.pools)
    return Routing(tuple(found), tuple(routes), tuple(profiles), tuple(sorted(aliases.items())))


T = TypeVar("T", Peer, Route, BfdProfile)


def _sorted(found: Iterable[T | None]) -> list[T]:
    return sorted(filter(None, found), key=lambda each: each.name)


def _route(
    origin: Origin,
    each: BGPAdvertisement,
    ground: Ground,
    aliases: Mapping[str, str],
    known_peers: Iterable[str],
    problems: list[Problem],
) -> Route | None:
    """An advertisement; None where it is not in force, or waits for a community to get its value."""
    spec = each.spec
    every = not spec.ip_address_pools and not spec.ip_address_pool_selectors
    chosen = frozenset(spec.ip_address_pools) | matching(spec.ip_address_pool_selectors, ground.pool_labels)
    faults: list[Problem] = []
    asked = wishes.wishes(origin, each, faults)
    faults += [*_spec_problems(origin, spec), *communities.problems_of(origin, spec.communities, aliases)]
    faults += named(origin, "ipAddressPools", "pool", spec.ip_address_pools, ground.pool_labels)
    faults += named(origin, "peers", "peer", spec.peers, known_peers)
    meant = [pool for pool in ground.pools if every or pool.name in chosen]
    narrow = {pool.name: found for pool in meant if (found := [*_too_short(origin, spec, pool)])}
    problems += [*faults, *(fault for found in narrow.values() for fault in found)]
    if any(fault.severity == "error" for fault in faults) or communities.waits(spec.communities, aliases):
        return None
    return Route(
        name=each.metadata.name,
        pools=_without(narrow, chosen, ground, every=every),
        nodes=matching(spec.node_selectors, ground.node_labels or {}) if spec.node_selectors else None,
        by_service=bool(spec.service_selectors),
        aggregation=spec.aggregation_length,
        aggregation_v6=spec.aggregation_length_v6,
        local_pref=spec.local_pref,
        communities=communities.resolved(spec.communities, aliases),
        peers=tuple(sorted(spec.peers)),
        origin=origin.name,
        med=asked.med,
        prepend=asked.prepend,
    )


def _spec_problems(origin: Origin, spec: BGPAdvertisementSpec) -> Iterator[Problem]:
    for family, length in ((4, spec.aggregation_length), (6, spec.aggregation_length_v6)):
        bounds = LENGTHS[family]
        if length not in bounds:
            what = f"{length} is not {bounds.start} to {bounds.stop - 1}"
            yield origin.error(FIELDS[family], "out-of-range", what, f"the usual one is {bounds.stop - 1}")
    if spec.local_pref not in PREFERENCES:
        yield origin.error("localPref", "out-of-range", f"{spec.local_pref} is not 0 to 4294967295", "write 100")
    whole = (spec.aggregation_length, spec.aggregation_length_v6) == (32, 128)
    if spec.service_selectors and not whole:
        what = "serviceSelectors choose single addresses, aggregation lengths other than 32 and 128 do not"
        yield origin.error("serviceSelectors", "contradiction", what, "remove one of them")
    for field, selectors in (
        ("ipAddressPoolSelectors", spec.ip_address_pool_selectors),
        ("nodeSelectors", spec.node_selectors),
        ("serviceSelectors", spec.service_selectors),
    ):
        yield from selector_problems(origin, field, selectors)


def _without(narrow: Collection[str], chosen: frozenset[str], ground: Ground, *, every: bool) -> frozenset[str] | None:
    """The pools it announces: one that is too narrow for it costs the others nothing."""
    if not narrow:
        return None if every else chosen
    return (frozenset(pool.name for pool in ground.pools) if every else chosen) - frozenset(narrow)


def _too_short(origin: Origin, spec: BGPAdvertisementSpec, pool: Pool) -> Iterator[Problem]:
    """A prefix that is wider than an entry of the pool would draw traffic for addresses that are not ours."""
    for family, length in ((4, spec.aggregation_length), (6, spec.aggregation_length_v6)):
        needed = max((_widest(each) for each in pool.ranges if each.family == family), default=0)
        if length in LENGTHS[family] and length < needed:
            what = f"/{length} is wider than a block of pool {pool.name}, a /{needed}: the pool is not announced"
            yield origin.error(FIELDS[family], "aggregation-too-short", what, f"write {needed} or more")


def _widest(each: Range) -> int:
    """The prefix length of the largest block in a range: of a split into the fewest, without splitting it."""
    bits = 32 if each.family == 4 else 128
    size = each.last - each.first + 1
    for length in range(bits + 1):
        block = 1 << bits - length
        if block <= size and -(-each.first // block) * block + block - 1 <= each.last:
            return length
    return bits


def _untold(routes: Iterable[Route]) -> Iterator[Problem]:
    """Advertisements while there is nobody to tell."""
    for each in routes:
        what = "there is no BGPPeer: nobody is told of its addresses"
        yield Problem(each.origin, "", "no-peer", what, "create one, or write bgpPeers", "warning")


# -- what concerns two of them


def _clashes(routes: Iterable[Route], ground: Ground) -> Iterator[Problem]:
    """Two that say different things of one prefix, to one peer, from one node; without Nodes there is none."""
    if not ground.node_labels:
        return
    for one, other in combinations((each for each in routes if not each.by_service), 2):
        if not (clash(one, other) and meet(one, other, ground.node_labels)):
            continue
        pools = (pool for pool in ground.pools if one.covers(pool.name) and other.covers(pool.name))
        if any(same_lengths(one, other, each) for each in pools):
            yield from _contradictions(one, other)


def _contradictions(one: Route, other: Route) -> Iterator[Problem]:
    """A problem for each number in which they differ, at the first of the two."""
    prefix = "spec." if one.origin.startswith("BGPAdvertisement/") else ""
    for where, word, mine, others in (
        (f"{prefix}localPref", "localPref", one.local_pref, other.local_pref),
        (wishes.field(prefix, MED), "MED", one.med, other.med),
        (wishes.field(prefix, PREPEND), "AS-path prepending", one.prepend, other.prepend),
    ):
        if mine != others:
            first, second = ("none" if each is None else each for each in (mine, others))
            what = f"{word} {first} contradicts {second} of BGPAdvertisement {other.name}"
            yield Problem(one.origin, where, "conflicting-advertisements", what, "let the two agree")


def clash(one: Route, other: Route) -> bool:
    """Whether they say different numbers and have a peer in common; communities add up."""
    numbers = [(each.local_pref, each.med, each.prepend) for each in (one, other)]
    return numbers[0] != numbers[1] and not (one.peers and other.peers and set(one.peers).isdisjoint(other.peers))


def meet(one: Route, other: Route, nodes: Iterable[str]) -> bool:
    """Whether a node is in both."""
    return any(one.selects(node) and other.selects(node) for node in nodes)


def same_lengths(one: Route, other: Route, pool: Pool) -> bool:
    """Whether they announce some address of a pool with the same prefix."""
    return any(one.length(family) == other.length(family) for family in {each.family for each in pool.ranges})


def _echoes(
    found: Iterable[Peer], profiles: Iterable[BfdProfile], routes: Iterable[Route], pools: Iterable[Pool]
) -> Iterator[Problem]:
    """BFD's echo works for IPv4 alone (RFC 5881 section 4): no peer that uses it may be told of IPv6 addresses."""
    echoing = {each.name for each in profiles if each.echo_mode}
    six = [pool.name for pool in pools if any(each.family == 6 for each in pool.ranges)]
    told = [route for route in routes if any(map(route.covers, six))]
    for each in found:
        if each.bfd in echoing and any(not route.peers or each.name in route.peers for route in told):
            what = f"BFDProfile {each.bfd} has echoMode, and the peer is told of IPv6 addresses"
            yield Problem(each.origin, "spec.bfdProfile", "echo-mode-ipv6", what, "use a profile without echoMode")
