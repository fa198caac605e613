"""The only place that writes to the API: addresses' Leases, Services' statuses, events, this node's member record.

A sink: `apply` takes the whole plan and works out what is left to do. The order is the promise (design: allocation):
an address' Lease is created before a status names the address, so that two allocators never give one twice, and is
deleted, by uid and resourceVersion, only when no status names it any more.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from weakref import WeakValueDictionary

import msgspec
import structlog

from speakerd.decision import EventWrite, Plan, StatusWrite
from speakerd.exchange import Member
from speakerd.kube import body, lease, meshkeys
from speakerd.kube.client import Client, Response, Unreachable
from speakerd.kube.objects import Lease, LeaseList
from speakerd.model import IP, Holder, Node, Release, Reservation, ServiceRef
from speakerd.terms import holder

log = structlog.get_logger()

WORKERS = 4
"""Writes under way at once: a thousand waiting Services in a few seconds, without crowding the API server."""
EVENTS_WAITING = 1000
"""Events nobody took yet; older ones are dropped, since each only repeats what a status says."""
RETRY = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds until a failed write is tried again."""
PAGE = 500
MERGE_PATCH = body.MERGE_PATCH
OK, CREATED, NOT_FOUND, CONFLICT = 200, 201, 404, 409

Job = Callable[[], Awaitable[None]]
Meant = dict[IP, set[ServiceRef]]


class WriteError(Exception):
    """The API refused a write for a reason that waiting may mend."""


class Failure(msgspec.Struct, frozen=True):
    """How often a write failed in a row, and why it did last."""

    count: int = 0
    why: str = ""


