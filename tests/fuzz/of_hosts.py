"""What the kernel, our own other process and the API server say, as targets of `guided`."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import msgspec

from speakerd import host
from speakerd.bfd import neighbours
from speakerd.exchange import Claim, Counters
from speakerd.kube import kept, objects
from speakerd.kube.client import Response
from speakerd.kube.reflector import Reflector
from speakerd.link import BgpHead, Head, PrefixShard, Shard, Sight
from speakerd.wire import UNDECODABLE
from tests.fuzz.guided import Target
from tests.fuzz.of_sessions import recorded
from tests.fuzz.samples import sample

SAMPLES = range(10)
ANSWER = neighbours.question(2, b"\x0a\0\0\1", 7).replace(b"\x1e\0", b"\x1c\0", 1)

KERNEL = (
    Target("netlink messages", lambda: host.messages, recorded("netlink")),
    Target("netlink neighbour", lambda: neighbours.answer, (ANSWER, *recorded("netlink"))),
)


# -- between our processes


def section(kind: Any) -> Target:  # noqa: ANN401  a type
    """A section of the board: it reads as what it is, or as nothing of ours."""
    seeds = tuple(msgspec.msgpack.encode(sample(kind, Random(seed))) for seed in SAMPLES)
    decode = msgspec.msgpack.Decoder(kind).decode

    def again(found: object) -> None:
        # Written, for a number that is none (NaN) is not equal to itself.
        data = msgspec.msgpack.encode(found)
        assert msgspec.msgpack.encode(decode(data)) == data

    name = f"link {getattr(kind, '__name__', '')}{'s' * (not isinstance(kind, type))}"
    return Target(name, lambda: decode, seeds, UNDECODABLE, again)


LINK = tuple(map(section, (Head, BgpHead, Shard, PrefixShard, Sight, Claim, Counters)))


# -- the API

SPACE = "metallb-system"
WATCHED: tuple[objects.Kind[Any], ...] = (
    kept.SERVICES,
    kept.SLICES,
    objects.NODES,
    objects.NAMESPACES,
    *(
        kind(SPACE)
        for kind in (
            objects.pools,
            objects.advertisements,
            objects.peers,
            objects.routes,
            objects.bfd_profiles,
            objects.communities,
            objects.members,
        )
    ),
)
WORDS = '{ } [ ] , : " null true 1e9 -1 {} [] "" "type":"ERROR", "type":"BOOKMARK", "code":410 \\u0000 \\ud800'
IN_JSON = tuple(word.encode() for word in WORDS.split())


def to_reflector(kind: objects.Kind[Any]) -> Callable[[bytes], None]:
    """One that has listed and watches: it gets a page, a line, and a line after a fresh list."""

    def feed(data: bytes) -> None:
        core = Reflector(kind, lambda: 0.5)
        core.page(Response(200, data))
        core.next()
        core.lines(data.split(b"\n"))
        core.next()
        core.ended(Response(410, data))
        core.next()

    return feed


def bodies(kind: objects.Kind[Any]) -> tuple[bytes, ...]:
    """A list, and lines of a watch."""
    found = []
    for seed in SAMPLES:
        item = sample(kind.type, Random(seed))
        item["metadata"] = {"name": "n", "namespace": "s", "resourceVersion": "7", **item.get("metadata", {})}
        found.append(msgspec.json.encode({"metadata": {"resourceVersion": "9"}, "items": [item]}))
        lines = [{"type": word, "object": item} for word in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")]
        found.append(b"\n".join(map(msgspec.json.encode, lines)))
    return tuple(found)


def watched(kind: objects.Kind[Any]) -> Target:
    """One kind of object."""
    return Target(f"api {kind.name}", partial(to_reflector, kind), bodies(kind), words=IN_JSON)


API = tuple(map(watched, WATCHED))
