"""What one Service is due by itself: what it may keep, what it looks for, or why it gets nothing.

Depends on the Service and the pools alone; who else wants an address is the allocator's business.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from speakerd.model import IP, Assignment, Config, Family, FamilyPolicy, Pool, Reason, Service
from speakerd.search import Space

Families = tuple[Family, ...]


class Wish(Struct, frozen=True):
    """What a Service looks for: `ips`, else one address of each of a tuple of `families`, best tuple first.

    `tiers`: pools to look in, all families in one tier before the next. `pool`: the one it has to be. `beside`:
    addresses it keeps, a second family is added to them.
    """

    families: tuple[Families, ...] = ()
    pool: str = ""
    ips: tuple[IP, ...] = ()
    beside: tuple[IP, ...] = ()
    tiers: tuple[tuple[str, ...], ...] = ()


class Standing(Struct, frozen=True, gc=False):
    """What a Service keeps or why it has nothing, and what it looks for beyond that."""

    keeps: Assignment
    wish: Wish | None = None


class Refusal(Exception):
    """A request that no state of the other Services can fulfil."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason, self.message = reason, message


class Grounds(Struct, frozen=True):
    """The pools a Service is judged by. `faulty`: a pool may lack addresses because of a fault in the configuration.

    `gone`: that there is no pool is no accident.
    """

    space: Space
    faulty: bool = False
    gone: bool = False


def grounds(config: Config) -> Grounds:
    """The pools of `config`."""
    return Grounds(Space(config.pools), any(each.severity == "error" for each in config.problems), config.pools_gone)


def standing(service: Service, grounds: Grounds, *, lost: bool = False) -> Standing:
    """What `service` is due; `lost`: another Service keeps the addresses of its status."""
    if not grounds.space.pools:
        return Standing(_kept_without_pools(service, grounds))
    try:
        alternatives = _alternatives(service)
    except Refusal as refusal:
        return Standing(_refused(refusal, Assignment()))
    keeps = Assignment() if lost else _held(service, grounds, alternatives)
    try:
        return Standing(keeps, _wish(service, grounds.space, keeps, alternatives))
    except Refusal as refusal:
        return Standing(_refused(refusal, keeps))


def named(ips: Iterable[IP]) -> str:
    """Addresses as messages write them."""
    return "[" + ", ".join(f'"{ip}"' for ip in ips) + "]"


def _refused(refusal: Refusal, keeps: Assignment) -> Assignment:
    """`keeps` with the reason why it is not what was asked for."""
    return replace(keeps, reason=refusal.reason, message=refusal.message)


def _kept_without_pools(service: Service, grounds: Grounds) -> Assignment:
    """That no pool is known takes nothing from anybody, unless it is no accident: they vanish with their CRD, say."""
    if service.ips and not grounds.gone:
        return Assignment(service.ips, service.pool)
    if grounds.faulty:
        return Assignment(reason=Reason.CONFIGURATION_INVALID, message="no pool is valid")
    return Assignment(reason=Reason.NO_POOL, message="there is no pool: create an IPAddressPool, or set iprange")


def _alternatives(service: Service) -> tuple[Families, ...]:
    """The families to serve, best first. Raises Refusal where the cluster IPs allow none."""
    primary = tuple(ip.version for ip in service.cluster_ips)
    if not primary:
        raise Refusal(Reason.FAMILY_MISMATCH, "the Service has no cluster IP, so that its family is not known")
    if len(primary) < 2:
        if service.family_policy is FamilyPolicy.REQUIRE_DUAL:
            raise Refusal(Reason.DUAL_STACK_REQUIRED, "RequireDualStack, but the Service has one cluster IP")
        return (primary,)
    match service.family_policy:
        case FamilyPolicy.PREFER_DUAL:
            return ((4, 6), primary[:1], primary[1:])
        case FamilyPolicy.REQUIRE_DUAL:
            return ((4, 6),)
        case FamilyPolicy.SINGLE:
            return ()


