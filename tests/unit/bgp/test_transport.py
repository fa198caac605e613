"""Sessions over real sockets on loopback: they come up, say what they should, and bear whom they meet."""

import socket
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from speakerd.bgp import tcp, update
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, Negotiated
from speakerd.bgp.listening import AGAIN
from speakerd.bgp.origination import GRACEFUL_SHUTDOWN
from speakerd.bgp.part import FIRST_BFD
from speakerd.bgp.terms import RESTART_TIME
from speakerd.peering import BfdProfile, BgpSettings, Wording
from tests.unit.bgp.wired import (
    LEFT,
    RIGHT,
    Listening,
    Loop,
    Pair,
    Router,
    free_port,
    hosts,
    neighbour,
    of,
    prefix,
    prefixes,
    settings,
    up,
)


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def signing() -> bool:
    with socket.socket() as end:
        try:
            tcp.sign(end, LEFT, b"key")
        except OSError:
            return False
        return True


signed = pytest.mark.skipif(not signing(), reason="the kernel has no TCP_MD5SIG")


@pytest.mark.parametrize("six", [False, True])
def test_two_nodes_come_together_and_each_learns_what_the_other_has(loop: Loop, six: bool) -> None:
    pair = Pair(loop, six=six).start()
    loop.until(pair.up)
    seen = of(pair.left, "right")
    assert (seen.address, seen.local) == (("::1", "::1") if six else ("127.0.0.2", "127.0.0.1"))
    assert seen.families == (("ipv6",) if six else ("ipv4",))
    net = "2001:db8::/64" if six else "198.51.100.0/24"
    pair.left.change(prefixes(prefix(net, "right"), prefix("203.0.113.1/32", "somebody")), time.monotonic())
    loop.until(lambda: of(pair.right, "left").received == 1)
    assert of(pair.left, "right").announced == 1
    pair.left.change({prefix(net, "right").key: None}, time.monotonic())
    loop.until(lambda: of(pair.right, "left").received == 0)


