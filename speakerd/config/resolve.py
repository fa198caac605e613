"""The cluster's resources and the settings file's -> one checked Config; a faulty object never takes the rest down.

What is wrong is told, and what can be kept is kept: of overlapping pools the older holds the shared addresses, so that
no address belongs to two pools and none to nobody.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct

from speakerd.config import addresses, selectors
from speakerd.config.addresses import Malformed, Taken, shown
from speakerd.config.resources import (
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    LabelSelector,
    Resources,
)
from speakerd.config.words import INTERFACE, nearest
from speakerd.model import Advertisement, Config, Pool, Problem, Range

NOTHING = Resources()
Kind = TypeVar("Kind", IPAddressPool, L2Advertisement)


class Origin(Struct, frozen=True):
    """Where an object stands, for people, and what its spec's fields are called there."""

    name: str
    prefix: str = ""

    def error(self, field: str, reason: str, what: str, remedy: str) -> Problem:
        """A fault that makes the configuration invalid."""
        return Problem(self.name, self.prefix + field, reason, what, remedy)

    def warning(self, field: str, reason: str, what: str, remedy: str) -> Problem:
        """A fault that does not."""
        return Problem(self.name, self.prefix + field, reason, what, remedy, "warning")


def resolve(cluster: Resources, file: Resources = NOTHING) -> Config:
    """The configuration these come to, its pools and advertisements by name, and every fault in it."""
    problems: list[Problem] = []
    pools = _all("IPAddressPool", cluster.pools, file.pools, file.places, problems)
    advertisements = _all("L2Advertisement", cluster.advertisements, file.advertisements, file.places, problems)
    taken = Taken()
    good_pools = [_pool(origin, each, taken, problems) for origin, each in pools]
    labels = {each.metadata.name: each.metadata.labels for _, each in pools}
    good_advertisements = [_advertisement(origin, each, labels, problems) for origin, each in advertisements]
    problems += _unadvertised(pools, good_advertisements)
    by_name = tuple(sorted(good_pools, key=lambda p: p.name))
    announced = tuple(sorted(good_advertisements, key=lambda a: a.name))
    return Config(by_name, announced, tuple(problems), digest(by_name, announced))


def digest(pools: Iterable[Pool], advertisements: Iterable[Advertisement]) -> str:
    """The same on every host whose configuration comes to the same, wherever it was written."""
    lines = [*map(_pool_line, pools), *map(_advertisement_line, advertisements)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


def _pool_line(pool: Pool) -> str:
    ranges = " ".join(f"{each.first:x}-{each.last:x}/{each.family}" for each in pool.ranges)
    return f"pool {pool.name} {pool.auto_assign:d} {pool.avoid_buggy:d} {ranges}"


def _advertisement_line(advertisement: Advertisement) -> str:
    pools = "*" if advertisement.pools is None else ",".join(sorted(advertisement.pools))
    return f"layer2 {advertisement.name} {pools} {','.join(sorted(advertisement.interfaces))}"


def _all(
    kind: str, cluster: Iterable[Kind], file: Iterable[Kind], places: Mapping[str, str], problems: list[Problem]
) -> list[tuple[Origin, Kind]]:
    """The cluster's objects, oldest first, then the file's, each with its origin; a name counts once."""
    by_age = sorted(cluster, key=lambda each: (each.metadata.creation_timestamp, each.metadata.name))
    found = {each.metadata.name: (Origin(_identity(kind, each), "spec."), each) for each in by_age}
    for each in file:
        name = each.metadata.name
        origin = Origin(places.get(f"{kind}/{name}", "settings"))
        if name in found:
            what = f"{kind} {name} is also {found[name][0].name}, which counts"
            problems.append(origin.error("name", "duplicate-name", what, "rename or remove one of them"))
        else:
            found[name] = (origin, each)
    return list(found.values())


def _identity(kind: str, each: IPAddressPool | L2Advertisement) -> str:
    return "/".join(filter(None, (kind, each.metadata.namespace, each.metadata.name)))


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
    return Pool(name, tuple(ranges), spec.auto_assign, spec.avoid_buggy_ips, origin.name)


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
        what = "this version does not restrict a pool to some Services: it serves all"
        remedy = "set autoAssign: false, and name the pool on the Services it is for"
        yield origin.warning("serviceAllocation", "not-honoured", what, remedy)


def _advertisement(
    origin: Origin, each: L2Advertisement, labels: Mapping[str, Mapping[str, str]], problems: list[Problem]
) -> Advertisement:
    spec = each.spec
    problems += _advertisement_problems(origin, spec, labels)
    chosen = frozenset(spec.ip_address_pools) | {
        name for name, own in labels.items() if selectors.any_matches(spec.ip_address_pool_selectors, own)
    }
    every = not spec.ip_address_pools and not spec.ip_address_pool_selectors
    interfaces = tuple(dict.fromkeys(spec.interfaces))
    return Advertisement(each.metadata.name, None if every else chosen, interfaces, origin.name)


def _advertisement_problems(origin: Origin, spec: L2AdvertisementSpec, known: Iterable[str]) -> Iterator[Problem]:
    for i, pool in enumerate(spec.ip_address_pools):
        if pool not in known:
            guess = nearest(pool, known)
            remedy = f"did you mean {guess}?" if guess else "name a pool, or remove it"
            yield origin.warning(f"ipAddressPools[{i}]", "unknown-pool", f"there is no pool {pool}", remedy)
    for pool, times in Counter(spec.ip_address_pools).items():
        if times > 1:
            yield origin.warning("ipAddressPools", "repeated", f"{pool} stands here {times} times", "name it once")
    for i, name in enumerate(spec.interfaces):
        if not INTERFACE.fullmatch(name) or "*" in name:
            remedy = "write a whole name as ip link shows it, such as eth0"
            yield origin.warning(f"interfaces[{i}]", "malformed-name", f"{name!r} is no interface name", remedy)
    yield from _selector_problems(origin, "ipAddressPoolSelectors", spec.ip_address_pool_selectors)
    yield from _not_honoured(origin, spec)


def _selector_problems(origin: Origin, field: str, given: Iterable[LabelSelector]) -> Iterator[Problem]:
    for i, selector in enumerate(given):
        for what in selectors.faults(selector):
            remedy = "see kubernetes.io/docs/concepts/overview/working-with-objects/labels"
            yield origin.error(f"{field}[{i}]", "malformed-selector", what, remedy)


def _not_honoured(origin: Origin, spec: L2AdvertisementSpec) -> Iterator[Problem]:
    for field, given, instead in (
        ("nodeSelectors", spec.node_selectors, "every node may announce"),
        ("preferredNodeSelectors", spec.preferred_node_selectors, "no node is preferred"),
        ("serviceSelectors", spec.service_selectors, "every Service of its pools is announced"),
    ):
        if given:
            what = f"this version does not honour {field}: {instead}"
            yield origin.warning(field, "not-honoured", what, f"remove {field} if that is not wanted")


def _unadvertised(
    pools: Iterable[tuple[Origin, IPAddressPool]], advertisements: Iterable[Advertisement]
) -> Iterator[Problem]:
    covered = [each.pools for each in advertisements]
    for origin, pool in pools:
        if not any(names is None or pool.metadata.name in names for names in covered):
            what = f"no L2Advertisement covers pool {pool.metadata.name}: its addresses are given out, not announced"
            yield Problem(origin.name, "", "not-advertised", what, "add an L2Advertisement", "warning")
