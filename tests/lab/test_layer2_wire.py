"""ARP and NDP on real interfaces: the kernel lets in what it should, and other hosts' kernels believe what is said."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from speakerd.layer2.sieve import CALM, Sieve
from speakerd.packet import attach
from tests.lab.frames import ETH_ARP, ETH_IPV6, Watch, answers, who_has
from tests.lab.net import Host, Lan, inside, tool
from tests.lab.speaker import Speaker, Word, speaking
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

VIP, VIP6 = "10.99.20.1", "fd99::6:a1"
GROUP6 = "ff02::1:ff06:a1"
MLD_REPORT = 143
SOLICITATION = 135
ARP_REPLY = b"\0\2"
TAG = bytes.fromhex("81000064")
FLOOD = 20_000
QUESTIONS = 500
LEAST_OPTION_MEMORY = "20480"
"""net.core.optmem_max as most kernels before 6.7 have it."""


@pytest.fixture
def speaker(lan: Lan, tmp_path: Path) -> Iterator[Speaker]:
    with speaking(lan, lan.nodes[0], tmp_path / "speaker", VIP, VIP6) as made:
        eventually(lambda: made.answering, "it knows its interfaces")
        yield made


@pytest.fixture
def listener(lan: Lan) -> Iterator[socket.socket]:
    """All of IPv6 that the onlooker hears."""
    with inside(lan.onlooker.namespace):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.bind(("eth0", ETH_IPV6))
    raw.settimeout(5.0)
    with raw:
        yield raw


def neighbour(host: Host, address: str) -> str:
    """What the kernel of `host` knows about `address`."""
    return tool("ip", "-n", host.namespace, "neigh", "show", address)


def send_to(host: Host, address: str) -> None:
    """Have the kernel of `host` look for `address`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside(host.namespace), socket.socket(family, socket.SOCK_DGRAM) as end:
        end.sendto(b"?", (address, 9))


@pytest.mark.usefixtures("speaker")
@pytest.mark.parametrize("address", [VIP, VIP6])
def test_one_question_gets_one_answer_with_the_interfaces_mac(lan: Lan, address: str) -> None:
    assert [each.mac for each in answers(lan.client, address)] == [lan.mac(lan.nodes[0])]


@pytest.mark.usefixtures("speaker")
@pytest.mark.parametrize("address", [VIP, VIP6])
def test_another_hosts_kernel_finds_the_vip_and_finds_it_again_by_probing(lan: Lan, address: str) -> None:
    mac = lan.mac(lan.nodes[0])
    send_to(lan.client, address)
    eventually(lambda: f"{mac} REACHABLE" in neighbour(lan.client, address), "the client knows it")
    tool("ip", "-n", lan.client.namespace, "neigh", "change", address, "dev", "eth0", "lladdr", mac, "nud", "probe")
    eventually(lambda: f"{mac} REACHABLE" in neighbour(lan.client, address), "the client's probe was answered")
    tool("ip", "-n", lan.client.namespace, "neigh", "flush", "to", address)


def test_the_group_of_an_ipv6_vip_is_joined_and_reported(lan: Lan, listener: socket.socket, tmp_path: Path) -> None:
    (node, *_) = lan.nodes
    with speaking(lan, node, tmp_path / "speaker", VIP6):
        packed = IPv6Address(GROUP6).packed
        eventually(lambda: _reports(listener.recv(2048), packed), "the membership is reported")
        joined = partial(tool, "ip", "-n", node.namespace, "maddr", "show", "dev", "eth0")
        eventually(lambda: GROUP6 in joined(), "the kernel lets the group's frames in")
    eventually(lambda: GROUP6 not in tool("ip", "-n", node.namespace, "maddr", "show", "dev", "eth0"), "and left")


def _reports(frame: bytes, group: bytes) -> bool:
    """Whether it is a Multicast Listener Report v2 (RFC 3810 section 5.2, behind a hop-by-hop header) with `group`."""
    return len(frame) > 62 and frame[62] == MLD_REPORT and group in frame[62:]