def test_a_router_learns_who_we_are_and_where_we_are_reached(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.change(prefixes(prefix("198.51.100.7/32", router.name, said=Wording(prepend=1))), time.monotonic())
    part.configure((router.neighbour(source_address="127.0.0.5"),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    ((net, (said, hop)),) = router.table.items()
    assert net == "198.51.100.7/32"
    assert [each.numbers for each in said.path] == [(65001, 65001)]
    assert hop == socket.inet_aton("127.0.0.5")


def test_what_is_wanted_before_a_session_is_all_told_before_its_end_is(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.change(hosts(3000, router.name), time.monotonic())
    part.configure((router.neighbour(),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    assert len(router.table) == 3000


def test_thousands_of_changes_arrive_and_go(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.configure((router.neighbour(),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    many = hosts(10_000, router.name)
    part.change(many, time.monotonic())
    loop.until(lambda: len(router.table) == 10_000)
    part.change(dict.fromkeys(many), time.monotonic())
    loop.until(lambda: not router.table)


def test_changes_that_come_one_by_one_leave_in_one_message(loop: Loop) -> None:
    order: list[str] = []
    router, part = Router(loop, 11, order), loop.part()
    part.configure((router.neighbour(),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    order.clear()
    for key, each in hosts(40, router.name).items():
        part.change({key: each}, time.monotonic())
    loop.until(lambda: router.table)
    assert len(router.table) == 40
    assert order == [router.name]


@signed
@pytest.mark.parametrize("six", [False, True])
def test_a_common_password_makes_a_session_however_it_is_opened(loop: Loop, six: bool) -> None:
    pair = Pair(loop, six=six, password=b"secret").start()
    loop.until(pair.up)


@signed
def test_only_the_right_password_makes_a_session(loop: Loop) -> None:
    pair = Pair(loop)
    pair.to_right = neighbour("right", 65001, 65002, "127.0.0.2", pair.ports[1], source_address=LEFT, password=b"a")
    pair.start()
    router = Router(loop, 11)
    now = time.monotonic()
    pair.left.configure((pair.to_right, router.neighbour()), settings(pair.ports[0], 1), now)
    loop.until(lambda: router.ended)
    assert not up(pair.left, "right")
    pair.left.configure((neighbour("right", 65001, 65002, "127.0.0.2", pair.ports[1], source_address=LEFT),
                         router.neighbour()), settings(pair.ports[0], 1), now)  # fmt: skip
    loop.until(pair.up)
    assert of(pair.left, router.name).ups == 1


def test_a_changed_neighbour_alone_begins_anew_and_a_removed_one_is_told(loop: Loop) -> None:
    first, second, part = Router(loop, 11), Router(loop, 12), loop.part()
    said, now = settings(free_port(), 1), time.monotonic()
    part.configure((first.neighbour(), second.neighbour()), said, now)
    loop.until(lambda: up(part, first.name, second.name))
    part.configure((first.neighbour(bfd="fast"), second.neighbour(hold_time=30)), said, time.monotonic())
    loop.until(lambda: of(part, second.name).ups == 2)
    assert of(part, first.name).ups == 1
    part.configure((first.neighbour(bfd="fast"),), said, time.monotonic())
    loop.until(lambda: second.session.last_error == "received Cease/Peer De-configured")
    assert up(part, first.name)


def test_a_planned_stop_withdraws_then_says_goodbye(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.change(hosts(3000, router.name), time.monotonic())
    part.configure((router.neighbour(),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: len(router.table) == 3000)
    part.leave(time.monotonic())
    loop.until(lambda: router.session.last_error)
    assert router.session.last_error == "received Cease/Administrative Shutdown"
    assert router.table == {}
    loop.until(lambda: part.left)


def test_who_is_told_the_end_ends_the_connection_itself_unless_it_takes_too_long(loop: Loop) -> None:
    silent, part = Listening(loop, 21), loop.part()
    part.configure((silent.neighbour(),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: of(part, silent.name).state == "OpenSent")
    part.leave(time.monotonic())
    assert of(part, silent.name).state == "Idle"
    assert not part.left
    deadline = part.deadline()
    assert deadline is not None
    part.wake(deadline)
    assert part.left


def test_a_node_that_is_back_says_so_in_its_first_sessions_and_ends_none_when_it_no_longer_does(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.configure((router.neighbour(graceful_restart=True),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    assert router.peer_says_restarted()
    part.wake(time.monotonic() + RESTART_TIME)
    assert up(part, router.name)
    part.lost(router.name, time.monotonic())
    loop.until(lambda: of(part, router.name).ups == 2)
    assert not router.peer_says_restarted()


def test_for_a_restart_the_connection_only_ends(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.configure((router.neighbour(graceful_restart=True),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    part.leave(time.monotonic(), restart=True)
    loop.until(lambda: router.session.last_error)
    assert router.session.last_error == "connection closed"


def test_a_drain_is_told_before_routes_are_withdrawn_and_can_be_taken_back(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.change(prefixes(prefix("198.51.100.7/32", router.name)), time.monotonic())
    part.configure((router.neighbour(),), settings(free_port(), 1, drain=0.1), time.monotonic())
    loop.until(lambda: router.table)
    part.drain(time.monotonic(), on=True)
    loop.until(lambda: not router.table)
    assert router.told["198.51.100.7/32"][-1].communities == (GRACEFUL_SHUTDOWN,)
    part.drain(time.monotonic(), on=False)
    loop.until(lambda: router.table)


def test_a_peer_that_comes_during_a_drain_is_told_nothing_until_it_is_over(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.drain(time.monotonic(), on=True)
    part.change(prefixes(prefix("198.51.100.7/32", router.name)), time.monotonic())
    part.configure((router.neighbour(),), settings(free_port(), 1, drain=60.0), time.monotonic())
    loop.until(lambda: router.ended)
    assert not router.told
    part.drain(time.monotonic(), on=False)
    loop.until(lambda: router.table)


def test_a_dead_path_ends_a_session_at_once(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.configure((router.neighbour(),), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    part.lost(router.name, time.monotonic())
    assert of(part, router.name).error == "sent Cease/BFD Down"
    loop.until(lambda: router.session.last_error == "received Cease/BFD Down")
    words = [word for word, peer in loop.happened if peer == router.name]
    assert words[:2] == ["bgp.up", "bgp.down"]


def test_bfd_has_the_first_word_after_a_start(loop: Loop) -> None:
    router, plain, part, now = Router(loop, 11), Router(loop, 12), loop.part(), time.monotonic()
    watched = replace(router.neighbour(), bfd=BfdProfile("fast"))
    part.configure((watched, plain.neighbour()), settings(free_port(), 1), now)
    assert [of(part, each.name).state for each in (router, plain)] == ["Idle", "Connect"]
    assert part.up_for(router.name, now) == 0.0
    loop.until(lambda: router.ended)
    assert of(part, router.name).since >= now + FIRST_BFD
    assert part.up_for(router.name, of(part, router.name).since + 3.0) == 3.0


def test_a_peer_that_tells_too_much_is_left_alone_for_a_while(loop: Loop) -> None:
    router, part = Router(loop, 11), loop.part()
    part.configure((router.neighbour(),), settings(free_port(), 1, maximum_prefixes=2), time.monotonic())
    loop.until(lambda: router.ended)
    nets = [bytes((24, 10, 0, i)) for i in range(3)]
    agreed = Negotiated(four_octet=True)
    router.say(list(update.announced(Attributes(), IPV4, socket.inet_aton("127.0.0.11"), nets, agreed, 4096)))
    loop.until(lambda: router.session.last_error)
    assert router.session.last_error == "received Cease/Maximum Number of Prefixes Reached"
    assert of(part, router.name).state == "Idle"


def rubbish(end: socket.socket) -> None:
    end.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)


def goodbye(end: socket.socket) -> None:
    end.close()


def test_odd_peers_delay_nobody(loop: Loop) -> None:
    silent, noisy, flapping = Listening(loop, 21), Listening(loop, 22, rubbish), Listening(loop, 23, goodbye)
    nobody = neighbour("nobody", 65001, 65100, "127.0.0.24", free_port())
    lost = neighbour("lost", 65001, 65100, "192.0.2.1", 179, source_address=LEFT)
    order: list[str] = []
    router, part = Router(loop, 11, order), loop.part()
    odd = [silent.neighbour(), noisy.neighbour(), flapping.neighbour(), nobody, lost]
    part.configure((*odd, router.neighbour()), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: router.ended)
    loop.until(lambda: len(flapping.ends) > 1)
    loop.until(lambda: len(noisy.ends) > 1)
    names = [each.peer.name for each in odd]
    part.change(prefixes(prefix("198.51.100.7/32", router.name, *names)), time.monotonic())
    assert loop.until(lambda: router.table) < 20
    assert of(part, silent.name).state == "OpenSent"
    assert of(part, noisy.name).error == "sent Message Header Error/Connection Not Synchronized"
    assert of(part, "nobody").error == "Connection refused"


def test_a_peer_that_takes_nothing_gets_no_more_made_for_it_until_it_does_and_delays_nobody(loop: Loop) -> None:
    slow, router, part = Router(loop, 11), Router(loop, 12), loop.part()
    part.configure((slow.neighbour(), router.neighbour()), settings(free_port(), 1), time.monotonic())
    loop.until(lambda: slow.ended and router.ended)
    slow.stop_reading()
    wordings = [Wording(communities=tuple(f"{i}:{n}" for n in range(250))) for i in range(1000)]
    many = [prefix(f"10.0.{i >> 8}.{i & 255}/32", slow.name, said=said) for i, said in enumerate(wordings)]
    part.change(prefixes(*many), time.monotonic())
    loop.until(lambda: of(part, slow.name).announced)
    part.change(prefixes(prefix("198.51.100.7/32", router.name)), time.monotonic())
    assert loop.until(lambda: router.table) < 20
    assert of(part, slow.name).due > 0
    slow.read_on()
    loop.until(lambda: len(slow.table) == 1000)


def test_a_port_that_another_speaker_has_is_told_and_taken_when_it_is_free(loop: Loop) -> None:
    pair, holder = Pair(loop), socket.socket()
    holder.bind(("0.0.0.0", pair.ports[0]))  # noqa: S104
    pair.start()
    assert pair.left.problems == {"bgp-port-taken": f"port {pair.ports[0]}/tcp taken"}
    loop.until(pair.up)
    holder.close()
    pair.left.wake(time.monotonic() + AGAIN)
    assert pair.left.problems == {}


def test_a_stranger_is_turned_away_and_counted(loop: Loop) -> None:
    pair = Pair(loop).start()
    loop.until(pair.up)
    with socket.create_connection(("127.0.0.1", pair.ports[0]), source_address=("127.0.0.9", 0)) as stranger:
        stranger.setblocking(False)
        loop.until(lambda: pair.left.counters["bgp-stranger"])
        assert stranger.recv(1) == b""


def test_of_two_peers_at_one_address_the_one_whose_source_address_was_called_has_the_connection(loop: Loop) -> None:
    part, port, ours = loop.part(), free_port(), "127.0.0.5"
    anywhere = neighbour("anywhere", 65001, 65002, RIGHT, free_port())
    named = neighbour("named", 65001, 65002, RIGHT, free_port(), source_address=ours)
    part.configure((anywhere, named), settings(port, 1), time.monotonic())
    with socket.create_connection((ours, port), source_address=(RIGHT, 0)):
        loop.until(lambda: part.counters["bgp-accepted"])
        assert [of(part, each.peer.name).sent for each in (anywhere, named)] == [{}, {"open": 1}]


def test_who_does_not_listen_has_no_port(loop: Loop) -> None:
    pair = Pair(loop).start()
    pair.left.configure((pair.to_right,), settings(pair.ports[0], 1, listen=False), time.monotonic())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", pair.ports[0]))
    loop.until(pair.up)


def test_without_a_router_id_there_is_no_session(loop: Loop) -> None:
    part = loop.part()
    part.configure((neighbour("tor", 65001, 65002, "127.0.0.9", 179),), BgpSettings(), time.monotonic())
    assert part.seen == ()
