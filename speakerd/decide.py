"""Snapshot to Plan: everything that should be, as one function; depends on nothing but the snapshot.

The memo saves the work for which nothing has changed; a decision with a new one ends at the same plan, events aside.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from speakerd.allocator import Book, assign
from speakerd.decision import Plan, Snapshot
from speakerd.difference import Difference, Draft, difference
from speakerd.exchange import Member, Wanted
from speakerd.model import Assignment, Service
from speakerd.neighbours import Neighbours
from speakerd.occupancy import Ledger
from speakerd.prefixes import Prefixes
from speakerd.status import Statuses
from speakerd.strangers import set_aside
from speakerd.terms import holder
from speakerd.vips import Vips


class Memo:
    """What one decision leaves for the next; handed over, never shared."""

    def __init__(self) -> None:
        self.services: Mapping[str, Service] = {}
        self.vips = Vips()
        self.prefixes = Prefixes()
        self.neighbours = Neighbours()
        self.members: Mapping[str, Member] = {}
        self.plan = Plan({}, Wanted("", {}))
        self.held: Draft[str, Assignment] | None = None
        self.book = Book()
        self.statuses = Statuses()


def decide(snapshot: Snapshot, memo: Memo) -> tuple[Plan, Memo]:
    """All that should be. Until everything was listed once nothing is written, and what was wanted before stands."""
    if not snapshot.settled:
        return replace(memo.plan, writes=(), releases=(), adoptions=(), events=()), memo
    services = difference(memo.services, snapshot.services)
    memo.services = snapshot.services
    memo.vips.turn(snapshot, services)
    memo.prefixes.turn(snapshot, services)
    memo.neighbours.turn(snapshot)
    wanted = _wanted(snapshot, memo)
    if snapshot.ledger is None:
        memo.plan = _looking_on(services, wanted, memo)
    else:
        memo.plan = _allocating(snapshot, snapshot.ledger, services, wanted, memo)
    return memo.plan, memo


def _wanted(snapshot: Snapshot, memo: Memo) -> Wanted:
    """What the announcer needs; the members keep their identity while they are the same."""
    members = memo.plan.wanted.members
    if memo.members is not snapshot.members:
        memo.members = snapshot.members
        members = tuple(snapshot.members[name] for name in sorted(snapshot.members))
    return Wanted(
        snapshot.me,
        memo.vips.rows,
        memo.vips.candidate_sets,
        members,
        snapshot.layer2,
        snapshot.membership,
        snapshot.keys,
        snapshot.drained,
        snapshot.blind,
        snapshot.config.digest,
        memo.neighbours.settings,
        memo.neighbours.value,
        memo.prefixes.rows,
    )


def _allocating(
    snapshot: Snapshot, ledger: Ledger, services: Difference[str, Service], wanted: Wanted, memo: Memo
) -> Plan:
    """The plan of the allocator."""
    memo.held = None
    assignments, book = assign(snapshot.services, services, snapshot.config, ledger, memo.book)
    memo.book = book
    events = memo.statuses.turn(snapshot.services, assignments, book.changed, ledger)
    lacking = ((book.services[key], ips) for key, ips in book.unreserved.items())
    return Plan(
        assignments=assignments,
        wanted=wanted,
        writes=tuple(sorted(memo.statuses.writes.values(), key=lambda each: (each.service.created, each.service.key))),
        releases=tuple(book.idle.values()),
        adoptions=tuple((ip, holder(service)) for service, ips in lacking for ip in ips),
        events=events,
        refused=memo.vips.refused,
        shared=memo.vips.shared,
        set_aside=tuple(set_aside(snapshot.strangers, snapshot.services, ledger, book.has_another)),
        routed=memo.prefixes.routed,
        unrouted=memo.prefixes.refused,
    )


def _looking_on(services: Difference[str, Service], wanted: Wanted, memo: Memo) -> Plan:
    """The plan of a node that does not allocate: assignments are what the statuses say."""
    if memo.held is None:
        memo.book, memo.statuses, memo.held = Book(), Statuses(), Draft()
        services = difference({}, memo.services)
    for key in services.gone:
        memo.held.drop(key)
    for key, service in services.put.items():
        if service.ours:
            memo.held.put(key, Assignment(service.ips, service.pool))
        else:
            memo.held.drop(key)
    return Plan(
        memo.held.publish(),
        wanted,
        refused=memo.vips.refused,
        shared=memo.vips.shared,
        routed=memo.prefixes.routed,
        unrouted=memo.prefixes.refused,
    )
