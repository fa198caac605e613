"""What one peer is to be told of our routes, held against what it was told, and the messages that make both the same.

A core without time: facts come in by `change`, `up`, `next_hop`, `refresh` and `down` in any order and cost next to
nothing, messages leave by `take`. Each slice does a bounded piece of work, and follows from the facts as they are then.
Whoever carries it stops taking while TCP is full.
"""

from collections.abc import Collection, Mapping
from itertools import chain

from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.frame import MOST
from speakerd.bgp.outgoing import Change, Draft, Manner, Table, Unsent, Way

WORK = 512
"""Prefixes of a slice, looked at or sent; its last message may have `outgoing.LARGEST` more. One costs less than a
microsecond, so that even a slow core is back within 2 ms."""
MESSAGE = 64
"""What a message costs beside its prefixes, counted in prefixes: where each says something else, there are as many."""


class Rib:
    """One peer's. Sent is meant as taken: a session that loses what was taken has to go down."""

    def __init__(self) -> None:
        self._tables = {family: Table(family) for family in (IPV4, IPV6)}
        self._longest = MOST

    def change(self, family: Family, changes: Change) -> None:
        """From now on this is wanted of these prefixes, None: that the peer has no route of ours; of others as before.

        Costs as much as there are changes. One that says what is wanted already changes nothing.
        """
        self._tables[family].change(changes)

    def up(
        self, negotiated: Negotiated, families: Collection[Family], next_hops: Mapping[Family, bytes], longest: int
    ) -> None:
        """A session begins: all is to be told, and then for each of `families` that it is (RFC 4724 section 2).

        `families`: that both sides announced. `next_hops`: octets of our addresses (see `update.announced`).
        `longest`: octets of a message that the peer can take.
        """
        self._longest = longest
        for family, table in self._tables.items():
            way = Way(family, next_hops.get(family, b""), negotiated, longest)
            table.begin(way if family in families else Unsent.FAMILY_NOT_AGREED)

    def down(self) -> None:
        """The session is over: the peer has nothing of us, and nothing is to be told until the next one."""
        for table in self._tables.values():
            table.begin(Unsent.NO_SESSION)

    def next_hop(self, family: Family, octets: bytes) -> None:
        """Our address is another: all of the family is told again by it, or withdrawn while there is none (b"").

        Means nothing without a session that speaks of the family, since each begins with its own.
        """
        self._tables[family].go_by(octets)

    def refresh(self, family: Family) -> None:
        """The peer asked for all of a family again (RFC 2918 section 4); one that is not spoken of is passed over."""
        if family in self._tables:
            self._tables[family].refresh()

    def drain(self) -> None:
        """All again as about to go (RFC 8326), in later sessions too."""
        self._behave(Manner.DRAIN)

    def withdraw_all(self) -> None:
        """A planned stop: what was told is withdrawn and no more told, whatever is wanted, in later sessions too."""
        self._behave(Manner.LEAVE)

    def serve(self) -> None:
        """Neither any more: all is told as it is wanted."""
        self._behave(Manner.SERVE)

    def _behave(self, manner: Manner) -> None:
        for table in self._tables.values():
            table.behave(manner)

    @property
    def pending(self) -> bool:
        """Whether `take` has anything to do: to tell, or to find out whether there is anything to tell."""
        return any(table.due or table.ends for table in self._tables.values())

    def take(self, budget: int, work: int = WORK) -> list[bytes]:
        """The next messages, together at most `budget` octets; they count as sent. It ends where `work` is done.

        So there may be none although more is pending: as long as it is, take again, but let others have their turn.
        With a budget of at least `longest` that comes to an end, in messages as full as they may be; a smaller one
        makes smaller messages, and gives nothing where it does not hold the next route.

        Withdrawals come first, so that a peer whose table is full has room for what follows; therefore nothing leaves
        before every prefix that a fact concerns has been looked at.
        """
        taken: list[bytes] = []
        left = budget
        for table in self._tables.values():
            # While there is more to look at, no work is left for a message.
            work -= table.look(work)
        while work > 0 and (draft := self._next(min(self._longest, budget))) and len(draft.message) <= left:
            draft.posted()
            taken.append(draft.message)
            left -= len(draft.message)
            work -= MESSAGE + draft.count
        return taken

    def _next(self, most: int) -> Draft | None:
        tables = self._tables.values()
        withdrawals = (table.withdrawal(most) for table in tables)
        others = (table.announcement(most) or table.end() for table in tables)
        return next((draft for draft in chain(withdrawals, others) if draft), None)

    def sent(self, family: Family) -> int:
        """Prefixes that the peer has from us now."""
        return self._tables[family].sent

    def due(self, family: Family) -> int:
        """Prefixes to be announced or withdrawn yet, or to be looked at; of those some may turn out to need nothing."""
        return self._tables[family].due

    def why(self, family: Family, prefix: bytes) -> Unsent | None:
        """Why the peer is not to have a prefix, looked at or not; None where it is, already or in a moment."""
        return self._tables[family].why(prefix)

    def unsent(self, family: Family) -> Mapping[Unsent, int]:
        """How many of the wanted prefixes are not for this peer, and why; `TOO_LONG` counts those looked at."""
        return self._tables[family].unsent()
