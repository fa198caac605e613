"""UPDATEs written and read: routes a millisecond, beside ExaBGP's own codec on the same table.

ExaBGP makes an object of each route that it reads; speakerd looks at each and counts it, since it keeps none.
"""

import json
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from speakerd.bgp import update
from speakerd.bgp.aspath import Segment, SegmentKind
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, Negotiated
from speakerd.bgp.frame import HEAD, MOST
from speakerd.bgp.update import Update
from tests.bench.figures import Options, Outcome
from tests.lab.net import tool

MANY = 10_000
ROUNDS = 5
FIRST = IPv4Address("198.18.0.0")
NEXT_HOP = IPv4Address("10.99.0.11").packed
ALIKE = {"packed": MANY, "varied": 10}
"""Routes of which the same is said, by name of the table."""
AGREED = Negotiated(four_octet=True)
PYTHON = "/usr/bin/python3"
"""Debian's, which has Debian's ExaBGP."""
RIVAL = Path(__file__).with_name("exabgp.py")


def run(_options: Options, outcome: Outcome) -> None:
    """Both tables; this very Python, whatever programs there are."""
    for name, alike in ALIKE.items():
        groups = _table(alike)
        messages = _written(groups)
        bodies = [message[HEAD.size :] for message in messages]
        told = {
            "speakerd.encode": _seconds(partial(_written, groups)),
            "speakerd.decode": _seconds(partial(_read, bodies)),
            **{f"exabgp.{word}": seconds for word, seconds in _exabgp(bodies).items()},
        }
        outcome["figures"][f"codec.{name}.messages"] = len(messages)
        for word, seconds in told.items():
            outcome["figures"][f"codec.{name}.{word}.routes.per.ms"] = round(MANY / seconds / 1000, 1)


def _table(alike: int) -> list[tuple[Attributes, list[bytes]]]:
    """What is said, and of which routes."""
    prefixes = [b"\x20" + (FIRST + number).packed for number in range(MANY)]
    pieces = [prefixes[at : at + alike] for at in range(0, MANY, alike)]
    communities = [(64512 << 16 | number, 64512 << 16 | 7) for number in range(len(pieces))]
    said = [Attributes(path=(Segment(SegmentKind.SEQUENCE, (64512,)),), communities=each) for each in communities]
    return list(zip(said, pieces, strict=True))


def _written(groups: Sequence[tuple[Attributes, list[bytes]]]) -> list[bytes]:
    return [
        message
        for said, prefixes in groups
        for message in update.announced(said, IPV4, NEXT_HOP, prefixes, AGREED, MOST)
    ]


def _read(bodies: Sequence[bytes]) -> list[Update]:
    return [update.decode(body, AGREED) for body in bodies]


def _seconds(work: Callable[[], object]) -> float:
    """The best of several times: what it costs when nothing else runs."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def _exabgp(bodies: Sequence[bytes]) -> dict[str, float]:
    """Seconds that ExaBGP takes to read these, and to write them again."""
    feed = json.dumps([b64encode(body).decode() for body in bodies])
    found: dict[str, float] = json.loads(tool(PYTHON, str(RIVAL), str(ROUNDS), feed=feed))
    return found
