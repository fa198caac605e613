"""Events: each change is told once, with when, who and why; the ring is bounded and outlives what is written badly."""

from ipaddress import ip_address

import pytest
from msgspec.structs import replace

from speakerd import events
from speakerd.events import Event, Ring
from speakerd.exchange import Claim, Facts, Happening, Observed
from speakerd.model import Interface

VIP = ip_address("10.0.0.1")
OTHER = ip_address("fd00::1")
FACTS = Facts(pid=7, started=5.0)
OFFSET = 1_000_000_000.0
ETH0 = Interface(2, "eth0", b"\2\0\0\0\0\1", up=True, carrier=True, usable=True)


def claim(owner: str, *, at: float = 20.0, cause: str = "first", **more: object) -> Claim:
    return replace(Claim(VIP.packed, 3, owner, at, cause), **more)


def seen(*claims: Claim, happenings: tuple[Happening, ...] = (), facts: Facts = FACTS) -> Observed:
    return Observed((ETH0,), {each.ip: each for each in claims}, facts=facts, happenings=happenings)


def changes(before: Observed, after: Observed) -> list[Event]:
    return events.changes(before, after, "me", 30.0, OFFSET)


@pytest.mark.parametrize(
    ("before", "after", "word", "owner", "previous"),
    [
        ("", "me", "vip.owned", "me", ""),
        ("b", "me", "vip.owned", "me", "b"),
        ("me", "b", "vip.left", "b", "me"),
        ("me", "", "vip.left", "", "me"),
        ("b", "c", "vip.moved", "c", "b"),
        ("b", "", "vip.withdrawn", "", "b"),
    ],
)
def test_a_vip_that_changes_hands_is_told_from_this_node_s_side(
    before: str, after: str, word: str, owner: str, previous: str
) -> None:
    known = (claim(before),) if before else ()
    (told,) = changes(seen(*known), seen(claim(after, at=21.5, cause="drain")))
    assert (told.event, told.subject, told.owner, told.previous) == (word, "10.0.0.1", owner, previous)
    assert (told.cause, told.epoch, told.time) == ("drain", 3, events.stamp(OFFSET + 21.5))


def test_the_gap_of_a_death_is_told_in_milliseconds() -> None:
    (told,) = changes(seen(claim("b")), seen(claim("me", cause="owner-dead", previous="b", gap=0.16349)))
    assert told.gap == 0.163
    assert events.sentence(told) == "me, before b: owner-dead, 0.163 s after it was last heard (epoch 3)"


def test_another_heir_or_epoch_of_the_same_owner_is_no_event() -> None:
    assert changes(seen(claim("b")), seen(claim("b", at=29.0, heir="c", version=2, epoch=4))) == []


def test_happenings_are_told_once_and_those_of_a_new_announcer_from_its_first() -> None:
    first, second = (Happening(n, 10.0 + n, "member.dead", f"n{n}") for n in (1, 2))
    before = seen(happenings=(first,))
    (told,) = changes(before, seen(happenings=(first, second)))
    assert (told.event, told.subject, told.time) == ("member.dead", "n2", events.stamp(OFFSET + 12.0))
    anew = seen(happenings=(first,), facts=Facts(pid=8, started=29.0, restarts=1))
    assert [each.event for each in changes(before, anew)] == ["member.dead", "announcer.restarted"]


def test_events_come_in_the_order_in_which_things_happened() -> None:
    dead = Happening(1, 19.9, "member.dead", "b")
    told = changes(seen(claim("b")), seen(claim("me", at=20.0, cause="owner-dead"), happenings=(dead,)))
    assert [each.event for each in told] == ["member.dead", "vip.owned"]


