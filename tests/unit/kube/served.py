"""The embedded API server inside a test, and a client of it."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from speakerd.kube.client import Client, Response
from speakerd.kube.credentials import Credentials, Hidden
from tests.embedded.api import Api, Request
from tests.embedded.server import Server
from tests.embedded.store import Store

NOW = "2026-01-01T00:00:00Z"
TOKEN = "a-token"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
SERVICES = "/api/v1/namespaces/default/services"
SERVICE = {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}


class Served(Struct):
    """A server and its client; `port` is where it listens."""

    server: Server
    client: Client
    port: int

    async def create(self, path: str, name: str, content: dict[str, Any] | None = None) -> Response:
        return await self.client.request(
            "POST", path, json.dumps({"metadata": {"name": name}} | (content or {})).encode()
        )

    def faults(self, **faults: object) -> None:
        self.server.side(Request("POST", "/_faults", json.dumps(faults).encode()))

    def lists(self) -> int:
        """How often anything was listed."""
        return sum(count for what, count in self.server.api.reads.items() if what.startswith("list"))


@asynccontextmanager
async def served(
    *, tls: ssl.SSLContext | None = None, ca: str = "", name: str = "", crds: bool = True, token: str = TOKEN
) -> AsyncIterator[Served]:
    """A server on a free port of the loopback, with a client that has the right token."""
    store = Store(1000, NOW)
    if crds:
        store.define_metallb(NOW)
    server = Server(Api(store, lambda: NOW), {TOKEN: "admin"}, bookmarks=60.0)
    port = await server.listen("127.0.0.1", 0, tls)
    credentials = Credentials(
        source="test",
        host="127.0.0.1",
        port=port,
        authority=f"127.0.0.1:{port}",
        tls=tls is not None,
        ca=ca,
        server_name=name,
        token=Hidden(token),
    )
    client = Client(credentials)
    try:
        yield Served(server, client, port)
    finally:
        client.close()
        server.close()


class News:
    """A `changed` callback one can wait on."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self._event.set()

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until `holds`, looking whenever there is news."""
        async with asyncio.timeout(5.0):
            while not holds():
                self._event.clear()
                await self._event.wait()


async def turned(holds: Callable[[], object]) -> None:
    """Let the loop turn until `holds`."""
    for _ in range(10_000):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("not within 10,000 turns")
