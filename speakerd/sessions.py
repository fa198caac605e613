"""What `speakerd status` tells of BGP and BFD: one entry for each peer of this node, and what is wrong; pure."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from speakerd.events import stamp
from speakerd.exchange import Observed, Wanted
from speakerd.findings import Finding
from speakerd.peering import FLAPPING, BfdSeen, Neighbour, Peer, SessionSeen

UP_WITHIN = 10.0
"""Seconds a session has to come up: it may have been asked for just now."""


class BfdReport(Struct, rename="camel"):
    """A BFD session: `state` since when; `why` it last changed, in the RFC's words; `counted`: packets and changes."""

    state: str
    since: str
    why: str = ""
    counted: dict[str, int] = {}


class PeerReport(Struct, rename="camel"):
    """A peer of this node: the session's `state`, since when and for how many seconds (`lasted`).

    `address`, `port`, `vrf`: where it is; `local`: our address, while connected. `asn`: the peer's, 0 where any of its
    kind (`dynamicAsn`) will do. `error`: what went wrong last, however long ago, and the peer's reason where calls have
    only failed since. `announced`: prefixes it has from us; `due`: that it is to learn or forget yet; `received`: that
    it sent, and none is kept. `ups`: how often the session came up. `missing`: seconds since it last was up for good, 0
    while it is; `flaps`: how often it came up since then.
    """

    name: str
    state: str
    since: str = ""
    lasted: float = 0.0
    address: str = ""
    port: int = 0
    vrf: str = ""
    local: str = ""
    my_asn: int = 0
    asn: int = 0
    dynamic_asn: str = ""
    error: str = ""
    announced: int = 0
    due: int = 0
    received: int = 0
    ups: int = 0
    missing: float = 0.0
    flaps: int = 0
    hold_time: int = 0
    keepalive_time: float = 0.0
    families: list[str] = []
    sent: dict[str, int] = {}
    heard: dict[str, int] = {}
    bfd: BfdReport | None = None


def peers(wanted: Wanted, observed: Observed, now: float, offset: float) -> list[PeerReport]:
    """Every peer by name; `now` of this host's monotonic clock, `offset`: wall clock minus that."""
    seen = {each.peer: each for each in observed.sessions}
    found = [_peer(each, seen.get(each.peer.name), now, offset) for each in wanted.neighbours]
    return sorted(found, key=lambda each: each.name)


def _peer(neighbour: Neighbour, seen: SessionSeen | None, now: float, offset: float) -> PeerReport:
    peer = neighbour.peer
    told = PeerReport(
        peer.name,
        "Idle",
        address=where(peer, seen),
        port=peer.port,
        vrf=peer.vrf,
        my_asn=peer.local_asn or peer.my_asn,
        asn=peer.peer_asn,
        dynamic_asn=peer.dynamic_asn,
    )
    return _seen(told, seen, now, offset) if seen else told


def _seen(told: PeerReport, seen: SessionSeen, now: float, offset: float) -> PeerReport:
    told.state, told.since, told.lasted = seen.state, stamp(seen.since + offset), round(now - seen.since, 3)
    told.local, told.error, told.ups = seen.local, seen.error, seen.ups
    told.announced, told.due, told.received = seen.announced, seen.due, seen.received
    told.missing = 0.0 if seen.stands else round(now - seen.missing_since, 3)
    told.flaps = seen.flaps
    told.hold_time, told.keepalive_time = seen.hold_time, round(seen.keepalive_time, 3)
    told.families = list(seen.families)
    told.sent, told.heard = dict(seen.sent), dict(seen.heard)
    told.bfd = _bfd(seen.bfd, offset) if seen.bfd else None
    return told


def _bfd(seen: BfdSeen, offset: float) -> BfdReport:
    return BfdReport(seen.state, stamp(seen.since + offset), seen.why, dict(seen.counted))


def where(peer: Peer, seen: SessionSeen | None) -> str:
    """The address of a peer, or the interface it is behind until that tells one."""
    return peer.address or (seen.address if seen and seen.address else peer.interface)


def findings(told: Iterable[PeerReport]) -> Iterator[tuple[Finding, str, str]]:
    """What is wrong with sessions: word, whom it concerns, in what state.

    Not how long that state has lasted counts: who calls in vain is in another every few seconds.
    """
    known = list(told)
    down = [each for each in known if each.missing > UP_WITHIN]
    word = Finding.BGP_NO_SESSION if len(down) == len(known) else Finding.BGP_SESSION_DOWN
    for each in down:
        yield word, f"BGPPeer/{each.name} {each.address}", f"{each.state}: {_why(each)}"


def _why(told: PeerReport) -> str:
    error = told.error or "no answer yet"
    return f"came up {told.flaps} times and did not last: {error}" if told.flaps >= FLAPPING else error
