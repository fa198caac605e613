"""What a later version of speakerd says: the same bodies, longer by what it may add (membership/message.py)."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from speakerd.kinds import BODIES
from speakerd.membership.envelope import Kind
from speakerd.membership.heartbeat import Heartbeat, Nonce, Refutation, Vote

ADDED = ({"said": ["by", 2]}, b"later", None)
"""Fields of kinds that this version has never seen, at the end of a body and of each structure in it."""
EVERY: Mapping[Kind, type[Struct]] = {
    **BODIES,
    Kind.HEARTBEAT: Heartbeat,
    Kind.HELLO: Nonce,
    Kind.PROOF: Nonce,
    Kind.VOTE: Vote,
    Kind.REFUTATION: Refutation,
}
"""The body of every kind of message."""


def lengthened(kind: Kind, body: bytes) -> bytes:
    """`body` as a later version would say it."""
    return msgspec.msgpack.encode(_longer(msgspec.msgpack.decode(body, type=EVERY[kind])))


def _longer(value: object) -> object:
    if isinstance(value, Struct):
        return [*(_longer(getattr(value, name)) for name in value.__struct_fields__), *ADDED]
    return [_longer(each) for each in value] if isinstance(value, tuple) else value
