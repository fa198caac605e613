"""What an owner writes reaches the API as MetalLB's tools read it, slowly, and survives whatever the API does."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest
from msgspec.structs import replace

from speakerd.decision import Plan
from speakerd.exchange import Candidate, Claim, Observed, Vip, Wanted
from speakerd.kube import body, l2status, recorder
from speakerd.kube.client import Unreachable
from speakerd.kube.recorder import Recorder
from speakerd.model import Assignment, Holder, Interface, Node, Service, ServiceRef
from tests.embedded.kinds import crd
from tests.unit.kube.served import LEASES, News, Served, served

STATUSES = "/apis/metallb.io/v1beta1/namespaces/default/servicel2statuses"
EVENTS = "/api/v1/namespaces/ns/events"
PATCH = "application/merge-patch+json"


class Owner:
    """A recorder of node `me` in namespace `default`, and the world as it should see it."""

    def __init__(self, here: Served) -> None:
        self.here = here
        self.news = News()
        self.recorder = Recorder(here.client, "default", "me", self.news)
        self.recorder.be(Node("me", "uid-of-me"))
        self._plan = Plan({}, Wanted("me", {}))
        self._services: dict[str, Service] = {}
        self._claims: dict[bytes, Claim] = {}

    async def lease(self, text: str, owner: str = "", epoch: int = 0) -> None:
        """Let the allocator have created the Lease of an address."""
        ip = ip_address(text)
        made = json.loads(body.vip_lease("default", ip, Holder(ServiceRef(f"ns/s{int(ip) % 256}", "uid"))))
        made["spec"] = {"holderIdentity": owner, "leaseTransitions": epoch} if owner else {}
        await self.here.client.request("POST", LEASES, json.dumps(made).encode())

    async def says(self, node: str) -> None:
        """Let there be a ServiceL2Status of Service ns/s1 on `node`."""
        await self.here.client.request("POST", STATUSES, l2status.new("default", Node(node), "ns/s1", ()))
        patch = l2status.patch(node, "ns/s1", ())
        path = f"{STATUSES}/{l2status.name_of(node, 'ns/s1')}/status"
        await self.here.client.request("PATCH", path, patch, PATCH)

    def owns(self, *texts: str, owner: str = "me", epoch: int = 1, interfaces: tuple[str, ...] = ()) -> None:
        """Let these addresses be announced, each for a Service of its own, and be owned so."""
        for text in texts:
            ip = ip_address(text)
            key = f"ns/s{int(ip) % 256}"
            self._services[key] = Service(key, f"uid-{key}", "1", "2026-01-01T00:00:00Z", ours=True, ips=(ip,))
            since = time.monotonic()
            self._claims[ip.packed] = Claim(ip.packed, epoch, owner, since, "first", interfaces)
        rows = {raw: Vip(raw, f"ns/s{raw[-1]}", raw, 0) for raw in self._claims}
        assignments = {key: Assignment(each.ips, "p") for key, each in self._services.items()}
        self._plan = Plan(assignments, Wanted("me", rows))
        self.tell()

    def tell(self) -> None:
        """Show the recorder the world."""
        self.recorder.apply(self._plan, self._services, dict(self._claims))

    def lacks(self, interface: str) -> None:
        """Let all addresses be announced on this interface alone, which this node has not; it shows for long."""
        rows = {ip: replace(row, interfaces=(interface,)) for ip, row in self._plan.wanted.vips.items()}
        plan = Plan(self._plan.assignments, Wanted("me", rows, ((Candidate("me"),),)))
        eth0 = Interface(2, "eth0", b"\2\0\0\0\0\1", usable=True)
        for _ in range(2):
            self.recorder.look_out(plan, Observed((eth0,), dict(self._claims)))

    async def objects(self, path: str) -> list[dict[str, Any]]:
        """What the API lists there; nothing while it does not answer."""
        try:
            found: dict[str, Any] = json.loads((await self.here.client.request("GET", path)).body)
        except Unreachable:
            return []
        items: list[dict[str, Any]] = found.get("items", [])
        return items

    async def status(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Name, node label and status of every ServiceL2Status."""
        found = await self.objects(STATUSES)
        return [(e["metadata"]["name"], e["metadata"]["labels"]["metallb.io/node"], e.get("status", {})) for e in found]

    async def said(self) -> list[str]:
        """The nodes that a ServiceL2Status with a status names."""
        return [node for _, node, status in await self.status() if status]

    async def silent(self) -> bool:
        """Whether there is no ServiceL2Status."""
        return not await self.status()

    async def until(self, holds: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(10.0):
            while not await holds():  # noqa: ASYNC110  what the API holds has no event
                await asyncio.sleep(0)

    async def until_events(self, number: int) -> list[dict[str, Any]]:
        """Events once there are `number`: the last thing written of a change."""

        async def there() -> bool:
            return len(await self.objects(EVENTS)) >= number

        await self.until(there)
        return await self.objects(EVENTS)

    async def until_idle(self) -> None:
        """Until nothing is due."""

        async def idle() -> bool:
            return self.recorder._core.next(0.0, self.recorder._resting) is None

        await self.until(idle)

    def written(self) -> list[tuple[str, str]]:
        """What the recorder wrote so far."""
        return [(each["verb"], each["resource"]) for each in self.here.server.api.writes]


@asynccontextmanager
async def owning(
    *leases: tuple[str, str, int], statuses: Iterable[str] = (), crds: bool = True
) -> AsyncIterator[Owner]:
    """A recorder that has read what there was: `leases` (address, owner, epoch), and `statuses` of ns/s1 by node."""
    async with served(crds=crds) as here:
        await here.client.request("POST", "/api/v1/namespaces", b'{"metadata":{"name":"ns"}}')
        owner = Owner(here)
        for lease in leases:
            await owner.lease(*lease)
        for node in statuses:
            await owner.says(node)
        task = asyncio.create_task(owner.recorder.run())
        try:
            await owner.news.until(lambda: owner.recorder.hints is not None)
            here.server.api.writes.clear()
            yield owner
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_an_owner_names_itself_in_the_lease_then_in_the_status_then_in_an_event() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "", 0)) as owner:
            owner.owns("10.0.0.1", epoch=4, interfaces=("eth1", "eth0"))
            (event,) = await owner.until_events(1)
            (lease,) = await owner.objects(LEASES)
            assert lease["spec"] == {"holderIdentity": "me", "leaseTransitions": 4}
            ((name, node, status),) = await owner.status()
            assert name.startswith("l2-")
            assert node == "me"
            named = [{"name": "eth0"}, {"name": "eth1"}]
            assert status == {"node": "me", "serviceName": "s1", "serviceNamespace": "ns", "interfaces": named}
            assert (event["reason"], event["type"]) == ("nodeAssigned", "Normal")
            assert event["message"] == 'announcing from node "me" with protocol "layer2"'
            assert event["involvedObject"]["name"] == "s1"
            assert owner.written() == [
                ("patch", "leases"),
                ("create", "servicel2statuses"),
                ("patch", "servicel2statuses/status"),
                ("create", "events"),
            ]

    asyncio.run(scene())


