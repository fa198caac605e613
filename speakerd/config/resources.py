"""MetalLB's resources as the API and the settings file give them: narrow, frozen, unchecked; `resolve` checks."""

from msgspec import Struct, field


class Metadata(Struct, frozen=True, rename="camel"):
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


class Resources(Struct, frozen=True):
    """What one side, the cluster or the settings file, says the cluster should be.

    `places`: where in a file an object stands, by `Kind/name`; the cluster's have none.
    """

    pools: tuple[IPAddressPool, ...] = ()
    advertisements: tuple[L2Advertisement, ...] = ()
    places: dict[str, str] = {}
