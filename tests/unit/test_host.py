"""Which interfaces may carry ARP and NDP, from what the kernel says of them."""

from pathlib import Path

import pytest

from speakerd.host import Links, messages
from speakerd.model import Interface, Layer2Settings
from speakerd.settings import Settings, layer2

RECORDED = Path(__file__).parents[1] / "data" / "netlink"
ANY = Layer2Settings()


def recorded(name: str) -> list[bytes]:
    lines = (RECORDED / f"{name}.hex").read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def after(stream: list[bytes], settings: Layer2Settings = ANY) -> dict[str, Interface]:
    links = Links()
    for data in stream:
        for kind, _, message in messages(data):
            links.take(kind, message)
    return {each.name: each for each in links.interfaces(settings)}


def reasons(name: str, settings: Layer2Settings = ANY) -> dict[str, str]:
    return {each.name: each.reason for each in after(recorded(name), settings).values()}


def test_a_bond_speaks_and_its_members_do_not() -> None:
    assert reasons("bond") == {"eth0": "enslaved", "eth1": "enslaved", "bond0": ""}
    bond = after(recorded("bond"))["bond0"]
    assert (bond.usable, bond.ipv4, bond.mac.hex(":")) == (True, ("192.0.2.10",), "52:54:00:00:00:02")


def test_a_vlan_speaks_beside_its_parent() -> None:
    assert reasons("vlan") == {"eth0": "", "eth0.100": ""}
    vlan = after(recorded("vlan"))["eth0.100"]
    assert (vlan.ipv4, vlan.link_local) == (("198.51.100.5",), "fe80::5054:ff:fe00:2")


def test_a_bridge_speaks_and_its_ports_do_not() -> None:
    assert reasons("bridge") == {"eth0": "enslaved", "br0": ""}


def test_a_vrf_takes_only_routes_from_its_members() -> None:
    assert reasons("vrf") == {"eth0": "", "red": "no-arp"}


def test_what_cannot_or_may_not_speak_has_a_reason() -> None:
    assert reasons("others", layer2(Settings())) == {
        "lo": "loopback",
        "tun0": "not-ethernet",
        "eth9": "no-arp",
        "eth2": "down",
        "veth1a2b": "excluded",
    }


def test_named_interfaces_are_the_only_ones() -> None:
    assert reasons("vlan", Layer2Settings(interfaces=("eth0.100",))) == {"eth0": "not-in-settings", "eth0.100": ""}


@pytest.mark.parametrize(("taken", "reason"), [(1, ""), (2, "no-carrier"), (3, "")])
def test_carrier_is_noticed_both_ways(taken: int, reason: str) -> None:
    assert after(recorded("carrier")[:taken])["eth0"].reason == reason


def test_a_new_mac_a_new_name_and_addresses_are_noticed() -> None:
    stream = recorded("changes")
    assert after(stream[:2])["eth0"].mac.hex(":") == "52:54:00:00:00:03"
    assert after(stream[:4])["lan0"].ipv4 == ("192.0.2.40",)
    assert after(stream[:5])["lan0"].ipv6 == ()
    assert after(stream[:6])["lan0"].ipv4 == ()
    assert after(stream) == {}


def test_several_messages_in_one_read_are_all_taken() -> None:
    assert reasons("bond") == {name: each.reason for name, each in after([b"".join(recorded("bond"))]).items()}


def test_a_length_that_lies_ends_the_read() -> None:
    (first, *_) = recorded("bond")
    assert messages(first[:20]) == []
    assert messages(b"\xff\xff\xff\x7f" + first[4:]) == []
    assert messages(b"\0\0\0\0" + first[4:]) == []
    assert len(messages(first + first[:10])) == 1
