"""Whether and how an address is announced: by which nodes, on which interfaces; or the word for why not."""

from collections.abc import Mapping

from msgspec import Struct

from speakerd.model import IP, Candidate, Config, Endpoints, Member, Node, Reason, Service
from speakerd.search import Space


class Announcement(Struct, frozen=True):
    """Candidates sorted by node name; no `interfaces` means every usable one."""

    candidates: tuple[Candidate, ...]
    interfaces: tuple[str, ...] = ()


class Eligible(Struct, frozen=True):
    """The nodes that may announce anything, sorted by name; `reason`: why there is none."""

    candidates: tuple[Candidate, ...] = ()
    reason: Reason = Reason.NO_CANDIDATE


def eligible(nodes: Mapping[str, Node], members: Mapping[str, Member]) -> Eligible:
    """Nodes that exist, have a member record, and are neither excluded nor without network."""
    known = [nodes[name] for name in sorted(members) if name in nodes]
    fit = tuple(Candidate(node.name) for node in known if not node.excluded and not node.network_unavailable)
    if known and all(node.excluded for node in known):
        return Eligible(fit, Reason.NODE_EXCLUDED)
    if known and all(node.network_unavailable for node in known):
        return Eligible(fit, Reason.NETWORK_UNAVAILABLE)
    return Eligible(fit)


class Reach:
    """Which interfaces the advertisements of a configuration open to each pool."""

    def __init__(self, config: Config) -> None:
        self._space = Space(config.pools)
        self._advertisements = config.advertisements
        self._interfaces: dict[str, tuple[str, ...] | Reason] = {}

    def interfaces(self, service: Service, ip: IP) -> tuple[str, ...] | Reason:
        """Where `ip` is announced.

        A node announces what a status holds although its own settings may not know the pool: then everywhere.
        """
        pool = self._space.pool_of(ip)
        if pool is None and not service.pool:
            return Reason.ADDRESS_IN_NO_POOL
        found = self._of(pool.name if pool else service.pool)
        return () if pool is None and found is Reason.NO_ADVERTISEMENT else found

    def _of(self, pool: str) -> tuple[str, ...] | Reason:
        """The interfaces of all advertisements of `pool`; one without interfaces means all of them."""
        if pool not in self._interfaces:
            matching = [each for each in self._advertisements if each.pools is None or pool in each.pools]
            everywhere = any(not each.interfaces for each in matching)
            union = () if everywhere else tuple(sorted({name for each in matching for name in each.interfaces}))
            self._interfaces[pool] = union if matching else Reason.NO_ADVERTISEMENT
        return self._interfaces[pool]


def layer2(service: Service, ip: IP, endpoints: Endpoints, eligible: Eligible, reach: Reach) -> Announcement | Reason:
    """How `ip` is announced by ARP or NDP, or why not."""
    interfaces = reach.interfaces(service, ip)
    if isinstance(interfaces, Reason):
        return interfaces
    if not endpoints.somewhere:
        return Reason.NO_ENDPOINTS
    if not eligible.candidates:
        return eligible.reason
    if not service.local_policy:
        return Announcement(eligible.candidates, interfaces)
    local = tuple(each for each in eligible.candidates if each.node in endpoints.nodes)
    return Announcement(local, interfaces) if local else Reason.NO_LOCAL_ENDPOINTS