def test_what_no_interface_fits_is_told_by_an_event_of_the_service() -> None:
    async def scene() -> None:
        async with owning() as owner:
            owner.owns("10.0.0.1", owner="")
            owner.lacks("eth7")
            (event,) = await owner.until_events(1)
            assert (event["reason"], event["type"]) == ("announceFailed", "Warning")
            assert event["message"] == 'node "me" has none of the interfaces that advertisements name: eth7'
            assert event["involvedObject"]["name"] == "s1"
            assert owner.written() == [("create", "events")]

    asyncio.run(scene())


def test_a_status_object_is_as_metallb_s() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "", 0)) as owner:
            owner.owns("10.0.0.1")
            await owner.until_events(1)
            (found,) = await owner.objects(STATUSES)
            assert found["metadata"]["labels"] == {
                "metallb.io/node": "me",
                "metallb.io/service-name": "s1",
                "metallb.io/service-namespace": "ns",
            }
            (reference,) = found["metadata"]["ownerReferences"]
            assert (reference["kind"], reference["uid"]) == ("Node", "uid-of-me")
            assert "interfaces" not in found["status"]

    asyncio.run(scene())


def test_nothing_more_is_written_while_nothing_changes() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "", 0)) as owner:
            owner.owns("10.0.0.1")
            await owner.until_events(1)
            await owner.until_idle()
            count = len(owner.written())
            for _ in range(3):
                owner.tell()
                await owner.until_idle()
            assert len(owner.written()) == count

    asyncio.run(scene())


