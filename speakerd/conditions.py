"""What stands in the way of this node's VIPs, by the word of its finding, with whom or what it concerns; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from speakerd.members import Members
from speakerd.membership.peer import Peer
from speakerd.ownership.effects import text
from speakerd.ownership.holdings import Holdings
from speakerd.ownership.owner import Owner

OTHER_SPEAKER, STRANGER = "answered-by-own-kernel-or-other-speaker", "answered-by-stranger"
UNHEARD, STALLED = "self-check-unanswered", "member-stalled"
PROXY, BOUND = "proxy-arp", "bound-here"
SEVERAL = 2
"""VIPs of one family that a stranger answers for, from which on it is told that it may be a proxy.

It holds them all the same: another speaker on a host that is no member answers for many as well, and must not be
fought. No question tells the two apart. A proxy may say nothing for addresses that are no host's; who answers for one
that nobody has is a proxy, and may be such a host besides; and who is silent when asked in nobody's name (RFC 5227),
as the kernel's proxy is, may be behind a switch that drops such questions.
"""

Concerned = Mapping[str, Iterable[bytes]]
"""VIPs by MAC or member."""


def of_owner(owner: Owner, members: Members) -> dict[str, str]:
    """VIPs that somebody else answers for, held back by it or not, our kernel among them; and those nobody hears."""
    own = owner.holdings.place.macs
    macs, unheard = defaultdict[bytes, list[bytes]](list), defaultdict[str, list[bytes]](list)
    for ip, mac in (*owner.takeover.held_by_others.items(), *owner.selfcheck.foreign.items()):
        macs[mac].append(ip)
    for ip, asker in owner.selfcheck.unheard.items():
        unheard[asker].append(ip)
    ours = {mac.hex(":"): ips for mac, ips in macs.items() if mac in own or members.who(mac)}
    strangers = {mac.hex(":"): ips for mac, ips in macs.items() if mac.hex(":") not in ours}
    proxies = {mac: ips for mac, ips in strangers.items() if _several(ips)}
    found = _concerning(OTHER_SPEAKER, ours) | _concerning(STRANGER, strangers) | _concerning(PROXY, proxies)
    return found | _concerning(UNHEARD, unheard) | _bound(owner.holdings)


def _bound(holdings: Holdings) -> dict[str, str]:
    return _named(BOUND, (text(ip) for ip in sorted(holdings.place.answered) if ip in holdings.stakes))


def _several(ips: Iterable[bytes]) -> bool:
    return max(Counter(map(len, ips)).values()) >= SEVERAL


def _concerning(word: str, concerned: Concerned) -> dict[str, str]:
    return _named(word, (f"{whose}: {', '.join(map(text, sorted(ips)))}" for whose, ips in concerned.items()))


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
