"""Whether what is configured holds is told in MetalLB's words, once, with the time of the last change."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from speakerd.kube.client import Response
from speakerd.kube.configstate import SPEAKER, Condition, ConfigStates, Status, status, timed
from speakerd.model import Config, Node, Problem
from tests.unit.kube.doubles import Object, Played

FAULT = Problem("IPAddressPool/ns/p", "spec.addresses[0]", "malformed-address", "'x' is no address", "write one")
ODD = replace(FAULT, severity="warning")


def test_warnings_leave_it_valid_and_errors_are_told_a_line_each() -> None:
    assert (status(SPEAKER, [ODD]).result, status(SPEAKER, [ODD]).error_summary) == ("Valid", "")
    told = status(SPEAKER, [FAULT, ODD, FAULT])
    line = "IPAddressPool/ns/p spec.addresses[0]: 'x' is no address"
    assert (told.result, told.error_summary) == ("Invalid", f"{line}\n{line}")
    (condition,) = told.conditions
    assert (condition.type, condition.status, condition.reason) == (
        "configReconcilerValid",
        "False",
        "ConfigurationError",
    )


def test_the_time_is_that_of_the_last_change_of_the_verdict() -> None:
    wrong, fine = status(SPEAKER, [FAULT]), status(SPEAKER, [])
    first = timed(fine, Status(), "t1")
    assert first.conditions[0].last_transition_time == "t1"
    assert timed(fine, first, "t2") == first
    assert timed(wrong, first, "t3").conditions[0].last_transition_time == "t3"
    other = Status(conditions=(Condition("another", "True", last_transition_time="t0"),))
    assert timed(fine, other, "t4").conditions[0].last_transition_time == "t4"


class Api(Played):
    """Keeps objects as an API server does, and what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, Object] = {}
        self.asked: list[tuple[str, str]] = []
        self.refuses = 0

    def answer(self, method: str, path: str, sent: Object) -> Response:
        name = path.removesuffix("/status").rpartition("/")[2]
        self.asked.append((method, name))
        if self.refuses:
            return Response(self.refuses, b"{}")
        if method == "POST":
            self.objects[sent["metadata"]["name"]] = sent
            return Response(201, json.dumps(sent).encode())
        if name not in self.objects:
            return Response(404, b"{}")
        self.objects[name] |= sent
        return Response(200, json.dumps(self.objects[name]).encode())


class Scene:
    def __init__(self) -> None:
        self.api, self.allocator = Api(), False
        self.sink = self.anew()

    def anew(self) -> ConfigStates:
        return ConfigStates(self.api, "ns", "n1", lambda: self.allocator, rest=0.0)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110  what is waited for has no event of its own
                await asyncio.sleep(0)

    async def calm(self) -> int:
        """Requests after all that could happen has happened."""
        for _ in range(50):
            await asyncio.sleep(0)
        return len(self.api.asked)

    def result(self, name: str) -> str:
        found: str = self.api.objects.get(name, {}).get("status", {}).get("result", "")
        return found


def play(story: Callable[[Scene], Awaitable[Any]]) -> None:
    async def stage() -> None:
        scene = Scene()
        tasks = [asyncio.create_task(scene.sink.run())]
        try:
            await story(scene)
        finally:
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(stage())


def test_each_node_tells_of_itself_and_the_allocator_of_the_controller_as_well() -> None:
    async def story(scene: Scene) -> None:
        scene.sink.apply(Config(), Node("n1", "uid"))
        await scene.until(lambda: scene.result("speaker-n1") == "Valid")
        assert scene.api.objects["speaker-n1"]["metadata"]["labels"] == {
            "metallb.io/component-type": "speaker",
            "metallb.io/node-name": "n1",
        }
        scene.allocator = True
        scene.sink.apply(Config(problems=(FAULT,)), Node("n1", "uid"))
        await scene.until(lambda: scene.result("controller") == scene.result("speaker-n1") == "Invalid")

    play(story)


def test_what_is_said_already_is_not_written_again_also_by_the_next_process() -> None:
    async def story(scene: Scene) -> None:
        scene.sink.apply(Config(), Node("n1"))
        await scene.until(lambda: scene.result("speaker-n1") == "Valid")
        before = await scene.calm()
        scene.sink.apply(Config(), Node("n1"))
        assert await scene.calm() == before
        successor = scene.anew()
        task = asyncio.create_task(successor.run())
        successor.apply(Config(), Node("n1"))
        await scene.calm()
        assert scene.api.asked[before:] == [("GET", "speaker-n1")]
        task.cancel()

    play(story)


def test_a_kind_that_is_not_known_is_asked_once_and_a_server_in_trouble_again() -> None:
    async def story(scene: Scene) -> None:
        scene.api.refuses = 404
        scene.sink.apply(Config(), Node("n1"))
        assert await scene.calm() == 2
        scene.api.refuses = 500
        scene.sink.apply(Config(problems=(FAULT,)), Node("n1"))
        await scene.until(lambda: len(scene.api.asked) > 4)
        scene.api.refuses = 0
        await scene.until(lambda: scene.result("speaker-n1") == "Invalid")

    play(story)
