"""What is to be said by BGP, and to whom: peers, BFD profiles, routes; frozen values, checked. No secret is in them."""

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
    `communities`: as text, a:b or large:a:b:c, sorted.
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

    def selects(self, node: str) -> bool:
        """Whether a node is to announce it."""
        return self.nodes is None or node in self.nodes


class Routing(Struct, frozen=True):
    """All of it; `communities`: value by alias."""

    peers: tuple[Peer, ...] = ()
    routes: tuple[Route, ...] = ()
    bfd_profiles: tuple[BfdProfile, ...] = ()
    communities: tuple[tuple[str, str], ...] = ()
