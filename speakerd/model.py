"""The nouns: what the cluster holds, what this node sees, and what should be; frozen values only.

Kubernetes' own field names are in the docstrings; addresses are `ipaddress` objects, never strings.
"""

from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

from msgspec import Struct

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


class FamilyPolicy(StrEnum):
    """Service.spec.ipFamilyPolicy; absent reads as SingleStack."""

    SINGLE = "SingleStack"
    PREFER_DUAL = "PreferDualStack"
    REQUIRE_DUAL = "RequireDualStack"


class Request(Struct, frozen=True):
    """What a Service asks for by annotation or spec.loadBalancerIP; `reason` is set when it cannot be read."""

    ips: tuple[IP, ...] = ()
    pool: str = ""
    sharing_key: str = ""
    reason: Reason = Reason.NONE
    message: str = ""


class Service(Struct, frozen=True):
    """A Service of type LoadBalancer, or one that still holds addresses of that time.

    `ours`: type LoadBalancer and our class; one being deleted only while it still holds addresses. `lapsed`: no longer
    of that type, so that what its status and annotation still say is to be cleared.
    `ips`: status.loadBalancer.ingress[].ip, in order.
    `pool`: annotation metallb.io/ip-allocated-from-pool. `created`: metadata.creationTimestamp
    (RFC 3339 sorts as text). `advertised_by`: advertisements whose serviceSelectors match it, by name.
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

    @property
    def namespace(self) -> str:
        """metadata.namespace."""
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.key.partition("/")[2]


class Endpoints(Struct, frozen=True):
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
    """An IPAddressPool; `ranges` in the order written. `origin`: the object or file and line it came from."""

    name: str
    ranges: tuple[Range, ...]
    auto_assign: bool = True
    avoid_buggy: bool = False
    origin: str = ""

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
    """What the cluster wants, from its resources and the settings file together; checked."""

    pools: tuple[Pool, ...] = ()
    advertisements: tuple[Advertisement, ...] = ()
    problems: tuple[Problem, ...] = ()
    digest: str = ""


class Interface(Struct, frozen=True):
    """A network interface as the kernel shows it. `usable`: may carry ARP and NDP (`reason` says why not)."""

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

    @property
    def link_local(self) -> str:
        """The IPv6 link-local address, or nothing; NDP answers need one (RFC 4861 section 4.4)."""
        return next((each for each in self.ipv6 if each.startswith("fe8")), "")


class ServiceRef(Struct, frozen=True):
    """A Service as an address' Lease names it: namespace/name and metadata.uid."""

    key: str
    uid: str


class Reservation(Struct, frozen=True):
    """Lease speakerd-vip-ADDRESS: which Services hold `ip`. Deleted only by uid and resourceVersion."""

    ip: IP
    lease: str
    uid: str
    resource_version: str
    services: tuple[ServiceRef, ...]


class Record(Struct, frozen=True):
    """What a VIP's Lease says: holderIdentity, leaseTransitions, and the resourceVersion of that very state."""

    owner: str = ""
    epoch: int = 0
    version: str = ""


class Assignment(Struct, frozen=True):
    """What a Service is given: addresses and their pool, or the reason why none (or not what was asked)."""

    ips: tuple[IP, ...] = ()
    pool: str = ""
    reason: Reason = Reason.NONE
    message: str = ""


READY = 1 << 32
"""Added to the score of a node whose endpoints are ready where only such nodes count (externalTrafficPolicy Local)."""


class Candidate(Struct, frozen=True, array_like=True):
    """A node that may answer for a VIP; a higher `score` ranks before.

    `score`: the weights of all preferences that name the node (preferredNodeSelectors), below READY; plus READY where
    the Service's traffic stays on the node and an endpoint there is ready rather than ending.
    """

    node: str
    score: int = 0


