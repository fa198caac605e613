"""MetalLB's ConfigMap comes to the resources that it stands for, and what is wrong with it is told with its place."""

import pytest

from speakerd.config import legacy
from speakerd.config.legacy import Legacy
from speakerd.config.resources import (
    Alias,
    BFDProfileSpec,
    BGPAdvertisementSpec,
    BGPPeerSpec,
    ConfigMap,
    Expression,
    IPAddressPoolSpec,
    L2AdvertisementSpec,
    LabelSelector,
    Metadata,
)

EVERYTHING = """\
peers:
- my-asn: 64500
  peer-asn: 64501
  peer-address: 10.0.0.1
  peer-port: 1179
  hold-time: 9s
  keepalive-time: 3s
  router-id: 10.0.0.9
  source-address: 10.0.0.8
  password: "secret"
  bfd-profile: fast
  ebgp-multihop: true
  node-selectors:
  - match-labels: {rack: frontend}
    match-expressions: [{key: speed, operator: NotIn, values: [slow]}]
- {my-asn: 64500, peer-asn: 64502, peer-address: 10.0.0.2}
bgp-communities: {no-export: "65535:65281"}
bfd-profiles: [{name: fast, receive-interval: 50, echo-mode: true}]
address-pools:
- name: routed
  protocol: bgp
  addresses: [198.51.100.0/24]
  avoid-buggy-ips: true
  bgp-advertisements:
  - {aggregation-length: 24, aggregation-length-v6: 64, localpref: 7, communities: [no-export]}
  - {}
- {name: plain, protocol: bgp, addresses: [198.51.101.0/24]}
- {name: lan, protocol: layer2, auto-assign: false, addresses: [192.0.2.1-192.0.2.9]}
"""


def read(text: str) -> Legacy:
    return legacy.read(ConfigMap(Metadata("config", "metallb-system"), {"config": text}))


def told(text: str) -> list[tuple[str, str, str]]:
    return [(each.object, each.field, each.reason) for each in read(text).problems]


def test_every_field_finds_its_place() -> None:
    found = read(EVERYTHING)
    assert found.problems == ()
    made = found.resources
    assert [(each.metadata.name, each.spec) for each in made.pools] == [
        ("routed", IPAddressPoolSpec(("198.51.100.0/24",), True, True)),
        ("plain", IPAddressPoolSpec(("198.51.101.0/24",))),
        ("lan", IPAddressPoolSpec(("192.0.2.1-192.0.2.9",), False)),
    ]
    assert [(each.metadata.name, each.spec) for each in made.advertisements] == [
        ("l2advertisement1", L2AdvertisementSpec(("lan",)))
    ]
    assert [(each.metadata.name, each.spec) for each in made.routes] == [
        (
            "bgpadvertisement1",
            BGPAdvertisementSpec(
                ("routed",), aggregation_length=24, aggregation_length_v6=64, local_pref=7, communities=("no-export",)
            ),
        ),
        ("bgpadvertisement2", BGPAdvertisementSpec(("routed",))),
        ("bgpadvertisement3", BGPAdvertisementSpec(("plain",))),
    ]
    selector = LabelSelector({"rack": "frontend"}, (Expression("speed", "NotIn", ("slow",)),))
    assert [(each.metadata.name, each.spec) for each in made.peers] == [
        (
            "peer1",
            BGPPeerSpec(
                my_asn=64500,
                peer_asn=64501,
                peer_address="10.0.0.1",
                source_address="10.0.0.8",
                peer_port=1179,
                hold_time="9s",
                keepalive_time="3s",
                router_id="10.0.0.9",
                node_selectors=(selector,),
                password="secret",
                bfd_profile="fast",
                ebgp_multi_hop=True,
            ),
        ),
        ("peer2", BGPPeerSpec(my_asn=64500, peer_asn=64502, peer_address="10.0.0.2", hold_time="90s")),
    ]
    assert [(each.metadata.name, each.spec) for each in made.bfd_profiles] == [
        ("fast", BFDProfileSpec(receive_interval=50, echo_mode=True))
    ]
    (names,) = made.communities
    assert names.spec.communities == (Alias("no-export", "65535:65281"),)


