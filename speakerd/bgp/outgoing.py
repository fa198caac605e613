"""One family of what a peer is told (its Adj-RIB-Out, RFC 4271 section 3.2): wanted, sent, and what is due of it.

Three facts make it up, and all else follows: what is wanted, how it may be said to this peer, what the peer has. After
any of them changes `_aim` looks at the prefixes concerned; a prefix that already is as it should be is due nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from functools import partial

from msgspec import Struct

from speakerd.bgp import origination, update
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import Family, Negotiated
from speakerd.difference import difference

Wish = Mapping[bytes, Attributes]
"""What is said of each prefix; a prefix is the octets that it is sent as (see `nlri`)."""


class Manner(Enum):
    """How what is wanted is told: as it is; as about to go (RFC 8326); not at all, and what was told is withdrawn."""

    SERVE = auto()
    DRAIN = auto()
    LEAVE = auto()


class Unsent(Enum):
    """Why a prefix is not for this peer."""

    NOT_WANTED = "not-wanted"
    NO_SESSION = "no-session"
    FAMILY_NOT_AGREED = "family-not-agreed"
    NO_NEXT_HOP = "no-next-hop"
    LEAVING = "leaving"
    TOO_LONG = "too-long"


class Way(Struct, frozen=True):
    """How a session tells of a family: by which next hop, in messages of at most `longest` octets."""

    family: Family
    next_hop: bytes
    negotiated: Negotiated
    longest: int

    def announced(self, said: Attributes, prefixes: Iterable[bytes]) -> Iterator[bytes]:
        """The messages that announce `prefixes`. Raises ValueError where the attributes leave no room."""
        return update.announced(said, self.family, self.next_hop, prefixes, self.negotiated, self.longest)

    def withdrawn(self, prefixes: Iterable[bytes]) -> Iterator[bytes]:
        """The messages that withdraw them."""
        return update.withdrawn(self.family, prefixes, self.longest)

    def fits(self, said: Attributes) -> bool:
        """Whether so much can be said of any one prefix."""
        host = bytes((self.family.bits,)) + bytes(self.family.bits >> 3)
        try:
            next(self.announced(said, [host]))
        except ValueError:
            return False
        return True


class Draft(Struct, frozen=True):
    """A message that is not sent yet, and what to call once it is."""

    message: bytes
    posted: Callable[[], None]


class Table:
    """The routes of one family and one peer. `ends`: the peer waits to hear that all is told (RFC 4724 section 2)."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._wanted: Wish = {}
        self._manner = Manner.SERVE
        self._way: Way | Unsent = Unsent.NO_SESSION
        self._forget()

    def _forget(self) -> None:
        self.ends = False
        # What the peer was told; None: it has some route to the prefix, and asked to hear of it again.
        self._sent: dict[bytes, Attributes | None] = {}
        self._gone: dict[bytes, None] = {}
        self._due: dict[bytes, Attributes] = {}
        # The same by what is said, so that a slice need not look at all that is due to fill a message.
        self._groups: dict[Attributes, dict[bytes, None]] = {}

    @property
    def sent(self) -> int:
        """Prefixes that the peer has from us now."""
        return len(self._sent)

    @property
    def due(self) -> int:
        """Prefixes that are to be announced or withdrawn yet."""
        return len(self._due) + len(self._gone)

    def want(self, wanted: Wish) -> None:
        """Replace the whole wish, and never change it afterwards; values that are one object cost next to nothing."""
        changed = difference(self._wanted, wanted)
        self._wanted = wanted
        self._aim(changed)

    def begin(self, way: Way | Unsent) -> None:
        """The peer has nothing of us; from now on it is told this way, or nothing for that reason."""
        self._way = way
        self._forget()
        self.ends = way not in (Unsent.NO_SESSION, Unsent.FAMILY_NOT_AGREED)
        self._aim(self._wanted)

    def behave(self, manner: Manner) -> None:
        """Tell all that is wanted in another manner."""
        if manner is not self._manner:
            self._manner = manner
            self._aim([*self._wanted])

    def refresh(self) -> None:
        """All again, whether or not the peer has it (RFC 2918 section 4)."""
        self._sent = dict.fromkeys(self._sent)
        self._aim(self._wanted)

    def why(self, prefix: bytes) -> Unsent | None:
        """Why the peer is not to have a prefix; None where it is, already or in a moment."""
        ((_, found),) = self._sayings([prefix])
        return found if isinstance(found, Unsent) else None

    def unsent(self) -> Counter[Unsent]:
        """How many of the wanted prefixes are not for this peer, and why; looks at all of them."""
        return Counter(found for _, found in self._sayings(self._wanted) if isinstance(found, Unsent))

    def _aim(self, prefixes: Iterable[bytes]) -> None:
        """Work out anew what is due of these."""
        for prefix, aim in self._sayings(prefixes):
            self._clear(prefix)
            if isinstance(aim, Unsent):
                if prefix in self._sent:
                    self._gone[prefix] = None
            elif self._sent.get(prefix) != aim:
                self._due[prefix] = aim
                self._groups.setdefault(aim, {})[prefix] = None

    def _sayings(self, prefixes: Iterable[bytes]) -> Iterator[tuple[bytes, Attributes | Unsent]]:
        """Each prefix with what the peer is to be told of it; worked out once for all of which the same is wanted."""
        known: dict[Attributes, Attributes | Unsent] = {}
        for prefix in prefixes:
            said = self._wanted.get(prefix)
            if said is None:
                yield prefix, Unsent.NOT_WANTED
            else:
                yield prefix, known.get(said) or known.setdefault(said, self._saying(said))

    def _saying(self, said: Attributes) -> Attributes | Unsent:
        if isinstance(self._way, Unsent):
            return self._way
        if self._manner is Manner.LEAVE:
            return Unsent.LEAVING
        told = origination.shutdown(said) if self._manner is Manner.DRAIN else said
        return told if self._way.fits(told) else Unsent.TOO_LONG

    def _clear(self, prefix: bytes) -> None:
        self._gone.pop(prefix, None)
        if prefix in self._due:
            self._leave_group(self._due.pop(prefix), [prefix])

    def _leave_group(self, said: Attributes, prefixes: Iterable[bytes]) -> None:
        group = self._groups[said]
        for prefix in prefixes:
            del group[prefix]
        if not group:
            del self._groups[said]

    def withdrawal(self, most: int) -> Draft | None:
        """The next message of what the peer is to forget, at most `most` octets unless one prefix alone takes more."""
        if not self._gone or isinstance(self._way, Unsent):
            return None
        message, prefixes = _filled(self._way.withdrawn, self._gone, most)
        return Draft(message, partial(self._withdrew, prefixes))

    def announcement(self, most: int) -> Draft | None:
        """The next message of what the peer is to learn, likewise; what was first to be due comes first."""
        if not self._groups or isinstance(self._way, Unsent):
            return None
        said, group = next(iter(self._groups.items()))
        message, prefixes = _filled(partial(self._way.announced, said), group, most)
        return Draft(message, partial(self._announced, said, prefixes))

    def end(self) -> Draft | None:
        """The message that all is told, if it is owed and true."""
        if not self.ends or self.due:
            return None
        return Draft(update.end_of_rib(self._family), self._ended)

    def _withdrew(self, prefixes: Iterable[bytes]) -> None:
        for prefix in prefixes:
            del self._gone[prefix], self._sent[prefix]

    def _announced(self, said: Attributes, prefixes: Iterable[bytes]) -> None:
        self._leave_group(said, prefixes)
        for prefix in prefixes:
            del self._due[prefix]
            self._sent[prefix] = said

    def _ended(self) -> None:
        self.ends = False


def _filled(
    write: Callable[[list[bytes]], Iterator[bytes]], prefixes: Iterable[bytes], most: int
) -> tuple[bytes, list[bytes]]:
    """A message with as many of `prefixes` from the front as `most` octets hold, one at least; and which those are."""
    first = next(iter(prefixes))
    left = most - len(next(write([first]))) + len(first)
    picked: list[bytes] = []
    for prefix in prefixes:
        left -= len(prefix)
        if left < 0 and picked:
            break
        picked.append(prefix)
    (message,) = write(picked)
    return message, picked
