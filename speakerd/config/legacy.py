"""MetalLB's ConfigMap of v0.9 to v0.12 -> the resources that it stands for; pure.

A pool is announced by its protocol; what it says of BGP becomes objects with the names of MetalLB's own converter.
"""

from collections.abc import Iterator

from msgspec import UNSET, Struct, field

from speakerd.config import communities, document
from speakerd.config.document import Place
from speakerd.config.reader import Reader
from speakerd.config.resources import (
    Alias,
    BFDProfile,
    BFDProfileSpec,
    BGPAdvertisement,
    BGPAdvertisementSpec,
    BGPPeer,
    BGPPeerSpec,
    Community,
    CommunitySpec,
    ConfigMap,
    Expression,
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    LabelSelector,
    Metadata,
    Resources,
)
from speakerd.config.words import nearest
from speakerd.model import Problem
from speakerd.settings import Origin

ENTRY = "config"
"""The ConfigMap's entry that holds it all."""
LAYER2, BGP = "layer2", "bgp"
HOLD_TIME = "90s"
"""Of a peer that names none, as it was then."""
COMMUNITIES = "communities"


class Advertised(Struct, frozen=True, rename="kebab"):
    """How a pool is announced by BGP."""

    aggregation_length: int = 32
    aggregation_length_v6: int = field(default=128, name="aggregation-length-v6")
    localpref: int = 0
    communities: tuple[str, ...] = ()


class Pool(Struct, frozen=True, rename="kebab"):
    """An entry of address-pools."""

    name: str
    protocol: str
    addresses: tuple[str, ...]
    auto_assign: bool = True
    avoid_buggy_ips: bool = field(default=False, name="avoid-buggy-ips")
    bgp_advertisements: tuple[Advertised, ...] = ()
    origin: Origin = ""


