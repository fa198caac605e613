"""Peers that misbehave, all at once: one for each way that a router, or who has its address, can be a nuisance."""

import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from speakerd.bgp import update
from speakerd.bgp.aspath import Segment, SegmentKind
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4
from speakerd.bgp.frame import MOST
from tests.lab.bgp import OURS, THEIRS, bgp
from tests.lab.net import Lan
from tests.lab.objects import Object
from tests.lab.scripted import FOUR, Good, Scripted, Talk

MILLION = 1_000_000
FIRST = 0x010000
"""1.0.0.0/24; a million on is 16.66.63.0/24."""
NOBODY, OTHER_KEY = 64999, b"not what was agreed"
ADDRESSES: Mapping[str, str] = {
    "good": "10.99.3.1",
    "silent": "10.99.3.2",
    "rubbish": "10.99.3.3",
    "flapping": "10.99.3.4",
    "flood": "10.99.3.5",
    "wrong-asn": "10.99.3.6",
    "wrong-password": "10.99.3.7",
    "unreachable": "10.99.3.8",
}
BAD = tuple(name for name in ADDRESSES if name != "good")
FLAP = 1.0
"""Seconds that a session of the flapping peer lasts, and that lie between two."""


@cache
def table() -> bytes:
    """UPDATEs that announce a million prefixes, packed as routers pack them."""
    said = Attributes(path=(Segment(SegmentKind.SEQUENCE, (THEIRS,)),))
    prefixes = (b"\x18" + (FIRST + number).to_bytes(3) for number in range(MILLION))
    return b"".join(update.announced(said, IPV4, bytes((10, 99, 3, 5)), prefixes, FOUR, MOST))


def peers(names: Iterable[str]) -> Iterator[Object]:
    """The resources by which nodes have sessions with these."""
    for name in names:
        signed = {"password": "agreed"} if name == "wrong-password" else {}
        yield bgp("BGPPeer", name, myASN=OURS, peerASN=THEIRS, peerAddress=ADDRESSES[name], **signed)


@contextmanager
def speakers(lan: Lan) -> Iterator[Good]:
    """All of them at work on the first router of `lan`; the good one, to be asked what it heard."""
    table()
    good = Good(THEIRS)
    scripts = {
        "good": good.script,
        "silent": Talk.ignore,
        "rubbish": rubbish,
        "flood": flood,
        "wrong-asn": stranger,
        "wrong-password": Talk.ignore,
    }
    with Scripted(lan.routers[0]) as scripted:
        for name, address in ADDRESSES.items():
            if name != "unreachable":
                scripted.add(address)
        for name, script in scripts.items():
            keys = [(node.ipv4, OTHER_KEY) for node in lan.nodes] if name == "wrong-password" else []
            scripted.listen(ADDRESSES[name], script, keys)
        for node in lan.nodes:
            scripted.call(ADDRESSES["flapping"], node.ipv4, flap, FLAP)
        yield good


def rubbish(talk: Talk) -> None:
    """Say what is no BGP."""
    talk.end.sendall(os.urandom(4096))
    talk.ignore()


def stranger(talk: Talk) -> None:
    """Be of another AS than agreed."""
    talk.greet(NOBODY)


def flap(talk: Talk) -> None:
    """Be there for a moment, and gone without a word."""
    talk.end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.greet(THEIRS)
    talk.over.wait(FLAP)


def flood(talk: Talk) -> None:
    """Tell of a million prefixes as fast as they are taken, again and again."""
    talk.greet(THEIRS)
    while not talk.over.is_set():
        talk.end.sendall(table())
