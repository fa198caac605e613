"""How long a VIP waits until it goes back to a node it prefers: the longer, the oftener it went back in vain.

A core. Every node sees the claims and why they were made, so that all come to the same patience, whoever is owner then.
"""

from collections import Counter

from speakerd.exchange import Claim

CALM = 30.0
"""Seconds without a member coming or going before a VIP moves for its own good."""
PATIENCE = 1800.0
"""The most seconds of calm a VIP waits that keeps losing the node it prefers; doubled at each relapse up to here.

Who keeps the VIP for so long after it went back has made up for all relapses.
"""
MEANT = {"drain", "preference"}
"""Why a VIP leaves a node that it went back to without that being a relapse."""


class Returns:
    """Told of each claim that counts from now on."""

    def __init__(self) -> None:
        self._back: dict[bytes, tuple[str, float]] = {}
        self._relapses: Counter[bytes] = Counter()

    def see(self, claim: Claim, now: float) -> None:
        """A VIP goes back, or has another owner than the one it went back to, or none."""
        owner, since = self._back.get(claim.ip, ("", now))
        if owner and owner != claim.owner:
            del self._back[claim.ip]
            if now - since >= PATIENCE:
                del self._relapses[claim.ip]
            elif claim.cause not in MEANT:
                self._relapses[claim.ip] += 1
        if claim.owner and claim.cause == "preference":
            self._back.setdefault(claim.ip, (claim.owner, now))

    def forget(self, ip: bytes) -> None:
        """The VIP is wanted no more."""
        self._back.pop(ip, None)
        del self._relapses[ip]

    def patience(self, ip: bytes) -> float:
        """Seconds of calm that the VIP waits for."""
        doublings = min(self._relapses[ip], int(PATIENCE / CALM).bit_length())
        return min(PATIENCE, CALM * 2.0**doublings)
