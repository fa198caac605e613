"""MetalLB's kinds in every form: those that are valid, and those that are not, with who refuses each.

`SCHEMA`: the API server does, at kubectl apply, by schema or CEL. `CHECK`: `speakerd check` and status do, since it
takes other objects, or more than the API server can work out. What the API server refuses, `check` refuses, too.
"""

from typing import Any, Literal

from msgspec import Struct

Object = dict[str, Any]
Judge = Literal["schema", "check"]
SCHEMA: Judge = "schema"
CHECK: Judge = "check"
NAMESPACE = "metallb-system"
ENTRIES = 1024
"""The most that our CustomResourceDefinitions take of one list."""
ZONE = {"matchLabels": {"zone": "a"}}


def made(kind: str, name: str, spec: object, version: str = "") -> Object:
    """An object of group metallb.io."""
    version = version or ("v1beta2" if kind == "BGPPeer" else "v1beta1")
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}


def peer(**spec: object) -> Object:
    """A BGPPeer of v1beta2."""
    return made("BGPPeer", "peer", {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1", **spec})


def without(obj: Object, *fields: str) -> Object:
    """The object without some fields of its spec."""
    return {**obj, "spec": {key: value for key, value in obj["spec"].items() if key not in fields}}


def noted(obj: Object, **annotations: str) -> Object:
    """The object with annotations of ours: med="5" is speakerd.io/med."""
    ours = {f"speakerd.io/{key.replace('_', '-')}": text for key, text in annotations.items()}
    return {**obj, "metadata": {**obj["metadata"], "annotations": ours}}


POOL = made("IPAddressPool", "pool", {"addresses": ["10.0.0.0/24"]})
POOL6 = made("IPAddressPool", "six", {"addresses": ["fd00::/120"]})

VALID: dict[str, Object] = {
    "pool: a block": POOL,
    "pool: host bits": made("IPAddressPool", "pool", {"addresses": ["10.0.0.7/24"]}),
    "pool: a range with spaces": made(
        "IPAddressPool", "pool", {"addresses": ["10.0.0.1 - 10.0.0.9", "fd00::1-fd00::9"]}
    ),
    "pool: ranges that cross a network, and of one address": made(
        "IPAddressPool", "pool", {"addresses": ["10.0.9.255-10.0.10.0", "10.1.0.7-10.1.0.7", "9.0.0.9-10.0.0.1"]}
    ),
    "pool: as many ranges as there may be": made(
        "IPAddressPool",
        "pool",
        {
            "addresses": [
                f"192.168.{100 + i // 99}.{100 + i % 99} - 192.168.{100 + i // 99}.{100 + i % 99}"
                for i in range(ENTRIES)
            ]
        },
    ),
    "pool: every field": made(
        "IPAddressPool",
        "pool",
        {
            "addresses": ["10.0.0.0/24"],
            "autoAssign": False,
            "avoidBuggyIPs": True,
            "serviceAllocation": {
                "priority": -1,
                "namespaces": ["a", "b"],
                "namespaceSelectors": [ZONE],
                "serviceSelectors": [{"matchExpressions": [{"key": "x", "operator": "Exists"}]}, {}],
            },
        },
    ),
    "layer 2: empty": made("L2Advertisement", "l2", {}),
    "layer 2: every field": made(
        "L2Advertisement",
        "l2",
        {
            "ipAddressPools": ["pool"],
            "ipAddressPoolSelectors": [ZONE],
            "nodeSelectors": [ZONE],
            "serviceSelectors": [ZONE],
            "interfaces": ["eth0", "bond0.7"],
            "preferredNodeSelectors": [{"weight": 100, "preference": ZONE}, {"weight": 1, "preference": {}}],
        },
    ),
    "bgp: empty": made("BGPAdvertisement", "bgp", {}),
    "bgp: every field": made(
        "BGPAdvertisement",
        "bgp",
        {
            "ipAddressPools": ["pool"],
            "ipAddressPoolSelectors": [ZONE],
            "nodeSelectors": [ZONE],
            "aggregationLength": 24,
            "aggregationLengthV6": 124,
            "localPref": 4294967295,
            "communities": ["65535:65281", "large:4294967295:1:2", "alias"],
            "peers": ["peer", "another"],
        },
    ),
    "bgp: single addresses of some Services": made(
        "BGPAdvertisement", "bgp", {"serviceSelectors": [ZONE], "aggregationLength": 32}
    ),
    "bgp: a MED and a longer path": noted(made("BGPAdvertisement", "bgp", {}), med="4294967295", as_path_prepend="10"),
    "bgp: a MED of 0, and no longer path": noted(made("BGPAdvertisement", "bgp", {}), med="0", as_path_prepend="0"),
    "peer": peer(),
    "peer: AS numbers of four octets": peer(myASN=4294967295, peerASN=4200000000, localASN=4200000001),
    "peer: an AS number to be learnt": without(peer(dynamicASN="external"), "peerASN"),
    "peer: multihop to an internal one that is learnt": without(
        peer(dynamicASN="internal", ebgpMultiHop=True), "peerASN"
    ),
    "peer: unnumbered": without(peer(interface="eth1"), "peerAddress"),
    "peer: IPv6": peer(peerAddress="2001:db8::1", sourceAddress="2001:db8::2", routerID="192.0.2.9"),
    "peer: every other field": peer(
        sourceAddress="192.0.2.2",
        peerPort=16384,
        holdTime="90s",
        keepaliveTime="30s",
        connectTime="1m5s",
        nodeSelectors=[ZONE],
        passwordSecret={"name": "secret", "namespace": NAMESPACE},
        bfdProfile="profile",
        enableGracefulRestart=True,
        ebgpMultiHop=True,
        vrf="red",
        disableMP=True,
        dualStackAddressFamily=True,
    ),
    "peer: no timers": peer(holdTime="0s"),
    "peer: milliseconds": peer(holdTime="9000ms"),
    "peer: empty text is as none": peer(sourceAddress="", routerID="", interface="", bfdProfile=""),
    "peer: less than a second counts as none": peer(holdTime="0.9s"),
    "peer: keepalive alone": peer(keepaliveTime="1m"),
    "peer: of v1beta1": made(
        "BGPPeer",
        "old",
        {
            "myASN": 64512,
            "peerASN": 64513,
            "peerAddress": "192.0.2.7",
            "peerPort": 179,
            "holdTime": "1m30s",
            "nodeSelectors": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}],
        },
        "v1beta1",
    ),
    "profile: empty": made("BFDProfile", "profile", {}),
    "profile: every field": made(
        "BFDProfile",
        "profile",
        {
            "receiveInterval": 10,
            "transmitInterval": 60000,
            "detectMultiplier": 255,
            "echoInterval": 10,
            "echoMode": True,
            "passiveMode": True,
            "minimumTtl": 254,
        },
    ),
    "communities": made(
        "Community",
        "names",
        {
            "communities": [
                {"name": "no-export", "value": "65535:65281"},
                {"name": "big", "value": "large:4294967295:0:3"},
            ]
        },
    ),
}


