"""Why an address is answered where it is, or by nobody, and what would change that: `speakerd explain`; pure."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from msgspec import Struct, field

from speakerd import advertise, hearers, prospects
from speakerd.commands import USUAL, Commands
from speakerd.config.words import nearest
from speakerd.decision import Plan, Snapshot
from speakerd.events import Event, Ring, stamp
from speakerd.exchange import READY, Candidate, Claim, Counters, Observed, Vip
from speakerd.findings import TABLE, Finding
from speakerd.hearers import RoutersReport
from speakerd.model import IP, Reason
from speakerd.ownership.ranking import ranking
from speakerd.prospects import UNHEARD, Change, Standing

EVENTS = 10
"""Events told of an address."""
CLOSE = 3
"""Addresses named where one is asked for that nobody has."""
GENERAL = ("no-mesh-key", "alone")
"""Conditions that concern every address."""
IGNORED = "its Service is of another type or loadBalancerClass than this node serves"

LIVING = prospects.HERE | {"starting", "leaving"}
"""States of an owner that answers."""

BECAUSE: Mapping[str, str] = {
    "first": "{owner} was first in line when the address was new",
    "owner-dead": "{previous} died, and {owner} took over{gap}",
    "owner-left": "{previous} was stopped, and handed it over",
    "drain": "{previous} was drained, and handed it over",
    "not-candidate": "{previous} may not announce it any more, and handed it over",
    "interface-lost": "{previous} lost the interface for it, and handed it over",
    "preference": "{owner} is preferred, and {previous} handed it over",
    "rebalance": "{previous} had more than its share, and handed it over",
    "contest-lost": "{owner} and {previous} both claimed it when they met, and {owner} won",
    "restored": "nobody claimed it, and {owner} had it before, or was next in line",
    "other": "it moved to {owner} for a cause that only later versions of speakerd know: ask there",
}
"""Causes of ownership, as a sentence."""
AGAIN = "nobody could have it for a time ({cause}), and {owner} took it when somebody could again"
"""The same for a cause by which the node before fell silent, where that node did not hand it over."""
HANDED = frozenset({"owner-left", "drain", "not-candidate", "interface-lost"})
WITHDRAWN = "{previous} withdrew it, with no other node to take it: {cause}"

WHY: Mapping[Reason, str] = {
    Reason.NO_ADVERTISEMENT: "no L2Advertisement selects its pool: create one",
    Reason.BY_BGP: "no L2Advertisement selects its pool, a BGPAdvertisement does: routers alone learn of it",
    Reason.ADDRESS_IN_NO_POOL: "the address is in no IPAddressPool: put it into one",
    Reason.ADDRESS_HELD: "another Service holds the address and does not share it: give both one allow-shared-ip key",
    Reason.PORT_USED: "another Service of its key uses one of its ports there: change the port, or the key of one",
    Reason.NO_ENDPOINTS: "no endpoint of the Service is ready: look at its pods and its selector",
    Reason.NO_LOCAL_ENDPOINTS: "no endpoint of the Service is there, and its externalTrafficPolicy is Local",
    Reason.NO_CANDIDATE: "no node may announce it",
    Reason.NO_INTERFACE: "it has none of the interfaces that the L2Advertisement names",
    Reason.NODE_EXCLUDED: "label node.kubernetes.io/exclude-from-external-load-balancers: remove it",
    Reason.NODE_NOT_SELECTED: "nodeSelectors of the L2Advertisement do not choose it",
    Reason.NO_MEMBER_RECORD: "speakerd was never there, or its Node is gone: start it, or see its log",
    Reason.NETWORK_UNAVAILABLE: "condition NetworkUnavailable of its Node: look at the network plugin",
    Reason.CONFLICTING_ADVERTISEMENTS: "Services that share the address do not all let it announce",
    Reason.DRAINED: "drained, until undrain",
}
"""Why a node announces nothing, and the way out."""


class CandidateReport(Struct, rename="camel"):
    """A node that may answer, in ranking order. `state` in the mesh; `role`: owner, heir or nothing.

    `preference`: the weights of preferences that name it; `ending`: its endpoints are about to go, others' are not;
    `reason`: why it cannot all the same.
    """

    node: str
    state: str
    role: str = ""
    preference: int = 0
    ending: bool = False
    drained: bool = False
    reason: str = ""


class OtherReport(Struct, rename="camel"):
    """A node that may not answer, and why."""

    node: str
    reason: str
    message: str


class AddressReport(Struct, rename="camel"):
    """One address: who answers (`owner` "": nobody), and `because` of what, as sentences, too.

    `since` as RFC 3339, `lasted` in seconds; `gap`: seconds for which a dead owner had not been heard. `interfaces`,
    `mac`, the counters and `routers` (None: nobody speaks BGP here) are of this node. `findings`: what stands in the
    way, as far as this node sees.
    """

    ip: str
    services: list[str]
    answer: str
    because: str = ""
    owner: str = ""
    heir: str = ""
    epoch: int = 0
    since: str = ""
    lasted: float = 0.0
    cause: str = ""
    previous: str = ""
    gap: float = 0.0
    reason: str = ""
    interfaces: list[str] = []
    mac: str = ""
    requests: int = 0
    responses: int = 0
    gratuitous: int = 0
    candidates: list[CandidateReport] = field(default_factory=list)
    others: list[OtherReport] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    routers: RoutersReport | None = None


class Explanation(Struct, rename="camel"):
    """What was asked for, as node `me` sees it: a Service and its addresses; `reason`: why it has none."""

    me: str
    service: str
    addresses: list[AddressReport]
    reason: str = ""
    message: str = ""


class Unknown(Struct):
    """Nothing is known by that name; `remedy` has what is nearest."""

    error: str
    where: str
    remedy: str


class View(Struct, frozen=True):
    """What is looked at. `now` of this host's monotonic clock, `offset`: wall clock minus that."""

    snapshot: Snapshot
    plan: Plan
    observed: Observed
    ring: Ring
    now: float
    offset: float
    commands: Commands = USUAL


