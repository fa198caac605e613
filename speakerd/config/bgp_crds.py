"""MetalLB's BGP kinds as CustomResourceDefinitions of our own."""

from collections.abc import Mapping
from typing import Any

from speakerd.config.schemas import (
    IPV4,
    IPV6,
    LABEL_LENGTH,
    NAME_LENGTH,
    Schema,
    crd,
    definition,
    flag,
    matching,
    names,
    number,
    rule,
    selectors,
    several,
    table,
    version,
)

ASN = (1 << 32) - 1
ADDRESS = rf"{IPV4}|{IPV6}"
ADDRESS_LENGTH = 45
DURATION = r"0|([0-9]{1,9}(\.[0-9]{1,9})?(ns|us|ms|s|m|h))+"
NUMBER16 = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[0-9]{1,4})"
COMMUNITY = rf"{NUMBER16}:{NUMBER16}|large:[0-9]{{1,10}}:[0-9]{{1,10}}:[0-9]{{1,10}}"
COMMUNITY_LENGTH = 38
WITHIN = " && ".join(f"int(n[{i}]) <= {ASN}" for i in range(3))
LARGE = rule(
    f"!self.matches(r'^large(:[0-9]{{1,10}}){{3}}$') || [self.findAll(r'[0-9]+')].all(n, {WITHIN})",
    f"no part may be over {ASN}",
)
"""Each part by itself: the API server of Kubernetes 1.25 cannot bound what a loop over them costs."""
TIME_LENGTH = 32
OLD_FIELDS = (
    *("myASN", "peerASN", "peerAddress", "sourceAddress", "peerPort", "holdTime", "keepaliveTime", "routerID"),
    *("nodeSelectors", "password", "bfdProfile", "ebgpMultiHop"),
)
"""What BGPPeer of v1beta1 has of the fields of v1beta2."""


def bgp_crds() -> tuple[Schema, ...]:
    """The definitions."""
    return _peers(), _routes(), _profiles(), _communities()


def _time(description: str, *rules: Schema) -> dict[str, Any]:
    return matching(description, DURATION, "must be a time such as 90s or 1m30s", TIME_LENGTH, *rules)


def _peer_fields() -> dict[str, Schema]:
    hold = rule("duration(self).getSeconds() == 0 || duration(self).getSeconds() >= 3", "must be 0s, or 3s or more")
    connect = rule("duration(self).getSeconds() >= 1 && duration(self).getSeconds() <= 65535", "must be 1s to 65535s")
    still = rule("self == oldSelf", "is fixed: delete the peer and create it anew")
    wrong = "must be an IP address"
    return {
        "myASN": number("Our AS number.", 1, ASN),
        "peerASN": number("The peer's AS number; or give dynamicASN.", 0, ASN, default=0),
        "dynamicASN": {
            "description": "Learn the peer's AS number: one of our own AS (internal), or of another (external).",
            "type": "string",
            "enum": ["internal", "external"],
        },
        "localASN": number("An AS number to show in place of myASN.", 1, ASN),
        "peerAddress": matching("The peer's address; or give interface.", ADDRESS, wrong, ADDRESS_LENGTH),
        "interface": {"description": "Peer with whoever is there (unnumbered).", "type": "string", "maxLength": 15},
        "sourceAddress": matching("Our address of the session.", ADDRESS, wrong, ADDRESS_LENGTH),
        "peerPort": number("The peer's TCP port.", 1, 16384, default=179),
        "holdTime": _time("Silence after which the session ends; 0s: never.", hold),
        "keepaliveTime": _time("Time between signs of life; a third of holdTime unless given."),
        "connectTime": _time("Time between attempts to connect.", connect),
        "routerID": matching("Our router ID.", IPV4, "must have the form of an IPv4 address", ADDRESS_LENGTH),
        "nodeSelectors": selectors("Labels of nodes that open the session; absent: all."),
        "password": {"description": "Of TCP MD5; better a passwordSecret.", "type": "string", "maxLength": 80},
        "passwordSecret": {
            **table("A Secret of type kubernetes.io/basic-auth here.", {"name": _text(), "namespace": _text()}),
            "x-kubernetes-map-type": "atomic",
        },
        "bfdProfile": {"description": "A BFDProfile.", "type": "string", "maxLength": NAME_LENGTH},
        "enableGracefulRestart": {
            **flag("Keep routes while this node restarts."),
            "x-kubernetes-validations": [still],
        },
        "ebgpMultiHop": flag("The peer is more than one hop away."),
        "vrf": {"description": "The VRF of the session.", "type": "string", "maxLength": 15},
        "disableMP": flag("Deprecated, has no effect."),
        "dualStackAddressFamily": flag("Exchange the other IP family over this session, too."),
    }


def _text() -> Schema:
    return {"type": "string", "maxLength": NAME_LENGTH}


GIVEN_ASN = "(has(self.peerASN) && self.peerASN > 0)"
ORDER = (
    "!has(self.keepaliveTime) || !has(self.holdTime) ||"
    " duration(self.keepaliveTime).getSeconds() <= duration(self.holdTime).getSeconds()"
)
HOPS = rule(
    "!has(self.ebgpMultiHop) || !self.ebgpMultiHop || !has(self.peerASN) || self.peerASN != self.myASN",
    "ebgpMultiHop means nothing to a peer of our own AS",
)
PEER_RULES = (
    rule(f"{GIVEN_ASN} != (has(self.dynamicASN) && self.dynamicASN != '')", "give one of peerASN and dynamicASN"),
    rule(
        "(has(self.peerAddress) && self.peerAddress != '') != (has(self.interface) && self.interface != '')",
        "give one of peerAddress and interface",
    ),
    rule(ORDER, "keepaliveTime must not be more than holdTime"),
    HOPS,
    rule(
        "!has(self.password) || self.password == '' || !has(self.passwordSecret) ||"
        " !has(self.passwordSecret.name) || self.passwordSecret.name == ''",
        "give one of password and passwordSecret",
    ),
)


