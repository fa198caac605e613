"""What benches of the embedded API server share: one pool, Services, a start, memory at rest."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address

from tests.lab import objects
from tests.lab.agents import Agent, Memory, Part, fleet
from tests.lab.embedded import Embedded
from tests.lab.frames import answers
from tests.lab.net import Lan
from tests.lab.steps import publish
from tests.lab.waiting import eventually

FIRST = IPv4Address("10.99.16.0")
MOST = 1000
"""Addresses of the pool, given from the lowest up."""
CALM, STILL = 8.0, 0.3
"""Seconds apart at which all processes take the same memory, to so many MiB."""


@contextmanager
def pooled(nodes: int, *, tls: bool = False) -> Iterator[tuple[Lan, Embedded]]:
    """A LAN with an API server and one pool for everything."""
    with Lan(nodes) as lan, Embedded(lan, tls=tls) as api:
        api.cluster.ensure(objects.namespace(objects.METALLB))
        api.cluster.create(objects.pool("bench", f"{FIRST}-{FIRST + MOST - 1}"))
        api.cluster.create(objects.advertisement("bench"))
        yield lan, api


def grow(lan: Lan, api: Embedded, size: int) -> None:
    """As many Services as `size`, the last one answered."""
    there = len(api.cluster.every("Service", "default"))
    for number in range(there, size):
        publish(api.cluster, f"many-{number}", lan.nodes)
    for number in {0, size // 2, size - 1}:
        eventually(partial(answers, lan.client, str(FIRST + number)), f"VIP {number} is answered", 60)


def first_answer(lan: Lan, api: Embedded, program: Sequence[str]) -> float:
    """Seconds from the start of the process until a VIP that is in the API is answered."""
    (node,) = lan.nodes
    agent = Agent(lan, node, api, program)
    start = time.monotonic()
    agent.start()
    try:
        eventually(lambda: answers(lan.client, str(FIRST), 0.005), "the VIP is answered again", 20)
        return time.monotonic() - start
    finally:
        agent.stop()


def at_rest(program: Sequence[str], size: int) -> Mapping[Part, Memory]:
    """Memory of the processes of one node with `size` Services; CPython's own code is shared with this very bench."""
    with pooled(1) as (lan, api), fleet(lan, api, program) as (agent,):
        grow(lan, api, size)
        return _in_calm(agent)


def _in_calm(agent: Agent) -> Mapping[Part, Memory]:
    """Once it changes no more: what was read once at the start has been given back, and all is written down."""
    used = agent.memory()
    while True:
        before = used
        time.sleep(CALM)
        used = agent.memory()
        if abs(sum(each.pss for each in used.values()) - sum(each.pss for each in before.values())) < STILL:
            return used
