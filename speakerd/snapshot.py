"""API objects to a Snapshot: the one door in. Only what changed is converted; what stays equal stays one object."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from sys import intern

from msgspec import Struct
from msgspec.structs import replace

from speakerd import annotations
from speakerd import settings as settings_
from speakerd.config import file, selectors
from speakerd.config.lastgood import Good, in_force, resolved
from speakerd.config.origin import Labels
from speakerd.config.resolve import allocations, node_labels, pools_digest, service_selectors
from speakerd.config.resources import LabelSelector, Resources, ServiceAllocation
from speakerd.decision import Snapshot
from speakerd.difference import Draft, View, put_or_drop
from speakerd.exchange import Key, Member
from speakerd.kube import body, objects
from speakerd.kube.kept import SERVICE_LABEL
from speakerd.model import (
    IP,
    NO_NAMES,
    Config,
    Endpoints,
    FamilyPolicy,
    Node,
    Problem,
    Record,
    Reservation,
    Service,
    Sharing,
    unpacked,
)
from speakerd.occupancy import enter, strike
from speakerd.peering import Password
from speakerd.settings import Settings

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"

POLICIES: Mapping[str, FamilyPolicy] = {policy.value: policy for policy in FamilyPolicy}


class Stores(Struct, frozen=True):
    """All that is known of the API, by key; `ledger`: the addresses' Leases, None where they are not known.

    `settled`: every kind was listed at least once. `row_version`: the largest resourceVersion a watch has reached.
    `keys`: of the members' messages, newest first; `drained`: this node is to answer for nothing; `blind`: as in
    Wanted. `hints`: who owned a VIP before this process started, by packed address. `namespaces`: None where they are
    not known. `legacy`: MetalLB's ConfigMap, if there is one. `known`: kinds watched on demand that are known, or never
    will be. `pools_gone`: there were pools, and all were deleted on purpose. `passwords`: of BGP sessions, by
    the name of the Secret; `secrets`: why a Secret that was looked at holds none, "" where it does.
    """

    services: Mapping[str, objects.Service]
    slices: Mapping[str, objects.EndpointSlice]
    nodes: Mapping[str, objects.Node]
    members: Mapping[str, objects.Lease]
    pools: Mapping[str, objects.IPAddressPool]
    advertisements: Mapping[str, objects.L2Advertisement]
    settled: bool
    ledger: Mapping[IP, Reservation] | None = None
    row_version: int = 0
    keys: tuple[Key, ...] = ()
    drained: bool = False
    blind: int = 0
    hints: Mapping[bytes, Record] = {}
    namespaces: Mapping[str, objects.Namespace] | None = None
    peers: Mapping[str, objects.BGPPeer] = {}
    routes: Mapping[str, objects.BGPAdvertisement] = {}
    bfd_profiles: Mapping[str, objects.BFDProfile] = {}
    communities: Mapping[str, objects.Community] = {}
    legacy: Mapping[str, objects.ConfigMap] = {}
    known: frozenset[str] = frozenset({objects.PEER})
    passwords: Mapping[str, Password] = {}
    secrets: Mapping[str, str] = {}
    pools_gone: bool = False

    @property
    def resources(self) -> Resources:
        """The cluster's side of the configuration."""
        return Resources(
            pools=tuple(self.pools.values()),
            advertisements=tuple(self.advertisements.values()),
            peers=tuple(self.peers.values()),
            routes=tuple(self.routes.values()),
            bfd_profiles=tuple(self.bfd_profiles.values()),
            communities=tuple(self.communities.values()),
            secrets=dict(self.secrets),
        )


class Slice(Struct, frozen=True, gc=False):
    """An EndpointSlice's share of the endpoints of a Service."""

    service: str
    endpoints: Endpoints