@pytest.mark.parametrize(
    ("after", "word", "detail"),
    [
        ((ETH0,), "", ""),
        ((replace(ETH0, ipv6=("fe80::1",)),), "", ""),
        ((replace(ETH0, usable=False, carrier=False),), "interface.changed", "not used: no carrier"),
        ((replace(ETH0, usable=False, reason="excluded"),), "interface.changed", "not used: excluded"),
        ((), "interface.gone", ""),
    ],
)
def test_an_interface_is_told_when_its_use_changes(after: tuple[Interface, ...], word: str, detail: str) -> None:
    told = changes(Observed((ETH0,), facts=FACTS), Observed(after, facts=FACTS))
    assert [(each.event, each.subject, each.detail) for each in told] == ([(word, "eth0", detail)] if word else [])


def test_the_first_look_at_the_interfaces_is_no_change_of_them() -> None:
    assert changes(Observed(), Observed((ETH0,), facts=FACTS)) == []


def test_a_member_is_told_with_what_it_was_before() -> None:
    assert events.sentence(Event(event="member.dead", subject="b", detail="suspect")) == "was suspect"
    assert events.sentence(Event(event="member.alive", subject="b", detail="stalled")) == "stalled"
    assert events.sentence(Event(event="node.paused", subject="b", detail="0.300 s")) == "0.300 s"


def test_what_happened_while_no_controller_looked_is_told_by_the_next_one() -> None:
    known = events.stamp(OFFSET + 15.0)
    old = Happening(1, 14.0, "member.dead", "b")
    new = Happening(2, 16.0, "member.alive", "b")
    told = events.missed(seen(claim("me", at=14.5), happenings=(old, new)), "me", OFFSET, known)
    assert [each.event for each in told] == ["member.alive"]
    assert len(events.missed(seen(claim("me", at=14.5), happenings=(old, new)), "me", OFFSET, "")) == 3


def test_a_ring_numbers_on_and_forgets_the_oldest() -> None:
    ring = Ring()
    ring.add([events.said("settings.reloaded", 0.0)] * (events.KEPT + 5))
    told = ring.told()
    assert (len(told.events), told.events[0].number, told.last) == (events.KEPT, 6, events.KEPT + 5)
    assert [each.number for each in ring.told(after=ring.last - 2).events] == [ring.last - 1, ring.last]


def test_a_reader_who_is_ahead_of_a_ring_that_began_anew_gets_all_of_it() -> None:
    ring = Ring()
    ring.add([events.said("node.drained", 0.0)])
    assert len(ring.told(after=500).events) == 1


def test_events_before_a_time_are_left_out() -> None:
    ring = Ring()
    ring.add([events.said("a", 100.0), events.said("b", 200.5), events.said("c", 200.6)])
    assert [each.event for each in ring.told(since=events.stamp(200.5)).events] == ["b", "c"]


def test_the_last_events_of_an_address_are_found() -> None:
    ring = Ring()
    ring.add([events.said(word, 0.0, subject) for word, subject in [("a", "x"), ("b", "y"), ("c", "x"), ("d", "x")]])
    assert [each.event for each in ring.about("x", 2)] == ["c", "d"]


def test_lines_that_are_no_events_or_out_of_order_are_passed_over() -> None:
    kept = Ring().add([events.said("a", 1.0), events.said("b", 2.0), events.said("c", 3.0)])
    first, second, third = map(events.line, kept)
    data = first + b"\xff\xfe\n{}\n[1]\n" + second[:10] + b"\n" + first + b"\n" + third
    assert events.read(data) == [kept[0], kept[2]]


def test_what_is_written_reads_back_the_same() -> None:
    told = changes(seen(claim("b")), seen(claim("me", cause="owner-dead", previous="b", gap=0.2)))
    kept = Ring().add(told)
    assert events.read(b"".join(map(events.line, kept))) == kept


def test_a_line_says_nothing_of_what_is_not_known() -> None:
    (told,) = Ring().add(changes(seen(), seen(claim("b"))))
    assert b"gap" not in events.line(told)
    assert b"previous" not in events.line(told)


def test_log_fields_are_those_that_say_something() -> None:
    (told,) = changes(seen(), seen(claim("me")))
    assert events.fields(told) == {"subject": "10.0.0.1", "owner": "me", "cause": "first", "epoch": 3}
