"""One neighbour on a pretended wire: who is too slow, too talkative or not there, and whose connection it is."""

from itertools import count

import pytest
from msgspec.structs import replace

from speakerd.bgp import message, opening, update
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.connection import DIAL_PATIENCE
from speakerd.bgp.error import Notification
from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.frame import Kind
from speakerd.bgp.message import KEEPALIVE
from speakerd.bgp.origination import attributes
from speakerd.bgp.partner import PATIENCE, PENANCE, Partner
from speakerd.bgp.reach import Ends, Reach
from speakerd.bgp.retry import STABLE
from speakerd.bgp.terms import Terms, of_peer
from speakerd.model import Interface
from speakerd.peering import FLAPPING, Neighbour, Password, Peer
from tests.unit.bgp.wired import hosts, prefix, prefixes

PEER = Peer("tor", 65001, 65002, address="192.0.2.2")
UNNUMBERED = Peer("tor", 65001, 65002, interface="e0")
THEIRS = Terms(65002, bytes((192, 0, 2, 2)), 65001, families=(IPV4, IPV6), extended_next_hop=True)
E0 = Interface(2, "e0", ipv4=("192.0.2.1",), ipv6=("fe80::1",))


class Wire:
    """What was dialled, written and closed; `full`: since when nothing is taken."""

    def __init__(self) -> None:
        self.dialled: list[Reach] = []
        self.written: list[bytes] = []
        self.closed: list[int] = []
        self.full: float | None = None
        self.refuses = ""
        self._numbers = count(1)

    def numbers(self) -> int:
        return next(self._numbers)

    def dial(self, _number: int, reach: Reach, _taker: Partner) -> str:
        self.dialled.append(reach)
        return self.refuses

    def send(self, _number: int, data: bytes) -> None:
        self.written.append(data)

    def flush(self, now: float) -> None:
        pass

    def close(self, number: int) -> None:
        self.closed.append(number)

    def ends(self, _number: int) -> Ends:
        return Ends("192.0.2.1", "192.0.2.2")

    def held_since(self, _number: int) -> float | None:
        return self.full

    def kinds(self) -> list[int]:
        found = [data[18] for data in self.written]
        self.written.clear()
        return found

    def notified(self) -> list[tuple[int, int]]:
        return [(data[19], data[20]) for data in self.written if data[18] == Kind.NOTIFICATION]


class Told(list[tuple[str, str]]):
    def __call__(self, word: str, peer: str, detail: str) -> None:
        assert peer == "tor"
        self.append((word, detail))


def partner(
    wire: Wire,
    peer: Peer = PEER,
    told: Told | None = None,
    password: Password | None = None,
    families: tuple[Family, ...] = (IPV4,),
) -> Partner:
    terms = of_peer(peer, bytes((192, 0, 2, 1)), families)
    made = Partner(
        Neighbour(peer, password), terms, wire, attributes, Told() if told is None else told, lambda: 0.5, 0.0
    )
    made.see((E0,), 0.0)
    made.start(0.0)
    return made


def up(wire: Wire, peer: Peer = PEER, told: Told | None = None, families: tuple[Family, ...] = (IPV4,)) -> Partner:
    made = partner(wire, peer, told, families=families)
    made.connected(1, 0.0)
    made.received(1, opening.encode(THEIRS.open) + KEEPALIVE, 0.0)
    assert made.seen().state == "Established"
    wire.written.clear()
    return made


def test_routes_wait_while_the_peer_takes_nothing_and_go_on_when_it_does() -> None:
    wire = Wire()
    made = up(wire)
    wire.full = 1.0
    made.change(hosts(3, "tor"))
    made.work(1.0)
    assert (wire.kinds(), made.seen().due, made.busy) == ([], 3, False)
    wire.full = None
    made.relieved(1, 2.0)
    assert (wire.kinds(), made.seen().due) == ([Kind.UPDATE], 0)


