"""How long things take as outsiders see it: Services in a watch, VIPs as a client on the LAN hears them."""

import threading
import time
from functools import partial
from types import TracebackType
from typing import Self

from msgspec import Struct

from tests.lab.cluster import Cluster
from tests.lab.frames import Watch
from tests.lab.net import Lan
from tests.lab.objects import Object, addresses, path
from tests.lab.waiting import eventually


class Times(Struct, frozen=True):
    """Of one Service, in seconds: the POST itself, and from its start to the address and to each one's first frame."""

    post: float
    addressed: float
    announced: float
    addresses: tuple[str, ...]


class Stopwatch:
    """Creates Services and takes their times, from enter to exit."""

    def __init__(self, cluster: Cluster, lan: Lan) -> None:
        self._cluster = cluster
        listed = cluster.request("GET", path("Service", "default"))
        self._stream = cluster.watch("Service", "default", resourceVersion=listed["metadata"]["resourceVersion"])
        self._thread = threading.Thread(target=self._read, name="stopwatch", daemon=True)
        self._frames = Watch(lan.client)
        self._addressed: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._posted: dict[str, tuple[float, float]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        self._frames.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.__exit__(kind, value, trace)
        self._stream.interrupt()
        self._thread.join()

    def _read(self) -> None:
        with self._stream:
            for event in self._stream:
                found, name = tuple(addresses(event["object"])), event["object"]["metadata"]["name"]
                if event["type"] == "DELETED" or not found:
                    self._addressed.pop(name, None)
                elif name not in self._addressed:
                    self._addressed[name] = time.time(), found

    def create(self, service: Object) -> None:
        """Create `service`, and note how long that took."""
        start = time.time()
        self._cluster.create(service)
        self._posted[service["metadata"]["name"]] = start, time.time()

    def addressed(self, name: str) -> tuple[str, ...]:
        """The addresses of a Service; none while it waits."""
        return self._addressed.get(name, (0.0, ()))[1]

    def times(self, name: str, timeout: float = 10.0) -> Times:
        """All times of a Service that was created here, as soon as its addresses have been announced."""
        eventually(partial(self.addressed, name), f"{name} has an address", timeout)
        start, posted = self._posted[name]
        when, found = self._addressed[name]
        first = [self._announced(ip, start, timeout) for ip in found]
        return Times(posted - start, when - start, max(first) - start, found)

    def _announced(self, address: str, since: float, timeout: float) -> float:
        """When `address` was first announced after `since`."""

        def look() -> float:
            return next((each.when for each in self._frames.of(address, "gratuitous") if each.when >= since), 0.0)

        return eventually(look, f"{address} is announced", timeout)
