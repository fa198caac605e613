"""Two nodes claim one VIP: who keeps it, by rules that need no common table; pure."""

from msgspec import Struct

from speakerd.digest import sha256
from speakerd.exchange import Claim

BY_SILENCE = frozenset({"owner-dead", "restored"})
"""Causes by which a node took over because it heard nothing; the other one may have served on unbroken."""


class Standing(Struct, frozen=True):
    """What a claimant brings: `yields`: it stood still, lost carrier, or is not heard; `side`: members on its side."""

    claim: Claim
    side: int
    yields: bool = False


def wins(ours: Standing, theirs: Standing, rank_by: bytes) -> bool:
    """Whether ours stays: who yields loses; else the larger side, who served unbroken, or a hash decides.

    `rank_by`: the first address of the VIP's Service, so that all addresses of one go the same way.
    """
    return _weight(ours, rank_by) > _weight(theirs, rank_by)


def _weight(standing: Standing, rank_by: bytes) -> tuple[bool, int, bool, bytes]:
    claim = standing.claim
    return not standing.yields, standing.side, claim.cause not in BY_SILENCE, _hash(claim, rank_by)


def _hash(claim: Claim, rank_by: bytes) -> bytes:
    return sha256(rank_by + claim.boot.to_bytes(8) + claim.owner.encode()).digest()
