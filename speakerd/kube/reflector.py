"""List and watch of one kind: a core that says what to ask next, and the task that asks.

`value` changes only when an object really did: equal objects keep their identity, so that what follows can compare by
identity and a Node's heartbeat wakes nobody. An outage leaves the value as it was.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec
import structlog
from msgspec import Raw, Struct
from msgspec.structs import replace

from speakerd.kube.client import Client, Response, Silent, TooLarge, Unreachable
from speakerd.kube.objects import EventType, HasMetadata, Kind, Labelled, Metadata, Page, Status, WatchEvent, key
from speakerd.wire import UNDECODABLE

log = structlog.get_logger()

PAGE = 500
"""Objects a page: what the API server's own clients ask for. Halved where the answer is too large."""
FIRST, LONGEST = 0.2, 30.0
"""Seconds of back-off, doubled from the first to the longest; an API server that restarts is noticed at once."""
UNREACHED = 10.0
"""The longest where no answer came at all: a try costs little, and the first kind to succeed calls the others."""
ABSENT = 30.0
"""Seconds until a kind the API does not know is looked for again."""
STREAM = (300.0, 600.0)
"""Seconds a watch lasts, drawn at random, so that a cluster's watches do not end together."""
SILENCE = 150.0
"""Seconds without a line until a watch that has bookmarks, one a minute, counts as dead."""
LATE = 30.0
"""Seconds a watch without bookmarks may outlast its time: the API server sends none for a kind that never changed."""
QUICK = 1.0
"""A watch that ends within as many seconds has failed, whatever its status said."""
UNREADABLE = 100
"""Objects that cannot be read, remembered by name; more say nothing new."""

OK, NOT_FOUND, GONE = 200, 404, 410
FORBIDDEN = "403"
"""What `error` of a kind that may not be read begins with."""

T = TypeVar("T", bound=Struct)


class List(Struct, frozen=True):
    """Ask for a page of the list."""

    token: str = ""


class Watch(Struct, frozen=True):
    """Ask for what happened since `resource_version`, for `seconds`; `patience`: how long it may be silent."""

    resource_version: str
    seconds: int
    patience: float = SILENCE


class Wait(Struct, frozen=True):
    """Ask nothing for `seconds`."""

    seconds: float


