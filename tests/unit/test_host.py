"""Which interfaces may carry ARP and NDP, from what the kernel says of them."""

from pathlib import Path

import pytest

from speakerd.exchange import Layer2Settings
from speakerd.host import (
    DEL_LINK,
    GET_ADDRESS,
    GET_LINK,
    HEADER,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    Links,
    Listing,
    Message,
    messages,
)
from speakerd.model import Interface
from speakerd.settings import Settings, layer2

MESSAGES = Path(__file__).parents[1] / "data" / "netlink"
ANY = Layer2Settings()


def stream_of(name: str) -> list[bytes]:
    lines = (MESSAGES / f"{name}.hex").read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if not line.startswith("#")]


def after(stream: list[bytes], settings: Layer2Settings = ANY) -> dict[str, Interface]:
    links = Links()
    for data in stream:
        for message in messages(data):
            links.take(message.kind, message.data)
    return {each.name: each for each in links.interfaces(settings)}


def reasons(name: str, settings: Layer2Settings = ANY) -> dict[str, str]:
    return {each.name: each.reason for each in after(stream_of(name), settings).values()}


def test_a_bond_speaks_and_its_members_do_not() -> None:
    assert reasons("bond") == {"eth0": "enslaved", "eth1": "enslaved", "bond0": ""}
    bond = after(stream_of("bond"))["bond0"]
    assert (bond.usable, bond.ipv4, bond.mac.hex(":")) == (True, ("192.0.2.10",), "52:54:00:00:00:02")


def test_a_vlan_speaks_beside_its_parent() -> None:
    assert reasons("vlan") == {"eth0": "", "eth0.100": ""}
    vlan = after(stream_of("vlan"))["eth0.100"]
    assert (vlan.ipv4, vlan.link_local) == (("198.51.100.5",), "fe80::5054:ff:fe00:2")


def test_the_network_of_each_address_is_known() -> None:
    assert after(stream_of("vlan"))["eth0.100"].networks == ("198.51.100.5/24", "fe80::5054:ff:fe00:2/64")


def test_a_bridge_speaks_and_its_ports_do_not() -> None:
    assert reasons("bridge") == {"lo": "loopback", "eth0": "enslaved", "br0": ""}
    bridge = after(stream_of("bridge"))["br0"]
    assert (bridge.ipv4, bridge.link_local) == (("192.0.2.30",), "fe80::5054:ff:fe00:2")


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
    assert after(stream_of("carrier")[:taken])["eth0"].reason == reason


def test_a_new_mac_a_new_name_and_addresses_are_noticed() -> None:
    stream = stream_of("changes")
    assert after(stream[:2])["eth0"].mac.hex(":") == "52:54:00:00:00:03"
    assert after(stream[:4])["lan0"].ipv4 == ("192.0.2.40",)
    assert after(stream[:5])["lan0"].ipv6 == ()
    assert after(stream[:6])["lan0"].ipv4 == ()
    assert after(stream) == {}


def test_several_messages_in_one_read_are_all_taken() -> None:
    assert reasons("bond") == {name: each.reason for name, each in after([b"".join(stream_of("bond"))]).items()}


def test_a_length_that_lies_ends_the_read() -> None:
    (first, *_) = stream_of("bond")
    assert messages(first[:20]) == []
    assert messages(b"\xff\xff\xff\x7f" + first[4:]) == []
    assert messages(b"\0\0\0\0" + first[4:]) == []
    assert len(messages(first + first[:10])) == 1


PORT, KERNEL = 77, 0
DONE = Message(NLMSG_DONE, 0, PORT, b"")


def told(data: bytes, port: int = KERNEL, flags: int = 0) -> Message:
    (message,) = messages(data)
    return Message(message.kind, flags, port, message.data)


def asked(request: bytes) -> int:
    return HEADER.unpack_from(request)[1] if request else 0


def names(listing: Listing) -> list[str]:
    return [each.name for each in listing.links.interfaces(ANY)]


def listed() -> Listing:
    listing = Listing(PORT)
    listing.begin()
    for data in stream_of("vlan")[:2]:
        listing.take(told(data, PORT))
    listing.take(DONE)
    listing.take(DONE)
    return listing


def test_links_are_asked_for_before_addresses_and_known_once_both_are_there() -> None:
    listing = Listing(PORT)
    assert asked(listing.begin()) == GET_LINK
    links, addresses = stream_of("vlan")[:2], stream_of("vlan")[2:]
    assert [listing.take(told(data, PORT)) for data in links] == [b"", b""]
    assert asked(listing.take(DONE)) == GET_ADDRESS
    for data in addresses:
        assert (listing.whole, names(listing)) == (False, [])
        listing.take(told(data, PORT))
    assert listing.take(DONE) == b""
    assert listing.whole
    assert names(listing) == ["eth0", "eth0.100"]
    assert listing.links.interfaces(ANY)[1].ipv4 == ("198.51.100.5",)


def test_half_an_answer_changes_nothing_of_what_is_known() -> None:
    listing = listed()
    listing.begin()
    listing.take(told(stream_of("vlan")[0], PORT))
    listing.take(DONE)
    assert names(listing) == ["eth0", "eth0.100"]
    listing.take(DONE)
    assert names(listing) == ["eth0"]


def test_an_answer_the_kernel_calls_inconsistent_is_asked_for_again() -> None:
    listing = listed()
    listing.begin()
    listing.take(told(stream_of("vlan")[0], PORT, flags=NLM_F_DUMP_INTR))
    assert asked(listing.take(DONE)) == GET_LINK
    assert names(listing) == ["eth0", "eth0.100"]


def test_lost_messages_are_made_good_by_asking_anew_once_the_answer_under_way_has_ended() -> None:
    listing = listed()
    assert asked(listing.lost()) == GET_LINK
    assert listing.lost() == b""
    assert asked(listing.take(DONE)) == GET_LINK


def test_what_happens_while_an_answer_comes_is_part_of_it_and_what_was_before_is_not() -> None:
    listing = listed()
    gone = stream_of("vlan")[1]
    listing.begin()
    listing.take(told(stream_of("vrf")[0]))
    listing.take(told(stream_of("vlan")[0], PORT))
    listing.take(told(gone, PORT))
    listing.take(Message(DEL_LINK, 0, KERNEL, gone))
    listing.take(DONE)
    listing.take(DONE)
    assert names(listing) == ["eth0"]


def test_news_after_the_answer_count_at_once() -> None:
    listing = listed()
    listing.take(Message(DEL_LINK, 0, KERNEL, stream_of("vlan")[1]))
    assert names(listing) == ["eth0"]


def test_a_refused_request_is_an_error() -> None:
    refusal = HEADER.pack(20, NLMSG_ERROR, 0, 0, PORT) + (-1).to_bytes(4, "little", signed=True)
    with pytest.raises(PermissionError):
        Listing(PORT).take(Message(NLMSG_ERROR, 0, PORT, refusal))


def test_a_radios_own_message_says_nothing_of_the_link() -> None:
    radio = bytes.fromhex("08000b0000000000")
    whole = stream_of("carrier")[0]
    bare = (
        (32 + 12 + len(radio)).to_bytes(4, "little") + whole[4:32] + bytes.fromhex("0900030065746830 00000000") + radio
    )
    assert after([whole, bare])["eth0"].mac.hex(":") == "52:54:00:00:00:02"
