"""A pool's status is written when its numbers have changed, by the allocator alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from speakerd.kube.client import Response, Unreachable
from speakerd.kube.poolstatus import PoolStatus
from speakerd.model import Assignment, Config
from tests.unit.allocation import ips, pool
from tests.unit.kube.doubles import Object, Played

CONFIG = Config((pool("p", "10.0.0.0/30"), pool("q", "10.1.0.0/31")))
NOTHING: dict[str, Assignment] = {}


class Api(Played):
    """What is asked of the API, and what it answers to the next requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, dict[str, int]]] = []
        self.answers: list[int | type[Exception]] = []

    def answer(self, method: str, path: str, sent: Object) -> Response:
        del method
        self.asked.append((path.split("/")[-2], sent["status"]))
        answer = self.answers.pop(0) if self.answers else 200
        if not isinstance(answer, int):
            raise answer("cut")
        return Response(answer, b"{}")


class Scene:
    def __init__(self) -> None:
        self.api, self.allocator = Api(), True
        self.sink = PoolStatus(self.api, "ns", lambda: self.allocator, pause=0.0, rest=0.0)

    async def asked(self, number: int) -> list[tuple[str, dict[str, int]]]:
        """The requests, once there are so many."""
        async with asyncio.timeout(5):
            while len(self.api.asked) < number:  # noqa: ASYNC110  what is waited for has no event of its own
                await asyncio.sleep(0)
        return self.api.asked

    async def calm(self) -> int:
        """Requests after all that could happen has happened."""
        for _ in range(50):
            await asyncio.sleep(0)
        return len(self.api.asked)


def play(story: Callable[[Scene], Awaitable[Any]]) -> None:
    async def stage() -> None:
        scene = Scene()
        task = asyncio.create_task(scene.sink.run())
        try:
            await story(scene)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(stage())


def status(assigned: int, available: int) -> dict[str, int]:
    return {"assignedIPv4": assigned, "assignedIPv6": 0, "availableIPv4": available, "availableIPv6": 0}


def test_all_pools_at_first_and_then_those_that_changed() -> None:
    async def story(scene: Scene) -> None:
        scene.sink.apply(NOTHING, CONFIG)
        assert await scene.asked(2) == [("p", status(0, 4)), ("q", status(0, 2))]
        scene.sink.apply({"a": Assignment(ips("10.0.0.1"), "p")}, CONFIG)
        assert (await scene.asked(3))[2:] == [("p", status(1, 3))]
        scene.sink.apply({"b": Assignment(ips("10.0.0.2"), "p")}, CONFIG)
        assert await scene.calm() == 3, "the numbers are the same"

    play(story)


def test_a_pool_created_anew_under_its_name_is_told_of_whatever_the_numbers() -> None:
    async def story(scene: Scene) -> None:
        first, second = CONFIG.pools
        scene.sink.apply(NOTHING, CONFIG)
        await scene.asked(2)
        scene.sink.apply(NOTHING, Config((replace(first, uid="another"), second)))
        assert (await scene.asked(3))[2:] == [("p", status(0, 4))]
        assert await scene.calm() == 3

    play(story)


def test_who_is_not_the_allocator_writes_nothing_and_who_becomes_it_writes_all() -> None:
    async def story(scene: Scene) -> None:
        scene.sink.apply(NOTHING, CONFIG)
        await scene.asked(2)
        scene.allocator = False
        scene.sink.apply({"a": Assignment(ips("10.0.0.1"), "p")}, CONFIG)
        assert await scene.calm() == 2
        scene.allocator = True
        scene.sink.apply(NOTHING, CONFIG)
        assert len(await scene.asked(4)) == 4

    play(story)


@pytest.mark.parametrize("answer", [500, Unreachable])
def test_what_failed_is_tried_again(answer: int | type[Exception]) -> None:
    async def story(scene: Scene) -> None:
        scene.api.answers = [answer]
        scene.sink.apply(NOTHING, CONFIG)
        assert [name for name, _ in await scene.asked(3)] == ["p", "q", "p"]
        assert await scene.calm() == 3

    play(story)


@pytest.mark.parametrize("answer", [404, 403])
def test_a_pool_without_a_status_or_rights_is_asked_once_for_each_change(answer: int) -> None:
    async def story(scene: Scene) -> None:
        scene.api.answers = [answer, answer]
        scene.sink.apply(NOTHING, CONFIG)
        await scene.asked(2)
        assert await scene.calm() == 2

    play(story)
