"""What `speakerd status` tells: one look at the whole agent, as plain values for JSON; pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct, field
from msgspec.structs import replace

from speakerd.decision import Plan
from speakerd.exchange import GONE, LIVING, Counters, MemberSeen, Observed, Vip
from speakerd.model import Config, Interface, Problem, Reason, unpacked
from speakerd.peering import ESTABLISHED
from speakerd.sessions import PeerReport
from speakerd.settings import PRESETS

NAMES = {interval: name for name, (interval, _, _) in PRESETS.items()}
"""Presets by the interval between heartbeats."""


class NodeReport(Struct, rename="camel"):
    """This node; `known`: a Node of that name exists; `since`: start of the controller (RFC 3339)."""

    name: str
    version: str
    since: str
    known: bool = False
    excluded: bool = False
    network_unavailable: bool = False
    drained: bool = False


class ProcessesReport(Struct, rename="camel"):
    """Process ids, and how the announcer runs; `missing`: what the host refused it.

    `not_connected`: plugs of the snap, as `snap connect` names them.
    """

    supervisor: int
    controller: int
    announcer: int = 0
    announcer_restarts: int = 0
    real_time_priority: int = 0
    memory_locked: bool = False
    missing: list[str] = []
    not_connected: list[str] = []


class Reloaded(Struct, frozen=True):
    """The answer to `reload`: all that is wrong with the settings as they are now; an error has them not used."""

    problems: tuple[Problem, ...] = ()


class KindReport(Struct, rename="camel"):
    """One watched kind; `absent`: the API does not know it (its CRD is missing).

    `unreadable`: objects that are not as their schema says, by name, and why; the last good version of them counts.
    """

    kind: str
    objects: int
    synced: bool
    absent: bool
    unreadable: dict[str, str] = {}


class Unusable(Struct, frozen=True, rename="camel"):
    """Credentials that are on disk and not in use: `file`, or what else they are from, what is wrong, the remedy."""

    file: str
    message: str
    remedy: str


class ApiReport(Struct, rename="camel"):
    """The API server; `age`: seconds since it was last heard; `error`, `remedy`: why it cannot be asked now.

    `credentials`: where they came from; `unusable`: those that their files have by now, where they are not in use.
    `failing`: what could not be written when it was last tried, and why.
    """

    connected: bool = False
    server: str = ""
    credentials: str = ""
    age: float | None = None
    connections: int = 0
    error: str = ""
    remedy: str = ""
    failing: dict[str, str] = {}
    kinds: list[KindReport] = []
    unusable: Unusable | None = None


class ConfigurationReport(Struct, rename="camel"):
    """Settings and resources; `reload_problems`: of a file that was saved but does not hold.

    `differs`: living members with another digest.
    """

    valid: bool
    digest: str
    pools: list[str]
    problems: list[Problem]
    files: list[str] = []
    reload_problems: list[Problem] = []
    differs: list[str] = []


class ServiceReport(Struct, rename="camel"):
    """A Service of ours; `reason`: why it has no address, or not what it asked for."""

    namespace: str
    name: str
    ips: list[str]
    pool: str
    reason: str = ""
    message: str = ""


class MemberReport(Struct, rename="camel"):
    """A member as this node sees it: `state` since when and for how many seconds (`lasted`).

    `heard`: seconds since then, None never; `roundTrip` in milliseconds; `carriers` that work both ways; `interval`:
    seconds between heartbeats it is judged by, and the preset (`watched`) that has it, if one does; `configuration`:
    the digest of the one it obeys.
    """

    name: str
    state: str
    since: str
    heard: float | None
    round_trip: float | None
    carriers: list[str]
    interval: float
    drained: bool
    lasted: float = 0.0
    watched: str = ""
    configuration: str = ""


class VipReport(Struct, rename="camel"):
    """A VIP: who answers, since when, why, and who did before; `heir`: who takes over if that one dies.

    `interfaces`: of this node, if it answers; `reason`: why nobody does, as far as this node knows.

    `requests`, `responses`, `gratuitous`: asked here, answered here, announced here, since the announcer started.
    """

    ip: str
    service: str
    owner: str = ""
    heir: str = ""
    epoch: int = 0
    since: str = ""
    cause: str = ""
    previous: str = ""
    candidates: list[str] = []
    interfaces: list[str] = []
    mac: str = ""
    reason: str = ""
    requests: int = 0
    responses: int = 0
    gratuitous: int = 0


class InterfaceReport(Struct, rename="camel"):
    """An interface of this node, and why it is not used."""

    name: str
    mac: str
    carrier: bool
    usable: bool
    reason: str = ""


class FindingReport(Struct, rename="camel"):
    """Something that needs an operator."""

    finding: str
    severity: str
    object: str
    message: str
    remedy: str


class Report(Struct, rename="camel"):
    """All that `status` tells. `members`: names of those with a record; what is seen of each is `member_states`."""

    node: NodeReport
    processes: ProcessesReport
    api: ApiReport
    configuration: ConfigurationReport
    allocator: str = ""
    members: list[str] = field(default_factory=list, name="memberNames")
    member_states: list[MemberReport] = field(default_factory=list, name="members")
    conditions: dict[str, str] = {}
    services: list[ServiceReport] = field(default_factory=list)
    vips: list[VipReport] = field(default_factory=list)
    peers: list[PeerReport] = field(default_factory=list)
    interfaces: list[InterfaceReport] = field(default_factory=list)
    findings: list[FindingReport] = field(default_factory=list)


def stamp(seconds: float) -> str:
    """RFC 3339, whole seconds, of wall-clock seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def services(plan: Plan) -> list[ServiceReport]:
    """Every Service of ours, by name."""
    found = []
    for key, given in sorted(plan.assignments.items()):
        namespace, _, name = key.partition("/")
        ips = [str(ip) for ip in given.ips]
        found.append(ServiceReport(namespace, name, ips, given.pool, given.reason, given.message))
    return found


