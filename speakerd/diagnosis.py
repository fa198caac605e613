"""Which findings hold: a Report in, findings out; pure."""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from speakerd import sessions, snap
from speakerd.commands import USUAL, Commands
from speakerd.exchange import GONE
from speakerd.findings import TABLE, Finding
from speakerd.model import Problem
from speakerd.report import FindingReport, Report

MOST = 100
"""Findings of one word told: beyond it the point is made, and `services` and `vips` have them all."""
MANY_RESTARTS = 3
REFUSALS = {"401": Finding.CREDENTIALS_REFUSED, "403": Finding.API_FORBIDS}
"""How an error begins that the API server has answered."""
WOULD_GIVE = {"network-control": "raw sockets", "process-control": "real-time scheduling"}
"""Plug of the snap -> what the host refuses without it."""
OF_THIS_NODE = frozenset({Finding.ALONE, Finding.NO_MESH_KEY, Finding.CRASH_LOOP})
"""Conditions that are this node's as a whole; the detail of the others says whom or what they concern."""
UNHEARD_FOR = 10.0
"""Seconds a member has to be heard for the first time: it may have been started just now."""
MOST_DETAIL = 500
"""Characters of what a condition concerns: a hundred names need no more."""


def found(told: Report, commands: Commands = USUAL) -> list[FindingReport]:
    """All that hold, the gravest first; remedies name the commands of this host."""
    all_found = [
        *_problems(told.configuration.reload_problems, Finding.SETTINGS_REFUSED, Finding.SETTINGS_DOUBTFUL),
        *_problems(told.configuration.problems, Finding.CONFIGURATION_INVALID, Finding.CONFIGURATION_DOUBTFUL),
        *_api(told),
        *_node(told),
        *_host(told),
        *_mesh(told),
        *(_finding(word, where, f"{why}: {TABLE[word].breaks}") for word, where, why in sessions.findings(told.peers)),
        *list(_services(told))[:MOST],
        *list(_vips(told))[:MOST],
    ]
    spoken = (replace(each, remedy=commands.spoken(each.remedy)) for each in all_found)
    return sorted(spoken, key=lambda each: each.severity != "error")


def _finding(word: Finding, where: str, message: str = "", remedy: str = "") -> FindingReport:
    entry = TABLE[word]
    return FindingReport(word, entry.severity, where, message or entry.breaks, remedy or entry.remedy)


def _problems(problems: Iterable[Problem], error: Finding, warning: Finding) -> Iterator[FindingReport]:
    for each in problems:
        word = error if each.severity == "error" else warning
        where = f"{each.object} {each.field}".rstrip()
        yield _finding(word, where, f"{each.message}: {TABLE[word].breaks}", each.remedy)


def _api(told: Report) -> Iterator[FindingReport]:
    api = told.api
    if not api.credentials:
        if api.error:
            where = api.unusable.file if api.unusable else "kubernetes.kubeconfig"
            yield _finding(Finding.NO_CREDENTIALS, where, api.error, api.remedy)
        return
    if wrong := api.unusable:
        text = f"{wrong.message}: {TABLE[Finding.CREDENTIALS_UNUSABLE].breaks}"
        yield _finding(Finding.CREDENTIALS_UNUSABLE, wrong.file, text, wrong.remedy)
    if api.error:
        word = REFUSALS.get(api.error[:3], Finding.API_UNREACHABLE)
        where = api.credentials if word is Finding.CREDENTIALS_REFUSED else api.server
        yield _finding(word, where, f"{api.error}: {TABLE[word].breaks}")
    for what, why in list(api.failing.items())[:MOST]:
        if "403" in why:
            yield _finding(Finding.API_FORBIDS, what, f"{why}: {TABLE[Finding.API_FORBIDS].breaks}")
    if not api.connected:
        return
    if not told.allocator:
        yield _finding(Finding.NO_ALLOCATOR, "Lease speakerd-allocator")
    if not told.configuration.pools:
        if any(kind.absent and kind.kind == "IPAddressPool" for kind in api.kinds):
            yield _finding(Finding.RESOURCES_MISSING, "IPAddressPool")
        yield _finding(Finding.NO_POOL, "IPAddressPool")


def _node(told: Report) -> Iterator[FindingReport]:
    node = told.node
    where = f"Node/{node.name}"
    if told.api.connected and not node.known:
        yield _finding(Finding.NODE_UNKNOWN, where)
    if node.excluded:
        yield _finding(Finding.NODE_EXCLUDED, where)
    if node.network_unavailable:
        yield _finding(Finding.NETWORK_UNAVAILABLE, where)


def _host(told: Report) -> Iterator[FindingReport]:
    run = told.processes
    if not run.announcer:
        yield _finding(Finding.ANNOUNCER_DOWN, "announcer")
    elif not any(each.usable for each in told.interfaces):
        yield _finding(Finding.NO_INTERFACE, "interfaces")
    if run.announcer_restarts >= MANY_RESTARTS:
        yield _finding(Finding.ANNOUNCER_RESTARTS, "announcer", f"was restarted {run.announcer_restarts} times")
    yield from map(_not_connected, run.not_connected)
    explained = {WOULD_GIVE.get(_plug(each)) for each in run.not_connected}
    for each in run.missing:
        if each not in explained | snap.LIVED_WITH:
            yield _finding(Finding.NO_RAW_SOCKETS if each == "raw sockets" else Finding.HOST_REFUSES, each)


def _not_connected(named: str) -> FindingReport:
    plug = _plug(named)
    severity = "error" if plug in snap.NEEDED else "warning"
    return FindingReport(Finding.SNAP_NOT_CONNECTED, severity, named, snap.PLUGS[plug], f"sudo snap connect {named}")


def _plug(named: str) -> str:
    return named.partition(":")[2]


def _mesh(told: Report) -> Iterator[FindingReport]:
    for word, detail in told.conditions.items():
        where = f"Node/{told.node.name}" if word in OF_THIS_NODE else detail[:MOST_DETAIL]
        yield _finding(Finding(word), where)
    if Finding.ALONE not in told.conditions:
        unheard = [each for each in told.member_states if each.state == "unheard" and each.lasted > UNHEARD_FOR]
        for each in unheard[:MOST]:
            yield _finding(Finding.MEMBER_UNHEARD, f"Node/{each.name}")
    if told.node.drained:
        yield _finding(Finding.DRAINED, f"Node/{told.node.name}")


def _services(told: Report) -> Iterator[FindingReport]:
    for each in told.services:
        if not each.ips and each.reason:
            text = f"{each.reason}: {each.message}" if each.message else each.reason
            key = f"{each.namespace}/{each.name}"
            remedy = TABLE[Finding.SERVICE_UNSERVED].remedy.replace("NAMESPACE/NAME", key)
            yield _finding(Finding.SERVICE_UNSERVED, f"Service/{key}", text, remedy)


def _vips(told: Report) -> Iterator[FindingReport]:
    gone = {each.name: each.state for each in told.member_states if each.state in GONE and each.name != told.node.name}
    for each in told.vips:
        where = f"{each.ip} of {each.service}"
        remedy = TABLE[Finding.ADDRESS_UNANNOUNCED].remedy.replace("ADDRESS", each.ip)
        if each.reason:
            yield _finding(Finding.ADDRESS_UNANNOUNCED, where, each.reason, remedy)
        elif each.owner in gone:
            text = f"{each.owner} answered for it and is {gone[each.owner]}; nobody has taken over"
            yield _finding(Finding.ADDRESS_UNANNOUNCED, where, text, remedy)