class Vip(Struct, frozen=True, array_like=True):
    """A virtual IP as the announcer needs it.

    `ip`: 4 or 16 bytes. `rank_by`: the Service's first address, by which all its addresses rank together.
    `candidates`: index into `Wanted.candidate_sets`. `interfaces`: names, none means every usable one.
    `row_version`: largest resourceVersion the sender's watch had reached; `epoch`, `owner`, `heir`, `segments`: the
    last record of its ownership, as far as one is known.
    """

    ip: bytes
    service: str
    rank_by: bytes
    candidates: int
    interfaces: tuple[str, ...] = ()
    row_version: int = 0
    epoch: int = 0
    heir: str = ""
    segments: tuple[str, ...] = ()
    owner: str = ""


class Stake(Struct, frozen=True):
    """A VIP with its candidates resolved, as the ownership core takes it."""

    vip: Vip
    candidates: tuple[Candidate, ...]


class Layer2Settings(Struct, frozen=True, array_like=True):
    """The announcer's share of the settings: seconds and frames a second; patterns match unanchored."""

    interfaces: tuple[str, ...] = ()
    exclude_interfaces: tuple[str, ...] = ()
    refresh: float = 60.0
    rate: int = 1000
    probe: float = 0.012


class MembershipSettings(Struct, frozen=True, array_like=True):
    """How members watch one another: UDP `bind` and `port`; `interval` in seconds between heartbeats.

    `misses`: heartbeats missed until a vote for death; `questions`: asked on the wire before it counts as silent;
    `peers`: addresses of the other hosts where no API tells them.
    """

    bind: str = ""
    port: int = 7946
    interval: float = 0.075
    misses: int = 2
    questions: int = 3
    peers: tuple[str, ...] = ()


class Key(Struct, frozen=True, array_like=True):
    """A key that signs the members' messages; `id` tells keys apart and says nothing of the material."""

    id: str
    material: bytes

    def __repr__(self) -> str:
        return f"Key({self.id})"


class Member(Struct, frozen=True, array_like=True):
    """A node with a member record (Lease speakerd-node-NAME).

    `keys`: ids of the mesh keys it knows, newest first; `drained`: it was told to answer for nothing.
    """

    name: str
    addresses: tuple[str, ...] = ()
    version: str = ""
    keys: tuple[str, ...] = ()
    drained: bool = False


class Wanted(Struct, frozen=True):
    """All the announcer needs to go on alone: what to answer for, who may, who is a member.

    `blind`: the largest resourceVersion seen before the watch went down, 10 s ago or earlier; 0: it works.
    """

    me: str
    vips: Mapping[bytes, Vip]
    candidate_sets: tuple[tuple[Candidate, ...], ...] = ()
    members: tuple[Member, ...] = ()
    layer2: Layer2Settings = Layer2Settings()
    membership: MembershipSettings = MembershipSettings()
    keys: tuple[Key, ...] = ()
    drained: bool = False
    blind: int = 0


class Claim(Struct, frozen=True, array_like=True):
    """Who answers for a VIP, since when (seconds of this host's CLOCK_MONOTONIC) and why it moved there.

    (`epoch`, `version`) orders claims; no `owner`: withdrawn. `boot`: of the owner; `heir`: who takes over at its
    death; `previous`: who answered before; `gap`: seconds since that one was last heard, where it died.
    """

    ip: bytes
    epoch: int
    owner: str
    since: float
    cause: str
    interfaces: tuple[str, ...] = ()
    version: int = 0
    boot: int = 0
    heir: str = ""
    previous: str = ""
    gap: float = 0.0


class Counters(Struct, frozen=True, array_like=True):
    """Per VIP, since the announcer started (metallb_layer2_*)."""

    ip: bytes
    requests: int = 0
    responses: int = 0
    gratuitous: int = 0


class Facts(Struct, frozen=True):
    """How the announcer runs; `missing` names what the host refused it (real-time priority, locked memory, ...)."""

    pid: int = 0
    started: float = 0.0
    restarts: int = 0
    realtime: int = 0
    locked: bool = False
    missing: tuple[str, ...] = ()