class Memo:
    """What one snapshot leaves for the next; handed over, never shared."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.services = View(self.service)
        self.slices = View(endpoint_slice)
        self.nodes = View(node)
        self.leases = View(body.member)
        self.shares: Mapping[str, Slice] = {}
        self.by_service: dict[str, tuple[str, ...]] = {}
        self.endpoints: Draft[str, Endpoints] = Draft()
        self.records: Mapping[str, Member] = {}
        self.members: Mapping[str, Member] = {}
        self.strangers: Mapping[IP, str] = {}
        self.own = file.resources(self.settings)
        self.own_pools = pools_digest(self.own) if self.settings.kubernetes.allocate else ""
        self.file = self.own
        self.given = self.resources = Resources()
        self.legacy_of: objects.ConfigMap | None = None
        self.legacy_problems: tuple[Problem, ...] = ()
        self.last_legacy = Resources()
        self.listed = False
        self.good: Good = {}
        self.wanted: frozenset[str] | None = None
        self.labels = View(self.asked_labels)
        self.namespaces = View[objects.Namespace, dict[str, str]](lambda found: found.metadata.labels)
        self.namespace_labels: Mapping[str, Mapping[str, str]] | None = None
        self.allocations: dict[str, ServiceAllocation] = {}
        self.resolved_for: Labels | None = None
        self.config: Config | None = None
        self.bgp = settings_.bgp(self.settings)
        self.passwords: Mapping[str, Password] = {}
        self.passwords_of: tuple[object, object] = (None, None)
        self.chosen: dict[str, tuple[LabelSelector, ...]] = {}
        self.take_selectors()

    def take_selectors(self) -> None:
        """Note what the advertisements' selectors ask of Nodes and Services; convert these anew where that differs."""
        wanted, chosen = node_labels(self.resources, self.file), service_selectors(self.resources, self.file)
        allocated = allocations(self.resources, self.file)
        if wanted != self.wanted:
            self.wanted = wanted
            self.labels.convert_again()
        if (chosen, allocated) != (self.chosen, self.allocations):
            self.chosen, self.allocations = chosen, allocated
            self.services.convert_again()

    @property
    def asks(self) -> frozenset[str]:
        """Kinds that matter as things are, beside those that always do: what nobody asks for is not watched."""
        found = {objects.PEER}
        if self.resources.peers or self.file.peers:
            found |= objects.OF_PEERS
        if self.listed and not (self.given or self.own):
            found.add(objects.CONFIG_MAP)
        if any(each.namespace_selectors for each in self.allocations.values()):
            found.add(objects.NAMESPACE)
        return frozenset(found)

    def secrets(self, me: str) -> frozenset[str]:
        """Names of the Secrets with passwords of sessions that node `me` is to have, also such as hold none."""
        if self.settings.announce != "all":
            return frozenset()
        specs = [each.spec for each in (*self.resources.peers, *self.file.peers) if each.spec.password_secret.name]
        labels = (self.resolved_for or {}).get(me, {})
        chosen = (each for each in specs if _chosen(each.node_selectors, labels))
        return frozenset(each.password_secret.name for each in chosen)

    def take_legacy(self, found: objects.ConfigMap | None) -> None:
        """Note what MetalLB's ConfigMap says, None where there is none, or it does not count."""
        if found is self.legacy_of:
            return
        self.legacy_of, self.config = found, None
        self.file, self.legacy_problems = self.own, ()
        if found:
            from speakerd.config import legacy  # noqa: PLC0415  reads YAML, which most clusters do without

            old = legacy.read(found)
            self.last_legacy = old.resources or self.last_legacy
            self.file, self.legacy_problems = self.last_legacy, old.problems

    def take_namespaces(self, found: Mapping[str, objects.Namespace] | None) -> None:
        """Note their labels, None where these are not known; Services are judged anew where that differs."""
        labels = None if found is None else self.namespaces.turn(found)
        if labels is not self.namespace_labels:
            self.namespace_labels = labels
            self.services.convert_again()

    def asked_labels(self, found: objects.Node) -> dict[str, str]:
        """The labels of a Node that selectors ask for."""
        return {key: value for key, value in found.metadata.labels.items() if key in (self.wanted or ())}

    def service(self, found: objects.Service) -> Service | None:
        """A Service, with the advertisements and pools that choose it by label."""
        seen = service(found, self.settings.kubernetes.load_balancer_class)
        if seen is None or not (self.chosen or self.allocations):
            return seen
        labels, chosen = found.metadata.labels, self.chosen.items()
        names = tuple(name for name, selector in chosen if selectors.any_matches(selector, labels))
        pools = tuple(name for name, each in self.allocations.items() if self._admits(name, each, seen, labels))
        return replace(seen, advertised_by=names, admitted_by=pools) if names or pools else seen

    def _admits(self, name: str, allocation: ServiceAllocation, seen: Service, labels: Mapping[str, str]) -> bool:
        """Whether a pool is for a Service; where namespaces are not known, who has an address of it keeps it."""
        if allocation.service_selectors and not selectors.any_matches(allocation.service_selectors, labels):
            return False
        if not (allocation.namespaces or allocation.namespace_selectors) or seen.namespace in allocation.namespaces:
            return True
        if allocation.namespace_selectors and self.namespace_labels is None:
            return seen.pool == name
        own = (self.namespace_labels or {}).get(seen.namespace)
        return own is not None and selectors.any_matches(allocation.namespace_selectors, own)


