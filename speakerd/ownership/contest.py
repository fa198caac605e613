"""Two nodes claim one VIP: who keeps it, by rules that need no common table; pure."""

from hashlib import sha256

from msgspec import Struct

from speakerd.model import Claim

BY_SILENCE = frozenset({"owner-dead", "restored"})
"""Causes by which a node took over because it heard nothing; the other one may have served on unbroken."""


class Standing(Struct, frozen=True):
    """What a claimant brings: `yields`: it stood still, lost its carrier, or is alone; `side`: members on its side."""

    claim: Claim
    side: int
    yields: bool = False


def wins(ours: Standing, theirs: Standing) -> bool:
    """Whether ours stays: who yields loses; else the larger side, who served unbroken, or a hash decides."""
    return _weight(ours) > _weight(theirs)


def _weight(standing: Standing) -> tuple[bool, int, bool, bytes]:
    claim = standing.claim
    return not standing.yields, standing.side, claim.cause not in BY_SILENCE, _hash(claim)


def _hash(claim: Claim) -> bytes:
    return sha256(claim.ip + claim.boot.to_bytes(8) + claim.owner.encode()).digest()
