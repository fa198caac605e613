"""Mail by UDP on this host's loopback: what members say arrives as they said it, all else is counted."""

import socket
import time
from collections.abc import Iterator

import pytest

from speakerd.exchange import Key, MembershipSettings
from speakerd.membership import message
from speakerd.membership.envelope import Carrier, Envelope, Kind
from speakerd.membership.keys import Keyring
from speakerd.membership.transport import MESSAGES_A_TURN, NOT_LISTENING, PORT_TAKEN
from tests.unit.membership.boxes import NOW, Box, free_port
from tests.unit.membership.mesh_keys import NEW, OLD, member

PORT = free_port()
A, B, C = "127.0.0.2", "127.0.0.3", "127.0.0.4"
RECORDS = member("a", NEW, addresses=(A,)), member("b", NEW, addresses=(B,)), member("c", OLD)


def settings(bind: str, *peers: str, port: int = PORT) -> MembershipSettings:
    return MembershipSettings(bind=bind, port=port, peers=peers)


@pytest.fixture
def a() -> Iterator[Box]:
    box = Box("a", boot=11)
    box.apply(RECORDS, settings(A, B))
    yield box
    box.close()


@pytest.fixture
def b() -> Iterator[Box]:
    box = Box("b", boot=22)
    box.apply(RECORDS, settings(B, A))
    yield box
    box.close()


@pytest.fixture
def stranger() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind((C, PORT))
        end.setblocking(False)
        yield end


def test_a_message_arrives_as_it_was_said(a: Box, b: Box) -> None:
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    a.say("b", b"alive")
    (heard,) = b.drain()
    after = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    assert (heard.sender, heard.boot, heard.receiver) == ("a", 11, "b")
    assert (heard.carrier, heard.index, heard.kind, heard.body) == (Carrier.UDP, 0, Kind.HEARTBEAT, b"alive")
    assert before <= heard.sequence <= heard.received <= after
    assert a.mail.counters == {"sent": 1}
    assert b.mail.counters == {"received": 1}


def test_a_message_for_nobody_in_particular_goes_to_the_peers_of_the_settings(a: Box, b: Box) -> None:
    a.say("")
    assert [each.receiver for each in b.drain()] == [""]


def test_sequences_rise_strictly_even_while_the_clock_stands_still(b: Box) -> None:
    times = iter((500, 500, 500, 499, 900))
    still = Box("a", clock=lambda: next(times))
    still.apply(RECORDS, settings(A))
    for _ in range(5):
        still.say("b")
    assert [each.sequence for each in b.drain()] == [500, 501, 502, 503, 900]
    still.close()


def test_an_announcer_started_again_goes_on_counting(a: Box, b: Box) -> None:
    for _ in range(50):
        a.say("b")
    a.close()
    again = Box("a", boot=11)
    again.apply(RECORDS, settings(A))
    again.say("b")
    sequences = [each.sequence for each in b.drain()]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 51
    again.close()


def test_what_is_signed_by_another_secret_is_refused(a: Box, b: Box) -> None:
    a.apply(RECORDS, settings(A), keys=(Key(NEW.id, b"guessed"),))
    a.say("b")
    assert not b.drain()
    assert b.mail.counters == {"unauthentic": 1}


def test_without_a_key_nothing_is_said_and_nothing_believed(a: Box, b: Box) -> None:
    b.apply(RECORDS, settings(B), keys=())
    a.say("b")
    b.say("a")
    assert not a.drain()
    assert not b.drain()
    assert b.mail.counters == {"unauthentic": 1, "no-key": 1}


def test_who_reports_the_older_key_gets_messages_under_it_and_who_reports_none_under_each(
    a: Box, stranger: socket.socket
) -> None:
    for records in ((member("c", OLD, addresses=(C,)),), (member("c", addresses=(C,)),)):
        a.apply((*RECORDS[:2], *records), settings(A), keys=(NEW, OLD))
        a.say("c")
    ring = Keyring((NEW, OLD))
    heard = [stranger.recv(2000) for _ in range(3)]
    assert [message.key_of(each).hex() for each in heard] == [OLD.id, NEW.id, OLD.id]
    sequences = [message.decode(each, ring, Carrier.UDP).sequence for each in heard]
    assert sequences[0] < sequences[1] == sequences[2]


def test_who_signs_with_the_newest_key_is_answered_under_it_whatever_its_record_says(a: Box, b: Box) -> None:
    a.apply(RECORDS, settings(A), keys=(NEW, OLD))
    b.apply((member("a", OLD, addresses=(A,)), member("b", OLD)), settings(B), keys=(NEW, OLD))
    a.say("b")
    assert b.drain()
    a.apply(RECORDS[:2], settings(A), keys=(NEW, OLD))
    b.say("a")
    assert a.drain(), "the older key is not believed any more"


