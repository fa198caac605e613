"""What other stations say is heard, asked for and corrected; who asks is remembered; the quiet say nothing."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest
from dpkt.arp import ARP

from speakerd.layer2 import arp, ndp
from speakerd.layer2 import filter as bpf
from speakerd.layer2.responder import Drop, Responder, Send, Spoken
from speakerd.model import Interface
from tests.unit.layer2.bpf import Meta, accepts
from tests.unit.layer2.frames import ASKER, BROADCAST, OURS, parsed, solicitation, v4, v6, who_has

ETH0 = Interface(2, "eth0", mac=OURS, usable=True, ipv4=("10.0.0.9",), ipv6=("fe80::bbb",))
VIP, VIP6, OTHER = "10.0.0.1", "fd00::1", "10.0.0.2"
TO_US, TO_ALL = Meta(packet_type=0), Meta(packet_type=1)


def node(*vips: str, quiet: bool = False) -> Responder:
    core = Responder(lambda: 0.5)
    wanted: Mapping[bytes, tuple[str, ...]] = {ip_address(vip).packed: () for vip in vips}
    core.apply((ETH0,), wanted, 1000, 60.0, 0.0, quiet=quiet)
    return core


def numbers(*texts: str) -> list[int]:
    return [int(ip_address(text)) for text in texts]


@pytest.mark.parametrize("op", [1, 2])
def test_whoever_speaks_for_an_address_by_arp_is_heard(op: int) -> None:
    core = node(VIP)
    assert core.receive_arp(2, who_has(OTHER, sender=OTHER, op=op)) is None
    assert core.spoken() == [Spoken(2, v4(OTHER), ASKER)]
    assert core.spoken() == []


def test_whoever_advertises_an_address_by_ndp_is_heard() -> None:
    core = node(VIP6)
    theirs = ndp.announcement(v6(VIP6), ASKER, v6("fe80::aaa"))
    assert core.receive_ndp(2, theirs) is None
    assert core.spoken() == [Spoken(2, v6(VIP6), ASKER)]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_what_is_cut_says_nothing(cut: int) -> None:
    core = node(VIP, VIP6)
    core.receive_arp(2, who_has(OTHER, sender=OTHER)[: min(cut, arp.LENGTH - 1)])
    core.receive_ndp(2, ndp.announcement(v6(VIP6), ASKER, v6("fe80::aaa"))[:cut])
    assert core.spoken() == []


def test_a_probe_has_no_address_and_so_says_nothing() -> None:
    core = node(VIP)
    core.receive_arp(2, who_has(OTHER, sender="0.0.0.0"))  # noqa: S104
    assert core.spoken() == []


def test_who_asked_last_is_remembered_and_answered() -> None:
    core = node(VIP)
    assert core.receive_arp(2, who_has(VIP))
    assert core.spoken() == [Spoken(2, v4("10.0.0.100"), ASKER, asks=True)]


def test_who_claims_ours_while_asking_for_it_is_heard_and_not_answered() -> None:
    core = node(VIP)
    assert core.receive_arp(2, who_has(VIP, sender=VIP)) is None
    assert core.spoken() == [Spoken(2, v4(VIP), ASKER)]
    assert core.drops[Drop.SPEAKS_FOR_OURS] == 1


def test_words_of_others_are_bounded() -> None:
    core = node(VIP)
    for number in range(5000):
        core.receive_arp(2, who_has(OTHER, sender=f"10.1.{number >> 8}.{number & 255}", op=2))
    assert len(core.spoken()) <= 1024


def test_an_arp_question_carries_our_own_address_and_never_a_vip() -> None:
    (asked,) = node(VIP).ask(2, v4(OTHER), b"")
    frame = parsed(asked.frame)
    question: ARP = frame.data
    assert (frame.dst, question.op, question.spa, question.tpa) == (BROADCAST, 1, v4("10.0.0.9"), v4(OTHER))


def test_a_question_to_one_mac_goes_to_that_one_alone() -> None:
    core = node(VIP, VIP6)
    assert all(each.frame[:6] == ASKER for ip in (v4(OTHER), v6(VIP6)) for each in core.ask(2, ip, ASKER))


def test_our_solicitation_is_one_that_others_accept() -> None:
    (asked,) = node(VIP6).ask(2, v6(VIP6), b"")
    found = ndp.decode(asked.frame)
    assert (found.target, found.mac, found.source) == (v6(VIP6), OURS, v6("fe80::bbb"))


def test_on_an_interface_that_is_gone_nothing_is_asked() -> None:
    assert node(VIP).ask(9, v4(OTHER), b"") == []


def test_while_quiet_questions_are_answered_and_nothing_is_announced_until_it_ends() -> None:
    core = node(VIP, quiet=True)
    assert core.deadline() is None
    assert core.wake(5.0) == []
    assert core.receive_arp(2, who_has(VIP))
    said = core.apply((ETH0,), {v4(VIP): ()}, 1000, 60.0, 6.0, quiet=False)
    assert Send(2, arp.announcement(OURS, v4(VIP))) in said


def test_announced_again_it_goes_out_at_once_as_if_it_were_new() -> None:
    core = node(VIP)
    core.wake(1.0)
    assert core.announce(v4(VIP), 2.0)[0] == Send(2, arp.announcement(OURS, v4(VIP)))
    assert core.announce(v4(OTHER), 2.0) == []


def test_the_kernel_lets_through_who_speaks_for_a_vip_and_replies_to_us_alone() -> None:
    program = bpf.arp(bpf.merged(numbers(VIP)), bpf.merged(numbers(VIP, OTHER)))
    assert accepts(program, who_has(VIP), TO_ALL)
    assert accepts(program, who_has(OTHER, sender=OTHER), TO_ALL)
    assert accepts(program, who_has("10.0.0.77", sender=OTHER, op=2), TO_ALL)
    assert not accepts(program, who_has(OTHER), TO_ALL)
    assert accepts(program, who_has("10.0.0.9", sender="10.0.0.50", op=2, to=OURS), TO_US)
    assert not accepts(program, who_has("10.0.0.9", sender="10.0.0.50", op=2), TO_ALL)


def test_the_kernel_lets_through_advertisements_of_vips_and_those_to_us_alone() -> None:
    program = bpf.ndp(numbers(VIP6), numbers(VIP6, "fd00::2"))
    stranger = ndp.announcement(v6("fd00::2"), ASKER, v6("fe80::aaa"))
    unknown = ndp.announcement(v6("fd00::77"), ASKER, v6("fe80::aaa"))
    assert accepts(program, solicitation(VIP6), TO_ALL)
    assert accepts(program, stranger, TO_ALL)
    assert not accepts(program, solicitation("fd00::2"), TO_ALL)
    assert not accepts(program, unknown, TO_ALL)
    assert accepts(program, unknown, TO_US)


def test_on_standby_alone_questions_of_others_do_not_pass() -> None:
    program = bpf.arp((), bpf.merged(numbers(VIP)))
    assert not accepts(program, who_has(VIP), TO_ALL)
    assert accepts(program, who_has(VIP, sender=VIP), TO_ALL)
