"""Our packets that the neighbour's forwarding sends back (RFC 5880 sections 6.4, 6.8.8 and 6.8.9): do they come back?

A core; times are seconds. Until the first one came back the function proves nothing, and so fails nothing: a neighbour
may allow echo packets that a filter on the way drops. Missing ones are counted in packets and not in time, so that a
process that stood still and sent none misses none.
"""

from collections.abc import Callable
from struct import Struct as Form

from msgspec import Struct

from speakerd.bfd.pace import JITTER
from speakerd.wire import DecodeError, Reader

FORM = Form("!IQQ")
GUESSES = 1 << 53
"""As many numbers as `random` can tell apart."""


class Payload(Struct, frozen=True):
    """What an echo packet carries; nobody but its sender reads it. `nonce`: what only who saw one can know."""

    discriminator: int
    nonce: int
    count: int


def decode(data: bytes) -> Payload:
    """The payload of a packet that came back. Raises DecodeError where it is none of ours."""
    reader = Reader(data)
    payload = Payload(*reader.unpack(FORM))
    if reader.left:
        raise DecodeError(f"{reader.left} bytes too many")
    return payload


class Echo:
    """Of one session. `random` gives numbers from 0 to 1, which strangers must not foresee."""

    def __init__(self, discriminator: int, random: Callable[[], float]) -> None:
        self._discriminator, self._random = discriminator, random
        self._nonce = 0
        self._interval: float | None = None
        self._sent = self._returned = 0
        self._due = 0.0
        self.works = False

    def pace(self, interval: float | None, now: float) -> None:
        """Send every `interval` seconds, at most; None: send none, and forget those under way."""
        if (interval is None) != (self._interval is None):
            self.works = False
            self._nonce = int(self._random() * GUESSES)
            self._sent = self._returned = 0
            self._due = now
        self._interval = interval

    def deadline(self) -> float | None:
        """When the next packet is due."""
        return None if self._interval is None else self._due

    def failed(self, multiplier: int, now: float) -> bool:
        """Whether the last `multiplier` packets have not come back, though each had an interval for it."""
        return self.works and self._due <= now and self._sent - self._returned >= multiplier

    def take(self, now: float) -> bytes | None:
        """The payload that is due, if one is."""
        if self._interval is None or now < self._due:
            return None
        self._sent += 1
        self._due = now + self._interval * (1.0 - JITTER * self._random())
        return FORM.pack(self._discriminator, self._nonce, self._sent)

    def receive(self, payload: Payload) -> bool:
        """Whether a packet that came back is one of ours, and a later one than came back before; if so it counts."""
        ours = payload.discriminator == self._discriminator and payload.nonce == self._nonce
        if self._interval is None or not ours or not self._returned < payload.count <= self._sent:
            return False
        self._returned = payload.count
        self.works = True
        return True