def said(sender: str, receiver: str, boot: int = 1, sequence: int = 1, body: bytes = b"") -> bytes:
    """A message under our key."""
    envelope = Envelope(sender, boot, receiver, Carrier.UDP, 0, sequence, Kind.HEARTBEAT, body)
    return message.encode(envelope, Keyring((NEW,)).signers("")[0])


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (said("a", "c"), "other-receiver"),
        (said("b", "", boot=22), "own"),
        (said("a", "b") + bytes(1200), "malformed"),
        (said("a", "b")[:-1], "malformed"),
        (b"\0\1ping", "foreign"),
        (b"", "foreign"),
    ],
    ids=["for another", "our own", "too long", "cut", "memberlist", "nothing"],
)
def test_what_is_not_for_us_is_counted_and_nothing_else(
    b: Box, stranger: socket.socket, data: bytes, word: str
) -> None:
    stranger.sendto(data, (B, PORT))
    assert not b.drain()
    assert b.mail.counters == {word: 1}


def test_another_host_of_our_name_is_heard(b: Box, stranger: socket.socket) -> None:
    stranger.sendto(said("b", "", boot=99), (B, PORT))
    assert [each.boot for each in b.drain()] == [99]


def test_a_message_said_again_is_passed_on_but_moves_nobody(a: Box, b: Box, stranger: socket.socket) -> None:
    stranger.sendto(old := said("a", "b", sequence=5), (B, PORT))
    b.drain()
    assert b.mail.ways.addresses("a", NOW) == ((C, PORT),)
    a.say("b")
    b.drain()
    stranger.sendto(old, (B, PORT))
    assert [each.sequence == 5 for each in b.drain()] == [True, False, True]
    assert b.mail.ways.addresses("a", NOW) == ((A, PORT),)


def test_one_turn_takes_a_share_of_what_waits(a: Box, b: Box) -> None:
    for _ in range(MESSAGES_A_TURN + 10):
        a.say("b")
    b.turn()
    assert len(b.received) == MESSAGES_A_TURN
    assert len(b.drain()) == MESSAGES_A_TURN + 10


def test_what_waits_is_discarded_and_what_comes_after_is_heard(a: Box, b: Box) -> None:
    for _ in range(100):
        a.say("b", b"old")
    b.mail.discard()
    a.say("b", b"new")
    assert [each.body for each in b.drain()] == [b"new"]
    assert b.mail.counters["discarded"] == 100


def test_a_body_that_does_not_fit_is_counted_and_not_sent(a: Box, b: Box) -> None:
    a.say("b", bytes(message.room("a", "b")))
    a.say("b", bytes(message.room("a", "b") + 1))
    assert len(b.drain()) == 1
    assert a.mail.counters == {"sent": 1, "too-long": 1}


def test_a_network_that_is_not_there_loses_messages_and_no_more(a: Box) -> None:
    a.apply((member("b", NEW, addresses=("255.255.255.255", "2001:db8::1")),), settings(A))
    a.say("b")
    a.say("nobody")
    assert a.mail.counters.total() == a.mail.counters["blocked"] + a.mail.counters["not-sent"] == 1


def test_a_port_that_another_has_is_told_and_taken_when_it_is_free(a: Box, b: Box) -> None:
    b.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((B, PORT))
        late = Box("b")
        late.apply(RECORDS, settings(B))
        assert late.mail.problems == {PORT_TAKEN: f"port {PORT}/udp taken"}
        due = late.mail.deadline()
        assert due is not None
        assert NOW < due <= NOW + 10
        late.mail.wake(due)
        assert PORT_TAKEN in late.mail.problems
        later = late.mail.deadline()
        assert later is not None
        assert later > due
    late.mail.wake(later - 0.1)
    assert late.mail.problems
    late.mail.wake(later)
    assert not late.mail.problems
    assert late.mail.deadline() is None
    a.say("b")
    assert late.drain()
    late.close()


def test_an_address_that_this_host_does_not_have_is_told() -> None:
    box = Box("a")
    box.apply(RECORDS, settings("192.0.2.77"))
    assert list(box.mail.problems) == [NOT_LISTENING]
    assert "192.0.2.77" in box.mail.problems[NOT_LISTENING]
    assert box.mail.deadline() is not None
    assert not box.callbacks


def test_another_port_or_address_is_listened_on_at_once(a: Box, b: Box) -> None:
    moved = free_port()
    b.apply(RECORDS, settings(C, port=moved))
    a.apply((member("b", NEW, addresses=(C,)),), settings(A, port=moved))
    a.say("b")
    assert b.drain()


def test_the_same_wish_again_leaves_sockets_as_they_are(a: Box, b: Box) -> None:
    a.say("b")
    b.apply(RECORDS, settings(B, A))
    assert b.drain()


def test_ipv6_carries_it_as_well() -> None:
    port = free_port()
    box, other = Box("a"), Box("b")
    records = member("a", NEW, addresses=("::1",)), member("b", NEW, addresses=("127.0.0.1",))
    box.apply(records, settings("::1", port=port))
    other.apply(records, settings("127.0.0.1", port=port))
    box.say("a")
    assert not box.drain()
    assert box.mail.counters == {"sent": 1, "own": 1}
    box.say("b")
    assert box.mail.counters["sent"] == 1, "no socket of that family"
    box.close()
    other.close()