def _chosen(asked: tuple[LabelSelector, ...], labels: Mapping[str, str]) -> bool:
    """Whether selectors choose what has these labels; none choose everything."""
    return not asked or selectors.any_matches(asked, labels)


def build(stores: Stores, settings: Settings, memo: Memo) -> tuple[Snapshot, Memo]:
    """One look at the world; `memo` is the last snapshot's or a new one, and is used up."""
    if memo.settings is not settings:
        memo = Memo(settings)
    config = _config(stores, memo)
    asks = memo.asks
    if objects.NAMESPACE in asks:
        memo.take_namespaces(stores.namespaces)
    snapshot = Snapshot(
        me=settings.node.name,
        settled=stores.settled and asks <= stores.known,
        services=memo.services.turn(stores.services),
        endpoints=_endpoints(stores, memo),
        nodes=memo.nodes.turn(stores.nodes),
        members=_members(stores, memo),
        config=config,
        ledger=stores.ledger,
        layer2=settings_.layer2(settings),
        announce=settings.announce == "all",
        row_version=stores.row_version,
        membership=settings_.membership(settings),
        keys=stores.keys,
        drained=stores.drained,
        blind=stores.blind,
        hints=stores.hints,
        strangers=memo.strangers,
        bgp=memo.bgp,
        passwords=_passwords(stores, config, memo),
    )
    return snapshot, memo


def _endpoints(stores: Stores, memo: Memo) -> Mapping[str, Endpoints]:
    """The EndpointSlices of each Service in one."""
    before, memo.shares = memo.shares, memo.slices.turn(stores.slices)
    touched = set()
    for key in memo.slices.changed:
        if old := before.get(key):
            touched.add(old.service)
            strike(memo.by_service, old.service, key)
        if new := memo.shares.get(key):
            touched.add(new.service)
            enter(memo.by_service, new.service, key)
    for name in touched:
        put_or_drop(memo.endpoints, name, _united(memo, name))
    return memo.endpoints.publish()


def _united(memo: Memo, name: str) -> Endpoints | None:
    """A Service's endpoints, or None where no slice is left."""
    found = [memo.shares[key].endpoints for key in memo.by_service.get(name, ())]
    if len(found) < 2:
        return next(iter(found), None)
    united = Endpoints(
        any(each.somewhere for each in found),
        NO_NAMES.union(*(each.nodes for each in found)),
        NO_NAMES.union(*(each.ready for each in found)),
    )
    return _shared(united)


def _members(stores: Stores, memo: Memo) -> Mapping[str, Member]:
    """The member records by node name."""
    records = memo.leases.turn(stores.members)
    if records is not memo.records:
        memo.records = records
        memo.members = {each.name: each for each in records.values()}
        told = (pair for name in sorted(memo.members) for pair in memo.members[name].strangers)
        memo.strangers = {unpacked(ip): mac.hex(":") for ip, mac in told}
    return memo.members


def _config(stores: Stores, memo: Memo) -> Config:
    """The configuration, resolved again when a resource has changed, or a label of a Node that a selector asks for."""
    given, memo.listed = stores.resources, stores.settled
    if given != memo.given:
        memo.given, memo.config = given, None
    memo.take_legacy(next(iter(stores.legacy.values()), None) if objects.CONFIG_MAP in memo.asks else None)
    if memo.config is None:
        memo.resources, memo.good = in_force(memo.given, memo.file, memo.good)
        memo.take_selectors()
    labels = memo.labels.turn(stores.nodes) if memo.wanted is not None else None
    if memo.config is None or labels is not memo.resolved_for:
        memo.resolved_for = labels
        found = resolved(memo.resources, memo.given, memo.file, labels)
        memo.config = replace(found, problems=(*memo.legacy_problems, *found.problems))
    if memo.config.pools_gone != stores.pools_gone:
        memo.config = replace(memo.config, pools_gone=stores.pools_gone)
    return memo.config


