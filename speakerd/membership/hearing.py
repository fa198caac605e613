"""Whether this node hears, and is heard: who hears nobody may be the only one who is deaf; a core."""

from collections.abc import Mapping

from speakerd.membership.peer import HERE, Peer

LISTED = 3
"""Intervals after which a member that hears this node lists it."""


class Hearing:
    """`peers`: all other members by name, kept up to date by their owner; `me`: this node's name."""

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        self._peers = peers
        self._company = ""
        self.me = ""

    def alone(self, now: float) -> bool:
        """Whether this node hears no other member, or none of those it hears lists it."""
        if self._hears_me(self._company, now):
            return False
        self._company = next((name for name in self._peers if self._hears_me(name, now)), "")
        return bool(self._peers) and not self._company

    def steady(self, now: float) -> bool:
        """Whether a member has been heard for so long that it would list this node, if it heard it."""
        here = (each for each in self._peers.values() if each.state in HERE)
        return any(now - max(each.since, each.watched_since) > LISTED * each.interval for each in here)

    def _hears_me(self, name: str, now: float) -> bool:
        peer = self._peers.get(name)
        if peer is None or peer.state not in HERE:
            return False
        return peer.lists(self.me) and now < peer.death_vote_at(now)
