"""How this process runs: the keys of /etc/speakerd.yaml, with default, bounds and one line of explanation."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from speakerd.config.resources import (
    MOST_MED,
    MOST_PREPENDED,
    BFDProfileSpec,
    BGPAdvertisementSpec,
    BGPPeerSpec,
    CommunitySpec,
    IPAddressPoolSpec,
    L2AdvertisementSpec,
)
from speakerd.exchange import Layer2Settings, MembershipSettings
from speakerd.peering import BgpSettings

DEFAULT_FILE = "/etc/speakerd.yaml"

EXCLUDED = (
    "^docker",
    "^cbr",
    "^dummy",
    "^virbr",
    "^lxcbr",
    "^veth",
    "^lo$",
    "^cali",
    "^tunl",
    "^flannel",
    "^kube-ipvs",
    "^cni",
    "^nodelocaldns",
    "^lxc",
)
"""What MetalLB ships in its ConfigMap metallb-excludel2: interfaces of pods, containers and tunnels."""

Port = Annotated[int, Meta(ge=1, le=65535)]
Names = Annotated[tuple[str, ...], Meta(max_length=256)]
"""A list of words; more than a host has interfaces or a file needs patterns is a mistake."""


class Node(Struct, frozen=True, rename="camel"):
    """This host."""

    name: Annotated[str, Meta(description="name of this host's Node; empty: the host name in lower case")] = ""


class Paths(Struct, frozen=True, rename="camel"):
    """Where files are kept."""

    state: Annotated[str, Meta(description="claims and caches that outlive a reboot")] = "/var/lib/speakerd"
    run: Annotated[str, Meta(description="control.sock, which speakerd status and others ask")] = "/run/speakerd"


class Kubernetes(Struct, frozen=True, rename="camel"):
    """The cluster."""

    kubeconfig: Annotated[str, Meta(description="a path, or auto: look in the usual places (status says which)")] = (
        "auto"
    )
    namespace: Annotated[str, Meta(description="where MetalLB's resources and secrets live")] = "metallb-system"
    load_balancer_class: Annotated[
        str, Meta(description="serve Services of this loadBalancerClass; empty: those without one")
    ] = ""
    config_map: Annotated[str, Meta(description="MetalLB's legacy ConfigMap, read when there are no resources")] = (
        "config"
    )
    max_stale: Annotated[
        float, Meta(ge=0, le=31536000, description="age up to which the cache serves a start without API; 0: no cache")
    ] = 86400.0
    allocate: Annotated[bool, Meta(description="false: this host never gives out addresses")] = True


class Membership(Struct, frozen=True, rename="camel"):
    """Who lives."""

    bind: Annotated[str, Meta(description="address to listen on; empty: all")] = ""
    port: Annotated[Port, Meta(description="UDP")] = 7946
    preset: Annotated[
        Literal["fast", "normal", "wide"], Meta(description="fast (heartbeat each 75ms), normal (250ms) or wide (1s)")
    ] = "fast"
    interval: Annotated[
        float, Meta(ge=0, le=10, description="time between heartbeats instead of the preset's; 0: the preset's")
    ] = 0.0
    misses: Annotated[
        int, Meta(ge=0, le=20, description="heartbeats missed until death instead of the preset's; 0: the preset's")
    ] = 0
    secret_file: Annotated[str, Meta(description="file with the key; empty: Secret memberlist of the namespace")] = ""
    peers: Annotated[Names, Meta(description="addresses of the other hosts, where there is no API to tell them")] = ()


class Layer2(Struct, frozen=True, rename="camel"):
    """ARP and NDP."""

    interfaces: Annotated[Names, Meta(description="announce on these alone; empty: on every usable one")] = ()
    exclude_interfaces: Annotated[Names, Meta(description="regular expressions of names never to announce on")] = (
        EXCLUDED
    )
    refresh: Annotated[float, Meta(ge=1, le=86400, description="each address is announced again once in this time")] = (
        60.0
    )
    rate: Annotated[int, Meta(ge=1, le=100000, description="announcements a second at a take-over, at most")] = 1000
    probe: Annotated[
        float, Meta(ge=0, le=10, description="how long to ask whether a stranger has a new address; 0: do not ask")
    ] = 0.012
    partition: Annotated[
        Literal["availability"], Meta(description="when the network splits, each part goes on announcing")
    ] = "availability"
    quorum_address: Annotated[str, Meta(description="a router whose answer decides an even split")] = ""


class Bgp(Struct, frozen=True, rename="camel"):
    """BGP."""

    listen: Annotated[bool, Meta(description="accept sessions that peers open (false: dial only)")] = True
    port: Annotated[Port, Meta(description="TCP port to listen on, once a BGPPeer selects this node")] = 179
    router_id: Annotated[str, Meta(description="an IPv4 address; empty: chosen from this host's")] = field(
        default="", name="routerID"
    )
    drain: Annotated[
        float,
        Meta(ge=0, le=3600, description="time for which speakerd drain asks peers to turn away before it withdraws"),
    ] = 10.0
    maximum_prefixes: Annotated[
        int, Meta(ge=0, le=100000000, description="a peer that sends more is cut off; 0: no limit")
    ] = 1000000


class Metrics(Struct, frozen=True, rename="camel"):
    """A second HTTP address that serves /metrics alone, for scrapers."""

    bind: Annotated[str, Meta(description="ADDRESS:PORT for scrapers, /metrics only; empty: off")] = ""
    cert_file: Annotated[str, Meta(description="TLS certificate (PEM); empty: plain HTTP")] = ""
    key_file: Annotated[str, Meta(description="its key")] = ""
    token_file: Annotated[str, Meta(description="bearer token that scrapers must send; empty: none")] = ""


class Http(Struct, frozen=True, rename="camel"):
    """Metrics, health and the web page."""

    bind: Annotated[str, Meta(description="ADDRESS:PORT; empty: off")] = "127.0.0.1:7472"
    metrics: Metrics = Metrics()


class Log(Struct, frozen=True, rename="camel"):
    """Log lines."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="debug, info, warning or error")
    ] = "info"
    format: Annotated[
        Literal["auto", "text", "json", "journal"],
        Meta(description="text, json, journal or auto: what standard error is connected to decides"),
    ] = "auto"


