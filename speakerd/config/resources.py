"""MetalLB's resources as the API and the settings file give them: narrow, frozen, unchecked; `resolve` checks."""

from msgspec import Struct, field


class Metadata(Struct, frozen=True, gc=False, rename="camel"):
    """ObjectMeta, the fields in use."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Expression(Struct, frozen=True):
    """LabelSelectorRequirement; `operator`: In, NotIn, Exists, DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Struct, frozen=True, rename="camel"):
    """A LabelSelector; empty matches everything."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Expression, ...] = ()


class ServiceAllocation(Struct, frozen=True, rename="camel"):
    """IPAddressPool.spec.serviceAllocation: whom a pinned pool serves."""

    priority: int = 0
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()


class IPAddressPoolSpec(Struct, frozen=True, rename="camel"):
    """IPAddressPool.spec."""

    addresses: tuple[str, ...] = ()
    auto_assign: bool = True
    avoid_buggy_ips: bool = field(default=False, name="avoidBuggyIPs")
    service_allocation: ServiceAllocation | None = None


class IPAddressPool(Struct, frozen=True):
    """metallb.io/v1beta1 IPAddressPool."""

    metadata: Metadata
    spec: IPAddressPoolSpec = IPAddressPoolSpec()


class Preference(Struct, frozen=True):
    """A weighted preference of nodes."""

    weight: int
    preference: LabelSelector = LabelSelector()


class L2AdvertisementSpec(Struct, frozen=True, rename="camel"):
    """L2Advertisement.spec; absent lists mean all."""

    ip_address_pools: tuple[str, ...] = field(default=(), name="ipAddressPools")
    ip_address_pool_selectors: tuple[LabelSelector, ...] = field(default=(), name="ipAddressPoolSelectors")
    node_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    preferred_node_selectors: tuple[Preference, ...] = ()
    interfaces: tuple[str, ...] = ()


class L2Advertisement(Struct, frozen=True):
    """metallb.io/v1beta1 L2Advertisement."""

    metadata: Metadata
    spec: L2AdvertisementSpec = L2AdvertisementSpec()


class BGPAdvertisementSpec(Struct, frozen=True, rename="camel"):
    """BGPAdvertisement.spec; absent lists mean all, but for communities: none."""

    ip_address_pools: tuple[str, ...] = field(default=(), name="ipAddressPools")
    ip_address_pool_selectors: tuple[LabelSelector, ...] = field(default=(), name="ipAddressPoolSelectors")
    node_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    aggregation_length: int = 32
    aggregation_length_v6: int = field(default=128, name="aggregationLengthV6")
    local_pref: int = 0
    communities: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()


PREPEND, MED = "speakerd.io/as-path-prepend", "speakerd.io/med"
"""Annotations of a BGPAdvertisement, for what MetalLB's spec has no field for: whole numbers."""
MOST_PREPENDED, MOST_MED = 10, (1 << 32) - 1
"""What they may be at most. Routers refuse very long paths, and a few steps decide; MED has four octets."""


class BGPAdvertisement(Struct, frozen=True):
    """metallb.io/v1beta1 BGPAdvertisement."""

    metadata: Metadata
    spec: BGPAdvertisementSpec = BGPAdvertisementSpec()


class SecretReference(Struct, frozen=True):
    """A Secret by name; its namespace is not used: it is looked for in MetalLB's own."""

    name: str = ""
    namespace: str = ""


class BGPPeerSpec(Struct, frozen=True, rename="camel"):
    """BGPPeer.spec of v1beta2; that of v1beta1 has some of these fields. Times are Go's durations, as text."""

    my_asn: int = field(default=0, name="myASN")
    peer_asn: int = field(default=0, name="peerASN")
    dynamic_asn: str = field(default="", name="dynamicASN")
    local_asn: int = field(default=0, name="localASN")
    peer_address: str = ""
    interface: str = ""
    source_address: str = ""
    peer_port: int | None = None
    hold_time: str | None = None
    keepalive_time: str | None = None
    connect_time: str | None = None
    router_id: str = field(default="", name="routerID")
    node_selectors: tuple[LabelSelector, ...] = ()
    password: str = ""
    password_secret: SecretReference = SecretReference()
    bfd_profile: str = ""
    enable_graceful_restart: bool = False
    ebgp_multi_hop: bool = False
    vrf: str = ""
    disable_mp: bool = field(default=False, name="disableMP")
    dual_stack_address_family: bool = False

    def __repr__(self) -> str:
        return f"BGPPeerSpec({self.peer_address or self.interface})"


class BGPPeer(Struct, frozen=True):
    """metallb.io/v1beta2 BGPPeer."""

    metadata: Metadata
    spec: BGPPeerSpec = BGPPeerSpec()


class BFDProfileSpec(Struct, frozen=True, rename="camel"):
    """BFDProfile.spec; milliseconds."""

    receive_interval: int | None = None
    transmit_interval: int | None = None
    detect_multiplier: int | None = None
    echo_interval: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None


class BFDProfile(Struct, frozen=True):
    """metallb.io/v1beta1 BFDProfile."""

    metadata: Metadata
    spec: BFDProfileSpec = BFDProfileSpec()


class Alias(Struct, frozen=True):
    """A name for a community."""

    name: str
    value: str


class CommunitySpec(Struct, frozen=True):
    """Community.spec."""

    communities: tuple[Alias, ...] = ()


class Community(Struct, frozen=True):
    """metallb.io/v1beta1 Community."""

    metadata: Metadata
    spec: CommunitySpec = CommunitySpec()


class ConfigMap(Struct, frozen=True):
    """core/v1 ConfigMap: MetalLB's, of the time before it had resources. Peers in it may have passwords."""

    metadata: Metadata
    data: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"ConfigMap({self.metadata.namespace}/{self.metadata.name})"


class Resources(Struct, frozen=True):
    """What one side, the cluster or the settings file, says the cluster should be.

    `places`: where in a file an object stands, by `Kind/name`; the cluster's have none. `secrets`: of those that are
    known, why no password can be had of each, "" where one can; by name.
    """

    pools: tuple[IPAddressPool, ...] = ()
    advertisements: tuple[L2Advertisement, ...] = ()
    places: dict[str, str] = {}
    peers: tuple[BGPPeer, ...] = ()
    routes: tuple[BGPAdvertisement, ...] = ()
    bfd_profiles: tuple[BFDProfile, ...] = ()
    communities: tuple[Community, ...] = ()
    secrets: dict[str, str] = {}

    def __bool__(self) -> bool:
        return any((self.pools, self.advertisements, self.peers, self.routes, self.bfd_profiles, self.communities))
