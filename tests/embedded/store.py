"""Objects, their one revision counter, and the history that watches and pages are served from; no socket, no clock."""

from collections import deque
from collections.abc import Callable
from typing import Literal
from uuid import uuid4

import msgspec
from msgspec import Struct

from tests.embedded.kinds import CRDS, METALLB, NAMESPACES, Addresses, Object, Resource, admitted, crd
from tests.embedded.refusals import Refusal, expired, invalid, missing, modified, precondition, there_already

HISTORY = 100_000
"""Changes kept for watches that resume; a test of 1,000 Services makes some 10,000."""

FIXED = ("name", "namespace", "uid", "creationTimestamp", "resourceVersion", "deletionTimestamp", "generation")
"""Metadata no writer may change."""

Collection = tuple[str, str]
Key = tuple[str, str]
Verb = Literal["ADDED", "MODIFIED", "DELETED"]


class Change(Struct, frozen=True):
    """One change: the object as it is (or as it was when deleted), and as it was before."""

    revision: int
    collection: Collection
    key: Key
    verb: Verb
    new: Object
    old: Object | None


class Store:
    """All objects by collection, (namespace, name). Stored objects are never changed, only replaced."""

    def __init__(self, revision: int, now: str) -> None:
        self.objects: dict[Collection, dict[Key, Object]] = {}
        self.revision = self.floor = revision
        self.history: deque[Change] = deque()
        self.listeners: set[Callable[[Change], None]] = set()
        self._addresses = Addresses()
        for name in ("default", "kube-system"):
            self.create(NAMESPACES, "", {"metadata": {"name": name}}, now)

    def define_metallb(self, now: str) -> None:
        """MetalLB's CustomResourceDefinitions."""
        for definition in (*(crd(kind) for kind in METALLB), crd("BGPPeer", "v1beta2")):
            self.create(CRDS, "", definition, now)

    def items(self, resource: Resource, revision: int | None = None) -> dict[Key, Object]:
        """The collection, as it was at `revision` where one is given. Raises Refusal when that is forgotten."""
        found = dict(self.objects.get(_collection(resource), {}))
        if revision is not None:
            for change in reversed(self.since(revision, resource)):
                if change.old is None:
                    found.pop(change.key, None)
                else:
                    found[change.key] = change.old
        return dict(sorted(found.items()))

    def since(self, revision: int, resource: Resource) -> list[Change]:
        """What changed after `revision`. Raises Refusal (410) when that is forgotten."""
        if revision < self.floor:
            raise expired(f"too old resource version: {revision} ({self.floor})")
        collection = _collection(resource)
        return [each for each in self.history if each.revision > revision and each.collection == collection]

    def compact(self) -> None:
        """Forget all history."""
        self.history.clear()
        self.floor = self.revision

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object. Raises Refusal (404)."""
        try:
            return self.objects[_collection(resource)][namespace, name]
        except KeyError:
            raise missing(resource.qualified, name) from None

    def create(self, resource: Resource, namespace: str, given: Object, now: str) -> Object:
        """Store a new object. Raises Refusal."""
        metadata = dict(given.get("metadata") or {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + uuid4().hex[:5]
        name = metadata.get("name", "")
        if resource.namespaced:
            if ("", namespace) not in self.objects.get(_collection(NAMESPACES), {}):
                raise missing("namespaces", namespace)
            metadata["namespace"] = namespace
        if metadata.pop("resourceVersion", ""):
            raise Refusal(500, "InternalError", "resourceVersion should not be set on objects to be created")
        if (namespace, name) in self.objects.get(_collection(resource), {}):
            raise there_already(resource.qualified, name)
        metadata |= {"uid": str(uuid4()), "creationTimestamp": now, "generation": 1}
        body = {"kind": resource.kind, "apiVersion": resource.api_version, **given, "metadata": metadata}
        if resource.status:
            body.pop("status", None)
        return self._put(resource, "ADDED", admitted(resource, body, None, self._addresses), None)

    def update(self, resource: Resource, namespace: str, name: str, given: Object, subresource: str = "") -> Object:
        """Replace an object, or its status alone. Raises Refusal."""
        old = self.get(resource, namespace, name)
        _check_identity(resource, given.get("metadata") or {}, old["metadata"])
        new = admitted(resource, _laid_over(resource, given, old, subresource), old, self._addresses)
        if new == old:
            return old
        if "deletionTimestamp" in new["metadata"] and not new["metadata"].get("finalizers"):
            return self._put(resource, "DELETED", new, old)
        return self._put(resource, "MODIFIED", new, old)

    def delete(self, resource: Resource, namespace: str, name: str, options: Object, now: str) -> Object:
        """Delete an object, or mark it where a finalizer holds it. Raises Refusal."""
        old = self.get(resource, namespace, name)
        metadata = old["metadata"]
        wanted = options.get("preconditions") or {}
        for field, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(field) not in (None, metadata[field]):
                raise precondition(resource.kind, name, word, wanted[field], metadata[field])
        if metadata.get("finalizers"):
            if "deletionTimestamp" in metadata:
                return old
            return self._put(resource, "MODIFIED", old | {"metadata": metadata | {"deletionTimestamp": now}}, old)
        self._empty(resource, old)
        return self._put(resource, "DELETED", old, old)

    def _empty(self, resource: Resource, old: Object) -> None:
        """What lives in a namespace, or is of a defined kind, goes with it."""
        name = old["metadata"]["name"]
        for collection, objects in list(self.objects.items()):
            for key, each in list(objects.items()):
                inside = resource == NAMESPACES and key[0] == name
                if inside or (resource == CRDS and f"{collection[1]}.{collection[0]}" == name):
                    self._change(collection, key, "DELETED", each, each)

    def _put(self, resource: Resource, verb: Verb, new: Object, old: Object | None) -> Object:
        metadata = new["metadata"]
        return self._change(_collection(resource), (metadata.get("namespace", ""), metadata["name"]), verb, new, old)

    def _change(self, collection: Collection, key: Key, verb: Verb, new: Object, old: Object | None) -> Object:
        self.revision += 1
        new = new | {"metadata": new["metadata"] | {"resourceVersion": str(self.revision)}}
        objects = self.objects.setdefault(collection, {})
        if verb == "DELETED":
            del objects[key]
        else:
            objects[key] = new
        change = Change(self.revision, collection, key, verb, new, old)
        self.history.append(change)
        if len(self.history) > HISTORY:
            self.floor = self.history.popleft().revision
        for listener in list(self.listeners):
            listener(change)
        return new


def _check_identity(resource: Resource, given: Object, before: Object) -> None:
    """The object meant must be the one stored, in the version the writer saw. Raises Refusal."""
    name, version = before["name"], given.get("resourceVersion")
    if not version and (resource.custom or resource.kind == "Lease"):
        raise invalid(resource.qualified, name, "metadata.resourceVersion", "0: must be specified for an update")
    if version and version != before["resourceVersion"]:
        raise modified(resource.qualified, name)
    if (uid := given.get("uid")) and uid != before["uid"]:
        raise invalid(resource.kind, name, "metadata.uid", f'"{uid}": field is immutable')


def _laid_over(resource: Resource, given: Object, old: Object, subresource: str) -> Object:
    """`old` with what this write may change: the status through its subresource, all else beside it."""
    before = old["metadata"]
    metadata = {**(given.get("metadata") or {}), **{field: before[field] for field in FIXED if field in before}}
    if subresource == "status":
        # Of a custom resource the status alone changes here; of others labels and annotations do too.
        kept = old if resource.custom else old | {"metadata": metadata}
        return kept | {"status": given.get("status") or {}}
    new = given | {"kind": old["kind"], "apiVersion": old["apiVersion"], "metadata": metadata}
    if resource.status:
        new = {key: value for key, value in new.items() if key != "status"}
        new |= {"status": old["status"]} if "status" in old else {}
    return new


def merged(target: object, patch: object) -> object:
    """RFC 7386: `patch` laid over `target`."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _collection(resource: Resource) -> Collection:
    return resource.group, resource.plural


def encoded(value: object) -> bytes:
    """As JSON."""
    return msgspec.json.encode(value)