class Wrong(Struct, frozen=True):
    """An object that is refused, by whom, and what `check` calls it; `beside`: objects without which it would hold."""

    judge: Judge
    reason: str
    obj: Object
    beside: tuple[Object, ...] = ()


def pool(*addresses: str, **spec: object) -> Object:
    """An IPAddressPool."""
    return made("IPAddressPool", "pool", {"addresses": list(addresses), **spec})


def secret(type_: str, **data: str) -> Object:
    """Secret s."""
    metadata = {"name": "s", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": data}


def route(**spec: object) -> Object:
    """A BGPAdvertisement."""
    return made("BGPAdvertisement", "bgp", spec)


def profile(**spec: object) -> Object:
    """A BFDProfile."""
    return made("BFDProfile", "profile", spec)


def community(value: str, name: str = "alias") -> Object:
    """A Community with one name."""
    return made("Community", "names", {"communities": [{"name": name, "value": value}]})


ECHOING = profile(echoMode=True)

INVALID: dict[str, Wrong] = {
    "pool: no spec": Wrong(SCHEMA, "no-addresses", without({**POOL, "spec": {}})),
    "pool: no address": Wrong(SCHEMA, "no-addresses", pool()),
    "pool: a lone address": Wrong(SCHEMA, "malformed-address", pool("10.0.0.1")),
    "pool: a space before a block": Wrong(SCHEMA, "malformed-address", pool(" 10.0.0.0/24")),
    "pool: a prefix of very many digits": Wrong(SCHEMA, "malformed-address", pool("10.0.0.0/" + "9" * 5000)),
    "pool: a prefix too long": Wrong(SCHEMA, "malformed-address", pool("10.0.0.0/33")),
    "pool: a host name": Wrong(SCHEMA, "malformed-address", pool("host.example/24")),
    "pool: a range of two families": Wrong(SCHEMA, "malformed-address", pool("10.0.0.1-fd00::1")),
    "pool: a range that ends before it starts": Wrong(SCHEMA, "malformed-address", pool("10.0.0.9-10.0.0.1")),
    "pool: a range that ends a network before it starts": Wrong(
        SCHEMA, "malformed-address", pool("10.0.0.0/24", " 10.2.0.1 - 10.1.255.255 ")
    ),
    "pool: a range of IPv6 that ends before it starts": Wrong(CHECK, "malformed-address", pool("fd00::9-fd00::1")),
    "pool: overlaps itself": Wrong(CHECK, "overlap", pool("10.0.0.0/24", "10.0.0.8-10.0.0.9")),
    "pool: overlaps another": Wrong(
        CHECK, "overlap", pool("10.0.0.0/24"), (made("IPAddressPool", "other", {"addresses": ["10.0.0.0/8"]}),)
    ),
    "pool: a namespace twice": Wrong(
        SCHEMA, "repeated", pool("10.0.0.0/24", serviceAllocation={"namespaces": ["a", "a"]})
    ),
    "pool: a selector without operator": Wrong(
        SCHEMA,
        "missing-key",
        pool("10.0.0.0/24", serviceAllocation={"serviceSelectors": [{"matchExpressions": [{"key": "x"}]}]}),
    ),
    "layer 2: a pool twice": Wrong(SCHEMA, "repeated", made("L2Advertisement", "l2", {"ipAddressPools": ["a", "a"]})),
    "layer 2: a weight of none": Wrong(
        SCHEMA,
        "out-of-range",
        made("L2Advertisement", "l2", {"preferredNodeSelectors": [{"weight": 0, "preference": {}}]}),
    ),
    "layer 2: a weight too large": Wrong(
        SCHEMA,
        "out-of-range",
        made("L2Advertisement", "l2", {"preferredNodeSelectors": [{"weight": 101, "preference": {}}]}),
    ),
    "layer 2: an operator that there is not": Wrong(
        SCHEMA,
        "malformed-selector",
        made("L2Advertisement", "l2", {"nodeSelectors": [{"matchExpressions": [{"key": "x", "operator": "Near"}]}]}),
    ),
    "bgp: aggregation of 0": Wrong(SCHEMA, "out-of-range", route(aggregationLength=0)),
    "bgp: aggregation of 33": Wrong(SCHEMA, "out-of-range", route(aggregationLength=33)),
    "bgp: aggregation of 129": Wrong(SCHEMA, "out-of-range", route(aggregationLengthV6=129)),
    "bgp: wider than the pool": Wrong(CHECK, "aggregation-too-short", route(aggregationLength=16), (POOL,)),
    "bgp: wider than the widest block of a range": Wrong(
        CHECK, "aggregation-too-short", route(aggregationLength=24), (pool("10.0.0.1-10.0.0.255"),)
    ),
    "bgp: wider than one of the pool's blocks": Wrong(
        CHECK, "aggregation-too-short", route(aggregationLength=26), (pool("10.0.0.0/24", "10.1.0.0/28"),)
    ),
    "bgp: wider than a pool of IPv6": Wrong(CHECK, "aggregation-too-short", route(aggregationLengthV6=119), (POOL6,)),
    "bgp: some Services of a whole block": Wrong(
        SCHEMA, "contradiction", route(serviceSelectors=[ZONE], aggregationLength=24)
    ),
    "bgp: some Services of a whole block of IPv6": Wrong(
        SCHEMA, "contradiction", route(serviceSelectors=[ZONE], aggregationLengthV6=64)
    ),
    "bgp: preference below 0": Wrong(SCHEMA, "out-of-range", route(localPref=-1)),
    "bgp: preference too large": Wrong(SCHEMA, "out-of-range", route(localPref=4294967296)),
    "bgp: a community twice": Wrong(SCHEMA, "repeated", route(communities=["1:2", "1:2"])),
    "bgp: a community of three parts": Wrong(CHECK, "malformed-community", route(communities=["1:2:3"])),
    "bgp: a community too large": Wrong(CHECK, "malformed-community", route(communities=["65536:1"])),
    "bgp: a peer twice": Wrong(SCHEMA, "repeated", route(peers=["a", "a"])),
    "bgp: a pool twice": Wrong(SCHEMA, "repeated", route(ipAddressPools=["a", "a"])),
    "bgp: a MED that is no number": Wrong(CHECK, "out-of-range", noted(route(), med="low")),
    "bgp: a MED below 0": Wrong(CHECK, "out-of-range", noted(route(), med="-1")),
    "bgp: a MED too large": Wrong(CHECK, "out-of-range", noted(route(), med="4294967296")),
    "bgp: a MED of very many digits": Wrong(CHECK, "out-of-range", noted(route(), med="9" * 5000)),
    "bgp: a path too long": Wrong(CHECK, "out-of-range", noted(route(), as_path_prepend="11")),
    "bgp: two MEDs for one prefix": Wrong(
        CHECK,
        "conflicting-advertisements",
        noted(route(), med="1"),
        (
            POOL,
            noted(made("BGPAdvertisement", "other", {}), med="2"),
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}},
        ),
    ),
    "bgp: two preferences for one prefix": Wrong(
        CHECK,
        "conflicting-advertisements",
        route(localPref=100),
        (
            POOL,
            made("BGPAdvertisement", "other", {"localPref": 200}),
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}},
        ),
    ),
    "peer: no AS number of our own": Wrong(SCHEMA, "missing-key", without(peer(), "myASN")),
    "peer: AS number 0 of our own": Wrong(SCHEMA, "missing-key", peer(myASN=0)),
    "peer: AS number too large": Wrong(SCHEMA, "out-of-range", peer(peerASN=4294967296)),
    "peer: no AS number": Wrong(SCHEMA, "missing-key", without(peer(), "peerASN")),
    "peer: AS number given and to be learnt": Wrong(SCHEMA, "contradiction", peer(dynamicASN="internal")),
    "peer: AS number to be learnt how?": Wrong(SCHEMA, "not-one-of", without(peer(dynamicASN="any"), "peerASN")),
    "peer: nobody": Wrong(SCHEMA, "missing-key", without(peer(), "peerAddress")),
    "peer: address and interface": Wrong(SCHEMA, "contradiction", peer(interface="eth0")),
    "peer: a host name": Wrong(SCHEMA, "malformed-address", peer(peerAddress="tor.example")),
    "peer: a source that is no address": Wrong(SCHEMA, "malformed-address", peer(sourceAddress="eth0")),
    "peer: port 0": Wrong(SCHEMA, "out-of-range", peer(peerPort=0)),
    "peer: port 16385": Wrong(SCHEMA, "out-of-range", peer(peerPort=16385)),
    "peer: a hold time of 2.9 s": Wrong(SCHEMA, "out-of-range", peer(holdTime="2.9s")),
    "peer: a hold time without unit": Wrong(SCHEMA, "malformed-time", peer(holdTime="90")),
    "peer: a hold time with a space": Wrong(SCHEMA, "malformed-time", peer(holdTime="90 s")),
    "peer: a hold time of very many digits": Wrong(SCHEMA, "malformed-time", peer(holdTime="9" * 309 + "s")),
    "peer: an address with a zone": Wrong(SCHEMA, "malformed-address", peer(peerAddress="fe80::1%eth0")),
    "peer: a name that Kubernetes does not take": Wrong(
        SCHEMA, "malformed-name", {**peer(), "metadata": {"name": "My_Peer", "namespace": NAMESPACE}}
    ),
    "peer: keepalive above hold": Wrong(SCHEMA, "out-of-range", peer(holdTime="9s", keepaliveTime="10s")),
    "peer: a connect time below 1 s": Wrong(SCHEMA, "out-of-range", peer(connectTime="0.5s")),
    "peer: a connect time too long": Wrong(SCHEMA, "out-of-range", peer(connectTime="65536s")),
    "peer: a router ID that is no address": Wrong(SCHEMA, "malformed-address", peer(routerID="one")),
    "peer: a router ID of IPv6": Wrong(SCHEMA, "malformed-address", peer(routerID="2001:db8::1")),
    "peer: two passwords": Wrong(SCHEMA, "contradiction", peer(password="x", passwordSecret={"name": "s"})),
    "peer: a Secret of another type": Wrong(
        CHECK, "unsuitable-secret", peer(passwordSecret={"name": "s"}), (secret("Opaque", password="eA=="),)
    ),
    "peer: a Secret without a password": Wrong(
        CHECK, "unsuitable-secret", peer(passwordSecret={"name": "s"}), (secret("kubernetes.io/basic-auth"),)
    ),
    "peer: multihop within one AS": Wrong(SCHEMA, "contradiction", peer(peerASN=64512, ebgpMultiHop=True)),
    "peer: echo and IPv6": Wrong(CHECK, "echo-mode-ipv6", peer(bfdProfile="profile"), (ECHOING, POOL6, route())),
    "peer: a field of v1beta2 in v1beta1": Wrong(
        CHECK, "unknown-key", made("BGPPeer", "old", {**peer()["spec"], "vrf": "red"}, "v1beta1")
    ),
    "profile: too fast": Wrong(SCHEMA, "out-of-range", profile(receiveInterval=9)),
    "profile: too slow": Wrong(SCHEMA, "out-of-range", profile(transmitInterval=60001)),
    "profile: multiplier of 1": Wrong(SCHEMA, "out-of-range", profile(detectMultiplier=1)),
    "profile: multiplier of 256": Wrong(SCHEMA, "out-of-range", profile(detectMultiplier=256)),
    "profile: echoes too fast": Wrong(SCHEMA, "out-of-range", profile(echoInterval=9)),
    "profile: TTL of 0": Wrong(SCHEMA, "out-of-range", profile(minimumTtl=0)),
    "profile: TTL of 255": Wrong(SCHEMA, "out-of-range", profile(minimumTtl=255)),
    "communities: no community": Wrong(SCHEMA, "malformed-community", community("oops")),
    "communities: three parts": Wrong(SCHEMA, "malformed-community", community("1:2:3")),
    "communities: too large": Wrong(SCHEMA, "malformed-community", community("65536:1")),
    "communities: large ones too large": Wrong(SCHEMA, "malformed-community", community("large:4294967296:1:1")),
    "communities: large ones too large at the end": Wrong(
        SCHEMA, "malformed-community", community("large:1:1:9999999999")
    ),
    "communities: a name twice": Wrong(
        CHECK,
        "duplicate-name",
        community("1:2"),
        (made("Community", "others", {"communities": [{"name": "alias", "value": "1:3"}]}),),
    ),
}
