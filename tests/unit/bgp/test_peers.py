"""What odd peers make of a session: strangers, the silent, those that flap, those that call twice."""

import pytest
from msgspec.structs import replace

from speakerd.bgp import opening
from speakerd.bgp.connection import COLLISION_PATIENCE, DIAL_PATIENCE, LARGE_HOLD, WONDER
from speakerd.bgp.effects import Close, Dial, Ending, Failed, Send, Up
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.frame import Kind
from speakerd.bgp.fsm import Session
from speakerd.bgp.message import KEEPALIVE
from speakerd.bgp.opening import Open
from speakerd.bgp.terms import Terms
from tests.unit.bgp.pipe import LEFT, RIGHT
from tests.unit.bgp.single import (
    ACTIVE,
    CONNECT,
    ESTABLISHED,
    IDLE,
    OPEN,
    OPEN_CONFIRM,
    OPEN_SENT,
    RUBBISH,
    closes,
    kinds,
    notifications,
    sends,
    session,
    told,
)

# -- who the peer is


@pytest.mark.parametrize(
    ("ours", "theirs", "notified"),
    [
        (LEFT, replace(RIGHT, asn=65003), (2, 2)),
        (replace(LEFT, peer_asn=0, dynamic="internal"), RIGHT, (2, 2)),
        (replace(LEFT, peer_asn=0, dynamic="external"), replace(RIGHT, asn=65001), (2, 2)),
        (replace(LEFT, peer_asn=65001), replace(RIGHT, asn=65001, identifier=LEFT.identifier), (2, 3)),
        (LEFT, replace(RIGHT, families=(IPV6, Family(25, 70))), (2, 7)),
    ],
)
def test_a_peer_that_is_not_the_one_is_told_so(ours: Terms, theirs: Terms, notified: tuple[int, int]) -> None:
    core = session(OPEN_SENT, ours)
    found = core.receive(1, opening.encode(theirs.open), 1.0)
    assert notifications(found) == [notified]
    assert core.state is ACTIVE
    assert core.last_error.startswith("sent OPEN Message Error/")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (replace(LEFT, peer_asn=0, dynamic="external"), RIGHT),
        (replace(LEFT, peer_asn=0, dynamic="internal"), replace(RIGHT, asn=65001)),
        (LEFT, replace(RIGHT, identifier=LEFT.identifier)),
        (replace(LEFT, families=(IPV4, IPV6)), replace(RIGHT, families=(IPV6,))),
    ],
)
def test_a_peer_that_is_learnt_or_has_one_family_in_common_is_welcome(ours: Terms, theirs: Terms) -> None:
    core = session(OPEN_SENT, ours)
    assert kinds(core.receive(1, opening.encode(theirs.open), 1.0)) == [Kind.KEEPALIVE]


@pytest.mark.parametrize(
    ("ours", "words"),
    [(LEFT, "not AS 65002"), (replace(LEFT, peer_asn=0, dynamic="internal"), "not an internal one")],
)
def test_the_number_of_a_stranger_is_told(ours: Terms, words: str) -> None:
    core = session(OPEN_SENT, ours)
    core.receive(1, opening.encode(replace(RIGHT, asn=65003).open), 1.0)
    assert core.last_error == f"sent OPEN Message Error/Bad Peer AS: it is AS 65003, {words}"


def test_what_is_missing_is_listed_where_no_family_is_common() -> None:
    core = session(OPEN_SENT, replace(LEFT, families=(IPV6,)))
    (data,) = sends(core.receive(1, opening.encode(Open(65002, 90, RIGHT.identifier)), 1.0))
    assert data[19:] == bytes.fromhex("0207 0104 0002 0001")


def test_a_router_without_capabilities_is_spoken_to_in_the_old_way() -> None:
    core = session(OPEN_SENT)
    (up,) = told(core.receive(1, opening.encode(Open(65002, 90, RIGHT.identifier)) + KEEPALIVE, 1.0))
    assert isinstance(up, Up)
    agreed = up.agreement
    assert (agreed.negotiated.four_octet, agreed.longest, agreed.refresh) == (False, 4096, False)
    assert agreed.negotiated.families == {IPV4}


