"""The claims a node knows: of each VIP the highest, by owner, and a digest by which two tables are compared.

A core. Withdrawn claims are kept for a while, so that an older one does not come back.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from zlib import crc32

from speakerd.exchange import Claim
from speakerd.ownership.message import BUCKETS

KEPT, TOLD = 600.0, 300.0
"""Seconds for which a withdrawn claim is kept, and for which it is told: two nodes never hand it to and fro."""
BUCKET_BYTES = 3
MOST = 100_000
"""Claims: as many VIPs as the link carries; a stranger with our key could send more."""


def order(claim: Claim) -> tuple[int, int]:
    """What orders the claims for one VIP."""
    return claim.epoch, claim.version


class Table:
    """Claims by packed address; `owned`: addresses by owner."""

    def __init__(self) -> None:
        self._claims: dict[bytes, Claim] = {}
        self._highest: dict[bytes, int] = {}
        self._digest = [0] * BUCKETS
        self._packed: bytes | None = None
        self._gone: deque[tuple[float, Claim]] = deque()
        self._told: deque[tuple[float, Claim]] = deque()
        self._untold: set[bytes] = set()
        self.owned: dict[str, set[bytes]] = {}

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._claims.values())

    @property
    def claims(self) -> Mapping[bytes, Claim]:
        """All of them."""
        return self._claims

    def get(self, ip: bytes) -> Claim | None:
        """The claim that counts for `ip`."""
        return self._claims.get(ip)

    def highest(self, ip: bytes) -> int:
        """The highest epoch seen for `ip`, whoever named it."""
        return self._highest.get(ip, 0)

    def saw(self, claim: Claim) -> None:
        """Note its epoch: the next claim is higher."""
        if claim.epoch > self._highest.get(claim.ip, 0):
            self._highest[claim.ip] = claim.epoch

    def put(self, claim: Claim, now: float) -> None:
        """Let `claim` count."""
        before = self._claims.get(claim.ip)
        if before is None and len(self._claims) >= MOST:
            return
        if before is not None:
            if claim.ip not in self._untold:
                self._weigh(before)
            self._of(before).discard(claim.ip)
        self._untold.discard(claim.ip)
        self._claims[claim.ip] = claim
        self.saw(claim)
        self._weigh(claim)
        self._of(claim).add(claim.ip)
        if not claim.owner:
            self._told.append((now + TOLD, claim))
            self._gone.append((now + KEPT, claim))

    def forget(self, now: float) -> None:
        """Let withdrawn claims go whose time is over."""
        while self._told and self._told[0][0] <= now:
            _, claim = self._told.popleft()
            if self._claims.get(claim.ip) is claim:
                self._weigh(claim)
                self._untold.add(claim.ip)
        while self._gone and self._gone[0][0] <= now:
            _, claim = self._gone.popleft()
            if self._claims.get(claim.ip) is claim:
                del self._claims[claim.ip]
                self._of(claim).discard(claim.ip)
                self._highest.pop(claim.ip, None)
                self._untold.discard(claim.ip)

    def _of(self, claim: Claim) -> set[bytes]:
        return self.owned.setdefault(claim.owner, set())

    def _weigh(self, claim: Claim) -> None:
        """Put a claim into the digest, or take it out."""
        text = f"{claim.epoch} {claim.version} {claim.owner} {claim.boot}".encode()
        self._digest[crc32(claim.ip) % BUCKETS] ^= crc32(text, crc32(claim.ip))
        self._packed = None

    @property
    def digest(self) -> bytes:
        """Three bytes a bucket; nothing while the table is empty."""
        if self._packed is None:
            low = [each & 0xFFFFFF for each in self._digest]
            self._packed = b"".join(each.to_bytes(BUCKET_BYTES) for each in low) if any(low) else b""
        return self._packed

    def differing(self, digest: bytes) -> bytes:
        """A bit for each bucket in which another table differs."""
        size = BUCKET_BYTES
        theirs, ours = (each.ljust(BUCKETS * size, b"\0") for each in (digest, self.digest))
        bits = 0
        for number in range(BUCKETS):
            if ours[number * size : (number + 1) * size] != theirs[number * size : (number + 1) * size]:
                bits |= 1 << number
        return bits.to_bytes(BUCKETS // 8)

    def of_buckets(self, buckets: bytes) -> Iterable[Claim]:
        """The claims told of these buckets."""
        bits = int.from_bytes(buckets)
        return (
            claim
            for claim in self._claims.values()
            if bits >> crc32(claim.ip) % BUCKETS & 1 and claim.ip not in self._untold
        )