def _families(ips: Iterable[IP]) -> Families:
    return tuple(sorted(ip.version for ip in ips))


def _held(service: Service, grounds: Grounds, alternatives: tuple[Families, ...]) -> Assignment:
    """The addresses of the status, as far as pools and families still allow them: all of them or none."""
    if not service.ips:
        return Assignment()
    families = _families(service.ips)
    if families not in alternatives and families != _families(service.cluster_ips):
        return Assignment()
    pools = [grounds.space.pool_of(ip) for ip in service.ips]
    if grounds.faulty and None in pools:  # a slip in one object costs nobody an address
        return Assignment(service.ips, service.pool)
    pool = _common(pools)
    return Assignment(service.ips, pool.name) if pool and _serves(pool, service) else Assignment()


def _serves(pool: Pool, service: Service) -> bool:
    """Whether a pool is for a Service."""
    return not pool.pinned or pool.name in service.admitted_by


def _common(pools: list[Pool | None]) -> Pool | None:
    """The one pool they all are."""
    return pools[0] if all(each is pools[0] for each in pools) else None


def _wish(service: Service, space: Space, keeps: Assignment, alternatives: tuple[Families, ...]) -> Wish | None:
    """What `service` looks for beyond what it keeps. Raises Refusal."""
    request = service.request
    if request.reason:
        raise Refusal(request.reason, request.message)
    if request.pool and request.pool not in space.pools:
        raise Refusal(Reason.UNKNOWN_POOL, f'no pool is named "{request.pool}"')
    if request.pool and not _serves(space.pools[request.pool], service):
        raise Refusal(Reason.POOL_SCOPED, f'pool "{request.pool}" is for other Services')
    if request.ips:
        pool = _requested(service, space)
        same = keeps.pool == pool and set(keeps.ips) == set(request.ips)
        return None if same else Wish(pool=pool, ips=request.ips)
    if keeps.ips and request.pool in ("", keeps.pool):
        return _second(service, space, keeps)
    return Wish(alternatives, request.pool, tiers=_tiers(service, space))


def _tiers(service: Service, space: Space) -> tuple[tuple[str, ...], ...]:
    """The pools it may have an address of: the one it names, else those pinned to it, then those for all."""
    if service.request.pool:
        return ((service.request.pool,),)
    pinned = tuple(name for name in space.pinned if name in service.admitted_by)
    return tuple(filter(None, (pinned, space.open)))


def _requested(service: Service, space: Space) -> str:
    """The pool of the requested addresses. Raises Refusal where they can never be given."""
    request = service.request
    if _families(request.ips) != _families(service.cluster_ips):
        raise Refusal(Reason.FAMILY_MISMATCH, f"{named(request.ips)} are not of the families of the cluster IPs")
    pools = [space.pool_of(ip) for ip in request.ips]
    if None in pools:
        raise Refusal(Reason.ADDRESS_IN_NO_POOL, f"{request.ips[pools.index(None)]} is in no pool")
    pool = _common(pools)
    if pool is None:
        raise Refusal(Reason.BAD_COMBINATION, f"{named(request.ips)} are of different pools")
    if not _serves(pool, service):
        message = f'{named(request.ips)} are of pool "{pool.name}", which is for other Services'
        raise Refusal(Reason.POOL_SCOPED, message)
    if request.pool not in ("", pool.name):
        raise Refusal(
            Reason.OUTSIDE_REQUESTED_POOL, f'{named(request.ips)} are of pool "{pool.name}", not "{request.pool}"'
        )
    return pool.name


def _second(service: Service, space: Space, keeps: Assignment) -> Wish | None:
    """The address of the other family that PreferDualStack would like to have beside the one held."""
    if len(service.cluster_ips) < 2 or len(keeps.ips) > 1:
        return None
    other: Family = 6 if keeps.ips[0].version == 4 else 4
    if not space.offers(keeps.pool, other):
        return None
    return Wish(((other,),), keeps.pool, beside=keeps.ips, tiers=((keeps.pool,),))
