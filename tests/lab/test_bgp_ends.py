"""How sessions end, and what of routes outlives them: FRR's and BIRD's own view while nodes and routers come and go."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from speakerd.control import Request, ask
from tests.lab.agents import ready
from tests.lab.bgp import (
    NOBODY,
    OURS,
    Stage,
    amend,
    bgp,
    both,
    forgotten,
    has_error,
    hears,
    in_state,
    meet,
    peer,
    staged,
    told,
)
from tests.lab.net import end, tool
from tests.lab.routers.bird import Bird
from tests.lab.routers.router import Neighbour, Router
from tests.lab.steps import Family, given, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

TWO: tuple[Family, ...] = ("IPv4", "IPv6")
MANY = 40
"""Services whose addresses are routes."""
GRACEFUL_SHUTDOWN = (65535, 0)
PROBE = "203.0.113.77"
"""A destination that only a test gives a route."""
NOTICED = 3 + 1.5
"""Seconds in which a hold time of 3 s is noticed, on a machine that is busy."""


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with staged({"bgp": {"drain": "1s"}}) as made:
        yield made


@pytest.fixture(scope="module")
def pair(made: Stage) -> Iterator[tuple[Router, ...]]:
    """FRR and BIRD, which help others restart gracefully: a session over IPv4 holds for 3 s."""
    neighbours = (
        Neighbour(address=made.node.ipv4, asn=OURS, hold_time=3),
        Neighbour(address=made.node.ipv6, asn=OURS, families=("ipv6",)),
    )
    with both(made.lan, *neighbours) as routers:
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


@contextmanager
def no_loss(stage: Stage, routers: Iterable[Router]) -> Iterator[None]:
    """Hold that no router's kernel forgets a route within the block, be it for a moment."""
    with ExitStack() as stack:
        logs = {router: router.folder / "routes" for router in routers}
        for router, log in logs.items():
            log.unlink(missing_ok=True)
            watch = stage.lan.spawn(router.host, "ip", "-o", "monitor", "label", "route", log=log)
            stack.callback(end, watch)
            # What this makes it say shows that it listens.
            eventually(partial(_noted, router, log), "the watch has begun")
        yield
        for router, log in logs.items():
            lost = [line for line in log.read_text().splitlines() if "Deleted" in line and PROBE not in line]
            assert not lost, f"{type(router).__name__}: {lost}"


def _noted(router: Router, log: Path) -> bool:
    for verb in ("add", "del"):
        tool("ip", "-n", router.host.namespace, "route", verb, "blackhole", PROBE)
    return log.exists() and PROBE in log.read_text()


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
        eventually(partial(kept, router, prefixes), "all is told again", 60)


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
        eventually(partial(kept, router, prefixes), "all is told again", 60)


def test_no_route_is_lost_while_the_announcer_dies_and_is_started_again(
    stage: Stage, pair: tuple[Router, ...], prefixes: tuple[str, str]
) -> None:
    """The supervisor is held for a moment, so that the routers can be looked at in between."""
    with no_loss(stage, pair):
        stage.agent.kill("supervisor", signal.SIGSTOP)
        try:
            stage.agent.kill("announcer")
            for router in pair:
                eventually(lambda: not router.session(stage.node.ipv4).up, "the session is gone")  # noqa: B023
                assert kept(router, prefixes)
                # BIRD does not say which routes are stale.
                assert isinstance(router, Bird) or all(each.stale for it in prefixes for each in router.route(it))
        finally:
            stage.agent.kill("supervisor", signal.SIGCONT)
        fresh = partial(are_fresh, stage.node.ipv4, pair, prefixes)
        eventually(fresh, "the routes are fresh", 60)
        throughout(fresh, "and stay", 1.0)


def are_fresh(node: str, routers: Iterable[Router], prefixes: tuple[str, ...]) -> bool:
    """Whether every router has all of these of the session that it has now."""
    return all(
        router.session(node).up and kept(router, prefixes) and not any(each.stale for each in router.routes())
        for router in routers
    )


def test_many_routes_outlive_an_announcer_that_is_started_again_at_once(stage: Stage, pair: tuple[Router, ...]) -> None:
    """Over IPv6, without a moment's wait."""
    node, cluster = stage.node, stage.cluster
    wanted = {"holdTime": "90s", "enableGracefulRestart": True}
    for router in pair:
        amend(cluster, "BGPPeer", router.host.name, nodeSelectors=NOBODY)
        meet(cluster, router, f"{router.host.name}-six", peerAddress=router.host.ipv6, **wanted)
    for number in range(MANY):
        publish(cluster, f"web-{number}", stage.lan.nodes, families=("IPv6",))
    prefixes = {f"{each}/128" for number in range(MANY) for each in given(cluster, f"web-{number}")}
    for router in pair:
        eventually(lambda: router.prefixes() == prefixes, "all are there", 60)  # noqa: B023
    before = stage.agent.pid("announcer")
    with no_loss(stage, pair):
        stage.agent.kill("announcer")
        eventually(lambda: stage.agent.pids().get("announcer", before) != before, "another announcer runs")
        for router in pair:
            name = f"{router.host.name}-six"
            in_state(stage.agent, name, "Established")
            eventually(lambda: peer(stage.agent, name)["announced"] == MANY, "all is told again")  # noqa: B023
            router.wait_up(node.ipv6)
        fresh = partial(are_fresh, node.ipv6, pair, tuple(sorted(prefixes))[:3])
        eventually(fresh, "the routes are fresh", 60)
        throughout(fresh, "and stay", 1.0)
    for router in pair:
        assert router.prefixes() == prefixes
        # A peer that is told the end is no peer to wait for: FRR would keep routes for two minutes.
        amend(cluster, "BGPPeer", f"{router.host.name}-six", nodeSelectors=NOBODY)
        eventually(lambda: not router.prefixes(), "all are forgotten")  # noqa: B023


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
        eventually(lambda: ready(stage.agent, [stage.node.name]), "the agent is back", 60)
    for router in pair:
        eventually(partial(kept, router, prefixes), "all is told again", 60)
