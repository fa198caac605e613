"""Writes MetalLB's ConfigurationState: whether what is configured holds, as this node sees it, and what is wrong.

A sink: `apply` takes what is so. Each node has an object speaker-NODE; whoever allocates also writes `controller`. What
says so already is left alone, also after a restart.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog
from msgspec import Struct, field

from speakerd.kube import body
from speakerd.kube.client import Client, Unreachable
from speakerd.model import Config, Node, Problem

log = structlog.get_logger()

OK, CREATED, FORBIDDEN, NOT_FOUND = 200, 201, 403, 404
REST = 30.0
"""Seconds until what failed is tried again."""
VALID, INVALID = "Valid", "Invalid"
SPEAKER, CONTROLLER = "speaker", "controller"
TYPES = {SPEAKER: "configReconcilerValid", CONTROLLER: "poolReconcilerValid"}
"""Of the condition, by component, as MetalLB names them."""
MOST = 16_000
"""Characters of a summary; who has more faults reads `speakerd status`."""


class Condition(Struct, frozen=True, rename="camel"):
    """metav1.Condition."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""


class Status(Struct, frozen=True, rename="camel"):
    """ConfigurationState.status."""

    result: str = ""
    error_summary: str = ""
    conditions: tuple[Condition, ...] = ()


class Found(Struct, frozen=True):
    """A ConfigurationState, as far as it is read."""

    status: Status = field(default_factory=Status)


def status(component: str, problems: Sequence[Problem]) -> Status:
    """What there is to say, but for the time; warnings leave it valid."""
    faults = [f"{each.object} {each.field}: {each.message}" for each in problems if each.severity == "error"]
    summary = "\n".join(faults)[:MOST]
    told = ("False", "ConfigurationError") if faults else ("True", "Reconciled")
    condition = Condition(TYPES[component], *told, message=summary)
    return Status(INVALID if faults else VALID, summary, (condition,))


def timed(wanted: Status, before: Status, now: str) -> Status:
    """`wanted` with the time of its last change: that of `before` where the verdict is the same (metav1.Condition)."""
    known = {(each.type, each.status): each.last_transition_time for each in before.conditions}
    conditions = (
        msgspec.structs.replace(each, last_transition_time=known.get((each.type, each.status)) or now)
        for each in wanted.conditions
    )
    return msgspec.structs.replace(wanted, conditions=tuple(conditions))


class ConfigStates:
    """`allocating`: whether this node is the allocator."""

    def __init__(
        self, client: Client, namespace: str, me: str, allocating: Callable[[], bool], rest: float = REST
    ) -> None:
        self._client, self._namespace, self._me = client, namespace, me
        self._allocating, self._rest = allocating, rest
        self._wanted: dict[str, Status] = {}
        self._written: dict[str, Status] = {}
        self._node = Node(me)
        self._wake = asyncio.Event()

    def apply(self, config: Config, node: Node) -> None:
        """Take what the configuration comes to."""
        self._node = node
        self._wanted = {SPEAKER: status(SPEAKER, config.problems)}
        if self._allocating():
            self._wanted[CONTROLLER] = status(CONTROLLER, config.problems)
        self._written = {name: each for name, each in self._written.items() if name in self._wanted}
        if self._wanted != self._written:
            self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            due = [(name, each) for name, each in self._wanted.items() if self._written.get(name) != each]
            failed = [component for component, wanted in due if not await self._told(component, wanted)]
            if failed:
                await asyncio.sleep(self._rest)
                self._wake.set()

    async def _told(self, component: str, wanted: Status) -> bool:
        """Whether it is written, or never can be: the kind is unknown, or the rights are missing."""
        try:
            answered = await self._write(component, wanted)
        except Unreachable:
            return False
        if answered == FORBIDDEN:
            log.warning("configuration-state.forbidden", remedy="apply what `speakerd rbac` prints")
        if answered in (OK, CREATED, NOT_FOUND, FORBIDDEN):
            self._written[component] = wanted
        return self._written.get(component) == wanted

    async def _write(self, component: str, wanted: Status) -> int:
        """The code that ended it."""
        name = f"{SPEAKER}-{self._me}" if component == SPEAKER else CONTROLLER
        path = body.configuration_states(self._namespace)
        answer = await self._client.request("GET", f"{path}/{name}")
        if answer.status == NOT_FOUND:
            made = body.configuration_state(self._namespace, name, component, self._node)
            answer = await self._client.request("POST", path, made)
        if answer.status not in (OK, CREATED):
            return answer.status
        before = msgspec.json.decode(answer.body, type=Found).status
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        after = timed(wanted, before, now)
        if after == before:
            return OK
        payload = msgspec.json.encode({"status": after})
        return (await self._client.request("PATCH", f"{path}/{name}/status", payload, body.MERGE_PATCH)).status
