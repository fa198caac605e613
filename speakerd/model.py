"""The nouns: what the cluster holds, what this node sees, and what should be; frozen values only.

Kubernetes' own field names are in the docstrings; addresses are `ipaddress` objects, never strings.
"""

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from speakerd.peering import Routing

IP = IPv4Address | IPv6Address
Family = Literal[4, 6]

NO_NAMES: frozenset[str] = frozenset()


class Reason(StrEnum):
    """Why a Service has no address, or an address is not announced; the closed list scripts rely on."""

    NONE = ""
    ADDRESS_HELD = "address-held-and-not-shareable"
    PORT_USED = "port-already-used-on-address"
    ADDRESS_IN_NO_POOL = "address-in-no-pool"
    POOL_SCOPED = "pool-scoped-to-others"
    NO_FREE_ADDRESS = "no-free-address"
    UNKNOWN_POOL = "unknown-pool"
    FAMILY_MISMATCH = "family-mismatch"
    MALFORMED_ADDRESS = "malformed-address"
    BAD_COMBINATION = "bad-address-combination"
    TWO_REQUESTS = "two-contradictory-address-requests"
    OUTSIDE_REQUESTED_POOL = "requested-address-outside-requested-pool"
    DUAL_STACK_REQUIRED = "dual-stack-required-but-one-cluster-address"
    ANSWERED_BY_STRANGER = "address-answered-by-stranger"
    CONFIGURATION_INVALID = "configuration-invalid"
    NO_POOL = "no-pool"
    NO_ADVERTISEMENT = "no-advertisement"
    NO_ENDPOINTS = "no-endpoints"
    NO_LOCAL_ENDPOINTS = "no-local-endpoints"
    NO_CANDIDATE = "no-candidate"
    NO_INTERFACE = "no-interface"
    NODE_EXCLUDED = "node-excluded"
    NODE_NOT_SELECTED = "node-not-selected"
    NO_MEMBER_RECORD = "no-member-record"
    NETWORK_UNAVAILABLE = "network-unavailable"
    NO_PEER = "no-peer"
    CONFLICTING_ADVERTISEMENTS = "conflicting-advertisements"
    DRAINED = "drained"
    BY_BGP = "by-bgp-alone"


class FamilyPolicy(StrEnum):
    """Service.spec.ipFamilyPolicy; absent reads as SingleStack."""

    SINGLE = "SingleStack"
    PREFER_DUAL = "PreferDualStack"
    REQUIRE_DUAL = "RequireDualStack"


class Request(Struct, frozen=True, gc=False):
    """What a Service asks for by annotation or spec.loadBalancerIP; `reason` is set when it cannot be read."""

    ips: tuple[IP, ...] = ()
    pool: str = ""
    reason: Reason = Reason.NONE
    message: str = ""


class Sharing(Struct, frozen=True, gc=False):
    """On what terms a Service shares its addresses with others.

    `key`: annotation metallb.io/allow-shared-ip. `backend`: spec.selector under externalTrafficPolicy Local, nothing
    under Cluster: traffic that stays on its node must find the same endpoints there, whatever the Service. `ports`:
    protocol and port of spec.ports.
    """

    key: str
    backend: str = ""
    ports: frozenset[tuple[str, int]] = frozenset()

    @property
    def group(self) -> tuple[str, str]:
        """What two Services must have in common."""
        return self.key, self.backend

    def fits(self, other: "Sharing | None") -> bool:
        """Whether both may have one address."""
        return other is not None and self.group == other.group and self.ports.isdisjoint(other.ports)