def _peers() -> Schema:
    """BGPPeer: v1beta2, and v1beta1 as it is served still; a version is another view of the same fields."""
    fields = _peer_fields()
    old = {name: fields[name] for name in OLD_FIELDS}
    old["peerASN"], old["peerPort"] = number("The peer's AS number.", 1, ASN), number("The peer's TCP port.", 0, 16384)
    spec = _ruled("A router to tell of addresses.", fields, ("myASN",), PEER_RULES)
    former = _ruled(
        "A router to tell of addresses.",
        old,
        ("myASN", "peerASN", "peerAddress"),
        (rule(ORDER, "keepaliveTime must not be more than holdTime"), HOPS),
    )
    columns: list[Schema] = [
        {"name": "Address", "type": "string", "jsonPath": ".spec.peerAddress"},
        {"name": "ASN", "type": "string", "jsonPath": ".spec.peerASN"},
        {"name": "BFD Profile", "type": "string", "jsonPath": ".spec.bfdProfile"},
        {"name": "Multi Hops", "type": "string", "jsonPath": ".spec.ebgpMultiHop"},
    ]
    status = {"type": "object"}
    return definition(
        "BGPPeer",
        [
            version("v1beta1", {"spec": former, "status": status}, (), columns, old=True),
            version("v1beta2", {"spec": spec, "status": status}, (), columns),
        ],
    )


def _ruled(
    description: str, fields: Mapping[str, Schema], required: tuple[str, ...], rules: tuple[Schema, ...]
) -> Schema:
    return {**table(description, fields, required), "x-kubernetes-validations": [*rules]}


def _routes() -> Schema:
    fields: dict[str, Schema] = {
        "ipAddressPools": names("Names of pools; with no selectors and no names: all.", NAME_LENGTH),
        "ipAddressPoolSelectors": selectors("Labels of pools, in addition to the names."),
        "nodeSelectors": selectors("Labels of nodes that announce; absent: all."),
        "serviceSelectors": selectors("Labels of Services to announce; absent: all."),
        "aggregationLength": number("Prefix length that IPv4 addresses are announced with.", 1, 32, default=32),
        "aggregationLengthV6": number("Prefix length that IPv6 addresses are announced with.", 0, 128, default=128),
        "localPref": number("LOCAL_PREF, to peers of our own AS.", 0, ASN),
        "communities": names("Communities (65000:100, large:65000:1:2), or names of a Community.", LABEL_LENGTH),
        "peers": names("Names of BGPPeers to tell; absent: all.", NAME_LENGTH),
    }
    whole = rule(
        "!has(self.serviceSelectors) || size(self.serviceSelectors) == 0 ||"
        " (self.aggregationLength == 32 && self.aggregationLengthV6 == 128)",
        "serviceSelectors choose single addresses: aggregation lengths must be 32 and 128",
    )
    columns: list[Schema] = [
        {"name": "IPAddressPools", "type": "string", "jsonPath": ".spec.ipAddressPools"},
        {"name": "IPAddressPool Selectors", "type": "string", "jsonPath": ".spec.ipAddressPoolSelectors"},
        {"name": "Peers", "type": "string", "jsonPath": ".spec.peers"},
        {"name": "Node Selectors", "type": "string", "jsonPath": ".spec.nodeSelectors", "priority": 10},
    ]
    spec = _ruled("Pools to announce by BGP. Empty: every pool, from every node, to every peer.", fields, (), (whole,))
    return crd("BGPAdvertisement", {"spec": spec, "status": {"type": "object"}}, (), columns)


def _profiles() -> Schema:
    fields: dict[str, Schema] = {
        "receiveInterval": number("Milliseconds between packets that we want to get; 300 unless given.", 10, 60000),
        "transmitInterval": number("Milliseconds between packets that we send; 300 unless given.", 10, 60000),
        "detectMultiplier": number("Packets missed until the peer is dead; 3 unless given.", 2, 255),
        "echoInterval": number("Milliseconds between echo packets; 50 unless given.", 10, 60000),
        "echoMode": flag("Use echo packets, too; IPv4 only."),
        "passiveMode": flag("Wait for the peer to begin."),
        "minimumTtl": number("Fewest hops' worth that multihop packets may have left; 254 unless given.", 1, 254),
    }
    columns: list[Schema] = [
        {"name": "Passive Mode", "type": "boolean", "jsonPath": ".spec.passiveMode"},
        {"name": "Transmit Interval", "type": "integer", "jsonPath": ".spec.transmitInterval"},
        {"name": "Receive Interval", "type": "integer", "jsonPath": ".spec.receiveInterval"},
        {"name": "Multiplier", "type": "integer", "jsonPath": ".spec.detectMultiplier"},
    ]
    spec = table("How fast a peer's death is noticed.", fields)
    return crd("BFDProfile", {"spec": spec, "status": {"type": "object"}}, (), columns)


def _communities() -> Schema:
    value = matching("65000:100 or large:65000:1:2.", COMMUNITY, "is no community", COMMUNITY_LENGTH, LARGE)
    alias = table(
        "A name for a community.",
        {"name": {"type": "string", "minLength": 1, "maxLength": LABEL_LENGTH}, "value": value},
        required=("name", "value"),
    )
    spec = table("Names that advertisements may use.", {"communities": several("The names.", alias)})
    return crd("Community", {"spec": spec, "status": {"type": "object"}}, (), [])
