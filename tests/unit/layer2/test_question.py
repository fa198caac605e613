"""The wire is asked in our own name, in a form that every host heeds, and never in the name of a VIP."""

from ipaddress import ip_address

import pytest
from dpkt.arp import ARP

from speakerd.layer2 import ndp
from speakerd.layer2.responder import Responder
from speakerd.model import Interface
from tests.unit.layer2.frames import ASKER, BROADCAST, OURS, group_of, parsed, v4, v6

LINK_LOCAL = "fe80::bbb"
NOBODY = bytes(4)


def asked(target: str, *own: str, to: bytes = b"", ours: tuple[str, ...] = (), standby: tuple[str, ...] = ()) -> bytes:
    """The frame by which a node with addresses `own`, that answers for `ours`, asks for `target`."""
    core = Responder(lambda: 0.5)
    ipv4, ipv6 = (tuple(each for each in own if (":" in each) == six) for six in (False, True))
    interface = Interface(2, "eth0", mac=OURS, usable=True, ipv4=ipv4, ipv6=ipv6)
    vips: dict[bytes, tuple[str, ...]] = {ip_address(each).packed: () for each in ours}
    known = frozenset({*vips, *(ip_address(each).packed for each in standby)})
    core.apply((interface,), vips, 1000, 60.0, 0.0, standby=known)
    (found,) = core.ask(2, ip_address(target).packed, to)
    assert found.index == 2
    return found.frame


@pytest.mark.parametrize(("to", "seen"), [(b"", BROADCAST), (ASKER, ASKER)])
def test_an_arp_question_is_a_request_of_ours_to_all_or_to_one_mac(to: bytes, seen: bytes) -> None:
    frame = parsed(asked("10.0.0.2", "10.0.0.9", to=to))
    question: ARP = frame.data
    assert (frame.dst, frame.src) == (seen, OURS)
    assert (question.op, question.sha, question.spa) == (1, OURS, v4("10.0.0.9"))
    assert (question.tha, question.tpa) == (bytes(6), v4("10.0.0.2"))


@pytest.mark.parametrize(
    ("target", "own", "sender"),
    [
        ("10.0.0.2", ("192.168.7.9", "10.0.0.9"), v4("10.0.0.9")),
        ("192.168.7.2", ("10.0.0.9", "192.168.7.9", "192.168.200.9"), v4("192.168.7.9")),
        ("192.168.7.2", ("10.0.0.9",), NOBODY),
        ("10.0.0.2", (), NOBODY),
    ],
)
def test_the_sender_is_our_address_on_the_targets_network_or_nobody(
    target: str, own: tuple[str, ...], sender: bytes
) -> None:
    assert asked(target, *own)[28:32] == sender


@pytest.mark.parametrize(("ours", "standby"), [(("10.0.0.1",), ()), ((), ("10.0.0.1",))])
def test_a_vip_that_is_bound_here_is_no_sender(ours: tuple[str, ...], standby: tuple[str, ...]) -> None:
    assert asked("10.0.0.2", "10.0.0.1", ours=ours, standby=standby)[28:32] == NOBODY
    own = ("10.0.0.1", "10.0.0.9")
    assert asked("10.0.0.2", *own, ours=ours, standby=standby)[28:32] == v4("10.0.0.9")


def test_a_solicitation_goes_to_the_group_from_our_link_local_address_with_our_mac() -> None:
    raw = asked("fd00::2", "fd00::9", LINK_LOCAL)
    frame = parsed(raw)
    assert (frame.dst, frame.data.dst) == (b"\x33\x33" + group_of("fd00::2")[12:], group_of("fd00::2"))
    found = ndp.decode(raw)
    assert (found.target, found.source, found.mac) == (v6("fd00::2"), v6(LINK_LOCAL), OURS)
    assert raw[78:80] == b"\x01\x01", "RFC 4861 section 4.3 wants our MAC in it"


def test_a_solicitation_to_one_mac_goes_to_the_address_itself() -> None:
    raw = asked("fd00::2", LINK_LOCAL, to=ASKER)
    frame = parsed(raw)
    assert (frame.dst, frame.data.dst) == (ASKER, v6("fd00::2"))
    assert ndp.decode(raw).target == v6("fd00::2")


def test_without_a_link_local_address_another_of_ours_asks_and_never_a_vip() -> None:
    raw = asked("fd00::2", "fd00::1", "fd00::9", "2001:db8::9", ours=("fd00::1",))
    assert ndp.decode(raw).source == v6("fd00::9")


@pytest.mark.parametrize("to", [b"", ASKER])
def test_without_any_address_the_question_is_a_test_for_a_duplicate_as_rfc_4862_has_it(to: bytes) -> None:
    raw = asked("fd00::2", to=to)
    found = ndp.decode(raw)
    assert (found.source, len(raw)) == (ndp.UNSPECIFIED, 78), "no source, and so no option either"
    assert raw[38:54] == group_of("fd00::2")
    assert raw[:6] == to or raw[:6] == b"\x33\x33" + group_of("fd00::2")[12:]


def test_on_an_interface_that_is_gone_nothing_is_asked() -> None:
    core = Responder(lambda: 0.5)
    core.apply((Interface(2, "eth0", mac=OURS, reason="down"),), {}, 1000, 60.0, 0.0)
    assert core.ask(2, v4("10.0.0.2"), b"") == core.ask(9, v4("10.0.0.2"), b"") == []


def test_new_addresses_of_ours_are_used_at_once() -> None:
    core = Responder(lambda: 0.5)
    core.apply((Interface(2, "eth0", mac=OURS, usable=True),), {}, 1000, 60.0, 0.0)
    core.apply((Interface(2, "eth0", mac=OURS, usable=True, ipv4=("10.0.0.9",)),), {}, 1000, 60.0, 1.0)
    assert core.ask(2, v4("10.0.0.2"), b"")[0].frame[28:32] == v4("10.0.0.9")