def test_a_peer_that_takes_nothing_for_too_long_is_given_up() -> None:
    wire = Wire()
    made = up(wire)
    wire.full = 1.0
    for at in (60.0 * minute for minute in range(1, 8)):
        made.received(1, KEEPALIVE, at)
        made.wake(at)
    assert made.seen().state == "Established"
    made.received(1, KEEPALIVE, PATIENCE)
    due = made.deadline()
    assert due is not None
    assert due <= 1.0 + PATIENCE
    made.wake(1.0 + PATIENCE)
    assert made.seen().error == "sent Send Hold Timer Expired"
    assert 1 in wire.closed


def test_a_peer_that_tells_too_much_is_ended_and_called_again_after_its_penance() -> None:
    wire, told = Wire(), Told()
    made = up(wire, told=told)
    made.most = 2
    nets = [bytes((24, 10, 0, i)) for i in range(3)]
    agreed = Negotiated(four_octet=True)
    for data in update.announced(Attributes(), IPV4, bytes((192, 0, 2, 2)), nets, agreed, 4096):
        made.received(1, data, 1.0)
    assert made.busy
    made.work(1.0)
    assert wire.notified() == [(6, 1)]
    assert told[-1] == ("bgp.down", "sent Cease/Maximum Number of Prefixes Reached")
    assert (made.seen().state, made.deadline(), len(wire.dialled)) == ("Idle", 1.0 + PENANCE, 1)
    made.wake(1.0 + PENANCE)
    assert (made.seen().state, len(wire.dialled)) == ("Connect", 2)


def test_a_prefix_told_again_and_again_is_one() -> None:
    wire = Wire()
    made = up(wire)
    made.most = 2
    (data,) = update.announced(
        Attributes(), IPV4, bytes((192, 0, 2, 2)), [bytes((24, 10, 0, 0))], Negotiated(four_octet=True), 4096
    )
    for _ in range(5):
        made.received(1, data, 1.0)
        made.work(1.0)
    assert (made.seen().received, made.seen().state) == (1, "Established")


def test_the_same_failure_in_a_row_is_told_once() -> None:
    wire, told = Wire(), Told()
    wire.refuses = "No route to host"
    made = partner(wire, told=told)
    made.wake(10.0)
    made.wake(100.0)
    wire.refuses = "Network is down"
    made.wake(200.0)
    assert told == [("bgp.failed", "No route to host"), ("bgp.failed", "Network is down")]
    assert len(wire.dialled) == 4


@pytest.mark.parametrize(
    ("password", "why"),
    [(None, "connection timed out"), (Password(b"hush"), "connection timed out (so does a wrong password)")],
)
def test_no_answer_where_segments_are_signed_may_be_a_wrong_password(password: Password | None, why: str) -> None:
    told = Told()
    made = partner(Wire(), told=told, password=password)
    made.wake(DIAL_PATIENCE)
    assert (told, made.seen().error) == ([("bgp.failed", why)], why)


def test_a_session_that_flaps_is_told_so_until_one_lasts() -> None:
    made, end = partner(Wire()), Ends("192.0.2.1", "192.0.2.2")
    made.closed(1, "connection refused", 0.0)
    for number in range(10, 14):
        made.accepted(number, end, float(number))
        made.received(number, opening.encode(THEIRS.open) + KEEPALIVE, float(number))
        assert made.seen().stands == (number < 13)
        if number < 13:
            made.closed(number, "connection reset", number + 0.5)
            assert (made.seen().flaps, made.seen().missing_since) == (number - 9, 0.0)
    assert made.seen().flaps == FLAPPING
    made.wake(13.0 + STABLE)
    assert (made.seen().stands, made.seen().flaps) == (True, 0)


def test_a_peer_that_asks_is_told_all_again() -> None:
    wire = Wire()
    made = up(wire)
    made.change(hosts(3, "tor"))
    made.work(1.0)
    wire.written.clear()
    made.received(1, message.route_refresh(IPV4), 2.0)
    made.work(2.0)
    assert wire.kinds() == [Kind.UPDATE]


