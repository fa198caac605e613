"""A writer whose API server is played inside the test: one scene, one story."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from msgspec.structs import replace

from speakerd.decision import Plan, StatusWrite
from speakerd.exchange import Wanted
from speakerd.kube.writer import Writer
from speakerd.model import IP, Assignment, Reservation, Service, Sharing
from tests.unit.kube.doubles import LeaseApi

ONE: IP = ip_address("10.0.0.1")
TWO: IP = ip_address("fd00::1")
MAC = "02:ff:00:00:00:01"


class Scene:
    def __init__(self) -> None:
        self.api = LeaseApi()
        self.sure = True
        self.turns = 0
        self.turned = asyncio.Event()
        self.writer = Writer(self.api, "metallb-system", "n1", lambda: self.sure, self._changed)

    def _changed(self) -> None:
        self.turns += 1
        self.turned.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():  # noqa: ASYNC110  what is waited for has no event of its own
                await asyncio.sleep(0)


def service(name: str = "web", version: str = "7") -> Service:
    return Service(f"default/{name}", f"uid-{name}", version, "2026-01-01T00:00:00Z", ours=True)


def plan(*writes: StatusWrite, **more: Any) -> Plan:  # noqa: ANN401
    return Plan({}, Wanted("n1", {}), writes=writes, **more)


def give(*ips: IP, name: str = "web", version: str = "7", key: str = "") -> StatusWrite:
    """The addresses, to a Service that shares by `key` and no port; without one it shares with nobody."""
    sharing = Sharing(key) if key else None
    return StatusWrite(replace(service(name, version), sharing=sharing), Assignment(ips, "p"))


def play(story: Callable[[Scene], Any]) -> None:
    async def stage() -> None:
        scene = Scene()
        await scene.writer.recall()
        task = asyncio.create_task(scene.writer.run())
        try:
            await story(scene)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(stage())


async def given(scene: Scene) -> Reservation:
    """The Lease of an address that was just given."""
    scene.writer.apply(plan(give(ONE)))
    await scene.until(lambda: bool(scene.api.patches))
    return held_now(scene)


def held_now(scene: Scene) -> Reservation:
    """The Lease of ONE, as the writer knows it."""
    assert scene.writer.value is not None
    return scene.writer.value[ONE]