Origin = Annotated[str, Meta(extra={"place": True})]
"""FILE:LINE:COLUMN of an entry; the reader sets it, nobody can write it."""


class FilePool(IPAddressPoolSpec, frozen=True, rename="camel", kw_only=True):
    """An entry of addressPools: name and labels, and the spec of an IPAddressPool."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    origin: Origin = ""


class FileL2Advertisement(L2AdvertisementSpec, frozen=True, rename="camel", kw_only=True):
    """An entry of l2Advertisements: name, and the spec of an L2Advertisement."""

    name: str
    origin: Origin = ""


class FileBGPPeer(BGPPeerSpec, frozen=True, rename="camel", kw_only=True):
    """An entry of bgpPeers: name, and the spec of a BGPPeer."""

    name: str
    origin: Origin = ""


class FileBGPAdvertisement(BGPAdvertisementSpec, frozen=True, rename="camel", kw_only=True):
    """An entry of bgpAdvertisements: name, the spec of a BGPAdvertisement, and what that has no field for."""

    name: str
    origin: Origin = ""
    as_path_prepend: Annotated[int, Meta(ge=0, le=MOST_PREPENDED)] = 0
    med: Annotated[int, Meta(ge=0, le=MOST_MED)] | None = None


class FileBFDProfile(BFDProfileSpec, frozen=True, rename="camel", kw_only=True):
    """An entry of bfdProfiles: name, and the spec of a BFDProfile."""

    name: str
    origin: Origin = ""


class FileCommunity(CommunitySpec, frozen=True, rename="camel", kw_only=True):
    """An entry of communities: name, and the spec of a Community."""

    name: str
    origin: Origin = ""


class Settings(Struct, frozen=True, rename="camel"):
    """All keys; `node.name` is never empty once loaded. Times are seconds."""

    node: Node = Node()
    paths: Paths = Paths()
    kubernetes: Kubernetes = Kubernetes()
    membership: Membership = Membership()
    layer2: Layer2 = Layer2()
    bgp: Bgp = Bgp()
    http: Http = Http()
    log: Log = Log()
    iprange: Annotated[
        str, Meta(description='one pool "default" and its announcement: 192.168.1.88-192.168.1.89, 10.0.0.0/28')
    ] = ""
    announce: Annotated[
        Literal["all", "none"], Meta(description="all, or none: this host gives out addresses but answers for none")
    ] = "all"
    address_pools: Annotated[
        tuple[FilePool, ...],
        Meta(description="IPAddressPool specs with a name: {name: lan, addresses: [192.0.2.10-192.0.2.20]}"),
    ] = ()
    l2_advertisements: Annotated[
        tuple[FileL2Advertisement, ...],
        Meta(description="L2Advertisement specs with a name: {name: lan, ipAddressPools: [lan]}"),
    ] = ()
    bgp_peers: Annotated[tuple[FileBGPPeer, ...], Meta(description="BGPPeer specs with a name")] = ()
    bgp_advertisements: Annotated[
        tuple[FileBGPAdvertisement, ...],
        Meta(description="BGPAdvertisement specs with a name, asPathPrepend and med"),
    ] = ()
    bfd_profiles: Annotated[tuple[FileBFDProfile, ...], Meta(description="BFDProfile specs with a name")] = ()
    communities: Annotated[tuple[FileCommunity, ...], Meta(description="Community specs with a name")] = ()


def layer2(settings: Settings) -> Layer2Settings:
    """The announcer's share."""
    share = settings.layer2
    return Layer2Settings(
        interfaces=share.interfaces,
        exclude_interfaces=share.exclude_interfaces,
        refresh=share.refresh,
        rate=share.rate,
        probe=share.probe,
    )


def bgp(settings: Settings) -> BgpSettings:
    """The announcer's share; no `router_id` where none is set."""
    share = settings.bgp
    return BgpSettings(share.listen, share.port, share.router_id, share.drain, share.maximum_prefixes)


PRESETS = {"fast": (0.075, 2, 3), "normal": (0.25, 3, 4), "wide": (1.0, 4, 6)}
"""Seconds between heartbeats, misses until death, questions on the wire."""


def membership(settings: Settings) -> MembershipSettings:
    """The announcer's share of who lives."""
    share = settings.membership
    interval, misses, questions = PRESETS[share.preset]
    return MembershipSettings(
        bind=share.bind,
        port=share.port,
        interval=share.interval or interval,
        misses=share.misses or misses,
        questions=questions,
        peers=share.peers,
    )
