"""What members and hosts of the segment say, as targets of `guided`: signed messages, their bodies, ARP and NDP."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import msgspec

from speakerd.layer2 import arp, ndp
from speakerd.membership import frame, heartbeat, message
from speakerd.membership.envelope import Carrier
from speakerd.membership.keys import TAG_BYTES
from speakerd.ownership import message as ownership
from speakerd.wire import DecodeError
from tests.fuzz.guided import Target
from tests.fuzz.messages import RING, good
from tests.fuzz.samples import sample
from tests.fuzz.strangers import responder
from tests.unit.layer2.frames import solicitation, v6, who_has

SIGNER = RING.signers("")[0]
SAMPLES = range(20)
HEARTBEATS = (heartbeat.Heartbeat, heartbeat.Nonce, heartbeat.Vote, heartbeat.Refutation)
KINDS: tuple[type[msgspec.Struct], ...] = (*HEARTBEATS, *ownership._KINDS)


# -- membership and ownership


def signed(data: bytes) -> bytes:
    """As one who has the key would send it."""
    body = bytearray(data[:-TAG_BYTES].ljust(message.HEAD.size, b"\1"))
    body[:3] = message.MAGIC + b"\x01"
    body[4:8] = SIGNER.id
    return bytes(body) + SIGNER.tag(bytes(body))


def envelope_again(found: Any) -> None:  # noqa: ANN401  as `Target` has it
    """What was believed is believed the same once we have sent it."""
    again = message.decode(message.encode(found, SIGNER), RING, found.carrier, found.index, found.received)
    assert again == found


def read_body(kind: type[msgspec.Struct], data: bytes) -> msgspec.Struct:
    """A body as whoever takes it reads it. Raises DecodeError."""
    if kind in HEARTBEATS:
        found = heartbeat.decode(data, kind)
        if isinstance(found, heartbeat.Heartbeat):
            heartbeat.listed(found.udp)
        return found
    found = ownership.decode(data, kind)
    if isinstance(found, ownership.Claims):
        ownership.claims_of(found, 1.0)
    return found


def body_again(found: msgspec.Struct) -> None:
    """What was read is read the same once written."""
    assert read_body(type(found), heartbeat.encode(found)) == found


def bodies_of(kind: type[msgspec.Struct]) -> Target:
    """One kind of body."""
    seeds = tuple(msgspec.msgpack.encode(sample(kind, Random(seed))) for seed in SAMPLES)
    return Target(f"mesh {kind.__name__}", partial(partial, read_body, kind), seeds, (DecodeError,), body_again)


def messages_by(carrier: Carrier) -> Target:
    """Whole messages."""
    seeds = tuple(good(Random(seed)) for seed in SAMPLES)
    name = f"mesh message by {carrier.name.lower()}"
    fresh = partial(partial, message.decode, keyring=RING, carrier=carrier)
    return Target(name, fresh, seeds, (DecodeError,), envelope_again, signed)


MESH = (
    *map(messages_by, Carrier),
    *map(bodies_of, KINDS),
    Target("mesh frame", lambda: frame.unframed, (bytes(14) + b"said",)),
)


# -- ARP and NDP

NDP_AT = 54
"""Where a message of Neighbor Discovery begins in its frame."""
MAC = b"\2\0\0\0\0\1"
FRAMES = (
    who_has("10.0.0.1"),
    solicitation("fd00::1"),
    arp.announcement(MAC, b"\x0a\0\0\1"),
    ndp.announcement(v6("fd00::1"), MAC, v6("fe80::1")),
)


def to_responder() -> Callable[[bytes], None]:
    """A responder with VIPs, which gets each frame by both doors."""
    core = responder()

    def feed(data: bytes) -> None:
        core.receive_arp(2, data)
        core.receive_ndp(2, data)
        core.spoken()
        core.wake(1.0)

    return feed


def summed(data: bytes) -> bytes:
    """As a frame of IPv6 whose lengths and checksum are true."""
    data = data.ljust(NDP_AT + 8, b"\0")
    body = data[NDP_AT : NDP_AT + 2] + b"\0\0" + data[NDP_AT + 4 :]
    head = data[:12] + b"\x86\xdd" + data[14:18] + min(len(body), 0xFFFF).to_bytes(2) + b"\x3a\xff" + data[22:NDP_AT]
    return head + body[:2] + ndp.checksum(head[22:38], head[38:54], body).to_bytes(2) + body[4:]


LAYER2 = (
    Target("responder", to_responder, FRAMES),
    Target("responder, sums right", to_responder, FRAMES[1::2], mend=summed),
    Target("ndp solicitation", lambda: ndp.decode, FRAMES[1:2], (DecodeError,), mend=summed),
    Target("ndp speaker", lambda: ndp.speaker, FRAMES[3:], mend=summed),
    Target("arp speaker", lambda: arp.speaker, FRAMES[:1]),
)
