"""Which routers this node tells of an address, in what words, or why not: BGP's part of `speakerd explain`; pure."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network

from msgspec import Struct

from speakerd import sessions
from speakerd.bgp.origination import LARGE, PREFERENCE
from speakerd.bgp.outgoing import Unsent
from speakerd.decision import Plan, Snapshot
from speakerd.exchange import Observed
from speakerd.model import IP, Reason
from speakerd.peering import ESTABLISHED, Peer, Prefix, SessionSeen, Wording

FAMILIES = {4: "ipv4", 6: "ipv6"}


class Untold(StrEnum):
    """Why a peer is not told of an address; for reasons that hold for all peers of the node see Reason. Closed."""

    NONE = ""
    NO_AGENT = "announcer-not-running"
    ANNOUNCES_NOTHING = "announces-nothing"
    PEER_NOT_SELECTED = "peer-not-selected"
    NO_PASSWORD = "no-password"  # noqa: S105  a reason
    SESSION_DOWN = "session-down"
    FAMILY_NOT_AGREED = "family-not-agreed"
    NO_NEXT_HOP = "no-next-hop"
    DRAINED = "drained"
    PENDING = "pending"
    TOO_LONG = "too-long"


NOWHERE: Mapping[Reason, str] = {
    Reason.NO_ADVERTISEMENT: "no BGPAdvertisement selects its pool: create one",
    Reason.ADDRESS_HELD: "another Service holds the address and does not share it: give both one allow-shared-ip key",
    Reason.NO_ENDPOINTS: "no endpoint of the Service is ready: look at its pods and its selector",
    Reason.NO_LOCAL_ENDPOINTS: "no endpoint of the Service is on this node, and its externalTrafficPolicy is Local",
    Reason.NODE_EXCLUDED: "label node.kubernetes.io/exclude-from-external-load-balancers: remove it",
    Reason.NODE_NOT_SELECTED: "nodeSelectors of the BGPAdvertisement do not choose this node",
    Reason.NO_MEMBER_RECORD: "the cluster has no Node of this name: see node.name in the settings",
    Reason.NETWORK_UNAVAILABLE: "condition NetworkUnavailable of its Node: look at the network plugin",
    Reason.NO_PEER: "no BGPPeer selects this node, or none of those that its BGPAdvertisement names: see both",
    Reason.CONFLICTING_ADVERTISEMENTS: "what is to be said of the prefix contradicts itself (localPref, MED,"
    " prepending, or the peers of several addresses under one prefix): see speakerd check",
}
"""Why this node tells nobody, and the way out, by the reasons of Plan.unrouted."""

MEANING: Mapping[Untold, str] = {
    Untold.NO_AGENT: "the announcer of this node does not run: see speakerd status",
    Untold.ANNOUNCES_NOTHING: "the settings of this host have it announce nothing (announce: none)",
    Untold.PEER_NOT_SELECTED: "it is not among the peers of the BGPAdvertisement: add it to spec.peers",
    Untold.NO_PASSWORD: "the Secret with its password is not there, or may not be read: create it (speakerd rbac)",
    Untold.SESSION_DOWN: "the session is {state}: {error}",
    Untold.FAMILY_NOT_AGREED: "the session does not carry {family}: have the router activate it,"
    " and set dualStackAddressFamily in the BGPPeer",
    Untold.NO_NEXT_HOP: "this host has no {family} address on the interface of the session: give it one",
    Untold.DRAINED: "this node is drained, its routes are told as about to go and then withdrawn, until undrain",
    Untold.PENDING: "it is on its way: the router is to take {due} prefixes yet",
    Untold.TOO_LONG: "what is to be said of it does not fit into one message: have fewer communities",
}
"""Why one peer is not told, and the way out."""


class HearerReport(Struct, rename="camel"):
    """One peer of this node and one prefix ("": none) of an address.

    `told`: it has the prefix from here, with these words: `local_pref` None and `med` None are not said to it,
    `prepend`: how often our number stands in the path beyond the one time; `large`: as a:b:c. Or it has not: `reason`
    as one word, `message` with the way out.
    """

    peer: str
    address: str
    prefix: str = ""
    told: bool = False
    local_pref: int | None = None
    communities: list[str] = []
    large: list[str] = []
    med: int | None = None
    prepend: int = 0
    reason: str = ""
    message: str = ""


class RoutersReport(Struct, rename="camel"):
    """What routers are told of an address by this node. `reason`, `message`: why nobody is told, whoever it is."""

    reason: str = ""
    message: str = ""
    peers: list[HearerReport] = []


def routers(ip: IP, keys: Iterable[str], snapshot: Snapshot, plan: Plan, observed: Observed) -> RoutersReport | None:
    """What becomes of an address that the Services `keys` have; None where the cluster has nothing to do with BGP."""
    routing = snapshot.config.routing
    if not (routing.peers or routing.routes):
        return None
    holders = [(key, ip) for key in keys]
    prefixes = [key for holder in holders for key in plan.routed.get(holder, ())]
    if not snapshot.announce:
        return RoutersReport(Untold.ANNOUNCES_NOTHING, MEANING[Untold.ANNOUNCES_NOTHING])
    if not prefixes:
        why = next((plan.unrouted[each] for each in holders if each in plan.unrouted), Reason.NO_ADVERTISEMENT)
        return RoutersReport(why, NOWHERE.get(why, why))
    rows = (plan.wanted.prefixes[key] for key in dict.fromkeys(prefixes) if key in plan.wanted.prefixes)
    return RoutersReport(peers=[each for row in rows for each in _hearers(row, snapshot, plan, observed)])


def _hearers(row: Prefix, snapshot: Snapshot, plan: Plan, observed: Observed) -> Iterator[HearerReport]:
    """Each peer that selects this node, by name, with what becomes of one prefix there."""
    known = {each.peer.name for each in plan.wanted.neighbours}
    seen = {each.peer: each for each in observed.sessions}
    for peer in sorted(snapshot.config.routing.peers, key=lambda each: each.name):
        if peer.nodes is not None and snapshot.me not in peer.nodes:
            continue
        session = seen.get(peer.name)
        told = HearerReport(peer.name, sessions.where(peer, session), _written(row))
        wording = next((wording for wording, names in row.said if peer.name in names), None)
        if wording is None:
            _refuse(told, Untold.PEER_NOT_SELECTED)
        elif peer.name not in known:
            _refuse(told, Untold.NO_PASSWORD)
        elif not observed.facts.pid:
            _refuse(told, Untold.NO_AGENT)
        else:
            _say(told, wording, peer)
            _judge(told, row.version, session, snapshot)
        yield told


def _judge(told: HearerReport, version: int, session: SessionSeen | None, snapshot: Snapshot) -> None:
    """Whether a peer that is to be told has been."""
    family = FAMILIES[version]
    if session is None or session.state != ESTABLISHED:
        state, error = (session.state, session.error) if session else ("Idle", "")
        _refuse(told, Untold.SESSION_DOWN, state=state, error=error or "the router has not answered yet")
    elif family not in session.families:
        _refuse(told, Untold.FAMILY_NOT_AGREED, family=family)
    elif Unsent.NO_NEXT_HOP.value in session.unsent.get(family, {}):
        _refuse(told, Untold.NO_NEXT_HOP, family=family)
    elif snapshot.drained:
        _refuse(told, Untold.DRAINED)
    elif session.due and not session.announced:
        _refuse(told, Untold.PENDING, due=str(session.due))
    elif Unsent.TOO_LONG.value in session.unsent.get(family, {}) and not session.announced:
        _refuse(told, Untold.TOO_LONG)
    else:
        told.told = True


def _refuse(told: HearerReport, why: Untold, **words: str) -> None:
    told.reason, told.message = why, MEANING[why].format(**words)


def _say(told: HearerReport, wording: Wording, peer: Peer) -> None:
    """What it is told, as `bgp.origination` has it: a peer of another AS no preference, one of ours no prepending."""
    own = peer.local_asn or peer.my_asn
    external = peer.peer_asn != own if peer.peer_asn else peer.dynamic_asn != "internal"
    told.local_pref = None if external else wording.local_pref or PREFERENCE
    told.prepend = wording.prepend if external else 0
    told.communities = [each for each in wording.communities if not each.startswith(LARGE)]
    told.large = [each.removeprefix(LARGE) for each in wording.communities if each.startswith(LARGE)]
    told.med = wording.med


def _written(row: Prefix) -> str:
    """A prefix as people write it."""
    octets = row.nlri[1:].ljust(4 if row.version == 4 else 16, b"\0")
    network = IPv4Network if row.version == 4 else IPv6Network
    return str(network((octets, row.nlri[0])))
