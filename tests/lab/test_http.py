"""Probes and scrapers on every node: what they read is what happens."""

import signal
import socket

import pytest

from tests.lab.agents import Agent
from tests.lab.claims import finding, settled
from tests.lab.cluster import Cluster
from tests.lab.net import Lan, inside
from tests.lab.scrape import PORT, fetched, named, samples
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab


@pytest.mark.usefixtures("cluster")
def test_every_node_is_healthy_and_ready(agents: list[Agent]) -> None:
    for agent in agents:
        assert fetched(agent.host, "/healthz") == (200, "ok\n")
        assert fetched(agent.host, "/readyz") == (200, "ok\n")
        assert fetched(agent.host, "/nothing")[0] == 404


def test_a_port_that_is_taken_is_a_finding_until_it_is_free(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    agent = agents[0]
    agent.stop()
    with inside(agent.host.namespace):
        taken = socket.create_server(("127.0.0.1", PORT))
    with taken:
        agent.start()
        eventually(lambda: finding(agent, "http-not-served"), "it is told", 20.0)
        publish(cluster, "served", lan.nodes)
        owner(lan, given(cluster, "served")[0])
    eventually(lambda: not finding(agent, "http-not-served"), "the port is taken again", 20.0)
    assert fetched(agent.host, "/readyz") == (200, "ok\n")


def test_the_owner_alone_tells_that_it_answers_and_the_allocator_alone_of_pools(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    first = settled(lan, agents, address).host.name
    told = {agent.host.name: samples(agent.host) for agent in agents}
    name = named("metallb_speaker_announced", service="default/web", protocol="layer2", node=first, ip=address)
    assert [node for node, found in told.items() if name in found] == [first]
    assert told[first][f'metallb_layer2_responses_sent{{ip="{address}"}}'] > 0
    in_use = 'metallb_allocator_addresses_in_use_total{pool="lan"}'
    assert {node: found[in_use] for node, found in told.items() if in_use in found} == {cluster.allocator(): 1}
    assert told[first]['speakerd_members{state="alive"}'] == len(agents) - 1
    assert told[first]['speakerd_vip_moves_total{cause="first"}'] >= 1
    assert told[first][named("speakerd_api_requests_total", verb="PATCH", code="200")] >= 1


def test_a_take_over_is_counted_with_its_length(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    dead = settled(lan, agents, address)
    before = {agent.host.name: samples(agent.host) for agent in agents}
    dead.kill("supervisor", signal.SIGKILL)
    try:
        eventually(lambda: owner(lan, address) != dead.host.name, "another node answers")
        taken = owner(lan, address)
        heir = next(agent for agent in agents if agent.host.name == taken)
        count = "speakerd_failover_duration_seconds_count"
        eventually(lambda: samples(heir.host)[count] == before[taken][count] + 1, "the take-over is counted")
        moves = 'speakerd_vip_moves_total{cause="owner-dead"}'
        assert samples(heir.host)[moves] == before[taken].get(moves, 0) + 1
    finally:
        dead.stop()
        dead.start()
    eventually(
        lambda: samples(heir.host).get('speakerd_members{state="alive"}') == len(agents) - 1, "all live again", 20
    )
