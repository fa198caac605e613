"""A Service on the real control plane: from the POST until two routers have the route, in their kernels."""

import time
from collections.abc import Sequence
from ipaddress import IPv4Address

import yaml
from msgspec import Struct

from tests.bench.figures import Options, Outcome, at_most, quantile
from tests.bench.routing.receivers import Receiver, receivers, speak
from tests.kube import controlplane
from tests.kube.controlplane import ControlPlane
from tests.lab import objects
from tests.lab.agents import fleet
from tests.lab.bgp import forget
from tests.lab.net import Lan, tool
from tests.lab.waiting import eventually

WARM, EACH = 5, 5
"""Services before those that count, and how many of those for each run that is wished."""
FIRST = IPv4Address("198.51.100.0")
GOAL = 2.0


class Times(Struct, frozen=True):
    """Seconds: the POST itself; from its start until each router has a first way, and all of them, by router."""

    post: float
    first: dict[str, float]
    whole: dict[str, float]


def run(options: Options, outcome: Outcome) -> None:
    """Each program in turn, on one control plane."""
    if lacking := controlplane.missing():
        raise SystemExit(f"error: bench: {lacking}")
    with Lan(routers=2) as lan, ControlPlane(lan) as plane:
        for node in lan.nodes:
            plane.cluster.create(objects.node(node))
        command = next(iter(options.programs.values()))
        plane.cluster.apply(yaml.safe_load_all(tool(*command, "crds")))
        plane.cluster.create(objects.pool("bench", f"{FIRST}/24"))
        for name, program in options.programs.items():
            with fleet(lan, plane, program), receivers(lan) as found:
                speak(plane.cluster, lan, found)
                times = [_one(lan, plane, found, f"timed-{each}") for each in range(WARM + EACH * options.runs)]
                _tell(f"{name}.service", times[WARM:], outcome)
                forget(plane.cluster)


def _one(lan: Lan, plane: ControlPlane, found: Sequence[Receiver], name: str) -> Times:
    """One Service from creation until every router goes to it by all nodes; then it is removed again."""
    plane.cluster.create(objects.endpoints(name, lan.nodes))
    start = time.time()
    plane.cluster.create(objects.service(name))
    posted = time.time()

    def whole() -> dict[str, float]:
        """When each router had as many ways as there are nodes: nothing else is announced meanwhile."""
        there = {each.name: _when(each, start, len(lan.nodes)) for each in found}
        return there if all(there.values()) else {}

    last = eventually(whole, f"{name} is routed by all nodes")
    first = {each.name: _when(each, start, 1) - start for each in found}
    plane.cluster.delete("Service", name)
    plane.cluster.delete("EndpointSlice", f"{name}-ipv4")
    eventually(lambda: not any(each.fib.now for each in found), f"{name} is routed no longer")
    return Times(posted - start, first, {router: when - start for router, when in last.items()})


def _when(receiver: Receiver, since: float, ways: int) -> float:
    return next((each.when for each in receiver.fib.since(since) if len(each.hops) >= ways), 0.0)


def _tell(name: str, times: Sequence[Times], outcome: Outcome) -> None:
    post = quantile([each.post for each in times], 0.5)
    outcome["figures"][f"{name}.post.p50.ms"] = round(post * 1000, 2)
    for router in times[0].first:
        spread = {"first": [each.first[router] for each in times], "all": [each.whole[router] for each in times]}
        for word, values in spread.items():
            for share in (0.5, 0.95):
                figure = f"{name}.{router}.{word}.p{share * 100:.0f}.ms"
                outcome["figures"][figure] = round(quantile(values, share) * 1000, 2)
        value = quantile(spread["first"], 0.5) / post
        outcome["goals"].append(at_most(f"{name}: created to route in {router}, p50", value, GOAL, "x POST"))
