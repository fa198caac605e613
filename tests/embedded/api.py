"""Requests of the Kubernetes API answered from the store: paths, verbs, pages, and watches."""

import base64
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Struct

from tests.embedded.kinds import BUILTIN, CRDS, Object, Resource, defined
from tests.embedded.refusals import Refusal, bad, expired
from tests.embedded.selectors import Match, chosen
from tests.embedded.store import Change, Store, encoded, merged

WRITES = 100_000
"""Writes remembered for tests that count them."""
MERGE_PATCHES = ("application/merge-patch+json", "application/strategic-merge-patch+json")
PLAIN = {"/version": encoded({"major": "1", "minor": "37", "gitVersion": "v1.37.0-embedded"})} | dict.fromkeys(
    ("/readyz", "/healthz", "/livez"), b"ok"
)


class Request(Struct, frozen=True):
    """An HTTP request, whole."""

    method: str
    target: str
    body: bytes = b""
    content_type: str = ""
    user: str | None = ""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


class Answer(Struct, frozen=True):
    """An HTTP response."""

    status: int
    body: bytes
    content_type: str = "application/json"


class Target(Struct, frozen=True):
    """What a path names; no `name`: the collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Watch(Struct):
    """A watch: lines to send at once, then one for each change that concerns it."""

    resource: Resource
    namespace: str
    match: Match
    bookmarks: bool
    seconds: float | None
    first: bytes = b""

    def line(self, change: Change) -> bytes:
        """What `change` means to this watch; nothing where it does not concern it."""
        if change.collection != (self.resource.group, self.resource.plural):
            return b""
        if self.namespace and change.key[0] != self.namespace:
            return b""
        was = change.old is not None and self.match(change.old)
        now = change.verb != "DELETED" and self.match(change.new)
        if not was and not now:
            return b""
        shown = change.new
        if was and not now and change.verb != "DELETED":
            # An object that no longer matches goes as it was, with the revision of its going.
            shown = {**(change.old or {}), "metadata": {**(change.old or {})["metadata"], **_version(change.new)}}
        return event("MODIFIED" if was and now else "ADDED" if now else "DELETED", shown)

    def bookmark(self, revision: int) -> bytes:
        """How far this watch has come."""
        known = {"kind": self.resource.kind, "apiVersion": self.resource.api_version}
        return event("BOOKMARK", known | {"metadata": {"resourceVersion": str(revision), "creationTimestamp": None}})


def event(verb: str, found: Object) -> bytes:
    """A line of a watch."""
    return encoded({"type": verb, "object": found}) + b"\n"


def _version(found: Object) -> Mapping[str, Any]:
    return {"resourceVersion": found["metadata"]["resourceVersion"]}


class Api:
    """Answers requests; `wall` gives the time objects are stamped with."""

    def __init__(self, store: Store, wall: Callable[[], str]) -> None:
        self.store = store
        self._wall = wall
        self.writes: deque[Mapping[str, str]] = deque(maxlen=WRITES)
        self.reads: Counter[str] = Counter()

    def handle(self, request: Request) -> Answer | Watch:
        """The answer, or the watch that was asked for."""
        if request.path in PLAIN:
            return Answer(200, PLAIN[request.path])
        try:
            target = self._target(request.path)
            if target is None:
                return Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")
            return self._read(request, target) if request.method == "GET" else self._write(request, target)
        except Refusal as refusal:
            return Answer(refusal.code, encoded(refusal.status))
        except msgspec.DecodeError as fault:
            return Answer(400, encoded(bad(f"the object provided is unrecognized: {fault}").status))

    def _target(self, path: str) -> Target | None:
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["api", version, *rest]:
                group = ""
            case ["apis", group, version, *rest]:
                pass
            case _:
                return None
        namespace = ""
        if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
            _, namespace, *rest = rest
        if not rest or len(rest) > 3:
            return None
        definitions = self.store.items(CRDS).values()
        for each in (*BUILTIN, *defined(definitions)):
            if (each.group, each.version, each.plural) == (group, version, rest[0]):
                return Target(each, namespace, *rest[1:])
        return None

    def _read(self, request: Request, target: Target) -> Answer | Watch:
        query, resource = request.query, target.resource
        watch = query.get("watch") in ("1", "true")
        self.reads[f"{'watch' if watch else 'get' if target.name else 'list'} {resource.plural}"] += 1
        if target.name:
            return Answer(200, encoded(self.store.get(resource, target.namespace, target.name)))
        match = chosen(query.get("labelSelector", ""), query.get("fieldSelector", ""))
        return self._watch(target, query, match) if watch else self._list(target, query, match)

    def _list(self, target: Target, query: Mapping[str, str], match: Match) -> Answer:
        revision, start = self.store.revision, ""
        if token := query.get("continue"):
            revision, start = _position(token)
        try:
            objects = self.store.items(target.resource, revision if token else None)
        except Refusal:
            raise expired("The provided continue parameter is too old to display a consistent list result.") from None
        found = [
            (f"{namespace}/{name}", each)
            for (namespace, name), each in objects.items()
            if target.namespace in ("", namespace) and f"{namespace}/{name}" > start and match(each)
        ]
        limit = int(query.get("limit") or 0) or len(found)
        page, rest = found[:limit], found[limit:]
        metadata: Object = {"resourceVersion": str(revision)}
        if rest:
            metadata |= {"continue": _token(revision, page[-1][0]), "remainingItemCount": len(rest)}
        # Built-in kinds leave kind and apiVersion to the list; custom ones repeat them.
        dropped = () if target.resource.custom else ("kind", "apiVersion")
        items = [{key: value for key, value in each.items() if key not in dropped} for _, each in page]
        kind, version = f"{target.resource.kind}List", target.resource.api_version
        return Answer(200, encoded({"kind": kind, "apiVersion": version, "metadata": metadata, "items": items}))

    def _watch(self, target: Target, query: Mapping[str, str], match: Match) -> Watch:
        seconds = query.get("timeoutSeconds")
        bookmarks = query.get("allowWatchBookmarks") in ("1", "true")
        watch = Watch(target.resource, target.namespace, match, bookmarks, float(seconds) if seconds else None)
        since = query.get("resourceVersion", "")
        if since in ("", "0"):
            collection = (target.resource.group, target.resource.plural)
            objects = self.store.items(target.resource)
            changes = [Change(0, collection, key, "ADDED", each, None) for key, each in objects.items()]
        else:
            try:
                changes = self.store.since(int(since), target.resource)
            except Refusal as refusal:
                watch.first, watch.seconds = event("ERROR", refusal.status), 0.0
                return watch
        watch.first = b"".join(map(watch.line, changes))
        return watch

    def _write(self, request: Request, target: Target) -> Answer:
        resource, name, method = target.resource, target.name, request.method
        if (method == "POST") == bool(name) or target.subresource not in ("", "status"):
            raise Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        if target.subresource == "status" and not resource.status:
            return Answer(404, b"404 page not found\n", "text/plain; charset=utf-8")
        given = msgspec.json.decode(request.body, type=dict[str, Any]) if request.body else {}
        match method:
            case "POST":
                code, found = 201, self._create(target, given)
            case "PUT":
                code, found = 200, self._replace(target, given)
            case "PATCH":
                code, found = 200, self._patch(target, given, request.content_type)
            case "DELETE":
                code, found = 200, self.store.delete(resource, target.namespace, name, given, self._wall())
            case _:
                raise Refusal(
                    405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
                )
        self._note(request, target, found["metadata"]["name"])
        return Answer(code, encoded(found))

    def _create(self, target: Target, given: Object) -> Object:
        if (given.get("metadata") or {}).get("namespace", target.namespace) != target.namespace:
            raise bad("the namespace of the provided object does not match the namespace sent on the request")
        return self.store.create(target.resource, target.namespace, given, self._wall())

    def _replace(self, target: Target, given: Object) -> Object:
        return self.store.update(target.resource, target.namespace, target.name, given, target.subresource)

    def _patch(self, target: Target, given: Object, content_type: str) -> Object:
        if content_type.partition(";")[0] not in MERGE_PATCHES:
            raise Refusal(
                415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}"
            )
        old = self.store.get(target.resource, target.namespace, target.name)
        patched = merged(old, given)
        assert isinstance(patched, dict)
        if "resourceVersion" not in (given.get("metadata") or {}):
            patched = patched | {"metadata": patched["metadata"] | _version(old)}
        return self._replace(target, patched)

    def _note(self, request: Request, target: Target, name: str) -> None:
        """Remember a write, in RBAC's words."""
        verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[request.method]
        resource = target.resource.plural + (f"/{target.subresource}" if target.subresource else "")
        self.writes.append({"user": request.user or "", "verb": verb, "resource": resource, "name": name})


def _token(revision: int, start: str) -> str:
    return base64.urlsafe_b64encode(encoded({"rv": revision, "start": start})).decode()


def _position(token: str) -> tuple[int, str]:
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(token), type=dict[str, Any])
        return int(found["rv"]), str(found["start"])
    except (ValueError, KeyError):
        raise bad("continue key is not valid") from None
