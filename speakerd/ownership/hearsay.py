"""What third members tell of a rival that is not heard itself: whether it lives, whether to settle without its word.

A core. Two nodes may be apart for each other alone, or a network is just whole again and the two have not met yet.
"""

from collections.abc import Collection

from msgspec import Struct

from speakerd.exchange import Claim
from speakerd.ownership.table import order

PATIENCE = 4
"""Intervals in which a rival that can be heard is heard."""


class Rival(Struct):
    """Of one VIP: the claim that was outdone last, and between when and when others told of the rival."""

    claim: Claim
    since: float
    last: float


class Hearsay:
    """`serving`: the VIPs that are answered for here; of no other is anything kept."""

    def __init__(self, serving: Collection[bytes]) -> None:
        self._serving = serving
        self._rivals: dict[bytes, Rival] = {}

    def outdone(self, claim: Claim, now: float) -> None:
        """A claim of an owner that is not heard was outdone."""
        self._of(claim, now).claim = claim

    def rose_again(self, claim: Claim) -> bool:
        """Whether its owner has gone above ours once more: then it lives, though this node does not hear it."""
        rival = self._rivals.get(claim.ip)
        return rival is not None and _life(rival.claim) == _life(claim) and order(claim) > order(rival.claim)

    def insists(self, claim: Claim, now: float, interval: float) -> bool:
        """Whether others have told of a rival for so long that it can't be heard."""
        rival = self._of(claim, now)
        if now - rival.last > PATIENCE * interval:
            rival.since = now
        rival.last = now
        return now - rival.since > PATIENCE * interval

    def settled(self, ip: bytes) -> None:
        """The rival spoke for itself."""
        self._rivals.pop(ip, None)

    def _of(self, claim: Claim, now: float) -> Rival:
        rival = self._rivals.get(claim.ip)
        if rival is None or _life(rival.claim) != _life(claim):
            if len(self._rivals) > len(self._serving):
                self._rivals = {ip: each for ip, each in self._rivals.items() if ip in self._serving}
            rival = self._rivals[claim.ip] = Rival(claim, now, now)
        return rival


def _life(claim: Claim) -> tuple[str, int]:
    return claim.owner, claim.boot
