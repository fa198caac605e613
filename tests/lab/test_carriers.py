"""Members' messages on real interfaces: both carriers cross, and one goes on where the other is blocked."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest
from msgspec.structs import replace

from speakerd.exchange import Key, Member, MembershipSettings
from speakerd.membership.envelope import Carrier, Envelope, Kind, Post
from speakerd.membership.frame import BROADCAST, ETHERTYPE, framed, unframed
from speakerd.membership.transport import PORT_TAKEN
from speakerd.model import Interface
from tests.lab.net import Host, Lan, inside, tool
from tests.lab.waiting import eventually
from tests.unit.membership.boxes import NOW, Box
from tests.unit.membership.mesh_keys import NEW, member

pytestmark = pytest.mark.lab

SETTINGS = MembershipSettings()
LATER = NOW + 60
CARRIERS = pytest.mark.parametrize("carrier", list(Carrier))
VLAN_100, PRIORITY = bytes.fromhex("81000064"), bytes.fromhex("8100e000")


class Station(Box):
    """A box that lives on a host of the LAN and speaks over its eth0."""

    def __init__(self, lan: Lan, host: Host) -> None:
        super().__init__(host.name)
        self.host, self.mac = host, bytes.fromhex(lan.mac(host).replace(":", ""))
        with inside(host.namespace):
            self.eth0 = Interface(socket.if_nametoindex("eth0"), "eth0", self.mac, up=True, carrier=True, usable=True)

    def join(
        self, members: tuple[Member, ...], keys: tuple[Key, ...] = (NEW,), settings: MembershipSettings = SETTINGS
    ) -> None:
        """Take records, settings, keys and the one interface."""
        with inside(self.host.namespace):
            self.apply(members, settings, keys)
            self.mail.interfaces((self.eth0,))

    def tell(self, to: str, carrier: Carrier, body: bytes = b"body", now: float = NOW) -> None:
        """Send a heartbeat by that carrier."""
        index = self.eth0.index if carrier is Carrier.ETHERNET else 0
        self.mail.send(Post(to, carrier, index, Kind.HEARTBEAT, body), now)

    def gets(self, body: bytes) -> Envelope:
        """The message with that body, once it is there."""

        def look() -> Envelope | None:
            return next((each for each in self.drain() if each.body == body), None)

        found = eventually(look, f"{self.name} hears {body!r}")
        assert found is not None
        return found

    def counts(self, word: str, number: int = 1) -> None:
        """Wait until something was counted so often."""
        eventually(lambda: self.drain() is not None and self.mail.counters[word] == number, f"{number} {word}")


@contextmanager
def listening(host: Host) -> Iterator[socket.socket]:
    """All frames of our type that `host` hears, and a way to send its own."""
    with inside(host.namespace):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.bind(("eth0", ETHERTYPE))
    raw.settimeout(5.0)
    with raw:
        yield raw


@contextmanager
def blocked(host: Host, hook: str) -> Iterator[None]:
    """`host` drops what goes to the membership port, on its way in or out."""
    nft = ("ip", "netns", "exec", host.namespace, "nft")
    rules = f"type filter hook {hook} priority 0\nudp dport {SETTINGS.port} drop\n"
    tool(*nft, "-f", "-", feed=f"table inet weather {{\nchain weather {{\n{rules}}}\n}}\n")
    try:
        yield
    finally:
        tool(*nft, "delete", "table", "inet", "weather")


@pytest.fixture
def members(lan: Lan) -> tuple[Member, ...]:
    return tuple(member(host.name, NEW, addresses=(host.ipv4, host.ipv6)) for host in lan.nodes)


@pytest.fixture
def stations(lan: Lan, members: tuple[Member, ...]) -> Iterator[list[Station]]:
    with ExitStack() as stack:
        made = [Station(lan, host) for host in lan.nodes]
        for each in made:
            stack.callback(each.close)
            each.join(members)
        yield made


@pytest.fixture
def pair(stations: list[Station]) -> tuple[Station, Station]:
    return stations[0], stations[1]


@pytest.mark.parametrize("family", [4, 6])
def test_udp_crosses_in_either_family(pair: tuple[Station, Station], family: int) -> None:
    here, there = pair
    address = there.host.ipv4 if family == 4 else there.host.ipv6
    here.join((member(there.name, NEW, addresses=(address,)),))
    here.tell(there.name, Carrier.UDP)
    heard = there.gets(b"body")
    assert (heard.sender, heard.receiver, heard.carrier, heard.index) == (here.name, there.name, Carrier.UDP, 0)
    assert here.mail.counters == {"sent": 1}


def test_frames_cross(pair: tuple[Station, Station]) -> None:
    here, there = pair
    here.tell(there.name, Carrier.ETHERNET)
    heard = there.gets(b"body")
    assert (heard.sender, heard.receiver, heard.carrier) == (here.name, there.name, Carrier.ETHERNET)
    assert heard.index == there.eth0.index
    assert heard.sequence <= heard.received


@pytest.mark.parametrize("size", [1, 1156 - 4])
def test_frames_carry_the_shortest_and_the_longest_message(pair: tuple[Station, Station], size: int) -> None:
    here, there = pair
    here.tell(there.name, Carrier.ETHERNET, bytes(size))
    there.gets(bytes(size))


@CARRIERS
def test_a_message_under_another_secret_is_refused(
    pair: tuple[Station, Station], members: tuple[Member, ...], carrier: Carrier
) -> None:
    here, there = pair
    here.join(members, keys=(replace(NEW, material=b"guessed"),))
    here.tell(there.name, carrier)
    there.counts("unauthentic", 2 if carrier is Carrier.UDP else 1)
    assert not there.received


def test_a_frame_said_again_reaches_the_core_and_moves_nobody(lan: Lan, pair: tuple[Station, Station]) -> None:
    here, there = pair
    with listening(lan.onlooker) as raw:
        here.tell(there.name, Carrier.ETHERNET)
        first = there.gets(b"body")
        mac, data = unframed(raw.recv(2000))
        assert mac == here.mac
        raw.send(framed(BROADCAST, raw.getsockname()[4], data))
    eventually(lambda: len(there.drain()) == 2, "it is heard again")
    assert [each.sequence for each in there.received] == [first.sequence] * 2
    assert there.mail.ways.macs == {(here.name, there.eth0.index): here.mac}


def test_what_was_said_in_a_frame_cannot_be_said_again_by_udp(lan: Lan, pair: tuple[Station, Station]) -> None:
    here, there = pair
    with listening(lan.onlooker) as raw:
        here.tell(there.name, Carrier.ETHERNET)
        data = unframed(raw.recv(2000))[1]
    with inside(lan.onlooker.namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(data, (there.host.ipv4, SETTINGS.port))
    there.counts("other-carrier")
    assert len(there.received) == 1


@pytest.mark.parametrize("hook", ["output", "input"])
def test_a_blocked_port_leaves_frames_as_they_are(pair: tuple[Station, Station], hook: str) -> None:
    here, there = pair
    with blocked((here if hook == "output" else there).host, hook):
        here.tell(there.name, Carrier.UDP, b"udp")
        here.tell(there.name, Carrier.ETHERNET, b"frame")
        there.gets(b"frame")
    assert [each.body for each in there.received] == [b"frame"]
    assert here.mail.counters["blocked"] == (2 if hook == "output" else 0)
    here.tell(there.name, Carrier.UDP, b"udp again")
    there.gets(b"udp again")


def test_a_port_that_another_has_leaves_frames_as_they_are(lan: Lan, pair: tuple[Station, Station]) -> None:
    here, there = pair
    there.close()
    with inside(there.host.namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", SETTINGS.port))
        late = Station(lan, there.host)
        late.join((member(here.name, NEW, addresses=(here.host.ipv6,)),))
        assert late.mail.problems == {PORT_TAKEN: "port 7946/udp taken"}
        here.tell(there.name, Carrier.ETHERNET, b"frame")
        late.gets(b"frame")
        late.tell(here.name, Carrier.UDP, b"the other family")
        here.gets(b"the other family")
    due = late.mail.deadline()
    assert due is not None
    with inside(there.host.namespace):
        late.mail.wake(due)
    assert not late.mail.problems
    late.close()


def overheard(raw: socket.socket, marker: Callable[[], None]) -> list[bytes]:
    """The targets of frames heard so far; `marker` sends one more, to all, after them."""
    marker()
    found = []
    while (frame := raw.recv(2000))[:6] != BROADCAST or b"marker" not in frame:
        found.append(frame[:6])
    return found


def test_frames_go_to_all_until_the_members_mac_is_learned_and_again_when_it_is_silent(
    lan: Lan, stations: list[Station]
) -> None:
    here, there, third = stations
    with listening(lan.onlooker) as raw:
        marker = partial(third.tell, here.name, Carrier.ETHERNET, b"marker")
        here.tell(there.name, Carrier.ETHERNET, b"first")
        there.gets(b"first")
        assert overheard(raw, marker) == [BROADCAST]
        there.tell(here.name, Carrier.ETHERNET, b"second")
        here.gets(b"second")
        here.tell(there.name, Carrier.ETHERNET, b"third")
        there.gets(b"third")
        assert not overheard(raw, marker), "only the two of them hear it"
        there.tell(here.name, Carrier.ETHERNET, b"fourth", LATER)
        here.gets(b"fourth")
        assert overheard(raw, marker) == [BROADCAST]


def test_our_own_frames_are_not_heard(pair: tuple[Station, Station]) -> None:
    here, there = pair
    here.tell("", Carrier.ETHERNET)
    there.gets(b"body")
    assert not here.drain()
    assert here.mail.counters == {"sent": 1}


@pytest.fixture
def nosy(pair: tuple[Station, Station]) -> Iterator[Station]:
    """A station whose interface lets frames for others in."""
    there = pair[1]
    change = ("ip", "-n", there.host.namespace, "link", "set", "eth0", "promisc")
    tool(*change, "on")
    yield there
    tool(*change, "off")


def test_the_kernel_hands_over_what_is_for_this_interface_alone(
    lan: Lan, pair: tuple[Station, Station], nosy: Station
) -> None:
    here = pair[0]
    with listening(lan.onlooker) as raw:
        here.tell(nosy.name, Carrier.ETHERNET, b"said")
        nosy.gets(b"said")
        frame = raw.recv(2000)
        raw.send(frame[:12] + VLAN_100 + frame[12:])
        raw.send(bytes.fromhex("02000000000f") + frame[6:])
        raw.send(frame[:14] + b"\0" + frame[15:])
        raw.send(frame[:12] + PRIORITY + frame[12:])
    eventually(lambda: len(nosy.drain()) == 2, "a frame with a priority is heard")
    assert nosy.mail.counters == {"received": 2}


def test_frames_for_an_interface_on_top_are_not_taken_for_the_one_below(
    lan: Lan, pair: tuple[Station, Station]
) -> None:
    here, there = pair
    ip = ("ip", "-n", there.host.namespace, "link")
    tool(*ip, "add", "link", "eth0", "name", "above", "type", "macvlan", "mode", "bridge")
    try:
        tool(*ip, "set", "above", "address", "02:00:00:00:00:0e", "up")
        with listening(lan.onlooker) as raw:
            here.tell(there.name, Carrier.ETHERNET, b"said")
            there.gets(b"said")
            frame = raw.recv(2000)
            raw.send(bytes.fromhex("02000000000e") + frame[6:])
        here.tell(there.name, Carrier.ETHERNET, b"after")
        there.gets(b"after")
    finally:
        tool(*ip, "del", "above")
    assert there.mail.counters == {"received": 2}


def test_an_interface_that_is_down_or_not_wanted_loses_frames_and_no_more(pair: tuple[Station, Station]) -> None:
    here, there = pair
    ip = ("ip", "-n", there.host.namespace, "link", "set", "eth0")
    tool(*ip, "down")
    there.tell(here.name, Carrier.ETHERNET)
    there.drain()
    assert there.mail.counters["not-sent"] == 1
    tool(*ip, "up")
    there.mail.interfaces((replace(there.eth0, usable=False),))
    there.tell(here.name, Carrier.ETHERNET, b"unwanted")
    here.tell(there.name, Carrier.ETHERNET, b"unwanted")
    eventually(there.turn, "the frame is read")
    there.mail.interfaces((there.eth0,))

    def both_hear() -> bool:
        there.tell(here.name, Carrier.ETHERNET, b"wanted")
        here.tell(there.name, Carrier.ETHERNET, b"wanted")
        return {b"wanted"} <= {each.body for each in here.drain()} & {each.body for each in there.drain()}

    eventually(both_hear, "they speak again")
    assert b"unwanted" not in {each.body for each in (*here.received, *there.received)}


def test_an_interface_that_is_gone_is_let_go(pair: tuple[Station, Station]) -> None:
    here, there = pair
    there.tell(here.name, Carrier.ETHERNET, b"said")
    here.gets(b"said")
    sockets = len(here.callbacks)
    here.mail.interfaces(())
    assert len(here.callbacks) == sockets - 1
    assert not here.mail.ways.macs
    here.tell(there.name, Carrier.ETHERNET)
    assert here.mail.counters["sent"] == 0


def test_frames_that_wait_are_discarded(pair: tuple[Station, Station]) -> None:
    here, there = pair
    for _ in range(20):
        here.tell(there.name, Carrier.ETHERNET, b"old")

    def discarded() -> bool:
        there.mail.discard()
        return there.mail.counters["discarded"] == 20

    eventually(discarded, "all of them")
    here.tell(there.name, Carrier.ETHERNET, b"new")
    there.gets(b"new")
    assert [each.body for each in there.received] == [b"new"]
