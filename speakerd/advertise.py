"""Whether and how an address is announced: by which nodes, on which interfaces; or the word for why not."""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from speakerd.decision import Snapshot
from speakerd.exchange import READY, Candidate, Member
from speakerd.model import IP, NO_NAMES, Advertisement, Config, Endpoints, Interface, Node, Reason, Service
from speakerd.search import Space

NOWHERE = Endpoints()


class Announcement(Struct, frozen=True):
    """Candidates sorted by node name; `interfaces`: of this node, sorted, none means every usable one."""

    candidates: tuple[Candidate, ...]
    interfaces: tuple[str, ...] = ()


def refusal(name: str, nodes: Mapping[str, Node], members: Mapping[str, Member]) -> Reason:
    """Why a node may announce nothing at all, or NONE."""
    node = nodes.get(name)
    if node is None or name not in members:
        return Reason.NO_MEMBER_RECORD
    if node.excluded:
        return Reason.NODE_EXCLUDED
    return Reason.NETWORK_UNAVAILABLE if node.network_unavailable else Reason.NONE


class Reach:
    """Where the advertisements of a configuration reach: what they come to for each pool, worked out once.

    `me`: the node whose interfaces an announcement names.
    """

    def __init__(self, config: Config, nodes: Mapping[str, Node], members: Mapping[str, Member], me: str) -> None:
        self._space = Space(config.pools)
        self._advertisements = config.advertisements
        self._routes = config.routing.routes
        self._refusals = {name: refusal(name, nodes, members) for name in sorted(members) if name in nodes}
        self._me = me
        self._found: dict[tuple[str, tuple[str, ...]], Announcement | Reason] = {}

    def announcement(self, service: Service, ip: IP) -> Announcement | Reason:
        """By whom and where `ip` is announced wherever its endpoints are.

        A node announces what a status holds although its own settings may not know the pool: then everywhere.
        """
        pool = self._space.pool_of(ip)
        if pool is None and not service.pool:
            return Reason.ADDRESS_IN_NO_POOL
        found = self._of(pool.name if pool else service.pool, service.advertised_by)
        if pool is None and found is Reason.NO_ADVERTISEMENT:
            return self._united((EVERYWHERE,))
        return found

    def selects(self, service: Service, ip: IP, node: str) -> bool:
        """Whether an advertisement of `ip` lets `node` announce it."""
        pool = self._space.pool_of(ip)
        matching = self._matching(pool.name if pool else service.pool, service.advertised_by)
        return any(_selects(each, node) for each in matching) or (pool is None and not matching)

    def agrees(self, other: "Reach") -> bool:
        """Whether all that was asked of `other` would be answered the same here."""
        return all(self._of(*asked) == answer for asked, answer in other._found.items())

    def _of(self, pool: str, advertised_by: tuple[str, ...]) -> Announcement | Reason:
        asked = pool, advertised_by
        if asked not in self._found:
            matching = self._matching(*asked)
            self._found[asked] = self._united(matching) if matching else self._otherwise(*asked)
        return self._found[asked]

    def _otherwise(self, pool: str, advertised_by: tuple[str, ...]) -> Reason:
        """Why there is nothing to answer for: routers alone are to learn it, or nobody is to announce it at all."""
        routed = any(each.holds(pool, advertised_by) for each in self._routes)
        return Reason.BY_BGP if routed else Reason.NO_ADVERTISEMENT

    def _matching(self, pool: str, advertised_by: tuple[str, ...]) -> tuple[Advertisement, ...]:
        """The advertisements of `pool` for a Service of which those named choose it by label."""
        return tuple(
            each
            for each in self._advertisements
            if (each.pools is None or pool in each.pools) and (not each.by_service or each.name in advertised_by)
        )

    def _united(self, matching: Collection[Advertisement]) -> Announcement | Reason:
        """What several advertisements come to: weights add up; a node's interfaces are those of all that select it."""
        selected = [name for name in self._refusals if any(_selects(each, name) for each in matching)]
        fit = [name for name in selected if not self._refusals[name]]
        if not fit:
            reasons = {self._refusals[name] for name in selected}
            return reasons.pop() if len(reasons) == 1 else Reason.NO_CANDIDATE
        weights = [dict(each.weights) for each in matching]
        candidates = tuple(Candidate(name, sum(each.get(name, 0) for each in weights)) for name in fit)
        mine = [each for each in matching if _selects(each, self._me)] or matching
        if any(not each.interfaces for each in mine):
            return Announcement(candidates)
        return Announcement(candidates, tuple(sorted({name for each in mine for name in each.interfaces})))


EVERYWHERE = Advertisement("")
UNREACHED = (Reason.ADDRESS_IN_NO_POOL, Reason.NO_ADVERTISEMENT)
"""Reasons that hold for every node, whatever the Service's endpoints do."""