def interfaces(observed: Observed) -> list[InterfaceReport]:
    """The interfaces as the kernel lists them."""
    return [
        InterfaceReport(each.name, each.mac.hex(":"), each.carrier, each.usable, each.reason)
        for each in observed.interfaces
    ]


def members(
    observed: Observed, now: float, offset: float, me: str = "", *, drained: bool = False
) -> list[MemberReport]:
    """All members by name; `now` of this host's monotonic clock, `offset`: wall clock minus that.

    `me`: this node, which is `drained` or not; without its name the others alone are told.
    """
    found = [_member(each, now, offset) for each in observed.members]
    if me:
        began = observed.facts.started
        state = "alive" if observed.facts.pid else "down"
        since, lasted = (stamp(began + offset), round(now - began, 3)) if began else ("", 0.0)
        found.append(MemberReport(me, state, since, None, None, [], 0.0, drained, lasted))
    return sorted(found, key=lambda each: each.name)


def _member(seen: MemberSeen, now: float, offset: float) -> MemberReport:
    return MemberReport(
        seen.name,
        seen.state,
        stamp(seen.since + offset),
        round(now - seen.heard, 3) if seen.heard else None,
        round(seen.round_trip * 1000, 3) if seen.round_trip else None,
        list(seen.carriers),
        seen.watched,
        seen.drained,
        round(now - seen.since, 3),
        NAMES.get(seen.watched, ""),
        seen.configuration.hex(),
    )


def vips(plan: Plan, observed: Observed, offset: float) -> list[VipReport]:
    """Announced VIPs and those nobody announces, by address; `offset`: wall clock minus this host's monotonic clock."""
    names = [[each.node for each in candidates] for candidates in plan.wanted.candidate_sets]
    found = [(ip, _vip(vip, names[vip.candidates], plan, observed, offset)) for ip, vip in plan.wanted.vips.items()]
    found += [
        (ip.packed, VipReport(str(ip), service, reason=reason))
        for (service, ip), reason in plan.refused.items()
        if ip.packed not in plan.wanted.vips
    ]
    return [told for _, told in sorted(found, key=lambda each: (len(each[0]), each[0]))]


