"""A Service on the real control plane: from the POST until two routers have the route in their RIBs, and kernels."""

import time
from collections.abc import Sequence
from functools import partial
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
    """Seconds: the POST itself; from its start until each is so: a router's RIB has a way, and one by each node, ..."""

    post: float
    until: dict[str, float]


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
            with fleet(lan, plane, program) as agents, receivers(lan) as found:
                speak(plane.cluster, lan, found)
                for each in found:
                    each.trace()
                times = [_one(lan, plane, found, f"timed-{number}") for number in range(WARM + EACH * options.runs)]
                _tell(f"{name}.service", times[WARM:], outcome)
                forget(plane.cluster, agents)


def _one(lan: Lan, plane: ControlPlane, found: Sequence[Receiver], name: str) -> Times:
    """One Service from creation until every router goes to it by all nodes; then it is removed again."""
    plane.cluster.create(objects.endpoints(name, lan.nodes))
    start = time.time()
    plane.cluster.create(objects.service(name))
    posted = time.time()
    until: dict[str, float] = {}
    for each in found:
        eventually(partial(_whole, lan, each), f"{name} is routed by all nodes")
        (prefix,) = each.fib.now
        for word, ways in (("rib", each.ways(prefix, start)), ("kernel", each.fib.ways(prefix, start))):
            until |= {f"{each.name}.{word}.first": ways[0] - start, f"{each.name}.{word}.all": ways[-1] - start}
    plane.cluster.delete("Service", name)
    plane.cluster.delete("EndpointSlice", f"{name}-ipv4")
    eventually(lambda: not any(each.fib.now for each in found), f"{name} is routed no longer")
    return Times(posted - start, until)


def _whole(lan: Lan, receiver: Receiver) -> bool:
    """Nothing but the one Service is announced."""
    return [len(hops) for hops in list(receiver.fib.now.values())] == [len(lan.nodes)]


def _tell(name: str, times: Sequence[Times], outcome: Outcome) -> None:
    post = quantile([each.post for each in times], 0.5)
    outcome["figures"][f"{name}.post.p50.ms"] = round(post * 1000, 2)
    for word in times[0].until:
        values = [each.until[word] for each in times]
        for share in (0.5, 0.95):
            outcome["figures"][f"{name}.{word}.p{share * 100:.0f}.ms"] = round(quantile(values, share) * 1000, 2)
        router, _, what = word.partition(".")
        if what == "rib.first":
            value = quantile(values, 0.5) / post
            goal = at_most(f"{name}: created to route in the RIB of {router}, p50", value, GOAL, "x POST")
            outcome["goals"].append(goal)
