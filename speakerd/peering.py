"""What is to be said by BGP, and to whom, and what became of it: peers, profiles, routes, sessions; frozen values.

What comes from a configuration is checked, and has no secret in it; a Password is in a Neighbour alone.
"""

from collections.abc import Mapping

from msgspec import Struct


class BfdProfile(Struct, frozen=True, rename="camel"):
    """How fast a peer's death is noticed (RFC 5880); intervals in milliseconds, defaults as FRR has them.

    `minimum_ttl`: the fewest hops' worth that packets of a multihop session may have left.
    """

    name: str
    receive_interval: int = 300
    transmit_interval: int = 300
    detect_multiplier: int = 3
    echo_interval: int = 50
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int = 254


class Peer(Struct, frozen=True):
    """A BGPPeer, its selectors resolved; `nodes` that open the session, None: every one. Times are seconds.

    `peer_asn` 0: learnt, `dynamic_asn` internal or external. `address` or `interface` (unnumbered). `hold_time` None:
    the default; 0: timers off. `secret`: name of the Secret with the password. `bfd`: a profile that exists.
    """

    name: str
    my_asn: int
    peer_asn: int = 0
    dynamic_asn: str = ""
    local_asn: int = 0
    address: str = ""
    interface: str = ""
    source_address: str = ""
    port: int = 179
    hold_time: int | None = None
    keepalive_time: int | None = None
    connect_time: int | None = None
    router_id: str = ""
    nodes: frozenset[str] | None = None
    secret: str = ""
    bfd: str = ""
    graceful_restart: bool = False
    multihop: bool = False
    vrf: str = ""
    dual_stack: bool = False
    origin: str = ""


class Route(Struct, frozen=True):
    """A BGPAdvertisement, its selectors resolved; `pools`, `nodes` None: every one. No `peers`: to all.

    `by_service`: it has serviceSelectors, and holds for the Services alone whose `advertised_by` names it.
    `communities`: as text, a:b or large:a:b:c, sorted. `med`, `prepend`: as in Wording.
    """

    name: str
    pools: frozenset[str] | None = None
    nodes: frozenset[str] | None = None
    by_service: bool = False
    aggregation: int = 32
    aggregation_v6: int = 128
    local_pref: int = 0
    communities: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    origin: str = ""
    med: int | None = None
    prepend: int = 0

    @property
    def key(self) -> str:
        """What a Service's `advertised_by` calls it: an L2Advertisement may have the same name."""
        return f"bgp/{self.name}"

    def length(self, family: int) -> int:
        """The prefix length that addresses of `family` are announced with."""
        return self.aggregation if family == 4 else self.aggregation_v6

    def covers(self, pool: str) -> bool:
        """Whether it announces the addresses of a pool."""
        return self.pools is None or pool in self.pools

    def holds(self, pool: str, advertised_by: tuple[str, ...]) -> bool:
        """Whether it announces a Service's addresses of a pool; `advertised_by`: as in model.Service."""
        return self.covers(pool) and (not self.by_service or self.key in advertised_by)

    def selects(self, node: str) -> bool:
        """Whether a node is to announce it."""
        return self.nodes is None or node in self.nodes


class Routing(Struct, frozen=True):
    """All of it; `communities`: value by alias."""

    peers: tuple[Peer, ...] = ()
    routes: tuple[Route, ...] = ()
    bfd_profiles: tuple[BfdProfile, ...] = ()
    communities: tuple[tuple[str, str], ...] = ()


class Password(Struct, frozen=True, array_like=True):
    """What signs the segments of a session (RFC 2385). Nothing but the link encodes it."""

    octets: bytes

    def __repr__(self) -> str:
        return "Password()"


class Neighbour(Struct, frozen=True):
    """A peer as the announcer of one node needs it: with its password and its profile, both None where it has none."""

    peer: Peer
    password: Password | None = None
    bfd: BfdProfile | None = None


class Wording(Struct, frozen=True, array_like=True):
    """What a route asks to have said of it, the same for every peer.

    `local_pref` 0: none asked for. `communities`: as text, a:b or large:a:b:c. `med` None: not said. `prepend`: how
    often our number stands in the path beyond the one time that it must.
    """

    local_pref: int = 0
    communities: tuple[str, ...] = ()
    med: int | None = None
    prepend: int = 0


Said = tuple[tuple[Wording, tuple[str, ...]], ...]
"""What is said of a prefix, each with the names of the peers that are told it, sorted."""


class Prefix(Struct, frozen=True, array_like=True):
    """A prefix that this node announces. `version` 4 or 6; `nlri`: its length and octets, as UPDATE has them.

    `said`: names of peers with what each is told; who is in none of them is told nothing of it.
    """

    version: int
    nlri: bytes
    said: Said

    @property
    def key(self) -> bytes:
        """What tells it from all others."""
        return bytes((self.version,)) + self.nlri


ESTABLISHED = "Established"
"""The state in which routes are told."""
FLAPPING = 3
"""Sessions in a row that did not last from which on a peer flaps; two may be a router that starts."""


class BgpSettings(Struct, frozen=True, array_like=True):
    """The announcer's share of the settings: whether and where to `listen`; seconds for which a drain is told.

    `router_id`: of this host, an IPv4 address (RFC 6286), "" where BGP has nothing to do. `maximum_prefixes` 0: any.
    """

    listen: bool = True
    port: int = 179
    router_id: str = ""
    drain: float = 10.0
    maximum_prefixes: int = 1_000_000


class BfdSeen(Struct, frozen=True, array_like=True):
    """A BFD session: `state` AdminDown, Down, Init or Up, since `since`; `why` it last changed, in the RFC's words.

    `counted`: control-sent, control-heard, echo-sent, echo-heard, ups, downs.
    """

    state: str
    since: float
    why: str = ""
    counted: Mapping[str, int] = {}


class SessionSeen(Struct, frozen=True, array_like=True):
    """A BGP session: `state` in the words of RFC 4271 section 8.2.2, since `since` (seconds of CLOCK_MONOTONIC).

    `address`: of the peer, as far as it is known; `local`: ours, while connected. `error`: the last thing that went
    wrong, however long ago. `announced`: prefixes that the peer has from us; `due`: that it is to learn or forget yet;
    `received`: that it has sent, and none is kept. `hold_time` and `keepalive_time`: in force, seconds. `families`:
    agreed. `sent`, `heard`: messages by kind (open, update, notification, keepalive, route-refresh). `missing_since`:
    when it last ended that had lasted, or was first wanted; `flaps`: how often it came up since, though not for long;
    0 while it is up and taken to last. `unsent`: by family, how many prefixes are not for this peer, and why; a word of
    `bgp.outgoing.Unsent`.
    """

    peer: str
    state: str
    since: float
    address: str = ""
    local: str = ""
    error: str = ""
    announced: int = 0
    due: int = 0
    received: int = 0
    ups: int = 0
    hold_time: int = 0
    keepalive_time: float = 0.0
    families: tuple[str, ...] = ()
    sent: Mapping[str, int] = {}
    heard: Mapping[str, int] = {}
    bfd: BfdSeen | None = None
    missing_since: float = 0.0
    flaps: int = 0
    unsent: Mapping[str, Mapping[str, int]] = {}

    @property
    def stands(self) -> bool:
        """Whether it is there, and does not come and go all the time."""
        return self.state == ESTABLISHED and self.flaps < FLAPPING
