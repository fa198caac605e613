"""What ownership wants done, as what leaves this node: messages by the carrier that works, questions, announcements."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from speakerd.kinds import KINDS
from speakerd.membership.detector import Detector
from speakerd.membership.envelope import Carrier, Kind, Post
from speakerd.ownership import message
from speakerd.ownership.effects import Announce, AskWire, Noted, Tell, Vouch
from speakerd.ownership.message import Pull

EVERYTHING = b"\xff" * (message.BUCKETS // 8)
"""Asks for the claims of all buckets."""


class Discard(Struct, frozen=True):
    """An effect: throw away what members' sockets hold; this host stood still, and what was said meanwhile is old."""


Effect = Post | AskWire | Announce | Discard
"""What layer 2 and the sockets are to do."""


class Outbox:
    """`note`: where a word, its subject and its detail are kept for who wants to know."""

    def __init__(self, detector: Detector, note: Callable[[str, str, str], None]) -> None:
        self._detector, self._note = detector, note

    def take(self, found: Iterable[Effect | Tell | Noted | Vouch], now: float) -> list[Effect]:
        """Address and encode what is to be told; the rest goes as it is."""
        effects: list[Effect] = []
        for each in found:
            match each:
                case Tell(to, body, index):
                    effects += self._addressed(to, KINDS[type(body)], message.encode(body), index, now)
                case Noted(word, subject, detail):
                    self._note(word, subject, detail)
                case Vouch(to, name):
                    effects += self._detector.vouch(to, name, now)
                case _:
                    effects.append(each)
        return effects

    def pull_all(self, now: float) -> list[Post]:
        """Ask for all claims those that watch this node: everybody, but in a large cluster."""
        body, living = message.encode(Pull(EVERYTHING)), self._detector.living()
        asked = [name for name in sorted(self._detector.observers()) if name in living]
        return [post for name in asked for post in self._detector.post(name, Kind.PULL, body, now, both=True)]

    def _addressed(self, to: str, kind: Kind, data: bytes, index: int, now: float) -> list[Post]:
        if index:
            return [Post(to, Carrier.ETHERNET, index, kind, data)]
        return self._detector.post(to, kind, data, now)
