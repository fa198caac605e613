"""What the cluster comes to: decisions carried out one after the other until nothing is left to do; pure.

The same code as the agent's, so that what is foretold is what would happen. Who owns an address that nobody has yet is
told by the ranking, as of nodes that all start at once.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from speakerd.advertise import NOWHERE, Reach
from speakerd.decide import Memo, decide
from speakerd.decision import EventWrite, Plan, Snapshot
from speakerd.exchange import Vip
from speakerd.model import (
    IP,
    Assignment,
    Family,
    Holder,
    Pool,
    Problem,
    Reason,
    Reservation,
    Service,
    packed,
    unpacked,
)
from speakerd.ownership.ranking import first
from speakerd.routes import Path, Routes
from speakerd.terms import holder

ROUNDS = 1000
"""Plans carried out at most; each serves somebody, or frees an address for somebody."""
NO_LINES: Mapping[bytes, tuple[str, ...]] = {}
MOST = (1 << 63) - 1
"""The largest count told, as MetalLB does: readers of JSON know 64 bits."""
FAMILIES: tuple[Family, Family] = (4, 6)
NOT_ENTITLED = frozenset({Reason.FAMILY_MISMATCH, Reason.DUAL_STACK_REQUIRED})
"""Reasons for which a Service should have no address at all."""


class EventForetold(Struct, frozen=True):
    """An event on a Service, as core/v1 has it."""

    type: str
    reason: str
    message: str


class Announced(Struct, frozen=True, tag_field="protocol", tag="layer2"):
    """Who may answer for an address, by name, and who does; or the reason why nobody."""

    ip: str
    candidates: list[str]
    owner: str
    reason: str


class Routed(Struct, frozen=True, tag_field="protocol", tag="bgp", rename="camel"):
    """What a node tells peers of a prefix; without a prefix, the reason why no node does.

    `med`, `as_path_prepend`: left out where none is asked for.
    """

    prefix: str
    node: str
    peers: list[str]
    local_pref: int
    communities: list[str]
    reason: str = ""
    med: int | UnsetType = UNSET
    as_path_prepend: int | UnsetType = UNSET


NOT_ROUTED = Routed("", "", [], 0, [], Reason.NO_ADVERTISEMENT)
"""No BGPAdvertisement is meant for an address."""


class ServiceForetold(Struct, frozen=True):
    """What becomes of a Service.

    `result`: assigned (new), kept, refused (wanted, none given), released (had one, is entitled to none), lost (had
    one that is no longer valid, and there is none to replace it), ignored (not ours).
    """

    namespace: str
    name: str
    result: str
    ips: list[str]
    pool: str
    reason: str
    message: str
    events: list[EventForetold]
    announce: list[Announced | Routed]


class Count(Struct, frozen=True, rename="camel"):
    """Addresses of a family."""

    total: int
    in_use: int


class PoolForetold(Struct, frozen=True, rename="camel"):
    """How full a pool is; an address of several Services counts once."""

    name: str
    total: int
    in_use: int
    ipv4: Count
    ipv6: Count


class Move(Struct, frozen=True, rename={"origin": "from", "target": "to"}):
    """An address that goes to another node, and why; to nobody: none is left."""

    ip: str
    origin: str
    target: str
    cause: str


class Outlook(Struct, frozen=True):
    """What `plan -o json` prints."""

    valid: bool
    problems: tuple[Problem, ...]
    services: list[ServiceForetold]
    pools: list[PoolForetold]
    moves: list[Move]


Lines = Mapping[bytes, tuple[str, ...]]
"""By packed address: its owner now, then its heir."""


class Course(Struct, frozen=True):
    """How it goes: the last plan, and the events by Service on the way."""

    plan: Plan
    events: Mapping[str, list[EventForetold]]


def outlook(
    snapshot: Snapshot,
    keys: Iterable[str],
    problems: tuple[Problem, ...] = (),
    *,
    down: Collection[str] = (),
    node: str = "",
    lines: Lines = NO_LINES,
) -> Outlook:
    """What `snapshot` comes to, for Services `keys`; nodes `down` are dead. `node`: only what that one announces."""
    course = run(replace(snapshot, ledger=snapshot.ledger if snapshot.ledger is not None else {}))
    every = (*problems, *snapshot.config.problems)
    owners = Owners(course.plan, down, lines, snapshot)
    services = [_service(key, snapshot, course, owners, node) for key in sorted(keys)]
    used = {ip for each in course.plan.assignments.values() for ip in each.ips}
    return Outlook(
        valid=not any(each.severity == "error" for each in every),
        problems=every,
        services=services,
        pools=[_pool(each, used) for each in snapshot.config.pools],
        moves=owners.moves(),
    )


def run(snapshot: Snapshot) -> Course:
    """Decide and carry out until nothing is left to write."""
    memo, events = Memo(), dict[str, list[EventForetold]]()
    plan, memo = decide(snapshot, memo)
    for _ in range(ROUNDS):
        for each in plan.events:
            _tell(events, each)
        if not (plan.writes or plan.releases or plan.adoptions):
            break
        snapshot = carried_out(snapshot, plan)
        plan, memo = decide(snapshot, memo)
    return Course(plan, events)


def _tell(events: dict[str, list[EventForetold]], each: EventWrite) -> None:
    events.setdefault(each.service.key, []).append(EventForetold(each.type, each.reason, each.message))


def carried_out(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """What the API shows once `plan` is carried out: Leases and statuses as wanted."""
    ledger, services = dict(snapshot.ledger or {}), dict(snapshot.services)
    for release in plan.releases:
        ledger[release.held.ip] = release.held.left_to(release.left)
        if not release.left:
            del ledger[release.held.ip]
    for write in plan.writes:
        one = holder(write.service)
        ledger |= {ip: _joined(ledger.get(ip), ip, one, given=True) for ip in write.assignment.ips}
        written = replace(write.service, ips=write.assignment.ips, pool=write.assignment.pool)
        services[written.key] = written
        if not (written.ours or written.ips or written.pool):
            del services[written.key]
    for ip, one in plan.adoptions:
        ledger[ip] = _joined(ledger.get(ip), ip, one, given=False)
    for reservation, mac in plan.set_aside:
        ledger[reservation.ip] = replace(reservation, stranger=mac)
    return replace(snapshot, services=services, ledger=ledger)


def _joined(held: Reservation | None, ip: IP, one: Holder, *, given: bool) -> Reservation:
    """The Lease of an address, with one more Service or with the terms it has now."""
    return (held or Reservation(ip, f"speakerd-vip-{ip}", f"lease-{ip}", "1", (), given=given)).joined(one)


# -- Services


def _service(key: str, snapshot: Snapshot, course: Course, owners: "Owners", node: str) -> ServiceForetold:
    before, final = snapshot.services.get(key), course.plan.assignments.get(key, Assignment())
    namespace, _, name = key.partition("/")
    announced = [each for ip in final.ips for each in owners.of(key, ip)] if before and before.ours else []
    return ServiceForetold(
        namespace=namespace,
        name=name,
        result=_result(before, final),
        ips=[str(ip) for ip in final.ips],
        pool=final.pool,
        reason=final.reason,
        message=final.message,
        events=course.events.get(key, []),
        announce=[each for each in announced if node in ("", speaker(each))],
    )


def speaker(each: Announced | Routed) -> str:
    """The node that announces it."""
    return each.node if isinstance(each, Routed) else each.owner


def _result(before: Service | None, final: Assignment) -> str:
    if before is None or not before.ours:
        return "released" if before and before.lapsed and before.ips else "ignored"
    if final.ips:
        return "kept" if set(before.ips) == set(final.ips) else "assigned"
    if not before.ips:
        return "refused"
    return "released" if final.reason in NOT_ENTITLED else "lost"


class Owners:
    """Who announces what, if `down` are dead; `lines`: who goes first because it has an address already."""

    def __init__(self, plan: Plan, down: Collection[str], lines: Lines, snapshot: Snapshot) -> None:
        self._plan, self._down, self._lines, self._snapshot = plan, down, lines, snapshot
        living = {name: each for name, each in snapshot.nodes.items() if name not in down}
        self._routes = Routes(snapshot.config, living)
        self._reach = Reach(snapshot.config, snapshot.nodes, snapshot.members, snapshot.me)

    def of(self, key: str, ip: IP) -> list[Announced | Routed]:
        """How an address is announced for a Service: by both protocols, or by the one that is to."""
        bgp = self._bgp(key, ip) if self._snapshot.config.routing.routes else [NOT_ROUTED]
        if self._reach.announcement(self._snapshot.services[key], ip) is Reason.BY_BGP:
            return [*bgp]
        return [self._layer2(key, ip), *(bgp if bgp != [NOT_ROUTED] else ())]

    def _bgp(self, key: str, ip: IP) -> list[Routed]:
        service = self._snapshot.services[key]
        found = self._routes.announced(service, ip, self._snapshot.endpoints.get(key, NOWHERE))
        if isinstance(found, Reason):
            return [Routed("", "", [], 0, [], found)]
        return [_routed(each) for each in found]

    def _layer2(self, key: str, ip: IP) -> Announced:
        row = self._plan.wanted.vips.get(packed(ip))
        refused = self._plan.refused.get((key, ip), Reason.NONE)
        if row is None or refused:
            return Announced(str(ip), [], "", refused or Reason.NO_CANDIDATE)
        names = sorted(each.node for each in self._plan.wanted.candidate_sets[row.candidates])
        owner = self._owner(row, self._down)
        return Announced(str(ip), names, owner, "" if owner else Reason.NO_CANDIDATE)

    def moves(self) -> list[Move]:
        """What goes to another node since its owner is down, by address."""
        owners = [(unpacked(row.ip), self._owner(row, ()), self._owner(row, self._down)) for row in self._rows()]
        return [Move(str(ip), before, after, "owner-dead") for ip, before, after in owners if before != after]

    def _rows(self) -> list[Vip]:
        return sorted(self._plan.wanted.vips.values(), key=lambda row: (len(row.ip), row.ip))

    def _owner(self, row: Vip, down: Collection[str]) -> str:
        living = [each for each in self._plan.wanted.candidate_sets[row.candidates] if each.node not in down]
        names = {each.node for each in living}
        return next(filter(names.__contains__, self._lines.get(row.ip, ())), "") or first(row.rank_by, living)


def _routed(path: Path) -> Routed:
    told = Routed(path.prefix, path.node, [*path.peers], path.local_pref, [*path.communities])
    med = UNSET if path.med is None else path.med
    return replace(told, med=med, as_path_prepend=path.prepend or UNSET)


# -- pools


def _pool(pool: Pool, used: Collection[IP]) -> PoolForetold:
    own = [ip for ip in used if pool.holds(ip)]
    ipv4, ipv6 = (_count(pool, family, own) for family in FAMILIES)
    return PoolForetold(pool.name, min(pool.size(4) + pool.size(6), MOST), len(own), ipv4, ipv6)


def _count(pool: Pool, family: Family, own: Iterable[IP]) -> Count:
    return Count(min(pool.size(family), MOST), sum(ip.version == family for ip in own))
