"""How many prefixes a peer has sent and not withdrawn, though none is kept: exact while few, estimated beyond.

Announcements less withdrawals would be wrong, since a prefix may be announced again and again. A full table as a set
would take 100 MB of locked memory a peer. So beyond FEW only one bit of each is kept, where its hash leads, and how
many prefixes it takes to set so many bits is known (linear counting: Whang, Vander-Zanden, Taylor 1990).
"""

from collections import deque
from collections.abc import Iterable
from math import log

from speakerd.bgp.family import Family
from speakerd.bgp.tolerance import Routes

FEW = 1024
"""All are marked at once when they become too many: half a millisecond."""
BITS = 1 << 23
"""1 MiB: a million prefixes are told to within 1 in 1,000, ten millions to within 1 in 500."""
MASK = BITS - 1


class Tally:
    """Of one session. What was heard is counted in slices: a long message has 65,000 prefixes."""

    def __init__(self) -> None:
        self._few: set[bytes] = set()
        self._bits: bytearray | None = None
        self._ones = 0
        self._heard: deque[tuple[Routes, bool]] = deque()
        self._at = 0

    def announced(self, routes: Iterable[Routes]) -> None:
        """These came."""
        self._heard.extend((each, True) for each in routes)

    def withdrawn(self, routes: Iterable[Routes]) -> None:
        """These went."""
        self._heard.extend((each, False) for each in routes)

    @property
    def pending(self) -> bool:
        """Whether there is something to count."""
        return bool(self._heard)

    @property
    def count(self) -> int:
        """Prefixes that the peer has told of, as far as counted."""
        if self._bits is None:
            return len(self._few)
        zeros = max(1, BITS - self._ones)
        return round(-BITS * log(zeros / BITS))

    def work(self, most: int) -> None:
        """Count `most` prefixes at most."""
        while most > 0 and self._heard:
            routes, come = self._heard[0]
            most -= self._slice(routes, most, come=come)
            if self._at >= len(routes.prefixes):
                self._heard.popleft()
                self._at = 0

    def _slice(self, routes: Routes, most: int, *, come: bool) -> int:
        """Count on in one message; how many it were."""
        data, at, done = routes.prefixes, self._at, 0
        tag = _tag(routes.family)
        while at < len(data) and done < most:
            end = at + 1 + ((data[at] + 7) >> 3)
            self._note(tag + data[at:end], come=come)
            at = end
            done += 1
        self._at = at
        return done

    def _note(self, prefix: bytes, *, come: bool) -> None:
        if self._bits is not None:
            self._mark(prefix, come=come)
        elif not come:
            self._few.discard(prefix)
        else:
            self._few.add(prefix)
            if len(self._few) > FEW:
                self._bits = bytearray(BITS >> 3)
                for each in self._few:
                    self._mark(each, come=True)
                self._few = set()

    def _mark(self, prefix: bytes, *, come: bool) -> None:
        """Set or clear the bit of one. Python's hash has a secret: no peer can choose who falls on whom."""
        assert self._bits is not None
        place = hash(prefix) & MASK
        bit = 1 << (place & 7)
        held = self._bits[place >> 3]
        if bool(held & bit) != come:
            self._bits[place >> 3] = held ^ bit
            self._ones += 1 if come else -1


def _tag(family: Family) -> bytes:
    return bytes((family.afi,))
