"""A reflector and a client together, against the embedded API server and its faults."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from speakerd.kube import kept, objects, reflector
from speakerd.kube.objects import Kind, Service
from speakerd.kube.reflector import Reflector
from tests.embedded.kinds import crd
from tests.unit.kube.served import SERVICE, SERVICES, News, Served, served, turned

PATCH = "application/merge-patch+json"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@asynccontextmanager
async def following(here: Served, kind: Kind[Any] = kept.SERVICES) -> AsyncIterator[tuple[Reflector[Any], News]]:
    """A reflector at work that has listed and watches."""
    core: Reflector[Any] = Reflector(kind, lambda: 0.0)
    news = News()
    task = asyncio.create_task(reflector.run(core, here.client, news))
    try:
        await news.until(lambda: core.synced)
        await turned(lambda: core.absent or here.server.watches)
        yield core, news
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_value_follows_creation_change_and_deletion() -> None:
    async def scene() -> None:
        async with served() as here, following(here) as (core, news):
            await here.create(SERVICES, "web", SERVICE)
            await news.until(lambda: "default/web" in core.value)
            await here.client.request("PATCH", f"{SERVICES}/web", b'{"spec":{"type":"ClusterIP"}}', PATCH)
            await news.until(lambda: core.value["default/web"].spec.type == "ClusterIP")
            await here.client.request("DELETE", f"{SERVICES}/web")
            await news.until(lambda: not core.value)
            assert here.lists() == 1

    asyncio.run(scene())


def test_a_cut_watch_goes_on_where_it_was_without_a_list() -> None:
    async def scene() -> None:
        async with served() as here, following(here) as (core, news):
            here.faults(cut=True)
            await here.create(SERVICES, "web", SERVICE)
            await news.until(lambda: "default/web" in core.value)
            assert here.lists() == 1

    asyncio.run(scene())


def test_after_compaction_the_list_comes_anew_and_says_what_vanished() -> None:
    async def scene() -> None:
        async with served() as here, following(here) as (core, news):
            await here.create(SERVICES, "old", SERVICE)
            await here.create(SERVICES, "kept", SERVICE)
            await news.until(lambda: len(core.value) == 2)
            kept: Service = core.value["default/kept"]
            here.faults(cut=True)
            await here.client.request("DELETE", f"{SERVICES}/old")
            here.faults(compact=True)
            await news.until(lambda: len(core.value) == 1)
            assert core.value["default/kept"] is kept
            assert here.lists() == 2

    asyncio.run(scene())


def test_an_outage_keeps_the_value_shows_as_error_and_ends_by_itself() -> None:
    async def scene() -> None:
        async with served() as here, following(here) as (core, news):
            await here.create(SERVICES, "web", SERVICE)
            await news.until(lambda: core.value)
            here.faults(refuse=0.3)
            await news.until(lambda: core.error)
            assert core.value
            await news.until(lambda: not core.error)
            assert here.lists() == 1

    asyncio.run(scene())


def test_a_hung_server_changes_nothing_and_what_it_missed_to_say_comes_after() -> None:
    async def scene() -> None:
        async with served() as here, following(here) as (core, news):
            here.faults(hang=0.2, match="watch")
            await here.create(SERVICES, "web", SERVICE)
            assert not core.value
            await news.until(lambda: core.value)

    asyncio.run(scene())


def test_a_missing_crd_is_found_once_another_kind_turns_up() -> None:
    async def scene() -> None:
        async with served(crds=False) as here, following(here, objects.pools("default")) as (core, news):
            assert core.absent
            await here.client.request("POST", CRDS, _json(crd("IPAddressPool")))
            here.client.stir()
            await news.until(lambda: not core.absent)
            assert core.synced
            assert not core.error

    asyncio.run(scene())


def test_a_list_of_several_pages_is_one_change() -> None:
    async def scene() -> None:
        async with served() as here:
            for number in range(5):
                await here.create(SERVICES, f"web-{number}", SERVICE)
            core = Reflector(kept.SERVICES, lambda: 0.0)
            core.limit = 2
            news = News()
            task = asyncio.create_task(reflector.run(core, here.client, news))
            await news.until(lambda: core.synced)
            assert (len(core.value), news.count, here.lists()) == (5, 1, 3)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()