def test_a_controller_that_starts_again_reads_who_owned_what_and_writes_nothing() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "me", 4)) as owner:
            await owner.says("me")
            again = Owner(owner.here)
            task = asyncio.create_task(again.recorder.run())
            await again.news.until(lambda: again.recorder.hints is not None)
            assert again.recorder.hints
            hint = again.recorder.hints[ip_address("10.0.0.1").packed]
            assert (hint.owner, hint.epoch) == ("me", 4)
            owner.here.server.api.writes.clear()
            again.owns("10.0.0.1", epoch=4)
            await again.until_idle()
            assert not again.written()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


@pytest.mark.parametrize("later", [True, False])
def test_the_new_owner_takes_away_what_says_that_another_answers(later: bool) -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "other", 3), statuses=() if later else ("other", "third")) as owner:
            owner.owns("10.0.0.1", owner="other", epoch=3)
            for node in ("other", "third") if later else ():
                await owner.says(node)
            owner.owns("10.0.0.1", epoch=4)
            await owner.until_events(1)
            assert [node for _, node, _ in await owner.status()] == ["me"]
            (lease,) = await owner.objects(LEASES)
            assert lease["spec"] == {"holderIdentity": "me", "leaseTransitions": 4}

    asyncio.run(scene())


def test_who_answers_no_more_takes_its_own_status_away() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "", 0)) as owner:
            owner.owns("10.0.0.1")
            await owner.until_events(1)
            owner.owns("10.0.0.1", owner="other", epoch=2)
            await owner.until(owner.silent)
            (lease,) = await owner.objects(LEASES)
            assert lease["spec"] == {"holderIdentity": "me", "leaseTransitions": 1}

    asyncio.run(scene())


def test_a_lease_that_says_something_later_is_left_alone() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "other", 9)) as owner:
            owner.owns("10.0.0.1", epoch=4)
            await owner.until_idle()
            (lease,) = await owner.objects(LEASES)
            assert lease["spec"] == {"holderIdentity": "other", "leaseTransitions": 9}
            assert not await owner.objects(EVENTS)

    asyncio.run(scene())


def test_a_lease_that_others_wrote_meanwhile_is_read_anew() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "other", 3)) as owner:
            touched = json.dumps({"metadata": {"labels": {"touched": "yes"}}}).encode()
            await owner.here.client.request("PATCH", f"{LEASES}/speakerd-vip-10-0-0-1", touched, PATCH)
            owner.owns("10.0.0.1", epoch=4)
            await owner.until_events(1)
            (lease,) = await owner.objects(LEASES)
            assert lease["spec"]["holderIdentity"] == "me"
            assert lease["metadata"]["labels"]["touched"] == "yes"

    asyncio.run(scene())


def test_a_missing_lease_is_never_created_and_holds_nothing_up() -> None:
    async def scene() -> None:
        async with owning() as owner:
            owner.owns("10.0.0.1")
            await owner.until_events(1)
            assert not await owner.objects(LEASES)
            assert await owner.status()

    asyncio.run(scene())


def test_a_missing_crd_is_no_fault_and_is_written_to_once_it_is_there() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "", 0), crds=False) as owner:
            owner.owns("10.0.0.1")
            await owner.until_events(1)
            assert not owner.recorder.failing
            definition = json.dumps(crd("ServiceL2Status")).encode()
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            await owner.here.client.request("POST", path, definition)
            owner.recorder._resting.clear()
            owner.tell()
            await owner.until(owner.said)
            assert len(await owner.objects(EVENTS)) == 1

    asyncio.run(scene())


def test_after_an_outage_what_is_still_so_is_written() -> None:
    async def scene() -> None:
        async with owning(("10.0.0.1", "", 0), ("10.0.0.2", "", 0)) as owner:
            owner.here.faults(refuse=0.5)
            owner.owns("10.0.0.1", "10.0.0.2")
            owner.owns("10.0.0.2", owner="other", epoch=2)
            (event,) = await owner.until_events(1)
            await owner.until_idle()
            assert event["involvedObject"]["name"] == "s1"
            holders = {each["spec"].get("holderIdentity") for each in await owner.objects(LEASES)}
            assert holders == {"me", None}
            assert not owner.recorder.failing

    asyncio.run(scene())


def test_no_more_is_written_in_a_second_than_the_limit_says() -> None:
    async def scene() -> None:
        texts = [f"10.0.0.{number}" for number in range(1, 13)]
        async with owning(*((text, "", 0) for text in texts)) as owner:
            began = time.monotonic()
            owner.owns(*texts)

            async def all_leases() -> bool:
                return len(owner.written()) >= len(texts)

            await owner.until(all_leases)
            assert time.monotonic() - began >= (len(texts) - 1) / recorder.WRITES_A_SECOND

    asyncio.run(scene())
