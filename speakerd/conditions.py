"""What stands in the way of this node's VIPs, by the word of its finding, with whom or what it concerns; pure."""

from collections.abc import Iterable, Mapping

from speakerd.members import Members
from speakerd.membership.peer import Peer
from speakerd.ownership.effects import text
from speakerd.ownership.owner import Owner

OTHER_SPEAKER, STRANGER = "answered-by-own-kernel-or-other-speaker", "answered-by-stranger"
UNHEARD, STALLED = "self-check-unanswered", "member-stalled"


def of_owner(owner: Owner, members: Members) -> dict[str, str]:
    """VIPs that somebody else answers for, and those of ours that nobody hears."""
    ours = owner.holdings.place.macs
    found: dict[str, str] = {}
    for ip, mac in owner.takeover.held_by_others.items():
        word = OTHER_SPEAKER if mac in ours or members.who(mac) else STRANGER
        _add(found, word, mac.hex(":"), ip)
    for ip, asker in owner.selfcheck.unheard.items():
        _add(found, UNHEARD, asker, ip)
    return found


def _add(found: dict[str, str], word: str, whose: str, ip: bytes) -> None:
    found[word] = f"{found[word]}, {text(ip)}" if word in found else f"{whose}: {text(ip)}"


def of_members(peers: Mapping[str, Peer], now: float) -> dict[str, str]:
    """Members that are watched more slowly, since they stood still."""
    stalled = [peer.name for peer in peers.values() if peer.slowed(now)]
    return _named(STALLED, stalled)


def of_links(silent: Iterable[str]) -> dict[str, str]:
    """Interfaces whose segments are dead although carrier is up."""
    return _named("segment-silent", silent)


def _named(word: str, names: Iterable[str]) -> dict[str, str]:
    found = ", ".join(names)
    return {word: found} if found else {}
