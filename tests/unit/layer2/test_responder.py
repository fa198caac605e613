"""What a node says for its VIPs: every form of question answered, take-overs announced, and never too much."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address

import pytest
from dpkt.arp import ARP
from dpkt.ethernet import Ethernet
from hypothesis import given
from hypothesis import strategies as st

from speakerd.layer2 import ndp
from speakerd.layer2.responder import Drop, Responder, Send
from speakerd.layer2.schedule import BURST
from speakerd.model import Interface
from tests.unit.layer2.frames import ASKER, BROADCAST, OURS, parsed, solicitation, v4, v6, who_has

ETH0 = Interface(2, "eth0", mac=OURS, usable=True, ipv6=("fd00::11", "fe80::bbb"))
ETH1 = Interface(3, "eth1", mac=bytes.fromhex("020000000ccc"), usable=True)
VIP, VIP6 = "10.0.0.1", "fd00::1"
UNSPECIFIED_V4 = str(IPv4Address(0))


def packed(text: str) -> bytes:
    return ip_address(text).packed


class Node:
    def __init__(self, *vips: str, interfaces: tuple[Interface, ...] = (ETH0,), names: tuple[str, ...] = ()) -> None:
        self.core = Responder(lambda: 0.5)
        self.interfaces = interfaces
        self.first = self.apply(*vips, names=names)

    def apply(self, *vips: str, now: float = 0.0, names: tuple[str, ...] = ()) -> list[Send]:
        wanted: Mapping[bytes, tuple[str, ...]] = {packed(vip): names for vip in vips}
        return self.core.apply(self.interfaces, wanted, 1000, 60.0, now)

    def until(self, end: float) -> list[tuple[float, Send]]:
        said = []
        while (at := self.core.deadline()) is not None and at <= end:
            said += [(at, each) for each in self.core.wake(at)]
        return said


def answer(node: Node, frame: bytes, index: int = 2) -> Ethernet:
    reply = node.core.receive_arp(index, frame)
    assert reply is not None
    return parsed(reply)


def test_a_question_is_answered_to_the_asker_with_this_interfaces_mac() -> None:
    reply = answer(Node(VIP), who_has(VIP))
    assert (reply.dst, reply.src) == (ASKER, OURS)
    arp: ARP = reply.data
    assert (arp.op, arp.sha, arp.spa, arp.tha, arp.tpa) == (2, OURS, v4(VIP), ASKER, v4("10.0.0.100"))


def test_a_question_to_our_own_mac_is_answered() -> None:
    assert answer(Node(VIP), who_has(VIP, to=OURS)).dst == ASKER


def test_a_probe_without_sender_address_is_answered() -> None:
    assert answer(Node(VIP), who_has(VIP, sender=UNSPECIFIED_V4)).data.tpa == bytes(4)


def test_padding_behind_a_question_changes_nothing() -> None:
    assert answer(Node(VIP), who_has(VIP) + bytes(18)).data.spa == v4(VIP)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (who_has("10.0.0.2"), Drop.NOT_OURS),
        (who_has(VIP, to=bytes.fromhex("020000000ddd")), Drop.NOT_TO_US),
        (who_has(VIP, mac=bytes.fromhex("030000000aaa")), Drop.NOT_TO_US),
        (who_has(VIP, sender=VIP), Drop.SPEAKS_FOR_OURS),
        (who_has(VIP, op=2), Drop.ANSWER),
        (who_has(VIP)[:41], Drop.MALFORMED),
        (b"", Drop.MALFORMED),
    ],
)
def test_what_is_not_answered_has_a_reason(frame: bytes, why: Drop) -> None:
    node = Node(VIP)
    assert node.core.receive_arp(2, frame) is None
    assert {drop for drop, count in node.core.drops.items() if count} == {why}


@given(st.binary(max_size=200))
def test_random_frames_are_never_answered_and_never_raise(frame: bytes) -> None:
    node = Node(VIP, VIP6)
    assert node.core.receive_arp(2, frame) is None
    assert node.core.receive_ndp(2, frame) is None


@given(st.data())
def test_a_damaged_question_is_refused_or_was_damaged_where_nobody_looks(data: st.DataObject) -> None:
    frame = bytearray(solicitation(VIP6))
    at = data.draw(st.integers(12, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    reply = Node(VIP6).core.receive_ndp(2, bytes(frame))
    assert reply is None or at in (14, 15, 16, 17), "only class and flow label carry no meaning here"


def test_every_truncation_of_a_solicitation_is_refused() -> None:
    frame = solicitation(VIP6)
    node = Node(VIP6)
    assert all(node.core.receive_ndp(2, frame[:length]) is None for length in range(len(frame)))


def advertised(reply: bytes | None) -> tuple[Ethernet, int, bytes, bytes]:
    """The frame, its flags, target and link-layer address; checks what RFC 4861 section 7.1.2 asks of it."""
    assert reply is not None
    frame = parsed(reply)
    body = reply[54:]
    assert frame.data.hlim == 255
    assert frame.data.nxt == 58
    assert ndp.checksum(reply[22:38], reply[38:54], body) == 0
    assert (body[0], body[1], body[24:26]) == (136, 0, b"\x02\x01")
    return frame, int.from_bytes(body[4:8]) >> 29, body[8:24], body[26:32]


ROUTER_SOLICITED_OVERRIDE = 0b011


def test_a_solicitation_is_answered_to_the_asker() -> None:
    frame, flags, target, mac = advertised(Node(VIP6).core.receive_ndp(2, solicitation(VIP6)))
    assert (frame.dst, frame.data.dst, frame.data.src) == (ASKER, v6("fe80::aaa"), v6("fe80::bbb"))
    assert (flags, target, mac) == (ROUTER_SOLICITED_OVERRIDE, v6(VIP6), OURS)


def test_a_solicitation_without_option_is_answered_too() -> None:
    frame, *_ = advertised(Node(VIP6).core.receive_ndp(2, solicitation(VIP6, option=b"")))
    assert frame.dst == ASKER


def test_a_unicast_probe_of_a_neighbour_that_knows_us_is_answered() -> None:
    frame, flags, *_ = advertised(Node(VIP6).core.receive_ndp(2, solicitation(VIP6, to=v6(VIP6), option=b"")))
    assert (frame.dst, flags) == (ASKER, ROUTER_SOLICITED_OVERRIDE)


def test_who_tests_our_address_for_itself_is_told_with_all_nodes() -> None:
    reply = Node(VIP6).core.receive_ndp(2, solicitation(VIP6, source="::", option=b""))
    frame, flags, *_ = advertised(reply)
    assert (frame.dst, frame.data.dst, flags) == (bytes.fromhex("333300000001"), v6("ff02::1"), 0b001)


@pytest.mark.parametrize(
    "frame",
    [
        solicitation(VIP6, hops=254),
        solicitation(VIP6, code=1),
        solicitation(VIP6, source="::"),
        solicitation(VIP6, source="::", to=v6(VIP6), option=b""),
        solicitation(VIP6, option=b"\x01\x00" + ASKER),
        solicitation(VIP6, option=b"\x01\x02" + ASKER),
        solicitation("ff02::1"),
        solicitation("fd00::2"),
        solicitation(VIP6, option=b"\x01\x01" + bytes.fromhex("010000000aaa")),
    ],
)
def test_what_rfc_4861_calls_invalid_or_is_not_ours_stays_unanswered(frame: bytes) -> None:
    assert Node(VIP6).core.receive_ndp(2, frame) is None


def test_an_interface_without_link_local_address_speaks_as_the_vip() -> None:
    node = Node(VIP6, interfaces=(ETH1,))
    frame, *_ = advertised(node.core.receive_ndp(3, solicitation(VIP6)))
    assert frame.data.src == v6(VIP6)


def test_a_take_over_is_announced_at_once_in_both_forms() -> None:
    node = Node(VIP)
    assert [parsed(each.frame).data.op for each in node.first] == [1, 2]
    for each in node.first:
        frame = parsed(each.frame)
        assert (each.index, frame.dst, frame.src) == (2, BROADCAST, OURS)
        assert (frame.data.sha, frame.data.spa, frame.data.tpa) == (OURS, v4(VIP), v4(VIP))


def test_an_ipv6_take_over_is_told_to_all_nodes_unasked() -> None:
    (only,) = Node(VIP6).first
    frame, flags, target, mac = advertised(only.frame)
    assert (frame.data.dst, flags, target, mac) == (v6("ff02::1"), 0b001, v6(VIP6), OURS)


def test_a_take_over_is_repeated_for_five_seconds_and_then_rarely() -> None:
    times = sorted({at for at, _ in Node(VIP).until(200.0)})
    assert [at for at in times if at <= 6.0] == [1.0, 2.0, 3.0, 4.0, 5.0]
    rare = [at for at in times if at > 6.0]
    assert rare == [60.0, 120.0, 180.0]


def test_a_thousand_take_overs_go_out_within_a_second_and_not_faster_than_the_rate() -> None:
    vips = [f"10.0.{i >> 8}.{i & 255}" for i in range(1000)]
    node = Node(*vips)
    first = [(0.0, each) for each in node.first] + [(at, each) for at, each in node.until(0.999) if at < 0.999]
    assert len({each.frame[38:42] for _, each in first}) == 1000
    assert len(node.first) <= 2 * 50


def test_repeats_and_refreshes_of_many_vips_keep_to_their_rates() -> None:
    vips = [f"10.0.{i >> 8}.{i & 255}" for i in range(3000)]
    node = Node(*vips)
    said = Counter(int(at) for at, each in node.until(300.0) if each.frame[20:22] == b"\0\1")
    assert max(count for second, count in said.items() if second >= 3) <= 200 + 20 + 10
    assert max(count for second, count in said.items() if second >= 20) <= 41


def test_a_vip_on_named_interfaces_is_answered_on_these_alone() -> None:
    node = Node(VIP, interfaces=(ETH0, ETH1), names=("eth1",))
    assert node.core.receive_arp(2, who_has(VIP)) is None
    assert node.core.receive_arp(3, who_has(VIP)) is not None
    assert {each.index for each in node.first} == {3}


def test_a_vip_that_moves_to_another_interface_is_announced_and_answered_there_alone() -> None:
    node = Node(VIP, interfaces=(ETH0, ETH1), names=("eth0",))
    assert {each.index for each in node.apply(VIP, now=1.0, names=("eth1",))} == {3}
    assert node.core.receive_arp(2, who_has(VIP)) is None
    assert node.core.receive_arp(3, who_has(VIP)) is not None
    assert {each.index for _, each in node.until(200.0)} == {3}


def test_an_interface_that_gets_the_name_a_vip_wants_answers_for_it() -> None:
    node = Node(VIP, interfaces=(ETH0,), names=("lan",))
    assert node.first == []
    node.interfaces = (Interface(2, "lan", mac=OURS, usable=True),)
    assert len(node.apply(VIP, now=1.0, names=("lan",))) == 2
    node.interfaces = (ETH0,)
    node.apply(VIP, now=2.0, names=("lan",))
    assert node.core.receive_arp(2, who_has(VIP)) is None


PORTS = {2: ETH0, 3: ETH1}
ADDRESSES = (VIP, VIP6, "10.0.0.2")
WISHES = st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from([(), ("eth0",), ("eth1",)]))


@given(st.lists(st.tuples(st.sets(st.sampled_from(list(PORTS))), WISHES), max_size=8))
def test_whatever_came_before_exactly_the_last_wish_is_answered(
    changes: list[tuple[set[int], dict[str, tuple[str, ...]]]],
) -> None:
    core = Responder(lambda: 0.5)
    for number, (indexes, wish) in enumerate(changes):
        usable = tuple(PORTS[index] for index in sorted(indexes))
        core.apply(usable, {packed(vip): names for vip, names in wish.items()}, 1000, 60.0, float(number))
        wanted = {(i, vip) for i in indexes for vip, names in wish.items() if not names or PORTS[i].name in names}
        assert {(i, vip) for i in PORTS for vip in ADDRESSES if _answers(core, i, vip)} == wanted
        assert core.counters.keys() == {packed(vip) for vip in wish}


def _answers(core: Responder, index: int, vip: str) -> bool:
    if ":" in vip:
        return core.receive_ndp(index, solicitation(vip)) is not None
    return core.receive_arp(index, who_has(vip)) is not None


def test_a_withdrawn_vip_is_silent_at_once_and_says_nothing_in_leaving() -> None:
    node = Node(VIP, "10.0.0.2")
    assert node.apply("10.0.0.2", now=0.5) == []
    assert node.core.receive_arp(2, who_has(VIP)) is None
    assert {each.frame[38:42] for _, each in node.until(300.0)} == {v4("10.0.0.2")}


def test_carrier_that_comes_back_is_announced_to_at_once() -> None:
    node = Node(VIP)
    node.interfaces = (Interface(2, "eth0", mac=OURS, usable=False, reason="no-carrier"),)
    assert node.apply(VIP, now=10.0) == []
    assert node.core.receive_arp(2, who_has(VIP)) is None
    node.interfaces = (ETH0,)
    assert len(node.apply(VIP, now=11.0)) == 2


def test_a_new_mac_is_announced_and_answered_with_at_once() -> None:
    node = Node(VIP)
    node.interfaces = (Interface(2, "eth0", mac=ASKER[::-1], usable=True),)
    assert {each.frame[6:12] for each in node.apply(VIP, now=10.0)} == {ASKER[::-1]}
    assert answer(node, who_has(VIP)).src == ASKER[::-1]


def test_applying_the_same_again_says_nothing() -> None:
    node = Node(VIP, VIP6)
    assert node.apply(VIP, VIP6, now=0.3) == []


def test_without_vips_there_is_nothing_to_wake_for() -> None:
    node = Node()
    assert node.core.deadline() is None


def test_counters_tell_what_was_asked_answered_and_announced() -> None:
    node = Node(VIP)
    node.core.receive_arp(2, who_has(VIP))
    (counted,) = node.core.counters.values()
    assert (counted.requests, counted.responses, counted.gratuitous) == (1, 1, 2)


def test_repeats_and_refreshes_take_turns_in_form() -> None:
    node = Node(VIP)
    forms = [parsed(each.frame).data.op for _, each in node.until(180.0)]
    assert forms == [1, 2, 1, 2, 1, *(1, 2, 1)]


def test_a_vip_taken_again_is_announced_as_often_as_one_taken_once() -> None:
    node = Node(VIP)
    for tenth in range(1, 10):
        node.apply(now=tenth / 10)
        node.apply(VIP, now=tenth / 10)
    assert [at for at, _ in node.until(6.5)] == pytest.approx([1.9, 2.9, 3.9, 4.9, 5.9])


def test_a_link_local_address_that_comes_later_is_used_and_announces_nothing_anew() -> None:
    node = Node(VIP6, interfaces=(ETH1,))
    node.interfaces = (Interface(3, "eth1", mac=ETH1.mac, usable=True, ipv6=("fe80::ccc",)),)
    assert node.apply(VIP6, now=0.5) == []
    frame, *_ = advertised(node.core.receive_ndp(3, solicitation(VIP6)))
    assert frame.data.src == v6("fe80::ccc")


def test_a_shorter_refresh_counts_from_the_change() -> None:
    node = Node(VIP)
    node.until(10.0)
    node.core.apply(node.interfaces, {packed(VIP): ()}, 1000, 4.0, 10.0)
    assert [at for at, _ in node.until(20.0)] == [14.0, 18.0]


@given(st.integers(1, 400), st.integers(1, 100), st.lists(st.floats(0.0, 10.0), max_size=10).map(sorted))
def test_no_change_of_vips_makes_more_frames_than_the_rate(rate: int, size: int, changes: list[float]) -> None:
    vips = [packed(f"10.0.{i >> 8}.{i & 255}") for i in range(size)]
    core = Responder(lambda: 0.5)
    times = []
    for number, at in enumerate([0.0, *changes]):
        while (due := core.deadline()) is not None and due <= at:
            times += [due] * len(core.wake(due))
        chosen: Mapping[bytes, tuple[str, ...]] = dict.fromkeys(vips[number % 2 :], ())
        times += [at] * len(core.apply((ETH0,), chosen, rate, 1.0, at))
    for first, start in enumerate(times):
        assert bisect_left(times, start + 1.0) - first <= rate * (1.0 + BURST) + 2
