"""What one more allocation costs, in pools empty or all but full, small or large: the allocator alone."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from speakerd.allocator import Book, assign
from speakerd.difference import Difference
from speakerd.model import IP, Config, Pool, Range, Reservation, Service, ServiceRef
from tests.bench.figures import Goal, Outcome, at_most

ROUNDS = 100
FILLS = (0, 50, 90, 99)
"""Percent of the /16."""
SIZES = {"/24": "10.0.0.0/24", "/8": "10.0.0.0/8", "/64": "fd00::/64"}
ELSEWHERE = "172.16.0.0/12"
"""A pool for the Services that are not in the one measured: how many there are is the same however full that is."""
HALF_FULL = 128
"""Services in pools of every size; half of a /24."""
FLAT, GOAL_MS = 1.5, 1.0


class Rested(Struct, frozen=True):
    """A cluster at rest: every Service has the address that its status and its Lease name."""

    config: Config
    services: dict[str, Service]
    ledger: dict[IP, Reservation]


class Cost(Struct, frozen=True):
    """Microseconds: of the first allocation after a start, which walks over what is in use, and of any other."""

    first: float
    usual: float


def run() -> Outcome:
    """Pools as full as can be, then as large as can be."""
    figures: dict[str, float] = {}
    goals: list[Goal] = []
    block = ip_network("10.0.0.0/16")
    total = block.num_addresses * FILLS[-1] // 100
    costs = {}
    for percent in FILLS:
        held = block.num_addresses * percent // 100
        costs[percent] = cost(rested(str(block), held, total - held))
        figures[f"/16, {percent} % full: us"] = round(costs[percent].usual, 1)
    figures[f"/16, {FILLS[-1]} % full, first after a start: us"] = round(costs[FILLS[-1]].first, 1)
    for percent in FILLS[1:]:
        ratio = costs[percent].usual / costs[0].usual
        goals.append(at_most(f"one allocation in a /16 {percent} % full, to an empty one", ratio, FLAT, "x"))
    goals.append(at_most(f"one allocation among {total} Services", costs[FILLS[-1]].usual / 1000, GOAL_MS, "ms"))
    alone = cost(rested(str(block), 0, 0)).usual
    figures["/16, empty, no other Service: us"] = round(alone, 1)
    sizes = {name: cost(rested(text, HALF_FULL, 0)).usual for name, text in SIZES.items()}
    for name, spent in sizes.items():
        figures[f"{name}, {HALF_FULL} Services: us"] = round(spent, 1)
        if name != "/24":
            goals.append(at_most(f"one allocation in a {name}, to a /24", spent / sizes["/24"], FLAT, "x"))
    return {"figures": figures, "goals": goals}


def cost(cluster: Rested) -> Cost:
    """Of one more Service that asks for any address; it goes again each time."""
    services, ledger, config = cluster.services, cluster.ledger, cluster.config
    _, book = assign(services, Difference(services), config, ledger, Book())
    spent = []
    with _frozen():
        for number in range(ROUNDS):
            more = waiting(f"more-{number}", config.pools[0])
            services[more.key] = more
            began = time.process_time()
            found, book = assign(services, Difference({more.key: more}), config, ledger, book)
            spent.append((time.process_time() - began) * 1e6)
            assert found[more.key].pool == config.pools[0].name, "nothing was given"
            del services[more.key]
            _, book = assign(services, Difference({}, (more.key,)), config, ledger, book)
    return Cost(spent[0], median(spent[1:]))


@contextmanager
def _frozen() -> Iterator[None]:
    """Without what the collector would have to look through."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def rested(block: str, held: int, elsewhere: int) -> Rested:
    """`held` Services have the first addresses of `block`, and `elsewhere` more have others."""
    pools = (pool("a", block), pool("b", ELSEWHERE))
    numbers = ((each, number) for each, count in zip(pools, (held, elsewhere), strict=True) for number in range(count))
    services = [holder(each, number) for each, number in numbers]
    return Rested(Config(pools), {each.key: each for each in services}, {each.ips[0]: lease(each) for each in services})


def pool(name: str, block: str) -> Pool:
    """A pool of one block."""
    network = ip_network(block)
    return Pool(name, (Range(network.version, int(network[0]), int(network[-1])),))


def holder(where: Pool, number: int) -> Service:
    """A Service that has the address of this number."""
    within = where.ranges[0]
    ip = ip_address((within.first + number).to_bytes(4 if within.family == 4 else 16, "big"))
    return replace(waiting(f"{where.name}-{number}", where), ips=(ip,), pool=where.name)


def waiting(name: str, where: Pool) -> Service:
    """A Service without an address, of the family of a pool."""
    version = where.ranges[0].family
    cluster_ip = ip_address("10.96.0.1" if version == 4 else "fd96::1")
    created = "2026-01-02" if name.startswith("more") else "2026-01-01"
    return Service(f"ns/{name}", f"uid-{name}", "1", created, ours=True, cluster_ips=(cluster_ip,))


def lease(of: Service) -> Reservation:
    """The Lease of a Service's address."""
    name = f"speakerd-vip-{of.ips[0]}"
    return Reservation(of.ips[0], name, f"uid-{name}", "1", (ServiceRef(of.key, of.uid),))