class MemberSeen(Struct, frozen=True, array_like=True):
    """A member as the mesh sees it: `state` (starting, alive, suspect, dead, leaving, unheard) since `since`.

    `heard`: when last, by any carrier, 0 never; `round_trip` in seconds, 0 unknown; `carriers`: those that work both
    ways now (udp, ethernet); `watched`: the preset's interval it is judged by. Times of this host's CLOCK_MONOTONIC.
    """

    name: str
    state: str
    since: float = 0.0
    heard: float = 0.0
    boot: int = 0
    round_trip: float = 0.0
    carriers: tuple[str, ...] = ()
    watched: float = 0.0
    drained: bool = False


class Happening(Struct, frozen=True, array_like=True):
    """Something worth telling, numbered without gaps: `word` in dotted form, `subject` a member or an address."""

    number: int
    at: float
    word: str
    subject: str
    detail: str = ""


class Observed(Struct, frozen=True):
    """What the announcer sees: interfaces, claims, members, what happened lately, counters and itself.

    `mesh`: counters of messages and refusals by word; `conditions`: what stands in the way, by word, with its detail.
    """

    interfaces: tuple[Interface, ...] = ()
    claims: Mapping[bytes, Claim] = {}
    counters: Mapping[bytes, Counters] = {}
    facts: Facts = Facts()
    members: tuple[MemberSeen, ...] = ()
    happenings: tuple[Happening, ...] = ()
    mesh: Mapping[str, int] = {}
    conditions: Mapping[str, str] = {}


class Snapshot(Struct, frozen=True):
    """One look at the world. `ledger` None: the addresses' Leases are not known (not the allocator, or not listed yet).

    `settled`: every kind was listed at least once; before that nothing may be released or withdrawn. `blind`: as in
    Wanted. `hints`: who owned a VIP before this controller started, by packed address.
    """

    me: str
    settled: bool
    services: Mapping[str, Service]
    endpoints: Mapping[str, Endpoints]
    nodes: Mapping[str, Node]
    members: Mapping[str, Member]
    config: Config
    ledger: Mapping[IP, Reservation] | None = None
    layer2: Layer2Settings = Layer2Settings()
    announce: bool = True
    row_version: int = 0
    membership: MembershipSettings = MembershipSettings()
    keys: tuple[Key, ...] = ()
    drained: bool = False
    blind: int = 0
    hints: Mapping[bytes, Record] = {}


class StatusWrite(Struct, frozen=True):
    """A Service's status and output annotation as they should be; each address' Lease comes first.

    `service.resource_version` guards the write. No `ips`: clear.
    """

    service: Service
    assignment: Assignment


class EventWrite(Struct, frozen=True):
    """A Kubernetes Event on a Service."""

    service: Service
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class Plan(Struct, frozen=True):
    """All that should be: statuses to write, addresses to free, events, and what the announcer should do.

    `refused`: why an address is announced by nobody, per (service key, address); `writes`: oldest Service first.
    `adoptions`: addresses a status names without a Lease. `shared`: by packed address, the keys of all Services it is
    announced for, where they are several.
    """

    assignments: Mapping[str, Assignment]
    wanted: Wanted
    writes: tuple[StatusWrite, ...] = ()
    releases: tuple[Reservation, ...] = ()
    adoptions: tuple[tuple[IP, ServiceRef], ...] = ()
    events: tuple[EventWrite, ...] = ()
    refused: Mapping[tuple[str, IP], Reason] = {}
    shared: Mapping[bytes, tuple[str, ...]] = {}


def packed(ip: IP) -> bytes:
    """4 or 16 bytes in network order, the form the wire and the link use."""
    return ip.packed


def unpacked(raw: bytes) -> IP:
    """The address of 4 or 16 bytes."""
    return ip_address(raw)
