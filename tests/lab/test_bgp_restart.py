"""A restart costs no route, with BFD as without: routers keep all they have until the node is back. A stop withdraws.

A signal for a planned one goes to all processes, as systemd sends it.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import pytest
from msgspec.structs import replace

from tests.lab import net
from tests.lab.agents import PARTS, Agent, fleet
from tests.lab.bgp import OURS, ROUTERS, THEIRS, bgp, forget, peer, routed
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Bfd, Neighbour, Router, Setup, missing
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

FAST = Bfd(transmit=50, receive=50, multiplier=3)


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if lacking := net.missing() or missing(ROUTERS):
        pytest.skip(f"needed: {lacking}")
    with Lan(1, routers=1) as made:
        yield made


@pytest.fixture(scope="module")
def plane(lan: Lan) -> Iterator[Embedded]:
    with routed(lan) as made:
        yield made


@pytest.fixture
def agent(lan: Lan, plane: Embedded) -> Iterator[Agent]:
    with fleet(lan, plane) as (running,):
        yield running
        print(f"{running.tail()}\n{running.status().get('peers')}")
        if not running.pids():
            running.stop()
            running.start()
        forget(plane.cluster, [running])


@contextmanager
def known(kind: type[Router], bfd: Bfd | None, lan: Lan, plane: Embedded, agent: Agent) -> Iterator[Router]:
    """A router that has a session with the node, which asks it to keep routes over a restart."""
    neighbours = (Neighbour(address=agent.host.ipv4, asn=OURS, bfd=bfd),)
    with kind(lan, lan.routers[0], Setup(asn=THEIRS, router_id="192.0.2.1", neighbours=neighbours)) as router:
        peer: dict[str, object] = {"myASN": OURS, "peerASN": THEIRS, "peerAddress": lan.routers[0].ipv4}
        if bfd:
            profile = {"receiveInterval": 50, "transmitInterval": 50, "detectMultiplier": 3}
            plane.cluster.create(bgp("BFDProfile", "fast", **profile))
            peer["bfdProfile"] = "fast"
        plane.cluster.create(bgp("BGPAdvertisement", "all"))
        plane.cluster.create(bgp("BGPPeer", "tor", enableGracefulRestart=True, **peer))
        router.wait_up(agent.host.ipv4)
        if bfd:
            eventually(partial(watched, router, agent.host), "BFD is up")
        yield router


@pytest.fixture(params=[None, FAST], ids=["without-bfd", "with-bfd"])
def frr(request: pytest.FixtureRequest, lan: Lan, plane: Embedded, agent: Agent) -> Iterator[Router]:
    with known(Frr, request.param, lan, plane, agent) as router:
        yield router


@pytest.fixture(params=ROUTERS)
def lenient(request: pytest.FixtureRequest, lan: Lan, plane: Embedded, agent: Agent) -> Iterator[Router]:
    """One that takes what BFD finds dead for a restart that is going on."""
    with known(request.param, replace(FAST, lenient=True), lan, plane, agent) as router:
        yield router


def watched(router: Router, node: Host) -> bool:
    return any(each.peer == node.ipv4 and each.state == "up" for each in router.bfd())


def learnt(cluster: Cluster, lan: Lan, router: Router) -> str:
    """The prefix of a new Service, which the router has."""
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    router.wait_route(f"{address}/32")
    eventually(partial(router.kernel, f"{address}/32"), "its kernel, too")
    return f"{address}/32"


def end(agent: Agent, number: signal.Signals) -> None:
    for part in PARTS:
        with suppress(KeyError, ProcessLookupError):
            agent.kill(part, number)


def kept(router: Router, prefix: str, until: Callable[[], object]) -> Callable[[], bool]:
    """Whether it has come to what is waited for; fails at the first look at which the router lacks `prefix`."""

    def looked() -> bool:
        done = bool(until())
        if prefix not in router.prefixes() or not router.kernel(prefix):
            pytest.fail(f"{prefix} is gone: {router.sessions()}\n{router.tail()}")
        return done

    return looked


def test_a_planned_restart_loses_no_route(lan: Lan, plane: Embedded, agent: Agent, frr: Router) -> None:
    prefix = learnt(plane.cluster, lan, frr)
    end(agent, signal.SIGUSR2)
    eventually(kept(frr, prefix, lambda: agent.ended() is not None), "it has ended")
    assert agent.stop() == 0
    assert all(each.stale for each in frr.route(prefix)), "the router knows that the session has ended"
    agent.start()
    back = partial(frr.route, prefix)
    eventually(kept(frr, prefix, lambda: not any(each.stale for each in back())), "it has told the route anew", 60)
    assert frr.session(agent.host.ipv4).up


def test_a_death_that_bfd_finds_costs_no_route_where_the_router_waits_for_the_node_to_return(
    lan: Lan, plane: Embedded, agent: Agent, lenient: Router
) -> None:
    prefix, node = learnt(plane.cluster, lan, lenient), agent.host
    before = agent.pid("announcer")
    agent.kill("announcer")
    eventually(kept(lenient, prefix, lambda: agent.pids().get("announcer", before) != before), "another runs")

    def back() -> bool:
        fresh = not any(each.stale for each in lenient.route(prefix))
        return fresh and lenient.session(node.ipv4).up and watched(lenient, node)

    eventually(kept(lenient, prefix, back), "session, path and route are back", 60)
    throughout(kept(lenient, prefix, back), "and stay", 2.0)
    assert peer(agent, "tor")["ups"] == 1


def test_a_stop_withdraws_at_once(lan: Lan, plane: Embedded, agent: Agent, frr: Router) -> None:
    prefix = learnt(plane.cluster, lan, frr)
    end(agent, signal.SIGTERM)
    eventually(lambda: not frr.kernel(prefix), "the route is gone", 2)
    eventually(lambda: not frr.route(prefix), "and nothing of it is kept", 1)
    eventually(lambda: agent.ended() is not None, "it has ended")
    assert agent.stop() == 0
