"""How sessions end, and what of routes outlives them: FRR's and BIRD's own view while nodes and routers come and go."""

import signal
from collections.abc import Iterator
from functools import partial

import pytest

from speakerd.control import Request, ask
from tests.lab.agents import ready
from tests.lab.bgp import OURS, Stage, bgp, both, forgotten, has_error, hears, in_state, meet, peer, staged, told
from tests.lab.routers.bird import Bird
from tests.lab.routers.router import Neighbour, Router
from tests.lab.steps import Family, given, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

TWO: tuple[Family, ...] = ("IPv4", "IPv6")
GRACEFUL_SHUTDOWN = (65535, 0)
NOTICED = 3 + 1.5
"""Seconds in which a hold time of 3 s is noticed, on a machine that is busy."""


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with staged({"bgp": {"drain": "1s"}}) as made:
        yield made


@pytest.fixture(scope="module")
def pair(made: Stage) -> Iterator[tuple[Router, ...]]:
    """FRR and BIRD, which help others restart gracefully, each in a session that holds for 3 s."""
    with both(made.lan, Neighbour(address=made.node.ipv4, asn=OURS, hold_time=3)) as routers:
        yield routers


@pytest.fixture
def stage(made: Stage, pair: tuple[Router, ...]) -> Iterator[Stage]:
    made.cluster.create(bgp("BGPAdvertisement", "all", communities=["65010:7"]))
    for router in pair:
        wanted = {"holdTime": "3s", "connectTime": "1s", "enableGracefulRestart": True}
        meet(made.cluster, router, dualStackAddressFamily=True, **wanted)
    yield made
    made.tidy()


@pytest.fixture
def prefixes(stage: Stage, pair: tuple[Router, ...]) -> tuple[str, str]:
    """An IPv4 and an IPv6 prefix that both routers have."""
    publish(stage.cluster, "web", stage.lan.nodes, families=TWO)
    four, six = sorted(given(stage.cluster, "web"), key=lambda each: ":" in each)
    for router in pair:
        for each in (f"{four}/32", f"{six}/128"):
            told(router, each, stage.node.ipv4)
    return f"{four}/32", f"{six}/128"


def kept(router: Router, prefixes: tuple[str, ...]) -> bool:
    """Whether a router has all of these, in its kernel, too."""
    return all(router.route(each) and router.kernel(each) for each in prefixes)


def test_a_router_that_falls_silent_is_noticed_by_hold_time(
    stage: Stage, pair: tuple[Router, ...], prefixes: tuple[str, str]
) -> None:
    for router in pair:
        router.freeze()
    for router in pair:
        has_error(stage.agent, router.host.name, "sent Hold Timer Expired")
        assert peer(stage.agent, router.host.name)["state"] != "Established"
    for router in pair:
        router.thaw()
    for router in pair:
        in_state(stage.agent, router.host.name, "Established")
        eventually(partial(kept, router, prefixes), "all is told again", 20)


def test_a_node_that_falls_silent_is_noticed_by_hold_time(
    stage: Stage, pair: tuple[Router, ...], prefixes: tuple[str, str]
) -> None:
    """Graceful restart has the routers keep the routes of a node that they have not heard of (RFC 4724 section 4.2)."""
    stage.agent.kill("announcer", signal.SIGSTOP)
    try:
        for router in pair:
            eventually(lambda: not router.session(stage.node.ipv4).up, "it is noticed", NOTICED)  # noqa: B023
            assert "old" in router.session(stage.node.ipv4).error.lower()
    finally:
        stage.agent.kill("announcer", signal.SIGCONT)
    for router in pair:
        router.wait_up(stage.node.ipv4)
        eventually(partial(kept, router, prefixes), "all is told again", 20)


def test_no_route_is_lost_while_the_announcer_dies_and_is_started_again(
    stage: Stage, pair: tuple[Router, ...], prefixes: tuple[str, str]
) -> None:
    """The supervisor is held for a moment, so that the routers can be looked at in between."""
    eventually(lambda: all((each.session(stage.node.ipv4).uptime or 0) > 1 for each in pair), "sessions are old")
    stage.agent.kill("supervisor", signal.SIGSTOP)
    try:
        stage.agent.kill("announcer")
        for router in pair:
            eventually(lambda: not router.session(stage.node.ipv4).up, "the session is gone")  # noqa: B023
            assert kept(router, prefixes)
            # BIRD does not say which routes are stale.
            assert isinstance(router, Bird) or all(each.stale for it in prefixes for each in router.route(it))
        throughout(lambda: all(kept(router, prefixes) for router in pair), "no route is lost", 0.5)
    finally:
        stage.agent.kill("supervisor", signal.SIGCONT)

    def fresh() -> bool:
        assert all(kept(router, prefixes) for router in pair)
        up = all(router.session(stage.node.ipv4).up for router in pair)
        return up and not any(each.stale for router in pair for it in prefixes for each in router.route(it))

    eventually(fresh, "the routes are fresh", 20)
    throughout(fresh, "and stay", 1.0)


def test_what_went_away_meanwhile_is_forgotten_once_the_node_has_told_all(
    stage: Stage, pair: tuple[Router, ...], prefixes: tuple[str, str]
) -> None:
    stage.agent.kill("supervisor", signal.SIGSTOP)
    try:
        stage.agent.kill("announcer")
        for router in pair:
            eventually(lambda: not router.session(stage.node.ipv4).up, "the session is gone")  # noqa: B023
        stage.cluster.delete("Service", "web")
        eventually(lambda: not stage.cluster.leases().keys() & {"speakerd-vip-198.51.100.0"}, "it is free")
        assert all(kept(router, prefixes) for router in pair)
    finally:
        stage.agent.kill("supervisor", signal.SIGCONT)
    for router in pair:
        router.wait_up(stage.node.ipv4)
        for each in prefixes:
            forgotten(router, each)


def test_a_drain_has_traffic_turned_away_before_routes_go_and_undrain_brings_them_back(
    stage: Stage, pair: tuple[Router, ...], prefixes: tuple[str, str]
) -> None:
    before = {(65010, 7)}
    for router in pair:
        for each in prefixes:
            hears(router, each, communities=frozenset(before))
    ask(stage.agent.run / "control.sock", Request("drain"))
    for router in pair:
        for each in prefixes:
            hears(router, each, communities=frozenset(before | {GRACEFUL_SHUTDOWN}))
    for router in pair:
        for each in prefixes:
            forgotten(router, each)
        assert router.session(stage.node.ipv4).up
    ask(stage.agent.run / "control.sock", Request("undrain"))
    for router in pair:
        for each in prefixes:
            hears(router, each, communities=frozenset(before))
        assert peer(stage.agent, router.host.name)["ups"] == 1


def test_a_planned_stop_withdraws_at_once(stage: Stage, pair: tuple[Router, ...], prefixes: tuple[str, str]) -> None:
    """Although the routers would keep the routes of a node that fails, for graceful restart is agreed."""
    assert stage.agent.stop() == 0
    try:
        for router in pair:
            assert not any(map(router.route, prefixes))
            assert not any(map(router.kernel, prefixes))
            assert "shutdown" in router.session(stage.node.ipv4).error.lower()
    finally:
        stage.agent.start()
        eventually(lambda: ready(stage.agent, [stage.node.name]), "the agent is back", 20)
    for router in pair:
        eventually(partial(kept, router, prefixes), "all is told again", 20)
