"""Writes MetalLB's ServiceBGPStatus: by which peers this node's word of a Service is known.

A sink: `apply` takes what is so. Each node has an object for each Service that a peer is told of by a session that
stands; what says so already, also after a restart, is left alone.
"""

import asyncio
from collections.abc import Iterable, Mapping
from hashlib import sha256
from urllib.parse import quote

import msgspec
import structlog
from msgspec import Struct

from speakerd.decision import Plan
from speakerd.exchange import Observed
from speakerd.kube import body, l2status
from speakerd.kube.client import Client, Unreachable
from speakerd.kube.objects import Labelled, ListMetadata
from speakerd.model import Node
from speakerd.wire import UNDECODABLE

log = structlog.get_logger()

OK, CREATED, FORBIDDEN, NOT_FOUND, CONFLICT = 200, 201, 403, 404, 409
PAUSE, REST = 1.0, 30.0
"""Seconds between two looks at what has changed; until what failed is tried again."""
BETWEEN = 0.05
"""Seconds between two writes: a thousand Services whose router restarts must not crowd the API server."""
PAGE = 500
KIND = "ServiceBGPStatus"
Peers = tuple[str, ...]
"""Names, sorted."""


class Detail(Struct, frozen=True, rename="camel"):
    """ServiceBGPStatus.status."""

    node: str = ""
    service_name: str = ""
    service_namespace: str = ""
    peers: tuple[str, ...] | None = ()


class Found(Struct, frozen=True):
    """A ServiceBGPStatus, as far as it is read."""

    metadata: Labelled
    status: Detail = Detail()


class Page(Struct, frozen=True):
    """A page of them."""

    metadata: ListMetadata = ListMetadata()
    items: tuple[Found, ...] | None = ()


class Written(Struct, frozen=True):
    """An object of this node: its name, and the peers it tells."""

    name: str
    peers: Peers


def told(plan: Plan, up: frozenset[str]) -> dict[str, Peers]:
    """By Service, which of the peers with a session, `up`, are told an address of it; no Service of which none is."""
    found: dict[str, set[str]] = {}
    if up:
        for (key, _), prefixes in plan.routed.items():
            said = (plan.wanted.prefixes[each].said for each in prefixes)
            found.setdefault(key, set()).update(name for each in said for _, names in each for name in names)
    return {key: tuple(sorted(names & up)) for key, names in found.items() if names & up}


def established(observed: Observed) -> frozenset[str]:
    """The peers that a session stands with; one that flaps would have all objects written each second."""
    return frozenset(each.peer for each in observed.sessions if each.stands)


def name_of(node: str, key: str) -> str:
    """Of the object of a Service on a node: looks like MetalLB's, and is the same whoever asks twice."""
    return "bgp-" + sha256(f"{node}#{key}".encode()).hexdigest()[:10]


class BgpStatus:
    """`pause`, `rest`, `between`: seconds."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        me: str,
        pause: float = PAUSE,
        rest: float = REST,
        between: float = BETWEEN,
    ) -> None:
        self._client = client
        self._path = f"/apis/metallb.io/v1beta1/namespaces/{quote(namespace)}/servicebgpstatuses"
        self._namespace = namespace
        self._node = Node(me)
        self._pause, self._rest, self._between = pause, rest, between
        self._plan: Plan | None = None
        self._up: frozenset[str] = frozenset()
        self._written: dict[str, Written] | None = None
        self._wake = asyncio.Event()

    def apply(self, plan: Plan, observed: Observed, node: Node) -> None:
        """Take what is wanted and what is so."""
        before, self._plan, self._node = self._plan, plan, node
        up, self._up = self._up, established(observed)
        same = before is not None and before.routed is plan.routed and before.wanted.prefixes is plan.wanted.prefixes
        if not same or up != self._up:
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                well = await self._turn()
            except (Unreachable, *UNDECODABLE):
                well = False
            if not well:
                self._wake.set()
            await asyncio.sleep(self._pause if well else self._rest)

    async def _turn(self) -> bool:
        """Whether all that is to be written is, or there is no need to try again."""
        assert self._plan is not None
        wanted = told(self._plan, self._up)
        if self._written is None:
            self._written = await self._read()
        if self._written is None:
            return not wanted
        for key in _due(wanted, self._written):
            if not await self._write(key, wanted.get(key, ()), self._written):
                return False
            await asyncio.sleep(self._between)
        return True

    async def _read(self) -> dict[str, Written] | None:
        """The objects of this node by Service; None where they cannot be read, or the API knows no such kind."""
        found: dict[str, Written] = {}
        label = quote(f"{l2status.NODE_LABEL}={l2status.node_label(self._node.name)}")
        token = ""
        while True:
            more = f"&continue={quote(token)}" if token else ""
            answer = await self._client.request("GET", f"{self._path}?labelSelector={label}&limit={PAGE}{more}")
            if answer.status == FORBIDDEN:
                log.warning("bgp-status.forbidden", remedy="apply what `speakerd rbac` prints")
            if answer.status != OK:
                return None
            page = msgspec.json.decode(answer.body, type=Page)
            found |= _by_service(page.items or ())
            token = page.metadata.continue_
            if not token:
                return found

    async def _write(self, key: str, peers: Peers, written: dict[str, Written]) -> bool:
        """Let the object of one Service say so; no `peers`: let there be none."""
        before = written.get(key)
        name = before.name if before else name_of(self._node.name, key)
        if not peers:
            answer = await self._client.request("DELETE", f"{self._path}/{name}")
            if answer.status in (OK, NOT_FOUND):
                written.pop(key, None)
            return answer.status in (OK, NOT_FOUND)
        if before is None:
            made = l2status.made(KIND, name, self._namespace, self._node, key)
            answer = await self._client.request("POST", self._path, msgspec.json.encode(made))
            if answer.status not in (CREATED, CONFLICT):
                return False
        payload = msgspec.json.encode({"status": _said(self._node.name, key, peers)})
        answer = await self._client.request("PATCH", f"{self._path}/{name}/status", payload, body.MERGE_PATCH)
        if answer.status == NOT_FOUND:
            written.pop(key, None)
        elif answer.status == OK:
            written[key] = Written(name, peers)
        return answer.status == OK


def _due(wanted: Mapping[str, Peers], written: Mapping[str, Written]) -> list[str]:
    """The Services whose object is to be written or deleted."""
    lost = [key for key in written if key not in wanted]
    return lost + [key for key, peers in wanted.items() if key not in written or written[key].peers != peers]


def _by_service(items: Iterable[Found]) -> dict[str, Written]:
    """What a page says, by Service; what names none is not ours to judge."""
    found = {}
    for each in items:
        labels = each.metadata.labels
        namespace = each.status.service_namespace or labels.get(l2status.SERVICE_NAMESPACE_LABEL, "")
        name = each.status.service_name or labels.get(l2status.SERVICE_LABEL, "")
        if namespace and name:
            found[f"{namespace}/{name}"] = Written(each.metadata.name, tuple(sorted(each.status.peers or ())))
    return found


def _said(node: str, key: str, peers: Peers) -> dict[str, object]:
    """ServiceBGPStatus.status."""
    namespace, _, name = key.partition("/")
    return {"node": node, "serviceName": name, "serviceNamespace": namespace, "peers": [*peers]}
