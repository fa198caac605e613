"""Which prefixes a node announces by BGP for an address, to which peers and with what; or why none; pure."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from itertools import combinations

from msgspec import Struct

from speakerd.config.routing import clash
from speakerd.model import IP, Config, Endpoints, Node, Reason, Service
from speakerd.peering import Peer, Route
from speakerd.search import Space


class Path(Struct, frozen=True):
    """A prefix, and what a node says of it to `peers` (names, sorted)."""

    prefix: str
    node: str
    peers: tuple[str, ...]
    local_pref: int = 0
    communities: tuple[str, ...] = ()


class Routes:
    """The routes of a configuration. `nodes`: those that exist."""

    def __init__(self, config: Config, nodes: Mapping[str, Node]) -> None:
        self._space = Space(config.pools)
        self._routing = config.routing
        self._nodes = nodes

    def announced(self, service: Service, ip: IP, endpoints: Endpoints) -> list[Path] | Reason:
        """How `ip` is announced by every node; the reason where none does, NO_ADVERTISEMENT where none is to."""
        pool = self._space.pool_of(ip)
        matching = self._matching(pool.name if pool else service.pool, service)
        if not matching:
            return Reason.NO_ADVERTISEMENT
        if not endpoints.somewhere:
            return Reason.NO_ENDPOINTS
        refusals: list[Reason] = []
        found: list[Path] = []
        for name in sorted(self._nodes):
            match self._on(name, matching, ip, service, endpoints):
                case Reason() as reason:
                    refusals.append(reason)
                case paths:
                    found += paths
        if found:
            return found
        return refusals[0] if len(set(refusals)) == 1 else Reason.NO_CANDIDATE

    def _matching(self, pool: str, service: Service) -> list[Route]:
        return [
            each
            for each in self._routing.routes
            if each.covers(pool) and (not each.by_service or each.key in service.advertised_by)
        ]

    def _on(
        self, name: str, matching: Iterable[Route], ip: IP, service: Service, endpoints: Endpoints
    ) -> list[Path] | Reason:
        """What one node says, or why nothing."""
        node, here = self._nodes[name], [each for each in matching if each.selects(name)]
        if node.excluded:
            return Reason.NODE_EXCLUDED
        if node.network_unavailable:
            return Reason.NETWORK_UNAVAILABLE
        if not here:
            return Reason.NODE_NOT_SELECTED
        if service.local_policy and name not in endpoints.nodes:
            return Reason.NO_LOCAL_ENDPOINTS
        if any(clash(*two) and _one_prefix(*two, ip) for two in combinations(here, 2)):
            return Reason.CONFLICTING_ADVERTISEMENTS
        return [*self._paths(name, here, ip)] or Reason.NO_PEER

    def _paths(self, node: str, here: Iterable[Route], ip: IP) -> Iterator[Path]:
        """One for each prefix and each group of peers that is told the same of it."""
        told: dict[tuple[str, int, tuple[str, ...]], list[str]] = {}
        for peer in self._peers(node):
            said: dict[str, list[Route]] = {}
            for each in here:
                if not each.peers or peer.name in each.peers:
                    said.setdefault(_prefix(each, ip), []).append(each)
            for prefix, routes in said.items():
                communities = tuple(sorted({value for each in routes for value in each.communities}))
                preference = max(each.local_pref for each in routes)
                told.setdefault((prefix, preference, communities), []).append(peer.name)
        for (prefix, preference, communities), peers in sorted(told.items()):
            yield Path(prefix, node, tuple(peers), preference, communities)

    def _peers(self, node: str) -> list[Peer]:
        return [each for each in self._routing.peers if each.nodes is None or node in each.nodes]


def _prefix(route: Route, ip: IP) -> str:
    return str(ip_network((ip, route.length(ip.version)), strict=False))


def _one_prefix(one: Route, other: Route, ip: IP) -> bool:
    return one.length(ip.version) == other.length(ip.version)
