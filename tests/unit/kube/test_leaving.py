"""A host that leaves for good deletes what tells of it alone, and nothing of others."""

import asyncio
import json

from speakerd.kube.leaving import leave
from tests.unit.kube.served import Served, served

NAMESPACE = "default"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
GROUP = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}"


async def filled(here: Served, allocator: str) -> None:
    """Two hosts, a and b, of which one allocates."""
    for node in "ab":
        await here.create(LEASES, f"speakerd-node-{node}")
        labels = {"metadata": {"name": f"l2-{node}", "labels": {"metallb.io/node": node}}}
        await here.create(f"{GROUP}/servicel2statuses", "", labels)
        await here.create(f"{GROUP}/configurationstates", f"speaker-{node}")
    await here.create(LEASES, "speakerd-allocator", {"spec": {"holderIdentity": allocator}})
    await here.create(LEASES, "speakerd-vip-10.0.0.1")


async def left(here: Served) -> set[str]:
    """The names of all there is."""
    found = set()
    for path in (LEASES, f"{GROUP}/servicel2statuses", f"{GROUP}/configurationstates"):
        found |= {
            each["metadata"]["name"] for each in json.loads((await here.client.request("GET", path)).body)["items"]
        }
    return found


def test_what_tells_of_the_host_is_deleted_and_what_tells_of_others_stays() -> None:
    async def scene() -> None:
        async with served() as here:
            await filled(here, "a")
            told = await leave(here.client, NAMESPACE, "a", dry=False)
            assert {each.what for each in told} == {
                "leases/speakerd-node-a",
                "configurationstates/speaker-a",
                "servicel2statuses/l2-a",
                "leases/speakerd-allocator",
            }
            assert {each.word for each in told} == {"deleted"}
            assert await left(here) == {"speakerd-node-b", "l2-b", "speaker-b", "speakerd-vip-10.0.0.1"}
            assert await leave(here.client, NAMESPACE, "a", dry=False) == []

    asyncio.run(scene())


def test_another_allocator_s_lease_stays() -> None:
    async def scene() -> None:
        async with served() as here:
            await filled(here, "b")
            await leave(here.client, NAMESPACE, "a", dry=False)
            assert "speakerd-allocator" in await left(here)

    asyncio.run(scene())


def test_a_look_ahead_deletes_nothing() -> None:
    async def scene() -> None:
        async with served() as here:
            await filled(here, "a")
            before = await left(here)
            told = await leave(here.client, NAMESPACE, "a", dry=True)
            assert {each.word for each in told} == {"would be deleted"}
            assert len(told) == 4
            assert await left(here) == before

    asyncio.run(scene())


def test_a_cluster_that_knows_no_kinds_of_metallb_has_leases_alone() -> None:
    async def scene() -> None:
        async with served(crds=False) as here:
            await here.create(LEASES, "speakerd-node-a")
            told = await leave(here.client, NAMESPACE, "a", dry=False)
            assert [each.what for each in told] == ["leases/speakerd-node-a"]

    asyncio.run(scene())