class Reflector(Generic[T]):
    """What is known of one kind.

    `absent`: the API has no such kind; `error`: why it cannot be asked now; `limit`: objects to ask for a page.
    `watches`: begun so far; `faults`: objects that could not be read so far.
    `unreadable`: objects that are not as their schema says, by name, and why; what was known of them before stays.
    """

    def __init__(self, kind: Kind[T], random: Callable[[], float]) -> None:
        self.kind = kind
        self._random = random
        self._decode = msgspec.json.Decoder(kind.type).decode
        self._events = msgspec.json.Decoder(WatchEvent).decode
        self._bare = msgspec.json.Decoder(HasMetadata).decode
        self._pages = msgspec.json.Decoder(Page).decode
        self.value: dict[str, T] = {}
        self.synced = False
        self.absent = False
        self.error = ""
        self.unreadable: dict[str, str] = {}
        self.limit = PAGE
        self.watches = 0
        self.faults = 0
        self.version = ""
        self._token = ""
        self._listed: dict[str, T] | None = None
        self._begun = False
        self._bookmarked = False
        self._failures = 0
        self._wait = 0.0

    def next(self) -> List | Watch | Wait:
        """What to ask of the API server now."""
        if self._wait:
            seconds, self._wait = self._wait, 0.0
            return Wait(seconds)
        if not self.version:
            return List(self._token)
        low, high = STREAM
        seconds = int(low + (high - low) * self._random())
        self._begun = False
        self.watches += 1
        return Watch(self.version, seconds, SILENCE if self._bookmarked else seconds + LATE)

    def page(self, response: Response) -> bool:
        """Take the answer to List; whether the value changed."""
        if response.status != OK:
            return self._refused(response)
        if self._listed is None:
            self._listed, self.unreadable = {}, {}
        try:
            page = self._pages(response.body)
            for raw in page.items or ():
                self._listed |= self._read(raw)
        except UNDECODABLE as fault:
            self._forget_version()
            self.failed(f"unreadable list: {fault}")
            return False
        self._token = page.metadata.continue_
        if self._token:
            return False
        self.version = page.metadata.resource_version
        return self._replace()

    def lines(self, lines: list[bytes]) -> bool:
        """Take lines of a watch (none: it has begun); whether the value changed."""
        self.error, self._begun = "", True
        before, self.value = self.value, dict(self.value)
        changed = any([self._line(line) for line in lines])  # noqa: C419  every line counts
        if not changed:
            self.value = before
        return changed

    def lasted(self, seconds: float) -> bool:
        """A watch is over: whether it went well for more than a moment, so that earlier failures count no more."""
        well = self._begun and seconds >= QUICK
        if well:
            self._failures = 0
        return well

    def ended(self, response: Response) -> bool:
        """The watch ended, or was refused; whether the value changed."""
        return False if response.status == OK else self._refused(response)

    def failed(self, why: str, longest: float = LONGEST) -> None:
        """The API could not be asked: back off, `longest` seconds at most, and go on from where we were."""
        self.error = why
        delay = min(longest, FIRST * 2.0**self._failures)
        # Beyond this number the delay no longer grows.
        self._failures = min(self._failures + 1, 16)
        self._wait = delay * (0.5 + 0.5 * self._random())

    def silent(self, why: str) -> None:
        """A watch said nothing for too long: begin it anew. It may be dead, or the server has nothing to bookmark."""
        self._bookmarked = False
        if not self._begun:
            self.failed(why)

    def too_large(self, why: str) -> None:
        """A page was more than this process will hold: ask for fewer objects."""
        self.limit = max(1, self.limit // 2)
        self._forget_version()
        self.failed(why)

    def _refused(self, response: Response) -> bool:
        if response.status == GONE:
            return self._gone()
        if response.status == NOT_FOUND and self.kind.optional:
            self._forget_version()
            self._wait = ABSENT
            changed = not self.synced or bool(self.value) or not self.absent
            self.value, self.unreadable, self.synced, self.absent, self.error = {}, {}, True, True, ""
            return changed
        self.failed(f"{response.status} {response.reason}")
        self._wait = max(self._wait, response.retry_after)
        return False

    def _gone(self) -> bool:
        """Our version is too old: list anew, at once the first time, then with back-off."""
        self._forget_version()
        if self._failures:
            self.failed("410 Expired")
        self._failures = max(self._failures, 1)
        return False

    def _forget_version(self) -> None:
        self.version, self._token, self._listed = "", "", None

    def _replace(self) -> bool:
        """The list is whole: vanished objects go in one step, equal ones stay who they are."""
        listed, self._listed = self._listed or {}, None
        old = self.value
        new = {name: old[name] if self._same(old.get(name), each) else each for name, each in listed.items()}
        same = self.synced and not self.absent and new.keys() == old.keys() and all(new[n] is old[n] for n in new)
        self.synced, self.absent, self.error = True, False, ""
        if not same:
            self.value = new
        return not same

    def _line(self, line: bytes) -> bool:
        try:
            event = self._events(line)
            if event.type is EventType.ERROR:
                return self._error(msgspec.json.decode(event.object, type=Status))
            metadata = self._bare(event.object).metadata
            if event.type is EventType.BOOKMARK:
                return self._bookmark(metadata.resource_version)
            found = {} if event.type is EventType.DELETED else self._read(event.object)
        except UNDECODABLE as fault:
            self.error = f"unreadable watch: {fault}"
            return False
        self._failures = 0
        self.version = metadata.resource_version
        name = key(metadata)
        if event.type is EventType.DELETED:
            self.unreadable.pop(name, None)
            return self.value.pop(name, None) is not None
        if all(self._same(self.value.get(name), each) for name, each in found.items()):
            return False
        self.value |= found
        return True

    def _bookmark(self, version: str) -> bool:
        """How far the watch has come; a version that goes back is that of another history (a restored etcd)."""
        self._failures, self._bookmarked = 0, True
        if _older(version, self.version):
            self._forget_version()
            self.failed(f"the API server went back from version {self.version} to {version}")
        else:
            self.version = version
        return False

    def _read(self, raw: Raw) -> dict[str, T]:
        """The object by its key; nothing, or what was known before, where it is not as its schema says."""
        try:
            found = self._decode(raw)
        except msgspec.ValidationError as fault:
            name = key(self._bare(raw).metadata)
            self.faults += 1
            if len(self.unreadable) < UNREADABLE:
                self.unreadable[name] = str(fault)
            return {name: self.value[name]} if name in self.value else {}
        name = key(_metadata(found))
        self.unreadable.pop(name, None)
        return {name: self.kind.narrow(found) if self.kind.narrow else found}

    def _same(self, old: T | None, new: T) -> bool:
        """Whether nothing that is read differs; of unversioned kinds resourceVersion is not."""
        if old is None or self.kind.versioned or old == new:
            return old == new
        version = _metadata(old).resource_version
        return old == replace(new, metadata=replace(_metadata(new), resource_version=version))

    def _error(self, status: Status) -> bool:
        if status.code == GONE:
            return self._gone()
        self.failed(f"{status.reason}: {status.message}")
        return False


def _metadata(found: object) -> Metadata | Labelled:
    metadata = getattr(found, "metadata", None)
    assert isinstance(metadata, Metadata | Labelled)
    return metadata


def _older(version: str, than: str) -> bool:
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


async def run(reflector: Reflector[T], client: Client, changed: Callable[[], None]) -> None:
    """Keep `reflector` true until cancelled; `changed` is called in the very callback that brought news."""
    driver = _Driver(reflector, client, changed)
    while True:
        try:
            await driver.step()
        except Silent as fault:
            reflector.silent(str(fault))
        except TooLarge as fault:
            reflector.too_large(str(fault))
        except Unreachable as fault:
            reflector.failed(str(fault), UNREACHED)
        driver.tell(changed=False)


class _Driver(Generic[T]):
    """Asks what the core wants to know, and tells what came of it: each change of value or error once."""

    def __init__(self, reflector: Reflector[T], client: Client, changed: Callable[[], None]) -> None:
        self._core = reflector
        self._client = client
        self._changed = changed
        self._error = ""
        self._absent = False
        self._unreadable: frozenset[str] = frozenset()

    async def step(self) -> None:
        """The next request, and its answer into the core. Raises Unreachable."""
        core, kind = self._core, self._core.kind
        match core.next():
            case Wait(seconds):
                await self._client.pause(seconds)
            case List(token):
                path = kind.query(limit=core.limit, **({"continue": token} if token else {}))
                answer = await self._client.request("GET", path, accept=kind.accept(listed=True))
                self.tell(changed=core.page(answer))
            case Watch(version, seconds, patience):
                path = kind.query(watch=1, allowWatchBookmarks="true", resourceVersion=version, timeoutSeconds=seconds)
                await self._watch(path, patience)

    def tell(self, *, changed: bool) -> None:
        """Call `changed` where something did; log what cannot be read; let others look where a kind has turned up."""
        core = self._core
        if changed or core.error != self._error:
            self._error = core.error
            self._changed()
        if self._absent and core.synced and not core.absent:
            self._client.stir()
        self._absent = core.absent
        unreadable = frozenset(core.unreadable)
        for name in unreadable - self._unreadable:
            log.warning("kube.object.unreadable", kind=core.kind.name, name=name, error=core.unreadable[name])
        self._unreadable = unreadable

    async def _watch(self, path: str, patience: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            accept = self._core.kind.accept(listed=False)
            response = await self._client.watch(path, self._take, patience, accept)
        finally:
            steady = self._core.lasted(loop.time() - began)
        if response.status == OK and not steady:
            raise Unreachable("the watch ended as soon as it began")
        self.tell(changed=self._core.ended(response))

    def _take(self, lines: list[bytes]) -> None:
        self.tell(changed=self._core.lines(lines))