class Service(Struct, frozen=True, gc=False):
    """A Service of type LoadBalancer, or one that still holds addresses of that time.

    `ours`: type LoadBalancer and our class; one being deleted only while it still holds addresses. `lapsed`: no longer
    of that type, so that what its status and annotation still say is to be cleared.
    `ips`: status.loadBalancer.ingress[].ip, in order.
    `pool`: annotation metallb.io/ip-allocated-from-pool. `created`: metadata.creationTimestamp
    (RFC 3339 sorts as text). `advertised_by`: advertisements whose serviceSelectors match it, by name. `admitted_by`:
    pinned pools that are for it. `sharing`: None, it shares with nobody. `deprecated`: annotations that count and are
    spelled the old way.
    """

    key: str
    uid: str
    resource_version: str
    created: str
    ours: bool
    local_policy: bool = False
    cluster_ips: tuple[IP, ...] = ()
    family_policy: FamilyPolicy = FamilyPolicy.SINGLE
    ips: tuple[IP, ...] = ()
    pool: str = ""
    request: Request = Request()
    lapsed: bool = False
    advertised_by: tuple[str, ...] = ()
    admitted_by: tuple[str, ...] = ()
    sharing: Sharing | None = None
    deprecated: tuple[str, ...] = ()

    def shares_with(self, other: "Service | None") -> bool:
        """Whether this Service may have an address together with `other`."""
        return bool(self.sharing and other and other.ours and self.sharing.fits(other.sharing))

    @property
    def namespace(self) -> str:
        """metadata.namespace."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.key.partition("/")[2]


class Endpoints(Struct, frozen=True, gc=False):
    """Where a Service's endpoints serve: `nodes` by endpoint.nodeName, `somewhere` also those without a node name.

    An endpoint serves when conditions.ready is absent or true, or conditions.serving is true. `ready`: the nodes with
    one of the first kind; those of the others serve while their pods end.
    """

    somewhere: bool = False
    nodes: frozenset[str] = NO_NAMES
    ready: frozenset[str] = NO_NAMES


class Node(Struct, frozen=True):
    """A Node; `excluded`: label node.kubernetes.io/exclude-from-external-load-balancers, any value.

    `addresses`: status.addresses of type InternalIP.
    """

    name: str
    uid: str = ""
    excluded: bool = False
    network_unavailable: bool = False
    addresses: tuple[str, ...] = ()


class Range(Struct, frozen=True, order=True):
    """Addresses `first` to `last`, both included, of one family."""

    family: Family
    first: int
    last: int

    def __contains__(self, ip: IP) -> bool:
        return ip.version == self.family and self.first <= int(ip) <= self.last

    @property
    def size(self) -> int:
        """How many addresses."""
        return self.last - self.first + 1


class Pool(Struct, frozen=True):
    """An IPAddressPool; `ranges` in the order written. `origin`: the object or file and line it came from; its `uid`.

    `pinned`: for the Services alone that its serviceAllocation admits; of the pools that admit one, those of the lowest
    positive `priority` come first, those of 0 last.
    """

    name: str
    ranges: tuple[Range, ...]
    auto_assign: bool = True
    avoid_buggy: bool = False
    origin: str = ""
    pinned: bool = False
    priority: int = 0
    uid: str = ""

    def holds(self, ip: IP) -> bool:
        """Whether this pool may give out `ip`."""
        if self.avoid_buggy and ip.version == 4 and int(ip) & 0xFF in (0, 255):
            return False
        return any(ip in each for each in self.ranges)

    def size(self, family: Family) -> int:
        """How many addresses of `family` this pool may give out."""
        return sum(self._usable(each) for each in self.ranges if each.family == family)

    def _usable(self, each: Range) -> int:
        if not (self.avoid_buggy and each.family == 4):
            return each.size
        zeros = (each.last >> 8) - (each.first - 1 >> 8)
        full = (each.last + 1 >> 8) - (each.first >> 8)
        return each.size - zeros - full


class Advertisement(Struct, frozen=True):
    """An L2Advertisement, its selectors resolved; `pools` None: every pool; no `interfaces`: every usable one.

    `nodes` that may announce, None: every one; `weights`: of nodes it prefers, those of matching preferences added up.
    `by_service`: it has serviceSelectors, and announces the Services alone whose `advertised_by` names it.
    """

    name: str
    pools: frozenset[str] | None = None
    interfaces: tuple[str, ...] = ()
    origin: str = ""
    nodes: frozenset[str] | None = None
    weights: tuple[tuple[str, int], ...] = ()
    by_service: bool = False


class Problem(Struct, frozen=True, rename="camel"):
    """One fault of the configuration: where (`object`, `field`), what, and the remedy."""

    object: str
    field: str
    reason: str
    message: str
    remedy: str = ""
    severity: Literal["error", "warning"] = "error"


class Config(Struct, frozen=True):
    """What the cluster wants, from its resources and the settings file together; checked.

    `pools_gone`: that there is no pool is no accident.
    """

    pools: tuple[Pool, ...] = ()
    advertisements: tuple[Advertisement, ...] = ()
    problems: tuple[Problem, ...] = ()
    digest: str = ""
    routing: Routing = Routing()
    pools_gone: bool = False


class Interface(Struct, frozen=True):
    """A network interface as the kernel shows it. `usable`: may carry ARP and NDP (`reason` says why not).

    `networks`: those that its addresses are in, as ADDRESS/LENGTH with the bits of a host left in; over a
    point-to-point link the other end's.
    """

    index: int
    name: str
    mac: bytes = b""
    up: bool = False
    carrier: bool = False
    usable: bool = False
    reason: str = ""
    master: int = 0
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()

    @property
    def link_local(self) -> str:
        """The IPv6 link-local address, or nothing; NDP answers need one (RFC 4861 section 4.4)."""
        return next((each for each in self.ipv6 if each.startswith("fe8")), "")


class ServiceRef(Struct, frozen=True, gc=False):
    """A Service as an address' Lease names it: namespace/name and metadata.uid."""

    key: str
    uid: str


