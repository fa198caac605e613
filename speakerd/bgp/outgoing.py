"""One family of what a peer is told (its Adj-RIB-Out, RFC 4271 section 3.2): wanted, sent, and what is due of it.

Three facts make it up, and all else follows: what is wanted, how it may be said to this peer, what the peer has. When
one of them changes, the prefixes concerned are only marked; `look` takes them in slices, and works out what is due of
each. A prefix that already is as it should be is due nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum, auto
from functools import partial
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from speakerd.bgp import origination, update
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated

Change = Mapping[bytes, Attributes | None]
"""What is to be said of some prefixes, None: nothing; a prefix is the octets that it is sent as (see `nlri`)."""
LARGEST = 1024
"""Prefixes of a message at most. In 4,096 octets there are no more, unless they are shorter than /17; in 65,535 there
would be 13,000 host routes, which take too long to write."""
SAYING = 32
"""What it costs to work out whether something can be said, in prefixes."""


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
    """How a session tells of a family: by which next hop, b"" for none, in messages of at most `longest` octets."""

    family: Family
    next_hop: bytes
    negotiated: Negotiated
    longest: int

    @property
    def speakable(self) -> bool:
        """Whether routes can be said to go that way (RFC 4760 section 3, RFC 2545 section 3, RFC 8950)."""
        if self.family == IPV4 and len(self.next_hop) == 4:
            return True
        return len(self.next_hop) in (16, 32) and (self.family == IPV6 or self.negotiated.extended_next_hop)

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
    """A message that is not sent yet, of how many prefixes, and what to call once it is."""

    message: bytes
    count: int
    posted: Callable[[], None]


class Table:
    """The routes of one family and one peer. `ends`: the peer waits to hear that all is told (RFC 4724 section 2).

    A prefix is in one place at most: not looked at (`_unseen`), to be withdrawn (`_gone`), to be announced (`_due`).
    `_long` has those looked at of which no message holds what is to be said.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._wanted: dict[bytes, Attributes] = {}
        self._manner = Manner.SERVE
        self.begin(Unsent.NO_SESSION)

    def begin(self, way: Way | Unsent) -> None:
        """The peer has nothing of us; from now on it is told this way, or nothing for that reason."""
        self._way = way
        self.ends = isinstance(way, Way)
        # What the peer was told; None: it has some route to the prefix, and is to hear of it again.
        self._sent: dict[bytes, Attributes | None] = {}
        self._turn()

    def _turn(self) -> None:
        """Whatever was worked out may be wrong: all is to be looked at, what the peer has first."""
        self._silence = self._reason()
        # Values are of no use here; but nothing copies 10,000 keys faster.
        self._unseen: dict[bytes, object] = {**self._sent} if self._silence else {**self._sent, **self._wanted}
        self._gone: dict[bytes, None] = {}
        self._due: dict[bytes, Attributes] = {}
        # The same by what is said, so that a slice need not look at all that is due to fill a message.
        self._groups: dict[Attributes, dict[bytes, None]] = {}
        self._long: set[bytes] = set()
        # What comes of what is wanted, None: no message holds it.
        self._sayings: dict[Attributes, Attributes | None] = {}

    def _reason(self) -> Unsent | None:
        """Why nothing at all is for this peer."""
        if isinstance(self._way, Unsent):
            return self._way
        if self._manner is Manner.LEAVE:
            return Unsent.LEAVING
        return None if self._way.speakable else Unsent.NO_NEXT_HOP

    @property
    def sent(self) -> int:
        """Prefixes that the peer has from us now."""
        return len(self._sent)

    @property
    def due(self) -> int:
        """Prefixes that are to be announced or withdrawn yet, or to be looked at."""
        return len(self._due) + len(self._gone) + len(self._unseen)

    def change(self, changes: Change) -> None:
        """Other wishes for some prefixes."""
        for prefix, said in changes.items():
            if self._wanted.get(prefix) == said:
                continue
            if said is None:
                del self._wanted[prefix]
            else:
                self._wanted[prefix] = said
            self._clear(prefix)
            if prefix in self._sent or (said and not self._silence):
                self._unseen[prefix] = None

    def behave(self, manner: Manner) -> None:
        """Tell all that is wanted in another manner."""
        if manner is not self._manner:
            self._manner = manner
            self._turn()

    def go_by(self, next_hop: bytes) -> None:
        """Tell all again by another next hop; nothing, and withdraw what was told, where routes cannot go by it."""
        if isinstance(self._way, Way) and self._way.next_hop != next_hop:
            self._way = replace(self._way, next_hop=next_hop)
            self.refresh()

    def refresh(self) -> None:
        """All again, whether or not the peer has it (RFC 2918 section 4)."""
        self._sent = dict.fromkeys(self._sent)
        self._turn()

    def why(self, prefix: bytes) -> Unsent | None:
        """Why the peer is not to have a prefix; None where it is, already or in a moment."""
        said = self._wanted.get(prefix)
        if said is None:
            return Unsent.NOT_WANTED
        return self._silence or (None if self._saying(said) else Unsent.TOO_LONG)

    def unsent(self) -> Mapping[Unsent, int]:
        """How many of the wanted prefixes are not for this peer, and why; `TOO_LONG` is known of those looked at."""
        counts = {self._silence: len(self._wanted)} if self._silence else {Unsent.TOO_LONG: len(self._long)}
        return {why: count for why, count in counts.items() if count}

    def look(self, most: int) -> int:
        """Work out what is due of the next prefixes, until that has cost `most` or a little more; what it has cost."""
        seen: list[bytes] = []
        known, before = self._sayings, len(self._sayings)
        for prefix in self._unseen:
            if len(seen) + (len(known) - before) * SAYING >= most:
                break
            seen.append(prefix)
            said = None if self._silence else self._wanted.get(prefix)
            if said is None:
                self._file(prefix, None)
                continue
            if said not in known:
                known[said] = self._saying(said)
            self._file(prefix, known[said])
            if known[said] is None:
                self._long.add(prefix)
        cost = len(seen) + (len(known) - before) * SAYING
        for prefix in seen:
            del self._unseen[prefix]
        if not self._unseen:
            known.clear()
        return cost

    def _file(self, prefix: bytes, aim: Attributes | None) -> None:
        """Put it where it belongs if the peer is to know so much of it, None: nothing."""
        if aim is None:
            if prefix in self._sent:
                self._gone[prefix] = None
        elif self._sent.get(prefix) != aim:
            self._due[prefix] = aim
            self._groups.setdefault(aim, {})[prefix] = None

    def _saying(self, said: Attributes) -> Attributes | None:
        """What the peer is told where this is wanted; None where no message holds it."""
        told = origination.shutdown(said) if self._manner is Manner.DRAIN else said
        return told if isinstance(self._way, Way) and self._way.fits(told) else None

    def _clear(self, prefix: bytes) -> None:
        """Take it from where it is."""
        self._unseen.pop(prefix, None)
        self._gone.pop(prefix, None)
        self._long.discard(prefix)
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
        return Draft(message, len(prefixes), partial(self._withdrew, prefixes))

    def announcement(self, most: int) -> Draft | None:
        """The next message of what the peer is to learn, likewise; what was first to be due comes first."""
        if not self._groups or isinstance(self._way, Unsent):
            return None
        said, group = next(iter(self._groups.items()))
        message, prefixes = _filled(partial(self._way.announced, said), group, most)
        return Draft(message, len(prefixes), partial(self._announced, said, prefixes))

    def end(self) -> Draft | None:
        """The message that all is told, if it is owed and true."""
        if not self.ends or self.due:
            return None
        return Draft(update.end_of_rib(self._family), 0, self._ended)

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
    """A message with as many of `prefixes` from the front as `most` octets hold, one at least; and which those are.

    Never more than `LARGEST`.
    """
    first = next(iter(prefixes))
    left = most - len(next(write([first]))) + len(first)
    picked: list[bytes] = []
    for prefix in islice(prefixes, LARGEST):
        left -= len(prefix)
        if left < 0 and picked:
            break
        picked.append(prefix)
    (message,) = write(picked)
    return message, picked
