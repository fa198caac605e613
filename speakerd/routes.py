"""Which prefixes a node announces by BGP for an address, to which peers and with what; or why none; pure."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from itertools import combinations

from msgspec import Struct

from speakerd.config.routing import clash
from speakerd.model import IP, Config, Endpoints, Node, Reason, Service
from speakerd.peering import Peer, Route, Said, Wording
from speakerd.search import Space

Told = tuple[tuple[int, Said], ...]
"""What is said of an address: of the prefix of each length that it is in, the shortest first."""
WHEREVER = (Reason.NO_MEMBER_RECORD, Reason.NODE_EXCLUDED, Reason.NETWORK_UNAVAILABLE, Reason.NODE_NOT_SELECTED)
"""Reasons why a node announces nothing that hold wherever the endpoints are."""


class Path(Struct, frozen=True):
    """A prefix, and what a node says of it to `peers` (names, sorted)."""

    prefix: str
    node: str
    peers: tuple[str, ...]
    local_pref: int = 0
    communities: tuple[str, ...] = ()
    med: int | None = None
    prepend: int = 0


class Routes:
    """The routes of a configuration, worked out once for each node, pool and family. `nodes`: those that exist."""

    def __init__(self, config: Config, nodes: Mapping[str, Node]) -> None:
        self._space = Space(config.pools)
        self._routing = config.routing
        self._nodes = nodes
        self._found: dict[tuple[str, str, tuple[str, ...], int], Told | Reason] = {}

    def announced(self, service: Service, ip: IP, endpoints: Endpoints) -> list[Path] | Reason:
        """How `ip` is announced by every node; the reason where none does, NO_ADVERTISEMENT where none is to."""
        refusals: list[Reason] = []
        found: list[Path] = []
        for name in sorted(self._nodes):
            match self.told(name, service, ip, endpoints):
                case Reason() as reason:
                    refusals.append(reason)
                case told:
                    found += _paths(name, told, ip)
        if found:
            return found
        return refusals[0] if len(set(refusals)) == 1 else Reason.NO_CANDIDATE

    def told(self, node: str, service: Service, ip: IP, endpoints: Endpoints) -> Told | Reason:
        """What one node says of `ip`, or why nothing; the same object for all addresses of which the same is said."""
        pool = self._space.pool_of(ip)
        found = self._of(node, pool.name if pool else service.pool, service.advertised_by, ip.version)
        if found is Reason.NO_ADVERTISEMENT:
            return found
        if not endpoints.somewhere:
            return Reason.NO_ENDPOINTS
        if found not in WHEREVER and service.local_policy and node not in endpoints.nodes:
            return Reason.NO_LOCAL_ENDPOINTS
        return found

    def agrees(self, other: "Routes") -> bool:
        """Whether all that was asked of `other` would be answered the same here."""
        return all(self._of(*asked) == answer for asked, answer in other._found.items())

    def _of(self, node: str, pool: str, advertised_by: tuple[str, ...], family: int) -> Told | Reason:
        asked = node, pool, advertised_by, family
        if asked not in self._found:
            self._found[asked] = self._worked_out(*asked)
        return self._found[asked]

    def _worked_out(self, name: str, pool: str, advertised_by: tuple[str, ...], family: int) -> Told | Reason:
        """What a node says of addresses of a pool, wherever their endpoints are, or why nothing."""
        matching = [each for each in self._routing.routes if each.holds(pool, advertised_by)]
        if not matching:
            return Reason.NO_ADVERTISEMENT
        if reason := self._refusal(name):
            return reason
        here = [each for each in matching if each.selects(name)]
        if not here:
            return Reason.NODE_NOT_SELECTED
        if any(clash(*two) and two[0].length(family) == two[1].length(family) for two in combinations(here, 2)):
            return Reason.CONFLICTING_ADVERTISEMENTS
        return self._told(name, here, family) or Reason.NO_PEER

    def _refusal(self, name: str) -> Reason:
        """Why a node may announce nothing at all, or NONE."""
        node = self._nodes.get(name)
        if node is None:
            return Reason.NO_MEMBER_RECORD
        if node.excluded:
            return Reason.NODE_EXCLUDED
        return Reason.NETWORK_UNAVAILABLE if node.network_unavailable else Reason.NONE

    def _told(self, node: str, here: Iterable[Route], family: int) -> Told:
        """For each length what each of the node's peers is told."""
        found: dict[int, dict[str, list[Route]]] = {}
        for peer in self._peers(node):
            for each in here:
                if not each.peers or peer.name in each.peers:
                    found.setdefault(each.length(family), {}).setdefault(peer.name, []).append(each)
        return tuple(
            (length, said({peer: _worded(routes) for peer, routes in by_peer.items()}))
            for length, by_peer in sorted(found.items())
        )

    def _peers(self, node: str) -> list[Peer]:
        return [each for each in self._routing.peers if each.nodes is None or node in each.nodes]


def said(wordings: Mapping[str, Wording]) -> Said:
    """What each peer is told, by those that are told the same."""
    told: dict[Wording, list[str]] = {}
    for peer, wording in wordings.items():
        told.setdefault(wording, []).append(peer)
    return tuple((wording, tuple(sorted(told[wording]))) for wording in sorted(told, key=_order))


def _order(wording: Wording) -> tuple[object, ...]:
    med = -1 if wording.med is None else wording.med
    return wording.local_pref, wording.communities, med, wording.prepend


def _worded(routes: list[Route]) -> Wording:
    """What several advertisements say of one prefix to one peer: they agree but for communities, which add up."""
    first = routes[0]
    communities = tuple(sorted({value for each in routes for value in each.communities}))
    return Wording(first.local_pref, communities, first.med, first.prepend)


def _paths(node: str, told: Told, ip: IP) -> Iterable[Path]:
    for length, groups in told:
        prefix = str(ip_network((ip, length), strict=False))
        for wording, peers in groups:
            yield Path(prefix, node, peers, wording.local_pref, wording.communities, wording.med, wording.prepend)
