"""What one peer is to be told of our routes, held against what it was told, and the messages that make both the same.

A core without time: facts come in by `want`, `up`, `refresh` and `down` in any order, messages leave by `take` in
slices, and each slice follows from the facts as they are then. Whoever carries it stops taking while TCP is full.
"""

from collections.abc import Collection, Mapping
from itertools import chain

from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.frame import MOST
from speakerd.bgp.outgoing import Draft, Manner, Table, Unsent, Way, Wish


class Rib:
    """One peer's. Sent is meant as taken: a session that loses what was taken has to go down."""

    def __init__(self) -> None:
        self._tables = {family: Table(family) for family in (IPV4, IPV6)}
        self._nothing: Wish = {}
        self._longest = MOST

    def want(self, wanted: Mapping[Family, Wish]) -> None:
        """Replace the whole wish, by family; mappings and values that are the same objects as before cost little.

        It is kept, so whoever gave it must not change it any more.
        """
        for family, table in self._tables.items():
            table.want(wanted.get(family, self._nothing))

    def up(
        self, negotiated: Negotiated, families: Collection[Family], next_hops: Mapping[Family, bytes], longest: int
    ) -> None:
        """A session begins: all is to be told, and then for each of `families` that it is (RFC 4724 section 2).

        `families`: that both sides announced. `next_hops`: octets of our addresses (see `update.announced`).
        `longest`: octets of a message that the peer can take.
        """
        self._longest = longest
        for family, table in self._tables.items():
            hop = next_hops.get(family, b"")
            if family not in families:
                table.begin(Unsent.FAMILY_NOT_AGREED)
            elif not _speakable(family, hop, negotiated):
                table.begin(Unsent.NO_NEXT_HOP)
            else:
                table.begin(Way(family, hop, negotiated, longest))

    def down(self) -> None:
        """The session is over: the peer has nothing of us, and nothing is to be told until the next one."""
        for table in self._tables.values():
            table.begin(Unsent.NO_SESSION)

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
        """Whether there is anything to take."""
        return any(table.due or table.ends for table in self._tables.values())

    def take(self, budget: int) -> list[bytes]:
        """The next messages, together at most `budget` octets; they count as sent.

        Withdrawals come first, so that a peer whose table is full has room for what follows. With a budget of at least
        `longest` something is taken whenever something is pending, in messages as full as they may be; a smaller one
        makes smaller messages, and gives nothing where it does not hold the next route.
        """
        taken: list[bytes] = []
        most, left = min(self._longest, budget), budget
        while (draft := self._next(most)) and len(draft.message) <= left:
            draft.posted()
            taken.append(draft.message)
            left -= len(draft.message)
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
        """Prefixes that are to be announced or withdrawn yet."""
        return self._tables[family].due

    def why(self, family: Family, prefix: bytes) -> Unsent | None:
        """Why the peer is not to have a prefix; None where it is, already or in a moment."""
        return self._tables[family].why(prefix)

    def unsent(self, family: Family) -> Mapping[Unsent, int]:
        """How many of the wanted prefixes are not for this peer, and why; looks at all of them."""
        return self._tables[family].unsent()


def _speakable(family: Family, next_hop: bytes, negotiated: Negotiated) -> bool:
    """Whether routes of `family` can be said to go that way (RFC 4760 section 3, RFC 2545 section 3, RFC 8950)."""
    if family == IPV4 and len(next_hop) == 4:
        return True
    return len(next_hop) in (16, 32) and (family == IPV6 or negotiated.extended_next_hop)