def _vip(vip: Vip, candidates: list[str], plan: Plan, observed: Observed, offset: float) -> VipReport:
    told = VipReport(str(unpacked(vip.ip)), vip.service, candidates=candidates)
    if claim := observed.claims.get(vip.ip):
        told.owner, told.epoch, told.cause = claim.owner, claim.epoch, claim.cause
        told.heir, told.previous = claim.heir, claim.previous
        told.since = stamp(claim.since + offset)
    if told.owner == plan.wanted.me:
        used = _here(vip, observed)
        told.interfaces = [each.name for each in used]
        told.mac = used[0].mac.hex(":") if used else ""
        counted = observed.counters.get(vip.ip, Counters(vip.ip))
        told.requests, told.responses, told.gratuitous = counted.requests, counted.responses, counted.gratuitous
    elif not told.owner and plan.wanted.me in candidates and observed.interfaces and not _here(vip, observed):
        told.reason = Reason.NO_INTERFACE
    return told


def _here(vip: Vip, observed: Observed) -> list[Interface]:
    """The interfaces of this node that carry `vip` when this node owns it."""
    return [each for each in observed.interfaces if each.usable and (not vip.interfaces or each.name in vip.interfaces)]


class Counts(Struct, frozen=True):
    """VIPs wanted or refused, those answered for by this node, and Services without an address."""

    vips: int = 0
    here: int = 0
    unserved: int = 0


def counts(plan: Plan, observed: Observed) -> Counts:
    """How many there are: what the line tells of thousands."""
    refused = sum(ip.packed not in plan.wanted.vips for _, ip in plan.refused)
    owners = (claim.owner for ip in plan.wanted.vips if (claim := observed.claims.get(ip)))
    unserved = sum(not each.ips for each in plan.assignments.values())
    return Counts(len(plan.wanted.vips) + refused, sum(map(plan.wanted.me.__eq__, owners)), unserved)


def doubtful(plan: Plan, observed: Observed) -> Plan:
    """The part of a plan that findings may concern: what waits, what is refused, and what has no owner that lives."""
    gone = {"", *(each.name for each in observed.members if each.state in GONE)}
    vips = plan.wanted.vips
    owners = {ip: claim.owner for ip, claim in observed.claims.items()}
    lost = {ip: vip for ip, vip in vips.items() if owners.get(ip, "") in gone}
    waiting = {key: each for key, each in plan.assignments.items() if not each.ips}
    refused = {(key, ip): why for (key, ip), why in plan.refused.items() if ip.packed not in vips}
    return replace(plan, assignments=waiting, wanted=replace(plan.wanted, vips=lost), refused=refused)


def line(report: Report, counted: Counts) -> str:
    """One line that tells all, for `systemctl status`."""
    parts = [
        f"{counted.vips} VIPs, {counted.here} answered here",
        alive(report),
        "API connected" if report.api.connected else f"API not reachable ({report.api.error or 'not asked yet'})",
        f"allocator {report.allocator or 'none'}",
    ]
    if report.peers:
        up = sum(each.state == ESTABLISHED for each in report.peers)
        parts.append(f"{up} of {len(report.peers)} BGP sessions up")
    if counted.unserved:
        parts.append(f"{counted.unserved} Services wait for an address")
    errors = sum(each.severity == "error" for each in report.findings)
    if report.findings:
        parts.append(f"{len(report.findings)} findings ({errors} errors): {report.findings[0].finding}")
    return f"{report.node.name}: " + "; ".join(parts)


def alive(report: Report) -> str:
    """How many of those with a record live, as far as this node, which does, hears."""
    known = set(report.members)
    living = {each.name for each in report.member_states if each.state in LIVING} | {report.node.name}
    return f"{len(known & living)} of {len(known)} members alive"


def configuration(config: Config, problems: Iterable[Problem]) -> ConfigurationReport:
    """What the cluster wants, and what was wrong with settings that were saved last."""
    return ConfigurationReport(
        valid=not any(each.severity == "error" for each in config.problems),
        digest=config.digest,
        pools=[each.name for each in config.pools],
        problems=list(config.problems),
        reload_problems=list(problems),
    )


def differing(report: Report) -> list[str]:
    """Members that live and obey another configuration than this node."""
    others = ((each.name, each.configuration) for each in report.member_states if each.state in LIVING)
    return [name for name, digest in others if digest not in ("", report.configuration.digest)]


def shown(ip: bytes) -> str:
    """A packed address as text."""
    return str(unpacked(ip))