def _selects(advertisement: Advertisement, node: str) -> bool:
    return advertisement.nodes is None or node in advertisement.nodes


def layer2(service: Service, ip: IP, endpoints: Endpoints, reach: Reach) -> Announcement | Reason:
    """How `ip` is announced by ARP or NDP, or why not."""
    found = reach.announcement(service, ip)
    if found in UNREACHED:
        return found
    if not endpoints.somewhere:
        return Reason.NO_ENDPOINTS
    if isinstance(found, Reason) or not service.local_policy:
        return found
    local = tuple(_ranked(each, endpoints) for each in found.candidates if each.node in endpoints.nodes)
    return Announcement(local, found.interfaces) if local else Reason.NO_LOCAL_ENDPOINTS


def _ranked(candidate: Candidate, endpoints: Endpoints) -> Candidate:
    """A node whose endpoints are ready comes before any where they end, whatever is preferred."""
    return Candidate(candidate.node, candidate.score + READY) if candidate.node in endpoints.ready else candidate


def age(service: Service) -> tuple[str, str]:
    """Sorts the oldest first."""
    return service.created, service.key


def sharing(holders: Iterable[Service]) -> tuple[Service, ...]:
    """Those of an address' holders, the oldest first, that may hold it together with all before them."""
    found: list[Service] = []
    for each in holders:
        if all(each.shares_with(other) for other in found):
            found.append(each)
    return tuple(found)


def united(found: Collection[Announcement]) -> Announcement | Reason:
    """How an address of several Services is announced: by a node that may for each of them, where it may for each."""
    first, *others = found
    if not others:
        return first
    scores = [{each.node: each.score for each in announcement.candidates} for announcement in found]
    names = [each.node for each in first.candidates if all(each.node in known for known in scores)]
    candidates = tuple(Candidate(name, min(known[name] for known in scores)) for name in names)
    limits = [frozenset(each.interfaces) for each in found if each.interfaces]
    interfaces = limits[0].intersection(*limits[1:]) if limits else NO_NAMES
    if not candidates or (limits and not interfaces):
        return Reason.CONFLICTING_ADVERTISEMENTS
    return Announcement(candidates, tuple(sorted(interfaces)))


def why(snapshot: Snapshot, key: str, ip: IP, interfaces: Iterable[Interface] = ()) -> dict[str, Reason]:
    """For every Node, by name, why it may not announce `ip` for Service `key`; NONE for one that may.

    Says what the decision says, but node by node; costs what the cluster has nodes and Services, so it is for those who
    ask. `interfaces`: those of this node. A drained node may, and does not as long as another can.
    """
    reach = Reach(snapshot.config, snapshot.nodes, snapshot.members, snapshot.me)
    service, endpoints = snapshot.services[key], snapshot.endpoints.get(key, NOWHERE)
    found = reach.announcement(service, ip)
    if found is Reason.BY_BGP and not endpoints.somewhere:
        found = Reason.NO_ENDPOINTS
    if found in (*UNREACHED, Reason.BY_BGP) or not endpoints.somewhere:
        return dict.fromkeys(snapshot.nodes, found if isinstance(found, Reason) else Reason.NO_ENDPOINTS)
    everybody = _agreed(snapshot, ip, reach)
    told = {}
    for name in snapshot.nodes:
        told[name] = _why(name, service, ip, endpoints, reach, snapshot)
        if not told[name] and name not in everybody:
            told[name] = Reason.CONFLICTING_ADVERTISEMENTS
    names = {each.name for each in interfaces if each.usable}
    if isinstance(found, Announcement) and names and found.interfaces and names.isdisjoint(found.interfaces):
        told[snapshot.me] = told.get(snapshot.me, Reason.NONE) or Reason.NO_INTERFACE
    return told


def _agreed(snapshot: Snapshot, ip: IP, reach: Reach) -> frozenset[str]:
    """The nodes that may announce `ip` for each of the Services that hold it together."""
    holders = sorted((each for each in snapshot.services.values() if ip in each.ips and each.ours), key=age)
    found = [layer2(each, ip, snapshot.endpoints.get(each.key, NOWHERE), reach) for each in sharing(holders)]
    named = [frozenset(c.node for c in each.candidates) for each in found if isinstance(each, Announcement)]
    return named[0].intersection(*named[1:]) if named else NO_NAMES


def _why(name: str, service: Service, ip: IP, endpoints: Endpoints, reach: Reach, snapshot: Snapshot) -> Reason:
    if reason := refusal(name, snapshot.nodes, snapshot.members):
        return reason
    if not reach.selects(service, ip, name):
        return Reason.NODE_NOT_SELECTED
    if service.local_policy and name not in endpoints.nodes:
        return Reason.NO_LOCAL_ENDPOINTS
    return Reason.DRAINED if snapshot.members[name].drained else Reason.NONE