def explain(asked: str, view: View) -> Explanation | Unknown:
    """All about an address, or about the Service `NAMESPACE/NAME` or `NAME`."""
    ip = _address(asked)
    if ip is not None:
        keys = _holders(ip, view)
        if not keys:
            return Unknown("no Service has this address", asked, _near(ip, view))
        return Explanation(view.snapshot.me, keys[0], [_about(ip, keys, view)])
    found = _named(asked, view)
    if isinstance(found, Unknown):
        return found
    return _service(found, view)


def _address(text: str) -> IP | None:
    try:
        found: IP = ip_address(text)
    except ValueError:
        return None
    return found


# -- what is asked for


def _ips(key: str, view: View) -> list[IP]:
    """The addresses of a Service: those it is given, and those its status still names."""
    given, seen = view.plan.assignments.get(key), view.snapshot.services.get(key)
    return list(dict.fromkeys([*(given.ips if given else ()), *(seen.ips if seen else ())]))


def _keys(view: View) -> list[str]:
    return sorted(view.plan.assignments.keys() | view.snapshot.services.keys())


def _holders(ip: IP, view: View) -> list[str]:
    """The Services that have an address; the one it is announced for first."""
    row = view.plan.wanted.vips.get(ip.packed)
    keys = [key for key in _keys(view) if ip in _ips(key, view)]
    return sorted(keys, key=lambda key: row is None or key != row.service)


def _near(ip: IP, view: View) -> str:
    """The addresses next to one that nobody has."""
    known = {each for key in _keys(view) for each in _ips(key, view) if each.version == ip.version}
    close = sorted(known, key=lambda each: abs(int(each) - int(ip)))[:CLOSE]
    see = f"no Service has one; see {view.commands.speakerd} status"
    return f"near it: {', '.join(map(str, close))}" if close else see


def _named(asked: str, view: View) -> str | Unknown:
    """The key of the Service that is meant."""
    keys = _keys(view)
    if asked in keys:
        return asked
    same = [key for key in keys if key.partition("/")[2] == asked]
    if len(same) > 1:
        return Unknown(f"{len(same)} Services have this name", asked, f"say which: {', '.join(same[:CLOSE])}")
    if same:
        return same[0]
    names = {key if "/" in asked else key.partition("/")[2]: key for key in keys}
    close = nearest(asked, names)
    remedy = f"did you mean {names[close]}?" if close else f"{view.commands.speakerd} status lists what is known"
    return Unknown("no address, and no Service of type LoadBalancer and our class has this name", asked, remedy)


def _service(key: str, view: View) -> Explanation:
    found = Explanation(view.snapshot.me, key, [_about(ip, _holders(ip, view), view) for ip in _ips(key, view)])
    service = view.snapshot.services.get(key)
    if service is not None and not service.ours:
        found.reason, found.message = "ignored", IGNORED
    elif given := view.plan.assignments.get(key):
        found.reason, found.message = given.reason, given.message
    return found


# -- one address


