"""What the whole agent tells of itself, for `speakerd status` and for scrapers: one look at everything it holds."""

import os
import time
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from speakerd import __version__, commands, connected, consent, diagnosis, report, sessions
from speakerd.decision import Plan, Snapshot
from speakerd.exchange import Observed
from speakerd.findings import Finding
from speakerd.kube.cluster import Cluster
from speakerd.model import Node, Problem
from speakerd.report import ApiReport, Unusable
from speakerd.settings import Settings
from speakerd.tally import Seen, Tally


class State(Struct, frozen=True):
    """What the controller holds. `since`: its start by the wall clock; `problems`: of settings saved last.

    `link`: seconds the announcer took to answer; `restarts`: of the controller; `unserved`: why an address of HTTP
    could not be bound, by it.
    """

    settings: Settings
    since: float
    drained: bool
    cluster: Cluster
    observed: Observed
    snapshot: Snapshot | None
    plan: Plan | None
    problems: tuple[Problem, ...]
    tally: Tally
    link: float | None
    restarts: int
    unserved: Mapping[str, str]

    @property
    def me(self) -> str:
        """This node's name."""
        return self.settings.node.name


def report_of(state: State) -> report.Report:
    """All that `speakerd status` tells."""
    facts, now = state.observed.facts, time.monotonic()
    offset = time.time() - now
    told = report.Report(
        node=report.NodeReport(state.me, __version__, report.stamp(state.since)),
        processes=report.ProcessesReport(
            os.getppid(),
            os.getpid(),
            facts.pid,
            facts.restarts,
            facts.realtime,
            facts.locked,
            list(facts.missing),
            connected.missing(os.environ),
        ),
        api=_api(state.cluster),
        configuration=report.ConfigurationReport(valid=True, digest="", pools=[], problems=[]),
        allocator=state.cluster.election.holder,
        interfaces=report.interfaces(state.observed),
    )
    told.node.drained = state.drained
    if state.snapshot:
        _about_node(told.node, state.snapshot.nodes.get(state.me))
        told.members = sorted(state.snapshot.members)
        told.configuration = report.configuration(state.snapshot.config, state.problems)
    told.member_states = report.members(state.observed, now, offset, state.me, drained=state.drained)
    told.configuration.differs = report.differing(told)
    told.conditions = dict(state.observed.conditions)
    if state.snapshot and (differing := consent.dissenters(state.snapshot.members.values())):
        told.conditions[Finding.POOLS_DIFFER] = ", ".join(differing)
    if state.cluster.missing:
        told.conditions[Finding.RESOURCES_MISSING] = ", ".join(state.cluster.missing)
    if state.unserved:
        told.conditions[Finding.HTTP_NOT_SERVED] = ", ".join(f"{bind}: {why}" for bind, why in state.unserved.items())
    if state.plan:
        told.services = report.services(state.plan)
        told.vips = report.vips(state.plan, state.observed, offset)
        told.peers = sessions.peers(state.plan.wanted, state.observed, now, offset)
    told.findings = diagnosis.found(told, commands.known(os.environ))
    return told


def line_of(state: State) -> str:
    """The one line for `systemctl status`: it counts thousands, and looks closely at what may need somebody only."""
    if state.plan is None:
        return report.line(report_of(state), report.Counts())
    close = replace(state, plan=report.doubtful(state.plan, state.observed))
    return report.line(report_of(close), report.counts(state.plan, state.observed))


def _about_node(told: report.NodeReport, node: Node | None) -> None:
    if node:
        told.known, told.excluded, told.network_unavailable = True, node.excluded, node.network_unavailable


def _api(cluster: Cluster) -> ApiReport:
    kinds = [
        report.KindReport(each.kind.name, len(each.value), each.synced, each.absent, each.unreadable)
        for each in cluster.reflectors
    ]
    told = ApiReport(kinds=kinds, failing=cluster.failing)
    access = cluster.access
    if wrong := access.problem:
        told.error, told.remedy = wrong.what, wrong.remedy
        told.unusable = Unusable(wrong.where, wrong.what, wrong.remedy)
    if cluster.client and access.credentials:
        told.server, told.credentials = access.credentials.server, access.credentials.source
        told.connections = cluster.client.connections
        told.error, told.remedy = next((each.error for each in cluster.reflectors if each.error), ""), ""
        told.connected = not told.error and cluster.settled
        heard = cluster.client.heard
        told.age = round(time.monotonic() - heard, 1) if heard else None
    return told


def seen(state: State) -> Seen:
    """All that scrapers are told."""
    told, cluster = report_of(state), state.cluster
    return Seen(
        me=state.me,
        version=__version__,
        now=time.monotonic(),
        observed=state.observed,
        tally=state.tally,
        config=state.snapshot.config if state.snapshot and state.plan else None,
        plan=state.plan,
        allocator=cluster.allocating,
        stale=not told.configuration.valid or bool(told.configuration.reload_problems),
        link=state.link,
        requests=cluster.client.counts if cluster.client else {},
        watches={each.kind.name: each.watches for each in cluster.reflectors},
        unreadable=sum(each.faults for each in cluster.reflectors),
        restarts={"announcer": state.observed.facts.restarts, "controller": state.restarts},
        findings=Counter((each.finding, each.severity) for each in told.findings),
    )