def test_only_what_is_said_to_it_is_told() -> None:
    wire = Wire()
    made = up(wire)
    made.change(prefixes(prefix("198.51.100.0/24", "tor"), prefix("203.0.113.0/24", "another")))
    made.work(1.0)
    assert made.seen().announced == 1


def test_it_is_seen_why_prefixes_are_not_for_a_peer() -> None:
    made = up(Wire(), families=(IPV4, IPV6))
    made.see((replace(E0, ipv6=()),), 0.5)
    made.change(prefixes(prefix("198.51.100.0/24", "tor"), prefix("2001:db8::/64", "tor")))
    made.work(1.0)
    assert made.seen().unsent == {"ipv4": {}, "ipv6": {"no-next-hop": 1}}


def test_an_unnumbered_peer_is_called_as_soon_as_it_shows_itself() -> None:
    wire, told = Wire(), Told()
    made = partner(wire, UNNUMBERED, told)
    assert wire.dialled == []
    assert told == [("bgp.failed", "the peer is not known yet")]
    made.learn("fe80::2", 0.1)
    made.learn("fe80::2", 0.2)
    assert [each.address for each in wire.dialled] == ["fe80::2"]


@pytest.mark.parametrize(
    ("changed", "ends", "device", "welcome"),
    [
        (PEER, Ends("192.0.2.1", "192.0.2.2"), "", True),
        (PEER, Ends("192.0.2.1", "192.0.2.3"), "", False),
        (PEER, Ends("192.0.2.1", "192.0.2.2"), "red", False),
        (replace(PEER, vrf="red"), Ends("192.0.2.1", "192.0.2.2"), "red", True),
        (replace(PEER, source_address="192.0.2.9"), Ends("192.0.2.1", "192.0.2.2"), "", False),
        (replace(PEER, source_address="192.0.2.1"), Ends("192.0.2.1", "192.0.2.2"), "", True),
        (replace(PEER, address="2001:DB8:0::2"), Ends("2001:db8::1", "2001:db8::2"), "", True),
        (UNNUMBERED, Ends("fe80::1", "fe80::2", 2), "", True),
        (UNNUMBERED, Ends("fe80::1", "fe80::2", 3), "", False),
        (UNNUMBERED, Ends("192.0.2.1", "192.0.2.2"), "", False),
    ],
)
def test_a_connection_is_known_by_where_it_comes_from(changed: Peer, ends: Ends, device: str, welcome: bool) -> None:
    assert partner(Wire(), changed).welcomes(ends, device) is welcome


def test_another_way_begins_anew_and_another_label_does_not() -> None:
    wire = Wire()
    made = up(wire)
    same = replace(PEER, bfd="fast", nodes=frozenset("a"))
    assert not made.apply(Neighbour(same), made.terms, 1.0)
    assert made.seen().state == "Established"
    other = replace(PEER, address="192.0.2.3")
    made.apply(Neighbour(other), of_peer(other, bytes((192, 0, 2, 1)), (IPV4,)), 1.0)
    assert wire.notified() == [(6, 6)]
    assert made.address == "192.0.2.3"


def test_another_as_of_ours_has_all_said_anew() -> None:
    made = up(Wire())
    other = replace(PEER, local_asn=64999)
    assert made.apply(Neighbour(other), of_peer(other, bytes((192, 0, 2, 1)), (IPV4,)), 1.0)


def test_what_the_peer_says_last_is_what_is_shown() -> None:
    made = up(Wire())
    made.received(1, message.notification(Notification(6, 4)), 1.0)
    seen = made.seen()
    assert (seen.error, seen.local, seen.families) == ("received Cease/Administrative Reset", "", ())
    assert seen.heard == {"open": 1, "keepalive": 1, "notification": 1}
