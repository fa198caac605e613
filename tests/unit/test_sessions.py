"""What is told of each peer, and what of it needs somebody."""

from msgspec.structs import replace

from speakerd import sessions
from speakerd.exchange import Observed, Wanted
from speakerd.findings import Finding
from speakerd.peering import BfdSeen, Neighbour, Password, Peer, SessionSeen

ONE = Peer("one", 64512, 64513, address="192.0.2.1")
BEHIND = Peer("behind", 64512, dynamic_asn="external", interface="eth1", vrf="red", local_asn=65000)
UP = SessionSeen("one", "Established", 90.0, "192.0.2.1", "192.0.2.9", "received Cease", 7, 2, 5, 3)


def told(*seen: SessionSeen, wanted: tuple[Peer, ...] = (ONE, BEHIND)) -> list[sessions.PeerReport]:
    neighbours = tuple(Neighbour(each, Password(b"hush")) for each in wanted)
    return sessions.peers(Wanted("a", {}, neighbours=neighbours), Observed(sessions=seen), 100.0, 1_000_000.0)


def test_every_peer_of_this_node_is_told_by_name_whether_or_not_it_was_seen() -> None:
    behind, one = told(UP)
    assert (behind.name, behind.state, behind.address, behind.vrf) == ("behind", "Idle", "eth1", "red")
    assert (behind.my_asn, behind.asn, behind.dynamic_asn) == (65000, 0, "external")
    assert (one.state, one.lasted, one.since) == ("Established", 10.0, "1970-01-12T13:48:10.000Z")
    assert (one.announced, one.due, one.received, one.ups, one.error) == (7, 2, 5, 3, "received Cease")


def test_a_peer_behind_an_interface_has_the_address_that_was_learnt() -> None:
    (behind,) = told(SessionSeen("behind", "Connect", 0.0, "fe80::1"), wanted=(BEHIND,))
    assert behind.address == "fe80::1"


def test_bfd_stands_beside_its_session() -> None:
    bfd = BfdSeen("Down", 95.0, "Control Detection Time Expired", {"ups": 1})
    (one,) = told(replace(UP, bfd=bfd), wanted=(ONE,))
    assert one.bfd == sessions.BfdReport("Down", "1970-01-12T13:48:15.000Z", bfd.why, {"ups": 1})


def test_no_password_is_in_what_is_told() -> None:
    assert "hush" not in repr(told(UP))
    assert "hush" not in repr(Neighbour(ONE, Password(b"hush")))


def test_a_session_that_has_not_come_up_in_ten_seconds_is_a_finding_with_its_last_error() -> None:
    down = SessionSeen("behind", "Active", 99.0, error="connection refused", missing_since=89.0)
    assert [*sessions.findings(told(UP, down))] == [
        (Finding.BGP_SESSION_DOWN, "BGPPeer/behind eth1", "Active: connection refused")
    ]
    assert not [*sessions.findings(told(UP, replace(down, missing_since=91.0)))]


def test_a_session_that_comes_and_goes_is_a_finding_up_or_down_until_it_lasts() -> None:
    down = SessionSeen("behind", "Active", 99.0, error="Connection reset by peer", missing_since=80.0, flaps=3)
    why = "came up 3 times and did not last: Connection reset by peer"
    for state in ("Active", "Established"):
        found = [*sessions.findings(told(UP, replace(down, state=state)))]
        assert found == [(Finding.BGP_SESSION_DOWN, "BGPPeer/behind eth1", f"{state}: {why}")]
    for flaps in (0, 2):
        assert not [*sessions.findings(told(UP, replace(down, state="Established", flaps=flaps)))]


def test_no_session_at_all_is_graver_than_one_that_is_missing() -> None:
    down = [SessionSeen(name, "Connect", 0.0) for name in ("one", "behind")]
    assert {word for word, _, _ in sessions.findings(told(*down))} == {Finding.BGP_NO_SESSION}


def test_a_peer_that_the_announcer_has_not_spoken_of_yet_is_no_finding() -> None:
    assert not [*sessions.findings(told())]