def _about(ip: IP, keys: list[str], view: View) -> AddressReport:
    service = view.snapshot.services.get(keys[0])
    if service is not None and not service.ours:
        return AddressReport(str(ip), keys, "is not speakerd's to announce", IGNORED, reason="ignored")
    vip, claim = view.plan.wanted.vips.get(ip.packed), view.observed.claims.get(ip.packed)
    known = prospects.standings(view.observed, view.snapshot.me, drained=view.snapshot.drained)
    told = AddressReport(str(ip), keys, answer="", reason=view.plan.refused.get((keys[0], ip), Reason.NONE))
    if claim is not None:
        _claimed(told, claim, view)
    why = advertise.why(view.snapshot, keys[0], ip, view.observed.interfaces) if service else {}
    if Reason.BY_BGP in why.values():
        told.reason = Reason.BY_BGP
    told.answer, told.because = _answer(told, vip, known, view)
    candidates = view.plan.wanted.candidate_sets[vip.candidates] if vip else ()
    if vip is not None:
        told.candidates = _candidates(vip, candidates, told, known, why)
        if claim is not None and known.get(claim.owner, UNHEARD).state in LIVING:
            told.changes = prospects.changes(vip, candidates, claim, known)
        if told.owner == view.snapshot.me:
            _here(told, vip, view.observed)
    told.others = _others({each.node for each in candidates}, why)
    told.findings = _findings(told.ip, view.observed.conditions, view.commands)
    told.events = view.ring.about(told.ip, EVENTS)
    told.routers = hearers.routers(ip, keys, view.snapshot, view.plan, view.observed)
    return told


def _claimed(told: AddressReport, claim: Claim, view: View) -> None:
    told.owner, told.heir, told.epoch = claim.owner, claim.heir, claim.epoch
    told.cause, told.previous, told.gap = claim.cause, claim.previous, round(claim.gap, 3)
    told.since, told.lasted = stamp(claim.since + view.offset), round(view.now - claim.since, 3)


def _here(told: AddressReport, vip: Vip, observed: Observed) -> None:
    """What this node does for a VIP that it answers for."""
    used = [each for each in observed.interfaces if each.usable and (not vip.interfaces or each.name in vip.interfaces)]
    told.interfaces = [each.name for each in used]
    told.mac = used[0].mac.hex(":") if used else ""
    counted = observed.counters.get(vip.ip, Counters(vip.ip))
    told.requests, told.responses, told.gratuitous = counted.requests, counted.responses, counted.gratuitous


def _answer(told: AddressReport, vip: Vip | None, known: Mapping[str, Standing], view: View) -> tuple[str, str]:
    """(who answers, why), in words."""
    if told.owner:
        again = told.cause in HANDED and not told.previous
        because = _sentence(AGAIN if again else BECAUSE.get(told.cause, "{cause}"), told)
        standing = known.get(told.owner, UNHEARD)
        if standing.state in LIVING:
            return f"is answered by {told.owner}", because
        return f"was answered by {told.owner}, which is {standing}; nobody has taken over yet", because
    if told.reason == Reason.BY_BGP:
        return "is announced by BGP alone", WHY[Reason.BY_BGP]
    return "is announced by nobody" if told.reason else "is answered by nobody", _why_nobody(told, vip, view)


def _why_nobody(told: AddressReport, vip: Vip | None, view: View) -> str:
    if told.reason:
        return WHY.get(Reason(told.reason), told.reason)
    if not view.observed.facts.pid:
        return "or it is not known here: the announcer of this node does not run"
    if not view.snapshot.announce:
        return "as far as is known here: the settings of this host have it announce nothing (announce: none)"
    if told.cause:
        return _sentence(WITHDRAWN, told)
    return "no node has claimed it yet" if vip else "it was only just given out"


def _sentence(form: str, told: AddressReport) -> str:
    gap = f" {told.gap:.3f} s after it was last heard" if told.gap else ""
    previous = told.previous or "the node before"
    return form.format(owner=told.owner, previous=previous, cause=told.cause, gap=gap)


def _candidates(
    vip: Vip,
    candidates: Iterable[Candidate],
    told: AddressReport,
    known: Mapping[str, Standing],
    why: Mapping[str, Reason],
) -> list[CandidateReport]:
    by_name = {each.node: each for each in candidates}
    some_ready = any(each.score >= READY for each in by_name.values())
    found = []
    for name in ranking(vip.rank_by, by_name.values()):
        role = "owner" if name == told.owner else "heir" if name == told.heir else ""
        standing, ending = known.get(name, UNHEARD), some_ready and by_name[name].score < READY
        reason = why.get(name, Reason.NONE)
        told_reason = "" if reason is Reason.DRAINED else reason
        preference = prospects.weight(by_name[name])
        found.append(CandidateReport(name, standing.state, role, preference, ending, standing.drained, told_reason))
    return found


def _others(candidates: set[str], why: Mapping[str, Reason]) -> list[OtherReport]:
    return [
        OtherReport(name, reason, WHY.get(reason, reason))
        for name, reason in sorted(why.items())
        if reason and name not in candidates
    ]


def _findings(ip: str, conditions: Mapping[str, str], commands: Commands) -> list[str]:
    """What stands now and concerns this address: word, what it breaks, and the way out."""
    found = []
    for word, detail in conditions.items():
        if word in GENERAL or ip in re.split(r"[\s,]+", detail):
            entry = TABLE[Finding(word)]
            found.append(f"{word}: {detail}: {entry.breaks} ({commands.spoken(entry.remedy)})")
    return found
