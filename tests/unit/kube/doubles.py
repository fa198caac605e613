"""An API server's side of a conversation, played inside the test: what is asked, and what comes back."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from speakerd.kube.client import Client, Response, Unreachable, Withheld

Object = dict[str, Any]


class Played(Client):
    """A client whose requests `answer` answers, in the order in which they arrive; what is withheld never does.

    `ways`: turns of the loop that a request of a method takes to the server, and its answer back.
    """

    def __init__(self) -> None:
        self.ways: dict[str, tuple[int, int]] = {}

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = "",
        *,
        guard: Callable[[], bool] | None = None,
        accept: bytes = b"",
    ) -> Response:
        del kind, accept
        there, back = self.ways.get(method, (1, 0))
        await _turns(there)
        if guard is not None and not guard():
            raise Withheld(path)
        answer = self.answer(method, path, json.loads(body or b"{}"))
        await _turns(back)
        return answer

    def answer(self, method: str, path: str, sent: Object) -> Response:
        raise NotImplementedError


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class LeaseApi(Played):
    """Leases by name, and what was asked in order."""

    def __init__(self) -> None:
        super().__init__()
        self.leases: dict[str, Object] = {}
        self.asked: list[tuple[str, str]] = []
        self.patches: list[Object] = []
        self.answers: dict[str, int] = {}
        self.cut = 0
        self.version = 100

    def answer(self, method: str, path: str, sent: Object) -> Response:
        what = path.partition("?")[0].rpartition("/")[2]
        self.asked.append((method, sent.get("metadata", {}).get("name", what) if method == "POST" else what))
        if self.cut:
            self.cut -= 1
            raise Unreachable("cut")
        if method in self.answers:
            return Response(self.answers[method], b"{}")
        verbs = {"POST": self._create, "GET": self._read, "DELETE": self._delete, "PATCH": self._patch}
        return verbs[method](what, sent) if method in verbs else Response(200, b"{}")

    def _create(self, what: str, sent: Object) -> Response:
        if what != "leases":
            return Response(200, b"{}")
        name = sent["metadata"]["name"]
        if name in self.leases:
            return Response(409, b"{}")
        self.version += 1
        sent["metadata"] |= {"uid": f"u-{name}", "resourceVersion": str(self.version)}
        self.leases[name] = sent
        return Response(201, json.dumps(sent).encode())

    def _read(self, what: str, _sent: Object) -> Response:
        if what == "leases":
            return Response(200, json.dumps({"metadata": {}, "items": list(self.leases.values())}).encode())
        found = self.leases.get(what)
        return Response(200 if found else 404, json.dumps(found or {}).encode())

    def _delete(self, what: str, sent: Object) -> Response:
        found = self.leases.get(what)
        if found is None:
            return Response(404, b"{}")
        if any(found["metadata"][key] != value for key, value in sent["preconditions"].items()):
            return Response(409, b"{}")
        del self.leases[what]
        return Response(200, b"{}")

    def _patch(self, what: str, sent: Object) -> Response:
        if what not in self.leases:
            self.patches.append(sent)
            return Response(200, b"{}")
        metadata = self.leases[what]["metadata"]
        if metadata["resourceVersion"] != sent["metadata"]["resourceVersion"]:
            return Response(409, b"{}")
        self.version += 1
        noted = metadata["annotations"] | sent["metadata"]["annotations"]
        metadata["annotations"] = {key: value for key, value in noted.items() if value is not None}
        metadata["resourceVersion"] = str(self.version)
        return Response(200, json.dumps(self.leases[what]).encode())
