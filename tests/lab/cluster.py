"""A client of the API server for tests: plain, blocking, and in the namespace where the server lives."""

import http.client
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlencode, urlsplit

import msgspec

from tests.lab.net import inside
from tests.lab.objects import METALLB, Object, addresses, path
from tests.lab.waiting import eventually

TIMEOUT = 30.0
MERGE_PATCH = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused: HTTP `code`, `reason` and text of its Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code, self.reason = code, reason


class Write(msgspec.Struct, frozen=True):
    """A request that changed something: who sent it, `verb` as in RBAC, resource with its subresource, object."""

    user: str
    verb: str
    resource: str
    name: str


class Access(msgspec.Struct, frozen=True):
    """How to reach an API server: from `netns` (none: from here) at `url` with `token`, trusting `ca` (none: HTTP)."""

    netns: str
    url: str
    token: str
    ca: Path | None = None


class Cluster:
    """A Kubernetes cluster through its API; one connection a thread. `audit`: every write the server has seen."""

    def __init__(self, access: Access, audit: Callable[[], list[Write]]) -> None:
        self.access = access
        self.writes = audit
        self._local = threading.local()

    def request(self, method: str, where: str, body: object = None, content_type: str = "application/json") -> Object:
        """The decoded answer. Raises ApiError where the server refuses, OSError where none answers."""
        return self.answered(method, where, body, content_type)[0]

    def answered(
        self, method: str, where: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[Object, list[str]]:
        """The decoded answer, and what the server warns of. Raises as `request` does."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.access.token}", "Content-Type": content_type}
        connection = self._connection()
        try:
            connection.request(method, where, data, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as fault:
            self.close()
            raise OSError(f"{method} {where}: {fault!r}") from fault
        if response.status >= 300:
            raise _refusal(response.status, answer)
        decoded = cast(Object, json.loads(answer)) if answer.startswith((b"{", b"[")) else {}
        return decoded, [_warning(each) for each in response.headers.get_all("Warning", ())]

    def _connection(self) -> http.client.HTTPConnection:
        found = getattr(self._local, "connection", None)
        if found is None or found.sock is None:
            self._local.connection = found = connect(self.access)
        return cast(http.client.HTTPConnection, found)

    def close(self) -> None:
        """Close this thread's connection; the next request opens one."""
        with suppress(AttributeError):
            self._local.connection.close()
            del self._local.connection

    def create(self, obj: Object) -> Object:
        """Create `obj`, its status included where the kind keeps it apart."""
        kind, metadata = obj["kind"], obj["metadata"]
        made = self.request("POST", path(kind, metadata.get("namespace", "")), obj)
        if kind == "Node":
            return self.patch(kind, metadata["name"], {"status": obj["status"]}, subresource="status")
        return made

    def ensure(self, obj: Object) -> None:
        """Create `obj` unless one of its name is there."""
        try:
            self.create(obj)
        except ApiError as refusal:
            if refusal.reason != "AlreadyExists":
                raise

    def apply(self, objects: Iterable[Object]) -> None:
        """Create what is not there yet; CustomResourceDefinitions are established when this returns."""
        for each in objects:
            self.ensure(each)
            if each["kind"] == "CustomResourceDefinition":
                name = each["metadata"]["name"]
                eventually(partial(self._established, name), f"{name} is established")

    def _established(self, name: str) -> bool:
        found = self.get("CustomResourceDefinition", name) or {}
        conditions = found.get("status", {}).get("conditions") or []
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    def get(self, kind: str, name: str, namespace: str = "default") -> Object | None:
        """The object, or None."""
        try:
            return self.request("GET", path(kind, namespace, name))
        except ApiError as refusal:
            if refusal.code == 404:
                return None
            raise

    def every(self, kind: str, namespace: str = "", **query: str) -> list[Object]:
        """All objects of `kind`, of all namespaces without `namespace`."""
        found = self.request("GET", _with(path(kind, namespace), query))
        return cast("list[Object]", found["items"])

    def patch(
        self, kind: str, name: str, change: Object, *, namespace: str = "default", subresource: str = ""
    ) -> Object:
        """Merge `change` (RFC 7386) into the object, or into its subresource."""
        where = path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", where, change, MERGE_PATCH)

    def delete(self, kind: str, name: str, namespace: str = "default") -> None:
        """Delete the object, if it is there."""
        with suppress_missing():
            self.request("DELETE", path(kind, namespace, name))

    def watch(self, kind: str, namespace: str = "", **query: str) -> "Stream":
        """Events of `kind` as they come, on a connection of their own."""
        return Stream(self.access, _with(path(kind, namespace), {"watch": "1", **query}))

    def addresses(self, name: str, namespace: str = "default") -> list[str]:
        """The addresses in the status of Service `name`; none where it is gone."""
        return addresses(self.get("Service", name, namespace) or {})

    def leases(self) -> dict[str, Object]:
        """speakerd's Leases by name."""
        return {each["metadata"]["name"]: each for each in self.every("Lease", METALLB)}

    def allocator(self) -> str:
        """The node that holds the allocator's Lease, or nothing."""
        lease = self.leases().get("speakerd-allocator", {})
        return cast(str, lease.get("spec", {}).get("holderIdentity") or "")


class Stream:
    """An open watch: iterate over its events until the server ends it or another thread interrupts it."""

    def __init__(self, access: Access, where: str) -> None:
        self._connection = connect(access)
        self._socket = self._connection.sock
        self._connection.request("GET", where, headers={"Authorization": f"Bearer {access.token}"})
        self._response = self._connection.getresponse()
        if self._response.status != 200:
            refusal = _refusal(self._response.status, self._response.read())
            self._connection.close()
            raise refusal
        self._socket.settimeout(None)

    def __iter__(self) -> Iterator[Object]:
        with suppress(OSError, http.client.HTTPException, ValueError):
            while line := self._response.readline():
                yield json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def interrupt(self) -> None:
        """End it; who iterates comes to the end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def connect(access: Access) -> http.client.HTTPConnection:
    """A connection to the server. Raises OSError."""
    url = urlsplit(access.url)
    assert url.hostname
    if access.ca:
        context = ssl.create_default_context(cafile=str(access.ca))
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            url.hostname, url.port, context=context, timeout=TIMEOUT
        )
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=TIMEOUT)
    # http.client would reconnect by itself, in whatever namespace the thread is in by then.
    connection.auto_open = 0
    with inside(access.netns) if access.netns else nullcontext():
        connection.connect()
    return connection


def _with(where: str, query: Mapping[str, str]) -> str:
    return f"{where}?{urlencode(query)}" if query else where


def _refusal(code: int, answer: bytes) -> ApiError:
    try:
        status: dict[str, Any] = json.loads(answer)
    except ValueError:
        status = {"message": answer.decode(errors="replace")}
    return ApiError(code, status.get("reason", ""), status.get("message", ""))


def _warning(header: str) -> str:
    """The text of a Warning header (RFC 7234 5.5): code, agent and a quoted string."""
    quoted = header.encode("latin-1").decode().split(" ", 2)[2]
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


@contextmanager
def suppress_missing() -> Iterator[None]:
    """What is gone already needs no deleting."""
    try:
        yield
    except ApiError as refusal:
        if refusal.code != 404:
            raise


def kubeconfig(access: Access, where: Path) -> Path:
    """Write a kubeconfig for `access` to `where`."""
    server: dict[str, str] = {"server": access.url}
    if access.ca:
        server["certificate-authority"] = str(access.ca)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": server}],
        "users": [{"name": "lab", "user": {"token": access.token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
    }
    where.write_text(json.dumps(content, indent=1))
    return where
