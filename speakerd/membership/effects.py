"""What the detector wants done, and what it has found."""

from msgspec import Struct

from speakerd.membership.envelope import Post
from speakerd.membership.peer import State


class Changed(Struct, frozen=True):
    """An effect: what this node thinks of a member is another thing now.

    `stalled`: the same life is back. `proven`, of a death: it said goodbye or lives anew, so that nobody need be asked.
    """

    name: str
    before: State
    after: State
    stalled: bool = False
    proven: bool = False


class Missed(Struct, frozen=True):
    """An effect: a heartbeat of a member is missing, here or where somebody votes: time to ask the wire."""

    name: str


class Beat(Struct, frozen=True):
    """An effect: a member's heartbeat came, with the digest of the claims it knows."""

    name: str
    digest: bytes


class TwoBoots(Struct, frozen=True):
    """An effect: two hosts live under one name."""

    name: str


class Suspended(Struct, frozen=True):
    """An effect: a member's clock went on for `seconds` while ours stood still, as that of a virtual machine may."""

    seconds: float


Effect = Post | Changed | Missed | Beat | TwoBoots | Suspended
"""All of them."""
