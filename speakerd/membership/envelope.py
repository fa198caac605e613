"""What travels between members, as the cores see it: who says what to whom, by which carrier.

Signing, encoding and addresses are the transport's; what a body means is the business of whose kind it is.
"""

from enum import IntEnum

from msgspec import Struct


class Carrier(IntEnum):
    """How a message reaches a member: UDP between node addresses, or Ethernet frames on a segment."""

    UDP = 1
    ETHERNET = 2


class Kind(IntEnum):
    """What a body is: up to 15 membership's own, above that ownership's. Numbers are never used anew (message.py)."""

    HEARTBEAT = 1
    HELLO = 2
    PROOF = 3
    VOTE = 4
    REFUTATION = 5
    CLAIMS = 16
    PULL = 17
    PROPOSAL = 18
    CONSENT = 19
    OFFER = 20
    REFUSAL = 22
    QUESTION = 23
    ANSWER = 24
    ASK = 25
    HEARD = 26
    LATER = 27


class Envelope(Struct, frozen=True):
    """A message that came in, authentic. `index`: the interface it came by, 0 for UDP.

    `boot`: the sender's life; `sequence`: its CLOCK_BOOTTIME in microseconds, strictly increasing; `received`: ours
    when it came.
    """

    sender: str
    boot: int
    receiver: str
    carrier: Carrier
    index: int
    sequence: int
    kind: Kind
    body: bytes
    received: int = 0


class Post(Struct, frozen=True):
    """An effect: send `body` to member `to` by `carrier`; over interface `index`, 0 for UDP."""

    to: str
    carrier: Carrier
    index: int
    kind: Kind
    body: bytes
