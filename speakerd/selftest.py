"""Whether this very program is whole, asked at each start: what a build can lose without an error; under 2 ms.

A compiler told to leave annotations out has every struct decode to nothing; with a C type of another size the kernel
reads what it was never told. Neither raises anything at import. What the host does not grant is another matter
(`lacking`): the program runs without, and `status` says what that breaks.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from struct import Struct as Form

import msgspec

from speakerd import packet, privileges
from speakerd.digest import Mac
from speakerd.exchange import Candidate
from speakerd.findings import TABLE, Finding
from speakerd.settings import Settings

REMEDY = "install another build, and report this one"
RETURN = Form("@HBBI")
"""struct sock_filter (linux/filter.h): operation, two jumps, operand."""
ALL, NOTHING = RETURN.pack(0x06, 0, 0, 0xFFFF), RETURN.pack(0x06, 0, 0, 0)
"""Filters of one instruction: how many octets of a message come through."""

Test = Callable[[], Iterator[bool]]


def problems() -> list[str]:
    """What is broken in this program, a sentence each; nothing where it is whole. Changes nothing, needs no rights."""
    return [what for what, test in TESTS.items() if not _holds(test)]


def lacking() -> list[tuple[str, str]]:
    """What the host does not grant this process, each with its remedy: raw sockets, capabilities."""
    found = []
    if not privileges.raw_sockets():
        found.append(("raw sockets are refused", TABLE[Finding.NO_RAW_SOCKETS].remedy))
    names = [f"CAP_{each.name}" for each in sorted(privileges.SUPERVISOR - privileges.permitted())]
    if names:
        found.append((f"not granted: {', '.join(names)}", "start it as the unit file does"))
    return found


def _holds(test: Test) -> bool:
    """Whether every part of a test holds; one that raises says no: whatever a broken build does, it is told here."""
    with suppress(Exception):
        return all(test())
    return False


def _structs() -> Iterator[bool]:
    """As the API and files have them, as processes and members have them, and what must be refused."""
    settings = msgspec.json.decode(b'{"kubernetes": {"maxStale": 7}}', type=Settings)
    yield (settings.kubernetes.max_stale, settings.log.level) == (7.0, "info")
    candidate = msgspec.msgpack.decode(b"\x92\xa1n\x05", type=Candidate)
    yield (candidate.node, candidate.score) == ("n", 5)
    with suppress(msgspec.ValidationError):
        msgspec.json.decode(b'{"membership": {"port": 0}}', type=Settings)
        yield False


def _signatures() -> Iterator[bool]:
    """RFC 4231 section 4.3."""
    tag = Mac(b"Jefe").of(b"what do ya want for nothing?")
    yield tag.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def _capabilities() -> Iterator[bool]:
    yield privileges.permitted() <= frozenset(privileges.Capability)


def _filters() -> Iterator[bool]:
    """The kernel runs the filter that it is handed: one lets a message through, the other does not."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        receiver.setblocking(False)
        packet.attach(receiver, ALL)
        sender.send(b"one")
        yield receiver.recv(8) == b"one"
        packet.attach(receiver, NOTHING)
        sender.send(b"two")
        with suppress(BlockingIOError):
            receiver.recv(8)
            yield False


TESTS: Mapping[str, Test] = {
    "structs do not decode as they were written": _structs,
    "messages are not signed as other members sign them": _signatures,
    "the kernel does not understand how it is asked for capabilities": _capabilities,
    "the kernel does not run the filters that it is given": _filters,
}
"""What is said where a test does not hold, and the test."""