@pytest.fixture
def snooping(lan: Lan) -> Iterator[None]:
    """The bridge sends a group's frames to its members' ports alone, as switches do: it asks who they are itself.

    What has no known member goes to all ports but the first node's.
    """
    bridge = ("ip", "-n", lan.server.namespace, "link", "set", "br0", "type", "bridge")
    port = ("bridge", "-n", lan.server.namespace, "link", "set", "dev", lan.nodes[0].name, "mcast_flood")
    tool(*bridge, "mcast_query_response_interval", "20")
    tool(*bridge, "mcast_querier", "1")
    tool(*port, "off")
    yield
    tool(*port, "on")
    tool(*bridge, "mcast_querier", "0")
    tool(*bridge, "mcast_query_response_interval", "1000")


@pytest.mark.usefixtures("snooping")
def test_a_switch_that_follows_memberships_lets_solicitations_through_to_us_alone(
    lan: Lan, listener: socket.socket, tmp_path: Path
) -> None:
    member = lan.nodes[0]
    listener.settimeout(0.1)
    with speaking(lan, member, tmp_path / "speaker", VIP6) as speaker:
        eventually(lambda: speaker.answering, "it knows its interfaces")
        eventually(lambda: GROUP6 in tool("bridge", "-n", lan.server.namespace, "mdb"), "the bridge knows the member")
        eventually(lambda: not heard(listener, lan.client), "the bridge spares other ports")
        assert [each.mac for each in answers(lan.client, VIP6)] == [lan.mac(member)]


def heard(listener: socket.socket, client: Host) -> bool:
    """Whether a solicitation of `client` for the VIP reaches `listener`."""
    answers(client, VIP6, 0.05)
    with suppress(TimeoutError):
        while True:
            frame = listener.recv(2048)
            if frame[54] == SOLICITATION and frame[62:78] == IPv6Address(VIP6).packed:
                return True
    return False


@pytest.mark.usefixtures("speaker")
def test_carrier_that_comes_back_is_told_at_once_what_is_here(lan: Lan) -> None:
    node = lan.nodes[0]
    lan.link(node, "down")
    with Watch(lan.onlooker) as watch:
        lan.link(node, "up")
        for address in (VIP, VIP6):
            eventually(partial(watch.of, address, "gratuitous"), f"{address} is announced", 3.0)
    assert answers(lan.client, VIP)


@pytest.mark.usefixtures("speaker")
@pytest.mark.parametrize("address", [VIP, VIP6])
def test_a_new_mac_is_told_and_answered_with_at_once(lan: Lan, address: str) -> None:
    node = lan.nodes[0]
    change = ("ip", "-n", node.namespace, "link", "set", "eth0", "address")
    before, after = lan.mac(node), "02:00:00:00:00:77"
    with Watch(lan.onlooker) as watch:
        tool(*change, after)
        try:
            eventually(lambda: after in {each.mac for each in watch.of(address, "gratuitous")}, "it is announced")
            assert [each.mac for each in answers(lan.client, address)] == [after]
        finally:
            tool(*change, before)


def test_interfaces_that_come_and_go_are_served_and_forgotten(lan: Lan, speaker: Speaker) -> None:
    there = lan.onlooker.namespace
    ip = ("ip", "-n", lan.nodes[0].namespace, "link")
    for _ in range(3):
        tool(*ip, "add", "extra0", "type", "veth", "peer", "name", "extra0", "netns", there)
        tool("ip", "-n", there, "link", "set", "extra0", "up")
        with inside(there), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind(("extra0", ETH_ARP))
            raw.settimeout(3.0)
            tool(*ip, "set", "extra0", "up")
            assert raw.recv(64)[28:32] == IPv4Address(VIP).packed
        tool(*ip, "del", "extra0")
    assert speaker.alive
    assert answers(lan.client, VIP)