class Selector(Struct, frozen=True, rename="kebab"):
    """A LabelSelector of that time."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Expression, ...] = ()


class Peer(Struct, frozen=True, rename="kebab"):
    """An entry of peers."""

    my_asn: int
    peer_asn: int
    peer_address: str
    source_address: str = ""
    peer_port: int | None = None
    hold_time: str = HOLD_TIME
    keepalive_time: str | None = None
    router_id: str = ""
    node_selectors: tuple[Selector, ...] = ()
    password: str = ""
    bfd_profile: str = ""
    ebgp_multihop: bool = False
    origin: Origin = ""

    def __repr__(self) -> str:
        return f"Peer({self.peer_address})"


class Profile(Struct, frozen=True, rename="kebab"):
    """An entry of bfd-profiles."""

    name: str
    receive_interval: int | None = None
    transmit_interval: int | None = None
    detect_multiplier: int | None = None
    echo_interval: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None
    origin: Origin = ""


class Document(Struct, frozen=True, rename="kebab"):
    """The whole of it."""

    address_pools: tuple[Pool, ...] = ()
    peers: tuple[Peer, ...] = ()
    bgp_communities: dict[str, str] = {}
    bfd_profiles: tuple[Profile, ...] = ()


class Legacy(Struct, frozen=True):
    """What a ConfigMap comes to, and its faults; `resources` know where in it they stand."""

    resources: Resources = Resources()
    problems: tuple[Problem, ...] = ()


def place(each: ConfigMap) -> str:
    """What problems call it."""
    return f"ConfigMap/{each.metadata.namespace}/{each.metadata.name}"


def read(each: ConfigMap) -> Legacy:
    """The resources in a ConfigMap. One that is no YAML holds none."""
    where = place(each)
    parsed = document.parse(each.data.get(ENTRY, "").encode(), where)
    if not parsed.documents:
        return Legacy(problems=parsed.problems)
    reader = Reader(lambda at: str(Place(where, at.line, at.column)))
    found = reader.read(parsed.documents[0], Document)
    problems = (*parsed.problems, *reader.problems)
    if found is UNSET:
        return Legacy(problems=problems)
    return Legacy(_resources(found, where), (*problems, *_pool_problems(found), *_references(found)))


def _references(found: Document) -> Iterator[Problem]:
    """Names that the document gives twice, or not at all: it is complete, nothing else can give them."""
    profiles = [each.name for each in found.bfd_profiles]
    for i, each in enumerate(found.bfd_profiles):
        if each.name in profiles[:i]:
            yield Problem(
                each.origin, "name", "duplicate-name", f"a profile {each.name} stands above", "choose another"
            )
    for peer in found.peers:
        if peer.bfd_profile and peer.bfd_profile not in profiles:
            what = f"there is no BFD profile {peer.bfd_profile}"
            yield Problem(peer.origin, "bfd-profile", "unknown-bfd-profile", what, "add it to bfd-profiles")
    for pool in found.address_pools:
        for name in (name for each in pool.bgp_advertisements for name in each.communities):
            if name not in found.bgp_communities and not communities.literal(name):
                what, remedy = f"{name!r} is neither a community nor a name of one", "add it to bgp-communities"
                yield Problem(pool.origin, "bgp-advertisements", "unknown-community", what, remedy)


def _pool_problems(found: Document) -> Iterator[Problem]:
    names: set[str] = set()
    for pool in found.address_pools:
        if pool.protocol not in (LAYER2, BGP):
            guess = nearest(pool.protocol, (LAYER2, BGP))
            remedy = f"did you mean {guess}?" if guess else "write layer2 or bgp"
            what = f"{pool.protocol!r} is not one of layer2, bgp: the pool is not announced"
            yield Problem(pool.origin, "protocol", "not-one-of", what, remedy)
        if pool.protocol == LAYER2 and pool.bgp_advertisements:
            what = "bgp-advertisements in a pool of protocol layer2"
            yield Problem(pool.origin, "bgp-advertisements", "contradiction", what, "remove them, or write bgp")
        if not pool.name:
            yield Problem(pool.origin, "name", "missing-key", "the pool has no name", "give it one")
        if pool.name in names:
            yield Problem(pool.origin, "name", "duplicate-name", f"a pool {pool.name} stands above", "choose another")
        names.add(pool.name)


def _resources(found: Document, where: str) -> Resources:
    pools = {each.name: each for each in reversed(found.address_pools)}
    ordered = [pools[name] for name in dict.fromkeys(each.name for each in found.address_pools)]
    routes = [(pool, each) for pool in ordered if pool.protocol == BGP for each in _advertised(pool)]
    layer2 = [pool for pool in ordered if pool.protocol == LAYER2]
    profiles = {each.name: each for each in reversed(found.bfd_profiles)}.values()
    places = {f"IPAddressPool/{pool.name}": pool.origin for pool in ordered}
    places |= {f"L2Advertisement/l2advertisement{i}": pool.origin for i, pool in enumerate(layer2, 1)}
    places |= {f"BGPAdvertisement/bgpadvertisement{i}": pool.origin for i, (pool, _) in enumerate(routes, 1)}
    places |= {f"BGPPeer/peer{i}": peer.origin for i, peer in enumerate(found.peers, 1)}
    places |= {f"BFDProfile/{each.name}": each.origin for each in profiles}
    aliases = tuple(Alias(name, value) for name, value in found.bgp_communities.items())
    return Resources(
        pools=tuple(map(_pool, ordered)),
        advertisements=tuple(_layer2(i, pool) for i, pool in enumerate(layer2, 1)),
        places=places | {f"Community/{COMMUNITIES}": where},
        peers=tuple(_peer(i, each) for i, each in enumerate(found.peers, 1)),
        routes=tuple(_route(i, pool, each) for i, (pool, each) in enumerate(routes, 1)),
        bfd_profiles=tuple(map(_profile, profiles)),
        communities=(Community(_named(COMMUNITIES), CommunitySpec(aliases)),) if aliases else (),
    )


def _advertised(pool: Pool) -> tuple[Advertised, ...]:
    """A pool of BGP that says nothing of it is announced address by address."""
    return pool.bgp_advertisements or (Advertised(),)


def _named(name: str) -> Metadata:
    return Metadata(name=name)


def _pool(pool: Pool) -> IPAddressPool:
    spec = IPAddressPoolSpec(pool.addresses, pool.auto_assign, pool.avoid_buggy_ips)
    return IPAddressPool(_named(pool.name), spec)


def _layer2(number: int, pool: Pool) -> L2Advertisement:
    return L2Advertisement(_named(f"l2advertisement{number}"), L2AdvertisementSpec(ip_address_pools=(pool.name,)))


def _route(number: int, pool: Pool, each: Advertised) -> BGPAdvertisement:
    spec = BGPAdvertisementSpec(
        ip_address_pools=(pool.name,),
        aggregation_length=each.aggregation_length,
        aggregation_length_v6=each.aggregation_length_v6,
        local_pref=each.localpref,
        communities=each.communities,
    )
    return BGPAdvertisement(_named(f"bgpadvertisement{number}"), spec)


def _peer(number: int, each: Peer) -> BGPPeer:
    spec = BGPPeerSpec(
        my_asn=each.my_asn,
        peer_asn=each.peer_asn,
        peer_address=each.peer_address,
        source_address=each.source_address,
        peer_port=each.peer_port or None,
        hold_time=each.hold_time,
        keepalive_time=each.keepalive_time,
        router_id=each.router_id,
        node_selectors=tuple(LabelSelector(s.match_labels, s.match_expressions) for s in each.node_selectors),
        password=each.password,
        bfd_profile=each.bfd_profile,
        ebgp_multi_hop=each.ebgp_multihop,
    )
    return BGPPeer(_named(f"peer{number}"), spec)


def _profile(each: Profile) -> BFDProfile:
    spec = {name: getattr(each, name) for name in BFDProfileSpec.__struct_fields__}
    return BFDProfile(_named(each.name), BFDProfileSpec(**spec))
