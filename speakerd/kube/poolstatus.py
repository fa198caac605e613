"""Writes IPAddressPool.status, how many addresses are left, as MetalLB's controller does; by the allocator alone.

A sink: `apply` takes what is so, and the pools whose numbers have changed are written, a pool at a time, each once a
second at most: they tell people how full it is.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec
import structlog

from speakerd.kube import body
from speakerd.kube.client import Client, Unreachable
from speakerd.model import Assignment, Config
from speakerd.poolcounts import PoolCount, counts

log = structlog.get_logger()

OK, FORBIDDEN, NOT_FOUND = 200, 403, 404
PAUSE, REST = 1.0, 30.0
"""Seconds between two looks at what has changed; until what failed is tried again."""


class PoolStatus:
    """`may_write`: whether this node is the allocator, asked before each request. `pause`, `rest`: seconds."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        may_write: Callable[[], bool],
        pause: float = PAUSE,
        rest: float = REST,
    ) -> None:
        self._client, self._namespace, self._may_write = client, namespace, may_write
        self._pause, self._rest = pause, rest
        self._assignments: Mapping[str, Assignment] = {}
        self._config = Config()
        self._written: dict[str, tuple[str, PoolCount]] = {}
        self._wake = asyncio.Event()

    def apply(self, assignments: Mapping[str, Assignment], config: Config) -> None:
        """Take what is given out; nothing is written by who is not the allocator, and all anew by who becomes it."""
        if not self._may_write():
            self._written.clear()
        elif assignments is not self._assignments or config is not self._config or not self._written:
            self._assignments, self._config = assignments, config
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            uids = {each.name: each.uid for each in self._config.pools}
            wanted = {name: (uids[name], each) for name, each in counts(self._assignments, self._config).items()}
            due = [name for name, each in wanted.items() if self._written.get(name) != each]
            self._written = {name: each for name, each in self._written.items() if name in wanted}
            failed = [name for name in due if not await self._write(name, wanted[name])]
            if failed:
                self._wake.set()
            await asyncio.sleep(self._rest if failed else self._pause)

    async def _write(self, name: str, wanted: tuple[str, PoolCount]) -> bool:
        """Whether it is written, or never can be: pools of the settings file, and those of old CRDs, have no status.

        A pool that is created anew has none either, whatever was written before: hence its uid.
        """
        path, payload = body.pool_status(self._namespace, name), msgspec.json.encode({"status": wanted[1]})
        try:
            answer = await self._client.request("PATCH", path, payload, body.MERGE_PATCH, guard=self._may_write)
        except Unreachable:
            return not self._may_write()
        if answer.status == FORBIDDEN and name not in self._written:
            log.warning("pool-status.forbidden", pool=name, remedy="apply what `speakerd rbac` prints")
        if answer.status in (OK, NOT_FOUND, FORBIDDEN):
            self._written[name] = wanted
        return self._written.get(name) == wanted