def test_long_messages_and_next_hops_of_six_are_agreed_only_by_both() -> None:
    ours, theirs = replace(LEFT, extended_next_hop=True), replace(RIGHT, extended_next_hop=True)
    for mine, yours, both in ((ours, theirs, True), (ours, RIGHT, False), (LEFT, theirs, False)):
        core = session(OPEN_SENT, mine)
        (up,) = told(core.receive(1, opening.encode(yours.open) + KEEPALIVE, 1.0))
        assert isinstance(up, Up)
        assert up.agreement.negotiated.extended_next_hop is both
        assert up.agreement.longest == 65535


# -- peers that do nothing good


def test_a_peer_that_takes_the_call_and_says_nothing_is_given_up_after_four_minutes() -> None:
    core = session(OPEN_SENT)
    core.wake(WONDER)
    assert core.wake(LARGE_HOLD - 0.1) == []
    assert notifications(core.wake(LARGE_HOLD)) == [(4, 0)]
    assert core.last_error == "sent Hold Timer Expired"


def test_a_peer_that_takes_the_call_and_says_nothing_is_told_of_once_and_long_before() -> None:
    core = session(OPEN_SENT)
    assert core.deadline() == WONDER
    assert core.wake(WONDER) == [Failed(Ending("connected, but its OPEN does not come"))]
    assert (core.state, core.last_error) == (OPEN_SENT, "connected, but its OPEN does not come")
    assert core.wake(WONDER + 1.0) == []
    assert kinds(core.receive(1, OPEN, WONDER + 2.0)) == [Kind.KEEPALIVE]


def test_a_peer_without_hold_time_that_never_confirms_is_given_up_as_well() -> None:
    core = session(OPEN_SENT)
    core.receive(1, opening.encode(replace(RIGHT, hold_time=0).open), 1.0)
    assert (core.state, core.deadline()) == (OPEN_CONFIRM, 1.0 + LARGE_HOLD)
    assert notifications(core.wake(1.0 + LARGE_HOLD)) == [(4, 0)]


def test_a_stranger_who_calls_each_second_and_talks_rubbish_slows_down_nothing_but_himself() -> None:
    core = session(ACTIVE, replace(LEFT, connect_time=30))
    due = core.deadline()
    for number in range(100, 120):
        core.accepted(number, number / 100)
        found = core.receive(number, RUBBISH, number / 100)
        assert (notifications(found), closes(found)) == ([(1, 1)], [number])
        assert (core.state, core.last_error) == (ACTIVE, "sent Message Header Error/Connection Not Synchronized")
    assert core.deadline() == due


def test_a_call_that_nobody_answers_is_given_up() -> None:
    core = session(CONNECT)
    assert core.deadline() == DIAL_PATIENCE
    found = core.wake(DIAL_PATIENCE)
    assert closes(found) == [1]
    assert core.last_error == "connection timed out"


def test_calls_that_fail_come_ever_later_up_to_half_a_minute() -> None:
    core, now, waits = session(CONNECT), 0.0, []
    for number in range(1, 10):
        core.closed(number, "connection refused", now)
        due = core.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
        core.wake(now)
    # The first failure has doubled the wait already; 0.875 is the jitter of these tests.
    assert waits == pytest.approx([2 * 0.875, 4 * 0.875, 8 * 0.875, 16 * 0.875] + [30 * 0.875] * 5)
    assert core.last_error == "connection refused"


def up_and_down(core: Session, number: int, now: float, lasts: float) -> float:
    """Bring it up by the connection it dials, then have the peer close; how long it waits then."""
    core.connected(number, now)
    core.receive(number, OPEN + KEEPALIVE, now)
    assert core.state is ESTABLISHED
    core.closed(number, "connection reset", now + lasts)
    due = core.deadline()
    assert due is not None
    core.wake(due)
    return due - now - lasts


