"""What routers say, as targets of `guided`: messages of BGP, sessions in each state, BFD, router advertisements.

A message that was understood is understood the same once we have written it.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from speakerd.bfd import echo, packet
from speakerd.bfd import frame as echo_frame
from speakerd.bgp import message, opening, update
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.connection import State
from speakerd.bgp.discovery import advertises
from speakerd.bgp.effects import Effect, Send
from speakerd.bgp.error import Fault, Notification
from speakerd.bgp.family import Negotiated
from speakerd.bgp.frame import HEAD, MARKER, MOST_EXTENDED, Frames, Kind, framed
from speakerd.bgp.message import KEEPALIVE, Message, RouteRefresh
from speakerd.bgp.nlri import ONE
from speakerd.bgp.opening import Open
from speakerd.bgp.tolerance import Routes
from speakerd.bgp.update import Update
from speakerd.wire import DecodeError
from tests.fuzz.guided import Target
from tests.fuzz.neighbours import FAR, NEAR, OURS, sessions
from tests.fuzz.routers import SIDES
from tests.unit.bgp.golden import GOLDENS, TERMS, sensible
from tests.unit.bgp.single import OPEN, REFRESH, UPDATE, session
from tests.unit.bgp.test_partner import Wire, up
from tests.unit.layer2.frames import who_has

DATA = Path(__file__).parents[1] / "data"
Read = list[tuple[Message, Negotiated]]


def recorded(folder: str) -> tuple[bytes, ...]:
    """What real routers or the kernel said."""
    lines = chain.from_iterable(path.read_text().splitlines() for path in sorted((DATA / folder).glob("*.hex")))
    return tuple(bytes.fromhex(line) for line in lines if line and line[0] != "#")


SPOKEN = (*GOLDENS.values(), *recorded("bgp"))
TALK = OPEN + KEEPALIVE + UPDATE + REFRESH
HEADS = "40010100 400200 4002060201 400304 800404 400504 400600 c00708 c008 800e 800f c010 c011 c012 c020 50"
SHORT = [each[HEAD.size :] for each in SPOKEN if len(each) < 60]
IN_BGP = (*map(bytes.fromhex, HEADS.split()), *SHORT, MARKER, KEEPALIVE, OPEN)


# -- BGP


def framed_right(data: bytes) -> bytes:
    """As messages: a marker before each, its true length, and a kind that is one."""
    return b"".join(map(_framed, data[:MOST_EXTENDED].split(MARKER))) or MARKER


def _framed(piece: bytes) -> bytes:
    """What stands between two markers: length, kind, body."""
    if len(piece) < 3:
        return b""
    body = piece[3:][: MOST_EXTENDED - HEAD.size]
    kind = piece[2] if piece[2] in set(Kind) else 1 + piece[2] % len(Kind)
    return framed(Kind(kind), body)


def read(negotiated: Negotiated, data: bytes) -> Read:
    """All messages of a stream. Raises Fault."""
    frames = Frames()
    frames.longest = MOST_EXTENDED
    frames.feed(data)
    found = []
    while frame := frames.take():
        found.append((message.decode(frame, negotiated), negotiated))
    return found


def same_once_written(found: Read) -> None:
    """Each makes sense, and what we write of it is read as it was."""
    for said, negotiated in found:
        sensible(said)
        match said:
            case Open():
                _same_open(said)
            case Notification(code, subcode, data):
                assert said.words
                assert said.communication.isprintable()
                ((again, _),) = read(TERMS, message.notification(said))
                assert again == Notification(code, subcode, data[: message.MOST_DATA])
            case RouteRefresh(family, 0):
                assert read(TERMS, message.route_refresh(family)) == [(said, TERMS)]
            case Update():
                _same_routes(said, negotiated)
            case _:
                pass


def _same_open(said: Open) -> None:
    try:
        data = opening.encode(said)
    except ValueError:
        # Longer than an OPEN may be: with AS numbers of four octets, or capabilities of many parameters in one.
        return
    assert read(TERMS, data) == [(said, TERMS)]


def _same_routes(said: Update, negotiated: Negotiated) -> None:
    for routes in said.announced:
        assert said.attributes
        prefixes = _prefixes(routes)
        where = routes.family, routes.next_hop, prefixes, negotiated, MOST_EXTENDED
        try:
            data = list(update.announced(said.attributes, *where))
        except ValueError:
            # Attributes that leave no room.
            continue
        again = _updates(b"".join(data), negotiated)
        assert {_ordered(each.attributes) for each in again} == {_ordered(said.attributes)}
        assert [each for one in again for found in one.announced for each in _prefixes(found)] == prefixes
    for routes in said.withdrawn:
        prefixes = _prefixes(routes)
        data = list(update.withdrawn(routes.family, prefixes, MOST_EXTENDED))
        again = _updates(b"".join(data), negotiated)
        assert [each for one in again for found in one.withdrawn for each in _prefixes(found)] == prefixes


def _ordered(said: Attributes | None) -> Attributes | None:
    """With those unknown here in the order in which we write them."""
    return said and replace(said, other=tuple(sorted(said.other)))


def _updates(data: bytes, negotiated: Negotiated) -> list[Update]:
    return [each for each, _ in read(negotiated, data) if isinstance(each, Update)]


def _prefixes(routes: Routes) -> list[bytes]:
    return ONE[routes.family.bits].findall(routes.prefixes)


def in_state(state: State) -> Callable[[bytes], list[Effect]]:
    """A session in a state, which gets its stream in two pieces."""
    core = session(state)

    def feed(data: bytes) -> list[Effect]:
        half = len(data) // 2
        found = core.receive(1, data[:half], 1.0) + core.receive(1, data[half:], 1.0)
        return found + core.wake(2.0)

    return feed


def readable(effects: list[Effect]) -> None:
    """What a session says is read by the other end."""
    read(TERMS, b"".join(each.data for each in effects if isinstance(each, Send)))


def to_partner() -> Callable[[bytes], None]:
    """A neighbour that is up, and that counts what it is told."""
    partner = up(Wire())

    def feed(data: bytes) -> None:
        partner.received(1, data, 1.0)
        while partner.busy:
            partner.work(1.0)
        partner.seen()

    return feed


def messages_to(number: int) -> Target:
    """One who agreed with its peer on this or that."""
    fresh = partial(partial, read, SIDES[number])
    return Target(f"bgp message {number}", fresh, SPOKEN, (Fault,), same_once_written, framed_right, IN_BGP)


def stream_to(state: State) -> Target:
    """A session in this state."""
    name = f"bgp session {state.name.lower()}"
    return Target(name, partial(in_state, state), (*SPOKEN, TALK), (), readable, framed_right, IN_BGP)


ADVERTISEMENT = bytes.fromhex("8600abcd4000070800000000000000000101020000000bbb")
BGP = (
    *map(messages_to, range(len(SIDES))),
    *map(stream_to, State),
    Target("bgp partner", to_partner, SPOKEN, mend=framed_right, words=IN_BGP),
    Target("router advertisement", lambda: lambda data: advertises(data, 255, "fe80::1"), (ADVERTISEMENT,)),
)


# -- BFD

MOST_PACKETS = 40
"""Of one input."""


def to_sessions() -> Callable[[bytes], None]:
    """Two sessions, which get packet after packet, each as an echo as well."""
    core = sessions()

    def feed(data: bytes) -> None:
        for number, at in enumerate(range(0, min(len(data), MOST_PACKETS * packet.LENGTH), packet.LENGTH)):
            piece, now = data[at : at + packet.LENGTH], 0.1 * number
            core.receive(piece, NEAR, 255, now)
            core.receive(piece, FAR, 254, now)
            core.receive_echo(piece, now)
            core.wake(now)

    return feed


def packet_again(said: Any) -> None:  # noqa: ANN401  as `Target` has it
    """What was read is read the same once written."""
    assert packet.decode(packet.encode(said)) == said


def echo_again(said: Any) -> None:  # noqa: ANN401  as `Target` has it
    """So is what came back."""
    assert echo.decode(echo.FORM.pack(said.discriminator, said.nonce, said.count)) == said


PACKETS = tuple(
    packet.encode(packet.Packet(state, 0x99, yours, 3, 1_000_000, 300_000, 50_000, poll=poll))
    for state in packet.State
    for yours in OURS
    for poll in (False, True)
)
IN_BFD = (*(number.to_bytes(4) for number in OURS), *PACKETS)
BFD = (
    Target("bfd packet", lambda: packet.decode, PACKETS, (DecodeError,), packet_again),
    Target("bfd echo", lambda: echo.decode, (bytes(20),), (DecodeError,), echo_again),
    Target("bfd echo frame", lambda: echo_frame.unframed, (who_has("10.0.0.1"), bytes(12) + b"\x86\xdd" + bytes(70))),
    Target("bfd sessions", to_sessions, (*PACKETS, b"".join(PACKETS)), words=IN_BFD, lines=(3000, 60)),
)