def _passwords(stores: Stores, config: Config, memo: Memo) -> Mapping[str, Password]:
    """The passwords of the peers' sessions, by the peer's name, as far as they are known."""
    if memo.passwords_of[0] is not stores.passwords or memo.passwords_of[1] is not config:
        memo.passwords_of = stores.passwords, config
        found: dict[str, Password] = {}
        for each in (*memo.file.peers, *memo.resources.peers):
            found.pop(each.metadata.name, None)
            if each.spec.password:
                found[each.metadata.name] = Password(each.spec.password.encode("utf-8", "surrogateescape"))
            elif password := stores.passwords.get(each.spec.password_secret.name):
                found[each.metadata.name] = password
        if found != memo.passwords:
            memo.passwords = found
    return memo.passwords


def service(found: objects.Service, load_balancer_class: str) -> Service | None:
    """A Service that is ours, or whose status or annotation still says so; None for all others."""
    metadata, spec = found.metadata, found.spec
    ips = annotations.addresses(each.ip for each in found.status.load_balancer.ingress or ())
    pool = metadata.annotations.get(body.POOL_ANNOTATION, "")
    balanced = spec.type == "LoadBalancer"
    ours = balanced and spec.load_balancer_class == load_balancer_class and bool(ips or not metadata.deletion_timestamp)
    lapsed = not balanced and bool(ips or pool)
    if not (ours or lapsed or ips):
        return None
    cluster_ips = spec.cluster_ips or (spec.cluster_ip,)
    return Service(
        key=objects.key(metadata),
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        created=metadata.creation_timestamp,
        ours=ours,
        lapsed=lapsed,
        local_policy=spec.external_traffic_policy == "Local",
        cluster_ips=annotations.addresses(cluster_ips),
        family_policy=POLICIES.get(spec.ip_family_policy, FamilyPolicy.SINGLE),
        ips=ips,
        pool=pool,
        request=annotations.request(metadata.annotations, spec.load_balancer_ip),
        sharing=sharing(metadata.annotations, spec),
        deprecated=annotations.deprecated(metadata.annotations),
    )


def sharing(noted: Mapping[str, str], spec: objects.ServiceSpec) -> Sharing | None:
    """On what terms a Service shares its addresses; None where it has no key."""
    key = annotations.value(noted, annotations.SHARED)
    if not key:
        return None
    selector = spec.selector or {} if spec.external_traffic_policy == "Local" else {}
    backend = ",".join(f"{name}={value}" for name, value in sorted(selector.items()))
    return Sharing(key, backend, frozenset((each.protocol, each.port) for each in spec.ports or ()))


def endpoint_slice(found: objects.EndpointSlice) -> Slice | None:
    """Where a slice's endpoints serve; None where it names no Service."""
    name = found.metadata.labels.get(SERVICE_LABEL)
    if not name:
        return None
    ready = [each for each in found.endpoints or () if each.conditions.ready is not False]
    ending = [each for each in found.endpoints or () if each.conditions.ready is False and each.conditions.serving]
    serving = _shared(Endpoints(bool(ready or ending), _nodes((*ready, *ending)), _nodes(ready)))
    return Slice(intern(f"{found.metadata.namespace}/{name}"), serving)


def _nodes(endpoints: Iterable[objects.Endpoint]) -> frozenset[str]:
    return frozenset(each.node_name for each in endpoints if each.node_name)


@lru_cache(maxsize=4096)
def _shared(endpoints: Endpoints) -> Endpoints:
    """The ones that equal `endpoints`: thousands of Services have theirs on the same few nodes."""
    return endpoints


def node(found: objects.Node) -> Node:
    """A Node."""
    conditions = {each.type: each.status for each in found.status.conditions}
    return Node(
        name=found.metadata.name,
        uid=found.metadata.uid,
        excluded=EXCLUDE_LABEL in found.metadata.labels,
        network_unavailable=conditions.get("NetworkUnavailable") == "True",
        addresses=tuple(each.address for each in found.status.addresses if each.type == "InternalIP"),
    )