def test_a_peer_that_flaps_is_called_ever_less_often_until_a_session_lasts() -> None:
    core, now, waits = session(CONNECT), 0.0, []
    for number, lasts in enumerate((1.0, 1.0, 1.0, 6.0, 1.0), 1):
        waits.append(up_and_down(core, number, now, lasts) / 0.875)
        now += lasts + waits[-1] * 0.875
    assert waits == pytest.approx([2, 4, 8, 1, 2])


def test_the_configured_connect_time_is_the_first_wait() -> None:
    core = session(ESTABLISHED, replace(LEFT, connect_time=40))
    core.closed(1, "connection reset", 100.0)
    assert core.deadline() == pytest.approx(100 + 40 * 0.875)


# -- passive, and opened by one side alone


def test_a_passive_session_never_dials_and_comes_up_when_it_is_called() -> None:
    core = session(IDLE, replace(LEFT, dials=False))
    assert core.start(0.0) == []
    assert (core.state, core.deadline()) == (ACTIVE, None)
    assert kinds(core.accepted(7, 1.0)) == [Kind.OPEN]
    core.receive(7, OPEN + KEEPALIVE, 1.0)
    assert core.state is ESTABLISHED
    core.closed(7, "connection reset", 9.0)
    assert (core.state, core.deadline()) == (ACTIVE, None)


def test_who_does_not_accept_closes_what_comes_unasked() -> None:
    core = session(CONNECT, replace(LEFT, accepts=False))
    assert core.accepted(7, 1.0) == [Close(7)]


# -- two connections


def test_a_third_connection_is_closed_at_once_without_a_word() -> None:
    core = session(OPEN_SENT)
    core.accepted(98, 0.0)
    assert core.accepted(99, 0.0) == [Close(99)]


def test_a_silent_caller_does_not_keep_us_from_calling() -> None:
    core = session(ACTIVE)
    core.accepted(98, 0.0)
    assert core.wake(5.0) == [Dial(2)]


def test_the_connection_of_the_lower_identifier_waits_for_the_others_open_but_not_for_ever() -> None:
    core = session(OPEN_SENT, replace(LEFT, identifier=bytes((200, 0, 0, 1))))
    core.accepted(98, 0.0)
    assert sends(core.receive(98, OPEN, 0.0)) == []
    assert core.receive(98, KEEPALIVE, 0.1) == []
    found = core.wake(COLLISION_PATIENCE)
    assert closes(found) == [1]
    assert notifications(found) == [(6, 7)]
    assert core.state is ESTABLISHED
    assert core.last_error == ""


def test_a_connection_waits_no_longer_than_the_peers_hold_time_allows() -> None:
    core = session(OPEN_SENT, replace(LEFT, identifier=bytes((200, 0, 0, 1)), hold_time=9))
    core.accepted(98, 0.0)
    core.receive(98, OPEN, 0.0)
    assert core.deadline() == 3.0
    assert core.wake(3.0)[-1] == Send(98, KEEPALIVE)


def test_a_connection_that_waited_comes_up_when_the_other_ends() -> None:
    core = session(OPEN_SENT, replace(LEFT, identifier=bytes((200, 0, 0, 1))))
    core.accepted(98, 0.0)
    core.receive(98, OPEN, 0.0)
    assert kinds(core.closed(1, "connection reset", 0.1)) == [Kind.KEEPALIVE]
    assert (core.state, core.last_error) == (OPEN_CONFIRM, "")


def test_a_session_is_missing_from_the_end_of_the_last_one_that_lasted() -> None:
    core = session(ACTIVE)
    assert (core.missing_since, core.flaps) == (0.0, 0)
    for number, (begin, end) in enumerate([(10.0, 11.0), (12.0, 13.0), (20.0, 30.0), (40.0, 41.0)], 100):
        core.accepted(number, begin)
        core.receive(number, OPEN + KEEPALIVE, begin)
        assert core.state is ESTABLISHED
        core.closed(number, "connection reset", end)
        assert (core.missing_since, core.flaps) == {11.0: (0.0, 1), 13.0: (0.0, 2), 30.0: (30.0, 0), 41.0: (30.0, 1)}[
            end
        ]
