"""Writes down in the API what this node owns: VIPs' Leases, ServiceL2Statuses, events; slowly, and only what changed.

The other place that writes: `writer` gives addresses, as the allocator; this tells who answers, as the owner.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import structlog

from speakerd.decision import EventWrite, Plan
from speakerd.exchange import Claim, Observed
from speakerd.kube import body, l2status
from speakerd.kube.client import Client, Response, Unreachable
from speakerd.kube.records import Due, EventDue, FailureDue, LeaseDue, Records, StatusDue, says
from speakerd.kube.writer import CONFLICT, CREATED, MERGE_PATCH, NOT_FOUND, OK, PAGE, RETRY, Failure, WriteError
from speakerd.model import Node, Record, Service, unpacked
from speakerd.wire import UNDECODABLE

log = structlog.get_logger()

WRITES_A_SECOND = 20
"""Of one node at most: a thousand VIPs that move at once must not crowd the API server."""
REST = 30.0
"""Seconds for which a kind is left alone that the API does not know, or does not let us write."""
TRIES = 5
"""Requests for a Lease that others write at the same time: it is read anew twice."""
MOST_FAILURES = 100
"""Told by name; more say nothing new."""
FORBIDDEN, TOO_MANY, BROKEN = 403, 429, 500
START = "VIPs' Leases"
JSON = "application/json"

T = TypeVar("T")


class Refused(WriteError):
    """The API will not take it, however often it is asked."""


class Rests(WriteError):
    """The whole kind is out of reach for now."""


class Lacking(Rests):
    """The API does not know it, which is no fault."""


class Recorder:
    """Carries out what `Records` says is due. `hints`: who owned each VIP at the start; None until that was read."""

    def __init__(self, client: Client, namespace: str, me: str, changed: Callable[[], None]) -> None:
        self._client = client
        self._namespace = namespace
        self._node = Node(me)
        self._changed = changed
        self._core = Records(me, time.monotonic())
        self._services: Mapping[str, Service] = {}
        self._first: dict[str, list[l2status.L2Status]] | None = None
        self._reached = "0"
        self._looked = False
        self._resting: dict[type[Due], float] = {}
        self._failures: dict[str, Failure] = {}
        self._wake = asyncio.Event()
        self._next_write = 0.0
        self.hints: Mapping[bytes, Record] | None = None

    @property
    def failing(self) -> dict[str, str]:
        """What could not be written when it was last tried, and why."""
        return {what: each.why for what, each in self._failures.items()}

    def be(self, node: Node) -> None:
        """This node, as the API has it."""
        self._node = node

    def apply(self, plan: Plan, services: Mapping[str, Service], claims: Mapping[bytes, Claim]) -> None:
        """Take what is wanted and what is so."""
        self._services = services
        if self.hints is not None:
            self._looked = True
            if self._core.look(plan, claims):
                self._wake.set()
            else:
                self._first = None

    def look_out(self, plan: Plan, observed: Observed) -> None:
        """Take what is so; every few seconds, since what nobody answers for shows by time alone."""
        if self._core.look_out(plan, observed):
            self._wake.set()

    async def run(self) -> None:
        """Read what stands there, then work until cancelled."""
        await self._recall()
        while True:
            now = time.monotonic()
            self._resting = {kind: until for kind, until in self._resting.items() if until > now}
            due = self._core.next(now, self._resting)
            if due:
                await self._attempt(due)
            else:
                await self._rest()

    async def _rest(self) -> None:
        """Until there is something to write."""
        if self._looked:
            self._first = None
        self._wake.clear()
        until = min((at for at in (*self._resting.values(), self._core.deadline()) if at is not None), default=None)
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _attempt(self, due: Due) -> None:
        """Write one thing; weather is waited out, a refusal is told."""
        what = _shown(due)
        try:
            await self._write(due)
        except (Refused, *UNDECODABLE) as fault:
            self._failed(what, fault)
            self._core.dropped(due)
        except Rests as fault:
            self._let_rest(type(due), fault)
        except (Unreachable, WriteError) as fault:
            await self._client.pause(self._failed(what, fault))
        else:
            self._failures.pop(what, None)
            self._failures.pop(KINDS[type(due)], None)

    async def _write(self, due: Due) -> None:
        match due:
            case LeaseDue(ip, epoch):
                await self._write_lease(ip, epoch)
            case StatusDue():
                await self._write_status(due)
                self._core.dropped(due)
            case EventDue() | FailureDue():
                await self._write_event(due)
                self._core.dropped(due)

    # -- the Lease

    async def _write_lease(self, ip: bytes, epoch: int) -> None:
        """Let the Lease name this node, unless it says something later; it is never created here."""
        me, record = self._node.name, self._core.known(ip)
        path = f"{body.leases(self._namespace)}/{body.vip_lease_name(unpacked(ip))}"
        for _ in range(TRIES):
            answer = None
            if record is None:
                answer = self._judged(await self._client.request("GET", path))
            elif says(record, me, epoch):
                self._core.patched(ip, record, moved=False)
                return
            else:
                payload = body.record_patch(me, epoch, record.version)
                answer = await self._send("PATCH", path, payload, MERGE_PATCH)
            if answer.status == NOT_FOUND:
                self._core.missing(ip, time.monotonic())
                return
            if answer.status not in (OK, CONFLICT):
                raise Refused(f"{answer.status} {answer.reason}")
            now = body.record_in(answer.body) if answer.status == OK else None
            if record and now:
                self._core.patched(ip, now, moved=record.owner != me)
                return
            record = now
        raise WriteError("others write it at the same time")

    # -- ServiceL2Status

    async def _write_status(self, due: StatusDue) -> None:
        """Let one object say where the Service is answered for, and none say otherwise."""
        me, path = self._node.name, l2status.path(self._namespace)
        found = await self._statuses_of(due.key)
        mine = [each for each in found if each.node == me]
        others = [each for each in found if each.node not in (me, *due.owners)]
        for each in [*mine[1:], *others] if due.here else mine:
            answer = await self._send("DELETE", f"{path}/{each.name}")
            if answer.status not in (OK, NOT_FOUND):
                raise Refused(f"{answer.status} {answer.reason}")
            self._reached = ""  # the answer names no version: the next list must not be of before
        if due.here and not (mine and mine[0].whole and mine[0].interfaces == due.interfaces):
            name = mine[0].name if mine else await self._create_status(due)
            if name:
                patch = l2status.patch(me, due.key, due.interfaces)
                answer = await self._send("PATCH", f"{path}/{name}/status", patch, MERGE_PATCH)
                if answer.status != OK:
                    raise Refused(f"{answer.status} {answer.reason}")
                self._reached = l2status.read(answer.body).version or self._reached

    async def _create_status(self, due: StatusDue) -> str:
        """Create the object; its name where its status is still to be written, as it is where that is a subresource."""
        payload = l2status.new(self._namespace, self._node, due.key, due.interfaces)
        answer = await self._send("POST", l2status.path(self._namespace), payload)
        if answer.status == NOT_FOUND:
            raise Lacking("the API does not know ServiceL2Status")
        if answer.status not in (CREATED, CONFLICT):
            raise Refused(f"{answer.status} {answer.reason}")
        if answer.status == CREATED:
            made = l2status.read(answer.body)
            self._reached = made.version or self._reached
            if made.whole:
                return ""
        return l2status.name_of(self._node.name, due.key)

    async def _statuses_of(self, key: str) -> list[l2status.L2Status]:
        """The objects of one Service; those read at the start count once."""
        if self._first is not None:
            return self._first.pop(key, [])
        page = partial(l2status.page, self._namespace, PAGE, key=key, since=self._reached)
        return await self._listed(page, l2status.listed)

    # -- the event

    async def _write_event(self, due: EventDue | FailureDue) -> None:
        """Tell of a Service who answers for it, or why nobody does. One that is refused is lost."""
        me, service = self._node.name, self._services.get(due.key)
        if service is None:
            return
        told = _event(due, service, me)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        payload = body.event(told, os.urandom(8).hex(), when, me)
        answer = await self._send("POST", body.events(service.namespace), payload)
        if answer.status != CREATED:
            raise Refused(f"{answer.status} {answer.reason}")

    # -- what stands there at the start

    async def _recall(self) -> None:
        """Read who owned the VIPs, and what ServiceL2Statuses there are."""
        while self.hints is None:
            try:
                records = await self._recorded()
                self._first = await self._all_statuses()
            except (Unreachable, WriteError) as fault:
                await self._client.pause(self._failed(START, fault))
                continue
            me, first = self._node.name, self._first or {}
            self._core.recall(records, [key for key, found in first.items() if any(each.node == me for each in found)])
            names = {each.owner: each.owner for each in records.values()}
            self.hints = {ip: Record(names[each.owner], each.epoch) for ip, each in records.items() if each.epoch}
            self._changed()

    async def _recorded(self) -> dict[bytes, Record]:
        """What the Leases of all VIPs say; nothing where they may not be read."""
        try:
            listed = await self._listed(partial(body.vip_leases, self._namespace, PAGE), body.records_in)
        except Rests as fault:
            self._let_rest(LeaseDue, fault)
            return {}
        self._failures.pop(START, None)
        return dict(listed)

    async def _all_statuses(self) -> dict[str, list[l2status.L2Status]] | None:
        """All ServiceL2Statuses by their Service; None where they may not be read, or are not known."""
        try:
            listed = await self._listed(partial(l2status.page, self._namespace, PAGE), l2status.listed)
        except Rests as fault:
            self._let_rest(StatusDue, fault)
            return None
        found: dict[str, list[l2status.L2Status]] = {}
        for each in listed:
            found.setdefault(each.key, []).append(each)
        return found

    # -- requests

    async def _listed(self, path: Callable[[str], str], read: Callable[[bytes], tuple[list[T], str]]) -> list[T]:
        """All that a list holds, page by page."""
        found: list[T] = []
        token: str | None = None
        while token != "":
            answer = self._judged(await self._client.request("GET", path(token or "")))
            if answer.status == NOT_FOUND:
                raise Lacking("the API does not know it")
            if answer.status != OK:
                raise WriteError(f"{answer.status} {answer.reason}")
            try:
                part, token = read(answer.body)
            except UNDECODABLE as fault:
                raise Rests(f"unreadable list: {fault}") from fault
            found += part
        return found

    async def _send(self, method: str, path: str, payload: bytes | None = None, kind: str = JSON) -> Response:
        """A write, once its turn has come."""
        now = time.monotonic()
        turn = max(now, self._next_write)
        self._next_write = turn + 1 / WRITES_A_SECOND
        await asyncio.sleep(turn - now)
        return self._judged(await self._client.request(method, path, payload, kind))

    @staticmethod
    def _judged(answer: Response) -> Response:
        """The answer, unless it concerns more than what was asked for."""
        if answer.status == FORBIDDEN:
            raise Rests(f"{answer.status} {answer.reason}")
        if answer.status == TOO_MANY or answer.status >= BROKEN:
            raise WriteError(f"{answer.status} {answer.reason}")
        return answer

    def _let_rest(self, kind: type[Due], fault: Rests) -> None:
        """Leave a kind alone for a while, and tell why."""
        self._resting[kind] = time.monotonic() + REST
        if not isinstance(fault, Lacking):
            self._failed(KINDS[kind], fault)

    def _failed(self, what: str, fault: Exception) -> float:
        """Note a failure, log it once as long as it stays the same; seconds until it is worth another try."""
        before = self._failures.pop(what, Failure())
        if before.why != str(fault):
            log.warning("write.failed", what=what, error=str(fault))
        if len(self._failures) >= MOST_FAILURES:
            del self._failures[next(iter(self._failures))]
        self._failures[what] = Failure(before.count + 1, str(fault))
        return RETRY[min(before.count, len(RETRY) - 1)]


KINDS: Mapping[type[Due], str] = {LeaseDue: START, StatusDue: "ServiceL2Status", EventDue: "Event", FailureDue: "Event"}


def _event(due: EventDue | FailureDue, service: Service, me: str) -> EventWrite:
    """What is told, by MetalLB's reasons."""
    match due:
        case EventDue():
            return EventWrite(service, "Normal", "nodeAssigned", f'announcing from node "{me}" with protocol "layer2"')
        case FailureDue(interfaces=names):
            said = f'node "{me}" has none of the interfaces that advertisements name: {", ".join(names)}'
            return EventWrite(service, "Warning", "announceFailed", said)


def _shown(due: Due) -> str:
    """What is to be written, for people."""
    match due:
        case LeaseDue(ip):
            return f"Lease {body.vip_lease_name(unpacked(ip))}"
        case StatusDue(key):
            return f"ServiceL2Status of {key}"
        case EventDue(key) | FailureDue(key):
            return f"Event on {key}"
