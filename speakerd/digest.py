"""SHA-256 and HMAC (RFC 2104) with it, by Python's own code: the announcer hashes a few hundred bytes at a time.

OpenSSL's are the faster ones from 1 KiB on; below, it takes longest to look the algorithm up, for every message anew.
And it would keep 1.2 MiB of itself in the memory that the announcer locks.
"""

from collections.abc import Callable
from typing import Protocol, Self

try:
    from _sha256 import sha256 as _sha256  # type: ignore[import-not-found]
except ImportError:  # its name from Python 3.12 on
    from _sha2 import sha256 as _sha256  # type: ignore[import-not-found]

from _operator import _compare_digest

BLOCK = 64
INNER, OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
"""RFC 2104 section 2: every byte of the key, xored with ipad and opad."""


class Hash(Protocol):
    """A hash in the making, as in hashlib."""

    def update(self, data: bytes, /) -> None:
        """Take more."""

    def digest(self) -> bytes:
        """Of all that was taken."""

    def copy(self) -> Self:
        """Another that has taken the same."""


sha256: Callable[[bytes], Hash] = _sha256


class Mac:
    """HMAC-SHA-256 with one key; what is the same for every message is done once."""

    def __init__(self, key: bytes) -> None:
        block = (key if len(key) <= BLOCK else sha256(key).digest()).ljust(BLOCK, b"\0")
        self._inner, self._outer = sha256(block.translate(INNER)), sha256(block.translate(OUTER))

    def of(self, data: bytes) -> bytes:
        """The 32 octets for `data`."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether they are equal; to find that they are not takes as long wherever they differ."""
    return _compare_digest(one, other)
