"""What other stations say is heard, who asks is remembered, who speaks for ours is noticed; our own do not count."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from speakerd.layer2 import arp, ndp
from speakerd.layer2 import filter as bpf
from speakerd.layer2.responder import SPOKEN, Drop, Responder, Send, Spoken
from speakerd.model import Interface
from tests.unit.layer2.bpf import Meta, accepts
from tests.unit.layer2.frames import ASKER, OURS, solicitation, v4, v6, who_has

SECOND = bytes.fromhex("020000000ccc")
ETH0 = Interface(2, "eth0", mac=OURS, usable=True, ipv4=("10.0.0.9",), ipv6=("fe80::bbb",))
ETH1 = Interface(3, "eth1", mac=SECOND)
VIP, VIP6, OTHER, OTHER6, FOREIGN = "10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2", "10.0.0.77"
ANYBODY = "10.0.0.100"
TO_US, TO_ALL = Meta(packet_type=0), Meta(packet_type=1)


def node(*vips: str, quiet: bool = False, names: tuple[str, ...] = ()) -> Responder:
    """One that answers for `vips`, and may have to for OTHER and OTHER6; its eth1 is not in use."""
    core = Responder(lambda: 0.5)
    wanted: Mapping[bytes, tuple[str, ...]] = {ip_address(vip).packed: names for vip in vips}
    standby = frozenset({*wanted, v4(OTHER), v6(OTHER6)})
    core.apply((ETH0, ETH1), wanted, 1000, 60.0, 0.0, quiet=quiet, standby=standby)
    return core


def claim(vip: str, mac: bytes = ASKER, *, solicited: bool = False, to: str = "ff02::1", option: bool = True) -> bytes:
    """A Neighbor Advertisement of another station for `vip`; without `option` it does not repeat its MAC."""
    flags = ndp.OVERRIDE | (ndp.SOLICITED if solicited else 0)
    to_mac = ndp.multicast_mac(v6(to)) if to.startswith("ff") else OURS
    whole = ndp.advertisement(v6(vip), mac, v6("fe80::aaa"), flags, v6(to), to_mac)
    if option:
        return whole
    body = whole[54:56] + bytes(2) + whole[58:78]
    body = body[:2] + ndp.checksum(v6("fe80::aaa"), v6(to), body).to_bytes(2) + body[4:]
    return whole[:18] + len(body).to_bytes(2) + whole[20:54] + body


def numbers(*texts: str) -> list[int]:
    return [int(ip_address(text)) for text in texts]


@pytest.mark.parametrize("op", [1, 2])
@pytest.mark.parametrize("target", [OTHER, FOREIGN, "10.0.0.9"])
def test_whoever_speaks_for_an_address_on_standby_by_arp_is_heard(op: int, target: str) -> None:
    core = node(VIP)
    assert core.receive_arp(2, who_has(target, sender=OTHER, op=op)) is None
    assert core.spoken() == [Spoken(2, v4(OTHER), ASKER)]
    assert core.spoken() == []
    assert core.drops[Drop.SPEAKS_FOR_OURS] == 0


@pytest.mark.parametrize("op", [1, 2])
@pytest.mark.parametrize("target", [VIP, FOREIGN, "10.0.0.9"])
def test_whoever_speaks_for_ours_is_heard_counted_and_not_answered(op: int, target: str) -> None:
    core = node(VIP)
    assert core.receive_arp(2, who_has(target, sender=VIP, op=op)) is None
    assert core.spoken() == [Spoken(2, v4(VIP), ASKER)]
    assert core.drops[Drop.SPEAKS_FOR_OURS] == 1


@pytest.mark.parametrize(
    "frame",
    [
        claim(VIP6),
        claim(VIP6, option=False),
        claim(VIP6, to="fe80::bbb", solicited=True),
        solicitation(VIP6, source=VIP6),
    ],
)
def test_whoever_speaks_for_ours_by_ndp_is_heard_and_counted(frame: bytes) -> None:
    core = node(VIP6)
    assert core.receive_ndp(2, frame) is None
    assert core.spoken() == [Spoken(2, v6(VIP6), ASKER)]
    assert core.drops[Drop.SPEAKS_FOR_OURS] == 1


@pytest.mark.parametrize("frame", [claim(OTHER6), claim(OTHER6, to="fe80::bbb", solicited=True)])
def test_whoever_speaks_for_an_address_on_standby_by_ndp_is_heard(frame: bytes) -> None:
    core = node(VIP6)
    assert core.receive_ndp(2, frame) is None
    assert core.spoken() == [Spoken(2, v6(OTHER6), ASKER)]
    assert core.drops[Drop.SPEAKS_FOR_OURS] == 0


def test_whatever_is_answered_to_us_alone_is_heard() -> None:
    core = node(VIP, VIP6)
    core.receive_arp(2, who_has("10.0.0.9", sender=FOREIGN, op=2, to=OURS))
    core.receive_ndp(2, claim("fe80::77", to="fe80::bbb", solicited=True))
    assert core.spoken() == [Spoken(2, v4(FOREIGN), ASKER), Spoken(2, v6("fe80::77"), ASKER)]


@pytest.mark.parametrize("op", [1, 2])
def test_what_others_say_to_one_another_of_addresses_that_are_no_vips_is_not_heard(op: int) -> None:
    core = node(VIP, VIP6)
    core.receive_arp(2, who_has(ANYBODY, sender=FOREIGN, op=op))
    core.receive_ndp(2, claim("fd00::77"))
    assert core.spoken() == []


@pytest.mark.parametrize("mac", [OURS, SECOND])
def test_our_own_interfaces_that_hear_one_another_are_nobody_else(mac: bytes) -> None:
    core = node(VIP, VIP6)
    core.receive_arp(2, arp.announcement(mac, v4(VIP)))
    core.receive_arp(2, arp.unasked_reply(mac, v4(OTHER)))
    core.receive_ndp(2, claim(VIP6, mac))
    assert core.spoken() == []
    assert {drop: count for drop, count in core.drops.items() if count} == {Drop.OUR_OWN: 3}
    assert core.receive_arp(2, who_has(VIP, mac=mac)), "our own kernel may ask like any other"
    assert core.spoken() == [], "but shows nobody that we hear"


def test_on_a_segment_where_a_vip_of_ours_is_not_announced_its_address_may_be_anybodys() -> None:
    core = node(VIP, VIP6, names=("eth1",))
    core.receive_arp(2, who_has(VIP, sender=VIP))
    core.receive_ndp(2, claim(VIP6))
    assert core.spoken() == []
    assert core.drops[Drop.SPEAKS_FOR_OURS] == 0


@pytest.mark.parametrize(
    "frame",
    [
        claim(OTHER6, solicited=True),
        claim(OTHER6, bytes.fromhex("010000000aaa")),
        claim(OTHER6)[:21] + bytes((254,)) + claim(OTHER6)[22:],
        claim(OTHER6)[:-1] + bytes(1),
    ],
)
def test_an_advertisement_that_rfc_4861_calls_invalid_says_nothing(frame: bytes) -> None:
    core = node(VIP6)
    assert core.receive_ndp(2, frame) is None
    assert core.spoken() == []
    assert core.drops[Drop.MALFORMED] == 1


def test_a_test_for_a_duplicate_is_answered_to_all_and_does_not_count_as_having_the_address() -> None:
    core = node(VIP6)
    answer = core.receive_ndp(2, solicitation(VIP6, source="::", option=b""))
    assert answer is not None
    assert (answer[38:54], answer[62:78], answer[58]) == (v6("ff02::1"), v6(VIP6), 0x20)
    assert core.spoken() == []


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_what_is_cut_says_nothing(cut: int) -> None:
    core = node(VIP, VIP6)
    core.receive_arp(2, who_has(OTHER, sender=OTHER)[: min(cut, arp.LENGTH - 1)])
    core.receive_ndp(2, ndp.announcement(v6(VIP6), ASKER, v6("fe80::aaa"))[:cut])
    assert core.spoken() == []


@pytest.mark.parametrize("target", [VIP, OTHER])
def test_a_probe_has_no_address_and_so_says_nothing(target: str) -> None:
    core = node(VIP)
    core.receive_arp(2, who_has(target, sender="0.0.0.0"))  # noqa: S104
    assert core.spoken() == []


def test_who_asked_last_is_remembered_and_answered() -> None:
    core = node(VIP, VIP6)
    assert core.receive_arp(2, who_has(VIP, sender="10.0.0.50"))
    assert core.receive_arp(2, who_has(VIP))
    assert core.spoken() == [Spoken(2, v4(ANYBODY), ASKER, asks=True)]
    assert core.receive_ndp(2, solicitation(VIP6))
    assert core.spoken() == [Spoken(2, v6("fe80::aaa"), ASKER, asks=True)]


def test_who_asks_in_the_name_of_a_vip_has_it_bound_and_is_answered_all_the_same() -> None:
    core = node(VIP, VIP6)
    assert core.receive_arp(2, who_has(VIP, sender=OTHER))
    assert core.receive_ndp(2, solicitation(VIP6, source=OTHER6))
    assert core.spoken() == [Spoken(2, v4(OTHER), ASKER), Spoken(2, v6(OTHER6), ASKER)]


def test_words_of_others_are_bounded_and_repetitions_are_one() -> None:
    core = node(VIP)
    for number in range(5000):
        core.receive_arp(2, who_has("10.0.0.9", sender=f"10.1.{number >> 8}.{number & 255}", op=2, to=OURS))
    assert len(core.spoken()) == SPOKEN
    for _ in range(100):
        core.receive_arp(2, who_has(OTHER, sender=OTHER))
    assert len(core.spoken()) == 1


def test_while_quiet_questions_are_answered_and_nothing_is_announced_until_it_ends() -> None:
    core = node(VIP, quiet=True)
    assert core.deadline() is None
    assert core.wake(5.0) == []
    assert core.receive_arp(2, who_has(VIP))
    said = core.apply((ETH0,), {v4(VIP): ()}, 1000, 60.0, 6.0, quiet=False)
    assert Send(2, arp.announcement(OURS, v4(VIP))) in said


def test_what_becomes_ours_while_quiet_is_announced_within_the_rate_when_that_ends() -> None:
    core = Responder(lambda: 0.5)
    wanted: Mapping[bytes, tuple[str, ...]] = {v4(f"10.0.1.{number}"): () for number in range(200)}
    assert core.apply((ETH0,), wanted, 1000, 60.0, 0.0, quiet=True) == []
    assert core.announce(v4("10.0.1.7"), 1.0) == []
    said = core.apply((ETH0,), wanted, 1000, 60.0, 8.0)
    assert len(said) == 51, "a burst of the rate"
    assert said[0] == Send(2, arp.announcement(OURS, v4("10.0.1.7")))
    while (at := core.deadline()) is not None and at < 8.2:
        said += core.wake(at)
    assert {each.frame[38:42] for each in said} == wanted.keys()


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_announced_again_it_goes_out_at_once_in_all_forms_and_for_seconds_as_if_it_were_new(vip: str) -> None:
    core = Responder(lambda: 0.5)
    new = core.apply((ETH0,), {ip_address(vip).packed: ()}, 1000, 60.0, 0.0)
    core.wake(100.0)
    assert core.announce(ip_address(vip).packed, 100.0) == new
    times = [at for at in (100.5, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0) if core.wake(at)]
    assert times == [101.0, 102.0, 103.0, 104.0, 105.0]


def test_announced_again_it_goes_before_the_thousands_that_wait_and_within_the_rate() -> None:
    core = Responder(lambda: 0.5)
    wanted: Mapping[bytes, tuple[str, ...]] = {v4(f"10.1.{i >> 8}.{i & 255}"): () for i in range(3000)}
    core.apply((ETH0,), wanted, 1000, 60.0, 0.0)
    last = v4("10.1.11.100")
    assert core.announce(last, 0.0) == []
    assert core.wake(0.001)[0] == Send(2, arp.announcement(OURS, last))


def test_what_is_not_ours_is_not_announced() -> None:
    assert node(VIP).announce(v4(OTHER), 0.5) == []


def test_the_kernel_lets_through_who_speaks_for_a_vip_and_replies_to_us_alone() -> None:
    program = bpf.arp(bpf.merged(numbers(VIP)), bpf.merged(numbers(VIP, OTHER)))
    assert accepts(program, who_has(VIP), TO_ALL)
    assert accepts(program, who_has(OTHER, sender=OTHER), TO_ALL)
    assert accepts(program, who_has("10.0.0.77", sender=OTHER, op=2), TO_ALL)
    assert not accepts(program, who_has(OTHER), TO_ALL)
    assert accepts(program, who_has("10.0.0.9", sender="10.0.0.50", op=2, to=OURS), TO_US)
    assert not accepts(program, who_has("10.0.0.9", sender="10.0.0.50", op=2), TO_ALL)


def test_the_kernel_lets_through_advertisements_of_vips_and_those_to_us_alone() -> None:
    program = bpf.ndp(bpf.exactly(numbers(VIP6)), bpf.roughly(numbers(VIP6, OTHER6)))
    assert accepts(program, solicitation(VIP6), TO_ALL)
    assert accepts(program, claim(OTHER6), TO_ALL)
    assert not accepts(program, solicitation(OTHER6), TO_ALL)
    assert not accepts(program, claim("fd00::77"), TO_ALL)
    assert accepts(program, claim("fd00::77"), TO_US)


def test_on_standby_alone_questions_of_others_do_not_pass() -> None:
    program = bpf.arp((), bpf.merged(numbers(VIP)))
    assert not accepts(program, who_has(VIP), TO_ALL)
    assert accepts(program, who_has(VIP, sender=VIP), TO_ALL)