def test_everything_knows_where_in_the_config_map_it_stands() -> None:
    assert read(EVERYTHING).resources.places == {
        "BGPPeer/peer1": "ConfigMap/metallb-system/config:2:3",
        "BGPPeer/peer2": "ConfigMap/metallb-system/config:16:3",
        "BFDProfile/fast": "ConfigMap/metallb-system/config:18:16",
        "IPAddressPool/routed": "ConfigMap/metallb-system/config:20:3",
        "BGPAdvertisement/bgpadvertisement1": "ConfigMap/metallb-system/config:20:3",
        "BGPAdvertisement/bgpadvertisement2": "ConfigMap/metallb-system/config:20:3",
        "IPAddressPool/plain": "ConfigMap/metallb-system/config:27:3",
        "BGPAdvertisement/bgpadvertisement3": "ConfigMap/metallb-system/config:27:3",
        "IPAddressPool/lan": "ConfigMap/metallb-system/config:28:3",
        "L2Advertisement/l2advertisement1": "ConfigMap/metallb-system/config:28:3",
        "Community/communities": "ConfigMap/metallb-system/config",
    }


POOL = "- {name: p, addresses: [10.0.0.0/24], protocol: "


@pytest.mark.parametrize(
    ("text", "place", "field", "reason"),
    [
        (f"address-pools:\n{POOL}Layer2}}", "2:3", "protocol", "not-one-of"),
        (f"address-pools:\n{POOL}layer2, bgp-advertisements: [{{}}]}}", "2:3", "bgp-advertisements", "contradiction"),
        (f"address-pools:\n{POOL}bgp}}\n{POOL}bgp}}", "3:3", "name", "duplicate-name"),
        (f"address-pools:\n{POOL}bgp, auto-asign: true}}", "2:54", "address-pools[0].auto-asign", "unknown-key"),
        ("bfd-profiles: [{name: x}]\nbfdProfile: x", "2:1", "bfdProfile", "unknown-key"),
        ("peers: [{my-asn: 1, peer-asn: 2}]", "1:9", "peers[0].peer-address", "missing-key"),
        ("bfd-profiles: [{name: a}, {name: a}]", "1:27", "name", "duplicate-name"),
        (
            "peers: [{my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, bfd-profile: none}]",
            "1:9",
            "bfd-profile",
            "unknown-bfd-profile",
        ),
        (
            f"address-pools:\n{POOL}bgp, bgp-advertisements: [{{communities: [later]}}]}}",
            "2:3",
            "bgp-advertisements",
            "unknown-community",
        ),
        ("address-pools: [{name: '', protocol: bgp, addresses: []}]", "1:17", "name", "missing-key"),
        ("peers: [", "2:1", "", "unreadable"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, field: str, reason: str) -> None:
    where = f"ConfigMap/metallb-system/config:{place}"
    assert (where, field, reason) in told(text)


def test_an_unknown_key_takes_nothing_else_down() -> None:
    found = read(f"address-pools:\n{POOL}layer2, what: 7}}\n")
    assert [each.metadata.name for each in found.resources.pools] == ["p"]
    assert [each.reason for each in found.problems] == ["unknown-key"]


def test_a_port_of_0_is_the_usual_one() -> None:
    (peer,) = read("peers: [{my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, peer-port: 0}]").resources.peers
    assert peer.spec.peer_port is None


def test_passwords_in_it_are_shown_by_nobody() -> None:
    text = "peers: [{my-asn: 1, peer-asn: 2, peer-address: 192.0.2.1, password: hunter2}]"
    assert "hunter2" not in repr(read(text)) + repr(ConfigMap(Metadata("config", "ns"), {"config": text}))


def test_a_config_map_without_the_entry_says_nothing() -> None:
    assert legacy.read(ConfigMap(Metadata("config", "metallb-system"))) == Legacy()
