"""BFD on real interfaces: two nodes find each other, and lose each other for the right reason."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from msgspec.structs import replace

from speakerd.bfd.effects import CONTROL_PORT, SOURCE_PORTS, Path
from speakerd.bfd.frame import CS6
from speakerd.bfd.packet import Packet, State, encode
from speakerd.bfd.part import Bfd
from speakerd.engine import Engine
from speakerd.peering import BfdProfile
from tests.lab.bfd import Ask, Speaker, speaking, way
from tests.lab.net import Host, Lan, inside, tool
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

FAST = BfdProfile("fast", receive_interval=50, transmit_interval=50)
PATIENT = replace(FAST, detect_multiplier=20)
"""Bears a machine that has more to do."""
EXPIRED = "Control Detection Time Expired"
SIGNALED = "Neighbor Signaled Session Down"
HELLO = encode(Packet(State.DOWN, 0x99, 0, 3, 1_000_000, 50_000))
NOTES = {
    socket.AF_INET: ((socket.IPPROTO_IP, 12), (socket.IPPROTO_IP, socket.IP_RECVTOS)),
    socket.AF_INET6: (
        (socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT),
        (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS),
    ),
}
"""Have the kernel say hops left and traffic class (12: IP_RECVTTL)."""
FAMILIES = [socket.AF_INET, socket.AF_INET6]


def address(host: Host, family: socket.AddressFamily) -> str:
    return host.ipv4 if family == socket.AF_INET else host.ipv6


@pytest.fixture
def pair(lan: Lan) -> Iterator[tuple[Speaker, Speaker]]:
    with speaking(lan.nodes[0]) as one, speaking(lan.nodes[1]) as other:
        yield one, other


def ways(lan: Lan, family: socket.AddressFamily, *, multihop: bool = False, local: bool = False) -> tuple[Path, Path]:
    """From either of the pair to the other."""
    one, other = (address(host, family) for host in lan.nodes[:2])
    return (
        way(other, multihop=multihop, local=one if local else ""),
        way(one, multihop=multihop, local=other if local else ""),
    )


def becomes(speaker: Speaker, path: Path, state: str) -> None:
    eventually(lambda: speaker.state(path) == state, f"it is {state}")


def meet(pair: tuple[Speaker, Speaker], paths: tuple[Path, Path], profile: BfdProfile = PATIENT) -> None:
    for speaker, path in zip(pair, paths, strict=True):
        speaker.want((path, profile))
    for speaker, path in zip(pair, paths, strict=True):
        becomes(speaker, path, "Up")


@pytest.mark.parametrize("local", [False, True], ids=["any address", "own address"])
@pytest.mark.parametrize("multihop", [False, True], ids=["single hop", "multihop"])
@pytest.mark.parametrize("family", FAMILIES)
def test_two_nodes_find_each_other(
    lan: Lan, pair: tuple[Speaker, Speaker], family: socket.AddressFamily, multihop: bool, local: bool
) -> None:
    paths = ways(lan, family, multihop=multihop, local=local)
    meet(pair, paths)
    for speaker, path in zip(pair, paths, strict=True):
        told = speaker.told
        ((_, seen, source),) = told.sessions
        assert told.changed == [(path, True, "")]
        assert (told.problems, told.lost, told.drops) == ({}, {}, {})
        assert (seen.counted["ups"], seen.counted["downs"], seen.why) == (1, 0, "")
        assert source in SOURCE_PORTS


def test_over_link_local_addresses_the_interface_is_part_of_the_path(lan: Lan, pair: tuple[Speaker, Speaker]) -> None:
    paths = []
    for host, other in zip(lan.nodes[:2], reversed(lan.nodes[:2]), strict=True):
        with inside(host.namespace):
            index = socket.if_nametoindex("eth0")
        paths.append(way(link_local(other), index=index))
    meet(pair, (paths[0], paths[1]))


def link_local(host: Host) -> str:
    return (
        tool("ip", "-n", host.namespace, "-br", "addr", "show", "dev", "eth0", "scope", "link").split()[2].split("/")[0]
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_a_cut_is_noticed_by_silence_and_told_once(
    lan: Lan, pair: tuple[Speaker, Speaker], family: socket.AddressFamily
) -> None:
    paths = ways(lan, family)
    meet(pair, paths, replace(FAST, detect_multiplier=10))
    lan.link(lan.nodes[1], "down")
    try:
        becomes(pair[0], paths[0], "Down")
    finally:
        lan.link(lan.nodes[1], "up")
    told = pair[0].told
    assert told.changed[-1] == (paths[0], False, EXPIRED)
    becomes(pair[0], paths[0], "Up")
    assert [up for _, up, _ in pair[0].told.changed] == [True, False, True]


def test_a_planned_stop_is_no_failure(lan: Lan, pair: tuple[Speaker, Speaker]) -> None:
    one, other = pair
    paths = ways(lan, socket.AF_INET)
    meet(pair, paths)
    other.ask(Ask(leave=True))
    becomes(one, paths[0], "Down")
    told = one.told
    assert told.changed == [(paths[0], True, "")]
    assert told.sessions[0][1].why == f"{SIGNALED}: Administratively Down"
    eventually(lambda: other.told.left, "the other has said so for long enough")
    assert other.told.sessions == []
    assert other.told.changed == [(paths[1], True, "")]


def test_a_node_that_dies_and_comes_again_has_failed_once(lan: Lan) -> None:
    paths = ways(lan, socket.AF_INET)
    with speaking(lan.nodes[0]) as one:
        with speaking(lan.nodes[1]) as other:
            meet((one, other), paths)
        with speaking(lan.nodes[1]) as other:
            other.want((paths[1], PATIENT))
            eventually(lambda: [up for _, up, _ in one.told.changed] == [True, False, True], "down and up again")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_packet_that_met_a_router_is_refused_on_a_single_hop(lan: Lan, family: socket.AddressFamily) -> None:
    """Of two from one sender, which differ in their TTL alone, only that with 255 is heard."""
    (node, *_), sender = lan.nodes, lan.client
    path = way(address(sender, family))
    with speaking(node) as speaker:
        speaker.want((path, FAST))
        with inside(sender.namespace), socket.socket(family, socket.SOCK_DGRAM) as end:
            for ttl in (254, 255):
                level = socket.IPPROTO_IP if family == socket.AF_INET else socket.IPPROTO_IPV6
                end.setsockopt(level, socket.IP_TTL if level == socket.IPPROTO_IP else socket.IPV6_UNICAST_HOPS, ttl)
                end.sendto(HELLO, (address(node, family), CONTROL_PORT))
        becomes(speaker, path, "Init")
        assert speaker.told.drops == {"from-afar": 1}
        assert speaker.counted(path)["control-heard"] == 1


def test_two_sessions_to_one_neighbour_from_two_addresses_are_two(lan: Lan, pair: tuple[Speaker, Speaker]) -> None:
    (node, other, *_) = lan.nodes
    second = "10.99.0.99"
    tool("ip", "-n", node.namespace, "addr", "add", f"{second}/16", "dev", "eth0")
    try:
        paths = way(other.ipv4, local=node.ipv4), way(other.ipv4, local=second)
        pair[0].want(*[(path, PATIENT) for path in paths])
        pair[1].want((way(node.ipv4), PATIENT), (way(second), replace(PATIENT, passive_mode=True)))
        for path in paths:
            becomes(pair[0], path, "Up")
        sources = [source for _, _, source in pair[0].told.sessions]
        assert len(set(sources)) == 2
        pair[1].want((way(node.ipv4), PATIENT))
        becomes(pair[0], paths[1], "Down")
        assert pair[0].state(paths[0]) == "Up"
    finally:
        tool("ip", "-n", node.namespace, "addr", "del", f"{second}/16", "dev", "eth0")


def test_a_port_an_address_or_a_device_that_cannot_be_had_yet_is_told_and_taken_once_it_can(
    lan: Lan, pair: tuple[Speaker, Speaker]
) -> None:
    (node, other, *_), late = lan.nodes, "10.99.0.98"
    near, elsewhere = way(other.ipv4, local=late), replace(way(other.ipv6), vrf="late")
    pair[1].want((way(late), PATIENT))
    with inside(node.namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind(("", CONTROL_PORT))
        pair[0].want((near, PATIENT), (elsewhere, PATIENT))
        assert pair[0].told.problems == {
            "bfd-port-taken": "port 3784/udp of IPv4 taken; port 3784/udp of IPv6 in VRF late: No such device",
            "bfd-not-sending": f"to {other.ipv4}: Cannot assign requested address; to {other.ipv6}: No such device",
        }
    tool("ip", "-n", node.namespace, "addr", "add", f"{late}/16", "dev", "eth0")
    tool("ip", "-n", node.namespace, "link", "add", "late", "type", "veth", "peer", "name", "later")
    try:
        becomes(pair[0], near, "Up")
        assert pair[0].told.problems == {}
    finally:
        tool("ip", "-n", node.namespace, "link", "del", "late")
        tool("ip", "-n", node.namespace, "addr", "del", f"{late}/16", "dev", "eth0")


def test_ports_are_open_only_while_a_session_wants_them(lan: Lan) -> None:
    (node, other, *_) = lan.nodes
    with speaking(node) as speaker:
        speaker.want((way(other.ipv4), FAST))
        assert [taken(node, family) for family in FAMILIES] == [True, False]
        speaker.want()
        eventually(lambda: not taken(node, socket.AF_INET), "it is free again")


@pytest.mark.parametrize("family", FAMILIES)
def test_packets_leave_from_one_source_port_with_all_their_hops_and_before_other_traffic(
    lan: Lan, family: socket.AddressFamily
) -> None:
    (node, *_), neighbour = lan.nodes, lan.client
    with inside(neighbour.namespace), socket.socket(family, socket.SOCK_DGRAM) as end:
        for level, option in NOTES[family]:
            end.setsockopt(level, option, 1)
        end.settimeout(10.0)
        end.bind(("", CONTROL_PORT))
        with speaking(node) as speaker:
            speaker.want((way(address(neighbour, family)), FAST))
            heard = [end.recvmsg(100, 100) for _ in range(2)]
    assert len({source for *_, source in heard}) == 1
    assert heard[0][3][1] in SOURCE_PORTS
    for _, notes, _, _ in heard:
        assert sorted(int.from_bytes(data[:1]) for _, _, data in notes) == [CS6, 255]


def test_in_a_vrf_packets_come_and_go_by_its_device(lan: Lan, pair: tuple[Speaker, Speaker]) -> None:
    """Any device binds as a VRF's does, where there is none. Sockets of several share a port, with nobody else."""
    one, other = (replace(path, vrf="eth0") for path in ways(lan, socket.AF_INET))
    outside, elsewhere = way(lan.client.ipv4), replace(one, vrf="lo")
    pair[0].want((outside, PATIENT), (one, PATIENT), (elsewhere, PATIENT))
    pair[1].want((other, PATIENT))
    becomes(pair[0], one, "Up")
    assert pair[0].told.problems == {}
    assert pair[0].counted(elsewhere)["control-heard"] == 0
    assert taken(lan.nodes[0], socket.AF_INET)


def test_who_is_told_of_a_change_may_have_the_session_end_at_once(lan: Lan) -> None:
    (node, *_), neighbour = lan.nodes, lan.client
    path = way(neighbour.ipv4)
    with Engine() as engine, inside(node.namespace):
        part = Bfd(
            engine.register,
            engine.unregister,
            lambda: 0.5,
            lambda: 1,
            lambda _change, now: part.apply({}, now),
        )
        engine.add(part)
        part.apply({path: FAST}, time.monotonic())
        with inside(neighbour.namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
            for state in (State.DOWN, State.INIT, State.INIT):
                end.sendto(encode(Packet(state, 0x99, 1, 3, 50_000, 50_000)), (node.ipv4, CONTROL_PORT))

        def ended() -> bool:
            engine.turn()
            return not part.paths

        eventually(ended, "it has come up, and ended")


def taken(host: Host, family: socket.AddressFamily) -> bool:
    """Whether somebody has the port of Control packets, and shares it with nobody."""
    with inside(host.namespace), socket.socket(family, socket.SOCK_DGRAM) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        with suppress(OSError):
            end.bind(("", CONTROL_PORT))
            return False
    return True