class Writer:
    """Carries out plans. `may_write` is asked before every request (the allocator's Lease must be fresh)."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        me: str,
        may_write: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._me = me
        self._may_write = may_write
        self._changed = changed
        self._ledger: dict[IP, Reservation] | None = None
        self._jobs: dict[str, Job] = {}
        self._busy: set[str] = set()
        self._written: dict[str, str] = {}
        self._again: set[str] = set()
        self._failures: dict[str, Failure] = {}
        self._locks: WeakValueDictionary[IP, asyncio.Lock] = WeakValueDictionary()
        self._wake = asyncio.Event()
        self._events: asyncio.Queue[EventWrite] = asyncio.Queue(EVENTS_WAITING)

    @property
    def value(self) -> Mapping[IP, Reservation] | None:
        """The addresses' Leases, those on their way to the API included; None while they are not known."""
        return self._ledger

    @property
    def failing(self) -> dict[str, str]:
        """What could not be written when it was last tried, and why."""
        return {key: each.why for key, each in self._failures.items()}

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(), name=f"writer-{number}")
            group.create_task(self._tell(), name="writer-events")

    async def recall(self) -> int:
        """Read the Leases of all addresses, and how many: from here on this node is an allocator that knows them."""
        for lock in list(self._locks.values()):
            async with lock:
                pass  # what was asked before is answered first, or the list might lack what came of it
        ledger: dict[IP, Reservation] = {}
        token = ""
        while True:
            page = await self._client.request("GET", body.vip_leases(self._namespace, PAGE, token))
            if page.status != OK:
                raise WriteError(f"listing Leases: {page.status}")
            listed = msgspec.json.decode(page.body, type=LeaseList)
            found = filter(None, map(body.reservation, listed.items))
            ledger |= {each.ip: each for each in found}
            token = listed.metadata.continue_
            if not token:
                break
        self._ledger = ledger
        self._changed()
        return len(ledger)

    def forget(self) -> None:
        """Another node is the allocator: start nothing more."""
        self._ledger = None
        self._jobs.clear()
        self._written.clear()
        self._failures.clear()

    def apply(self, plan: Plan) -> None:
        """Take the whole plan; what is under way, written already or resting after a failure is left alone."""
        if self._ledger is None:
            return
        meant, adopted = self._meant(plan), {ip for ip, _ in plan.adoptions}
        jobs: dict[str, Job] = {f"release {each.held.ip}": self._release(each) for each in plan.releases}
        for write in plan.writes:
            if self._written.get(write.service.key) != write.service.resource_version:
                jobs[write.service.key] = self._assign(write, meant, adopted)
        jobs |= {f"adopt {ip}": self._adopt(ip, one, meant[ip]) for ip, one in plan.adoptions}
        jobs |= {f"set aside {each.ip}": self._set_aside(each, mac) for each, mac in plan.set_aside}
        self._jobs = {key: job for key, job in jobs.items() if key not in self._busy}
        self._again = jobs.keys() & self._busy
        self._failures = {key: each for key, each in self._failures.items() if key in jobs or key in self._busy}
        for event in plan.events:
            if self._events.full():
                self._events.get_nowait()
            self._events.put_nowait(event)
        if len(self._written) > 2 * len(plan.assignments) + EVENTS_WAITING:
            self._written = {key: self._written[key] for key in plan.assignments if key in self._written}
        if self._jobs:
            self._wake.set()

    def _meant(self, plan: Plan) -> Meant:
        """Who is to have each address that is reserved: those given it, and those who had it when that was decided."""
        found: Meant = {}
        for write in plan.writes:
            for ip in write.assignment.ips:
                found.setdefault(ip, set()).add(ServiceRef(write.service.key, write.service.uid))
        for ip, one in plan.adoptions:
            found.setdefault(ip, set()).add(one.ref)
        for ip, refs in found.items():
            known = (self._ledger or {}).get(ip)
            refs.update(known.services if known else ())
        return found

    async def _work(self) -> None:
        """One worker: a job at a time, for ever."""
        while True:
            while not self._jobs:
                self._wake.clear()
                await self._wake.wait()
            key = next(iter(self._jobs))
            job = self._jobs.pop(key)
            self._busy.add(key)
            try:
                await job()
            except (Unreachable, WriteError) as fault:
                self._rest(key, fault)
            else:
                self._failures.pop(key, None)
                self._busy.discard(key)
                if key in self._again:
                    self._changed()

    def _rest(self, key: str, fault: Exception) -> None:
        """Leave `key` alone for a while; the plan of that time says what is still to do."""
        if self._ledger is None:
            self._busy.discard(key)
            return
        before = self._failures.get(key, Failure())
        self._failures[key] = Failure(before.count + 1, str(fault))
        delay = RETRY[min(before.count, len(RETRY) - 1)]
        if before.why != str(fault):
            log.warning("write.failed", what=key, error=str(fault), again=delay)

        def awake() -> None:
            self._busy.discard(key)
            self._changed()

        asyncio.get_running_loop().call_later(delay, awake)

    async def _send(
        self, method: str, path: str, payload: bytes | None = None, kind: str = "application/json"
    ) -> Response:
        """A request of the allocator's, sent only while it surely is the allocator."""
        return await self._client.request(method, path, payload, kind, guard=self._may_write)

    async def _created(self, payload: bytes, guard: Callable[[], bool] | None = None) -> Response:
        """The answer to creating a Lease; where our own namespace is what lacks, it is made where rights allow."""
        path = body.leases(self._namespace)
        answer = await self._client.request("POST", path, payload, guard=guard)
        if answer.status != NOT_FOUND:
            return answer
        made = await self._client.request("POST", "/api/v1/namespaces", body.namespace(self._namespace))
        if made.status == CREATED:
            log.info("namespace.created", namespace=self._namespace)
        return await self._client.request("POST", path, payload, guard=guard)

    def _assign(self, write: StatusWrite, meant: Meant, adopted: AbstractSet[IP]) -> Job:
        """Reserve the addresses, then write the status. Those that somebody's status names already are not `given`."""
        service, assignment = write.service, write.assignment

        async def job() -> None:
            for ip in assignment.ips:
                async with self._alone(ip):
                    done = await self._reserve(ip, holder(service), meant[ip], given=ip not in adopted)
                if not done:
                    return
            path, patch = body.service_status(service), body.status_patch(service, assignment)
            answer = await self._send("PATCH", path, patch, MERGE_PATCH)
            if answer.status not in (OK, CONFLICT, NOT_FOUND):
                raise WriteError(f"status {answer.status} {answer.reason}")
            self._written[service.key] = service.resource_version
            if answer.status == NOT_FOUND:
                self._changed()  # what was reserved for it is to be released

        return job

    def _alone(self, ip: IP) -> asyncio.Lock:
        """Held by who asks for the Lease of `ip`, until the answer is noted: of two the older could be noted last."""
        return self._locks.setdefault(ip, asyncio.Lock())

    async def _reserve(self, ip: IP, one: Holder, meant: AbstractSet[ServiceRef], *, given: bool = True) -> bool:
        """Make sure that the Lease of `ip` says `one`; False where others than those `meant` turn out to have it."""
        if self._ledger is None:
            return False
        known = self._ledger.get(ip)
        if known and known.uid:
            return await self._join(known, one, meant)
        self._note(ip, Reservation(ip, body.vip_lease_name(ip), "", "", ()).joined(one))
        answer = await self._created(body.vip_lease(self._namespace, ip, one, given=given), self._may_write)
        if answer.status == CONFLICT:
            answer = await self._send("GET", f"{body.leases(self._namespace)}/{body.vip_lease_name(ip)}")
        if answer.status not in (OK, CREATED):
            self._note(ip, None)
            raise WriteError(f"Lease {body.vip_lease_name(ip)}: {answer.status} {answer.reason}")
        found = _reservation(answer)
        self._note(ip, found)
        return found is not None and await self._join(found, one, meant)

    async def _join(self, known: Reservation, one: Holder, meant: AbstractSet[ServiceRef]) -> bool:
        """Let a Lease say `one`, if it names nobody but those `meant`."""

        def stands(found: Reservation) -> bool:
            return found.uid == known.uid and not found.stranger and meant >= set(found.services)

        if known.says(one) or not stands(known):
            return self._ours(known, one.ref)
        found, done = await self._change(known, stands, lambda seen: body.holders_patch(seen.joined(one)))
        if not done or found is None:
            self._changed()
        return done and found is not None and self._ours(found, one.ref)

    async def _change(
        self, seen: Reservation, stands: Callable[[Reservation], bool], patch: Callable[[Reservation], bytes] | None
    ) -> tuple[Reservation | None, bool]:
        """Patch a Lease, or delete it, if what was decided on `stands`; the Lease as it is now, whether it was done.

        It is looked at first: its resourceVersion is another whenever its owner has written down that it moved.
        """
        path = f"{body.leases(self._namespace)}/{seen.lease}"
        answer = await self._send("GET", path)
        found = _reservation(answer)
        done = found is not None and stands(found)
        if found and done and patch:
            answer = await self._send("PATCH", path, patch(found), MERGE_PATCH)
        elif found and done:
            answer = await self._send("DELETE", path, body.exactly(found.uid, found.resource_version))
        if answer.status not in (OK, NOT_FOUND, CONFLICT):
            raise WriteError(f"Lease {seen.lease}: {answer.status} {answer.reason}")
        if done and answer.status == CONFLICT:
            return found, False  # whoever was faster has noted, or will see, what it is now
        if done:
            found = _reservation(answer) if patch else None
        self._note(seen.ip, found)
        return found, done

    def _ours(self, found: Reservation, ref: ServiceRef) -> bool:
        if ref in found.services and not found.stranger:
            return True
        log.info("address.taken", ip=str(found.ip), by=",".join(each.key for each in found.services))
        self._changed()
        return False

    def _release(self, gone: Release) -> Job:
        """Take from a Lease those who have its address no longer, or delete it where that is all."""

        def stands(found: Reservation) -> bool:
            held = gone.held
            return (found.uid, found.services, found.stranger) == (held.uid, held.services, held.stranger)

        def patch(found: Reservation) -> bytes:
            return body.holders_patch(found.left_to(gone.left))

        async def job() -> None:
            async with self._alone(gone.held.ip):
                _, done = await self._change(gone.held, stands, patch if gone.left else None)
            if done:
                log.info("address.released", ip=str(gone.held.ip), left=",".join(each.key for each in gone.left))
            self._changed()

        return job

    def _adopt(self, ip: IP, one: Holder, meant: AbstractSet[ServiceRef]) -> Job:
        """Reserve an address that a status names already, or note by which terms that is now."""

        async def job() -> None:
            async with self._alone(ip):
                await self._reserve(ip, one, meant, given=False)
            self._changed()

        return job

    def _set_aside(self, seen: Reservation, mac: str) -> Job:
        """Mark the Lease of an address that a stranger has, unless it turns out that a node answered for it before."""

        def stands(found: Reservation) -> bool:
            return (found.uid, found.given, found.stranger) == (seen.uid, True, "")

        async def job() -> None:
            async with self._alone(seen.ip):
                found, _ = await self._change(seen, stands, lambda now: body.stranger_patch(mac, now.resource_version))
            if found and found.stranger:
                log.warning("address.answered-by-stranger", ip=str(seen.ip), mac=mac)
            self._changed()

        return job

    def _note(self, ip: IP, found: Reservation | None) -> None:
        """Replace the ledger: those who hold the old one keep what they saw."""
        if self._ledger is not None:
            ledger = self._ledger.copy()
            ledger.pop(ip, None)
            self._ledger = ledger if found is None else ledger | {ip: found}

    async def _tell(self) -> None:
        """Write events one after the other; one that fails is lost, for what it tells is in the status."""
        while True:
            write = await self._events.get()
            name = os.urandom(8).hex()
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            payload = body.event(write, name, when, self._me)
            try:
                await self._client.request("POST", body.events(write.service.namespace), payload)
            except Unreachable as fault:
                log.warning("event.lost", service=write.service.key, reason=write.reason, error=str(fault))

    async def make_key(self, material: bytes) -> None:
        """Create the Secret that signs the members' messages; one that is there stays. Raises as `record` does."""
        answer = await self._client.request(
            "POST", body.secrets(self._namespace), body.mesh_secret(self._namespace, material)
        )
        if answer.status not in (CREATED, CONFLICT):
            raise WriteError(f"Secret {meshkeys.SECRET}: {answer.status} {answer.reason}")

    async def record(self, node: Node, member: Member) -> None:
        """Create or bring up to date this node's member record. Raises Unreachable or WriteError."""
        answer = await self._created(body.member_lease(self._namespace, node, member))
        if answer.status == CONFLICT:
            path = f"{body.leases(self._namespace)}/{body.member_lease_name(member.name)}"
            answer = await self._client.request("PATCH", path, body.member_patch(node, member), MERGE_PATCH)
        if answer.status not in (OK, CREATED):
            raise WriteError(f"member record: {answer.status} {answer.reason}")

    async def hold(self, write: lease.Write) -> Lease | None:
        """Write the allocator's Lease; None where another was faster. Raises Unreachable or WriteError."""
        spec = lease.spec(write, time.time())
        payload = body.allocator_lease(self._namespace, write.resource_version, spec)
        if write.resource_version:
            path = f"{body.leases(self._namespace)}/{lease.NAME}"
            answer = await self._client.request("PUT", path, payload)
        else:
            answer = await self._created(payload)
        if answer.status in (CONFLICT, NOT_FOUND):
            return None
        if answer.status not in (OK, CREATED):
            raise WriteError(f"{answer.status} {answer.reason}")
        return msgspec.json.decode(answer.body, type=Lease)


def _reservation(answer: Response) -> Reservation | None:
    """What a Lease reserves, as the API answers; None where there is none."""
    if answer.status not in (OK, CREATED):
        return None
    return body.reservation(msgspec.json.decode(answer.body, type=Lease))