class Holder(Struct, frozen=True, gc=False):
    """A Service as it stands in an address' Lease: who, and by which `terms`; "" where it shares with nobody."""

    ref: ServiceRef
    terms: str = ""


class Reservation(Struct, frozen=True, gc=False):
    """Lease speakerd-vip-ADDRESS: which Services hold `ip`. Deleted only by uid and resourceVersion.

    `given`: by an allocator, not found in a status, and nobody has answered for it yet. `stranger`: MAC of the host
    that had it already when it was to be announced first; set aside for as long as the Service lives. `terms`: by which
    terms Services have joined; those that share with nobody are left out, as are those whose terms are not known.
    """

    ip: IP
    lease: str
    uid: str
    resource_version: str
    services: tuple[ServiceRef, ...]
    given: bool = False
    stranger: str = ""
    terms: tuple[tuple[ServiceRef, str], ...] = ()

    def recorded(self, ref: ServiceRef) -> str:
        """The terms by which a Service has joined; "" where there are none, or they are not known."""
        return next((terms for each, terms in self.terms if each == ref), "")

    def says(self, holder: Holder) -> bool:
        """Whether it names a Service, and by these very terms."""
        return holder.ref in self.services and self.recorded(holder.ref) == holder.terms

    def joined(self, holder: Holder) -> "Reservation":
        """The Lease with one more Service, or with the terms that one of its Services has now."""
        services = tuple(dict.fromkeys((*self.services, holder.ref)))
        known = {**dict(self.terms), holder.ref: holder.terms}
        terms = tuple((ref, known[ref]) for ref in services if known.get(ref))
        return replace(self, services=services, terms=terms)

    def left_to(self, services: tuple[ServiceRef, ...]) -> "Reservation":
        """The Lease with these of its Services alone."""
        return replace(self, services=services, terms=tuple(each for each in self.terms if each[0] in services))


class Release(Struct, frozen=True):
    """What an address' Lease no longer is: without Services it is to be deleted, else to name those `left` alone."""

    held: Reservation
    left: tuple[ServiceRef, ...] = ()


class Record(Struct, frozen=True, gc=False):
    """What a VIP's Lease says: holderIdentity, leaseTransitions, and the resourceVersion of that very state."""

    owner: str = ""
    epoch: int = 0
    version: str = ""


class Assignment(Struct, frozen=True, gc=False):
    """What a Service is given: addresses and their pool, or the reason why none (or not what was asked)."""

    ips: tuple[IP, ...] = ()
    pool: str = ""
    reason: Reason = Reason.NONE
    message: str = ""


def packed(ip: IP) -> bytes:
    """4 or 16 bytes in network order, the form the wire and the link use."""
    return ip.packed


def unpacked(raw: bytes) -> IP:
    """The address of 4 or 16 bytes."""
    return ip_address(raw)