def test_foreign_and_tagged_questions_are_dropped_by_the_kernel(lan: Lan, speaker: Speaker) -> None:
    client = lan.client
    with inside(client.namespace):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.bind(("eth0", ETH_ARP))
    with raw:
        mac = raw.getsockname()[4]
        foreign, ours = who_has(mac, client.ipv4, "10.99.20.2"), who_has(mac, client.ipv4, VIP)
        for _ in range(FLOOD):
            raw.send(foreign)
        raw.send(ours[:12] + TAG + ours[12:])
        raw.send(ours[:20] + ARP_REPLY + ours[22:])
    assert answers(client, VIP), "the flood has been dealt with"
    assert set(speaker.stop().values()) == {0}


@contextmanager
def bound(host: Host, *addresses: str) -> Iterator[None]:
    """`host` has `addresses` on its interface, and its kernel answers for them."""
    ip = ("ip", "-n", host.namespace, "addr")
    for address in addresses:
        tool(*ip, "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    try:
        yield
    finally:
        for address in addresses:
            tool(*ip, "del", address, "dev", "eth0")


@contextmanager
def without_way_to(host: Host, address: str) -> Iterator[None]:
    """The kernel of `host` has no route to `address`, and drops what comes from where it has none to (RFC 3704)."""
    with inside(host.namespace):
        setting = Path("/proc/sys/net/ipv4/conf/eth0/rp_filter")
        before = setting.read_text()
        setting.write_text("1")
    route = ("ip", "-n", host.namespace, "route")
    tool(*route, "add", "blackhole", address)
    try:
        yield
    finally:
        tool(*route, "del", "blackhole", address)
        with inside(host.namespace):
            setting.write_text(before)


def speak(lan: Lan, host: Host) -> None:
    """Have the kernel of `host` tell its neighbours all its addresses, as after a change of its MAC."""
    notify = {"ipv4/conf/eth0/arp_notify": "1", "ipv6/conf/eth0/ndisc_notify": "1"}
    with inside(host.namespace):
        for name, value in notify.items():
            (Path("/proc/sys/net") / name).write_text(value)
    tool("ip", "-n", host.namespace, "link", "set", "eth0", "address", lan.mac(host))


@pytest.mark.parametrize("ours", [True, False])
def test_a_stranger_that_says_it_has_a_vip_is_heard_by_who_owns_it_and_by_who_stands_by(
    lan: Lan, tmp_path: Path, *, ours: bool
) -> None:
    client = lan.client
    vips = [VIP, VIP6] if ours else []
    words = {Word("eth0", address, lan.mac(client)) for address in (VIP, VIP6)}
    with (
        speaking(lan, lan.nodes[0], tmp_path / "speaker", *vips, standby=[VIP, VIP6]) as speaker,
        bound(client, VIP, VIP6),
    ):
        eventually(lambda: speaker.answering, "it knows its interfaces")

        def heard_both() -> bool:
            speak(lan, client)
            return words <= speaker.heard

        eventually(heard_both, "both are heard")
        assert {word.ip for word in speaker.heard} == {VIP, VIP6}, "and nothing else that the stranger has"
        assert (speaker.stop()["speaks-for-our-address"] >= 2) == ours


def test_what_we_ask_is_answered_by_a_kernel_by_a_speaker_and_by_a_host_that_has_no_way_back(
    lan: Lan, tmp_path: Path
) -> None:
    client, other, foreign = lan.client, lan.nodes[1], lan.onlooker
    theirs, strange = ["10.99.20.7", "fd99::6:a7"], "172.31.7.7"
    words = {Word("eth0", address, lan.mac(client)) for address in (client.ipv4, client.ipv6)}
    words |= {Word("eth0", address, lan.mac(other)) for address in theirs}
    words.add(Word("eth0", strange, lan.mac(foreign)))
    asked = [client.ipv4, client.ipv6, strange, *theirs, "10.99.20.8"]
    with (
        speaking(lan, other, tmp_path / "other", *theirs),
        bound(foreign, strange),
        without_way_to(foreign, lan.nodes[0].ipv4),
        speaking(lan, lan.nodes[0], tmp_path / "speaker", standby=[VIP, VIP6], ask=asked) as speaker,
    ):
        eventually(lambda: words <= speaker.heard, "all of them answer")
        assert speaker.heard == words


@pytest.mark.usefixtures("speaker")
def test_a_host_that_wants_one_of_our_addresses_is_told_before_it_uses_it(lan: Lan) -> None:
    client = lan.client
    ip = ("ip", "-n", client.namespace, "addr")
    with inside(client.namespace):
        setting = Path("/proc/sys/net/ipv6/conf/eth0/accept_dad")
        before = setting.read_text()
        setting.write_text("1")
    tool(*ip, "add", VIP6, "dev", "eth0")
    try:
        eventually(lambda: "dadfailed" in tool(*ip, "show", "dev", "eth0"), "its kernel refuses the address")
    finally:
        tool(*ip, "del", VIP6, "dev", "eth0")
        with inside(client.namespace):
            setting.write_text(before)


def test_two_interfaces_of_one_host_on_one_lan_take_each_other_for_nobody_else(lan: Lan, tmp_path: Path) -> None:
    node, server = lan.nodes[0], lan.server
    link = ("ip", "-n", node.namespace, "link")
    tool(*link, "add", "eth1", "type", "veth", "peer", "name", "second", "netns", server.namespace)
    tool("ip", "-n", server.namespace, "link", "set", "second", "master", "br0", "up")
    tool(*link, "set", "eth1", "up")
    try:
        with Watch(lan.onlooker) as watch, speaking(lan, node, tmp_path / "speaker", VIP, VIP6) as speaker:
            for address in (VIP, VIP6):
                macs = partial(lambda each: {seen.mac for seen in watch.of(each, "gratuitous")}, address)
                eventually(lambda: len(macs()) == 2, "both interfaces announce it")  # noqa: B023
            assert len(answers(lan.client, VIP)) == 2
            assert not speaker.heard
            drops = speaker.stop()
            assert drops["our-own"] >= 2
            assert drops["speaks-for-our-address"] == 0
    finally:
        tool(*link, "del", "eth1")


def test_no_question_is_lost_while_filters_are_replaced(lan: Lan, tmp_path: Path) -> None:
    with speaking(lan, lan.nodes[0], tmp_path / "speaker", VIP, restless=True) as speaker:
        eventually(lambda: speaker.answering, "it knows its interfaces")
        with inside(lan.client.namespace):
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            raw.bind(("eth0", ETH_ARP))
        raw.settimeout(0.5)
        with raw:
            mac = raw.getsockname()[4]
            for number in range(QUESTIONS):
                asker = str(IPv4Address("10.99.100.0") + number)
                raw.send(who_has(mac, asker, VIP))
                while raw.recv(64)[38:42] != IPv4Address(asker).packed:
                    pass


def test_the_largest_filter_and_its_successor_fit_where_the_kernel_gives_least_memory(lan: Lan) -> None:
    scattered = random.Random(7).sample(range(1 << 32), 3000)
    vips = [number.to_bytes(4) for number in scattered]
    vips6 = [(number % 2 << 64 | number).to_bytes(16) for number in scattered]
    sieve = Sieve()
    sieve.apply(frozenset(vips[::3] + vips6[::3]), frozenset(vips + vips6), 0.0)
    sieve.wake(CALM)
    with inside(lan.nodes[0].namespace):
        setting = Path("/proc/sys/net/core/optmem_max")
        if setting.exists():  # before Linux 6.8 it is the whole machine's, and as small as this
            setting.write_text(LEAST_OPTION_MEMORY)
        for program in (sieve.arp, sieve.ndp):
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as end:
                attach(end, program)
                attach(end, program)
