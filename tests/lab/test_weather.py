"""An API server in every mood: silent, forgetful, failing, losing answers; VIPs are answered, no address is lost."""

import json
import signal
from functools import partial

import pytest
import yaml

from tests.lab import objects
from tests.lab.agents import Agent, command_output, fleet
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.frames import Watch
from tests.lab.net import Lan
from tests.lab.steps import given, owner, publish, said, vip_leases
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

PATIENCE = 40.0
"""Seconds until a change is seen after an outage: the agents' longest back-off and a little more."""


def test_a_service_is_told_why_it_waits_and_served_when_the_pool_grows(cluster: Cluster, lan: Lan) -> None:
    cluster.create(objects.pool("small", "10.99.12.1/32"))
    publish(cluster, "first", lan.nodes, pool="small")
    assert given(cluster, "first") == ["10.99.12.1"]
    publish(cluster, "second", lan.nodes, pool="small")
    eventually(partial(said, cluster, "second", "AllocationFailed"), "an event tells why")
    change = {"spec": {"addresses": ["10.99.12.1-10.99.12.2"]}}
    cluster.patch("IPAddressPool", "small", change, namespace=objects.METALLB)
    assert given(cluster, "second") == ["10.99.12.2"]
    cluster.delete("Service", "first")
    cluster.delete("Service", "second")
    eventually(lambda: not vip_leases(cluster), "both addresses are free")
    cluster.delete("IPAddressPool", "small", objects.METALLB)


def test_while_the_api_server_is_silent_vips_are_answered_and_then_changes_are_caught_up(
    cluster: Cluster, plane: Embedded, lan: Lan
) -> None:
    publish(cluster, "held", lan.nodes)
    (address,) = given(cluster, "held")
    before = owner(lan, address)
    with Watch(lan.onlooker, ask=[address]) as watch:
        plane.fault(hang=20.0)
        throughout(lambda: watch.silence(address) < 0.5 or len(watch.sightings) < 2, "it is answered", 20)
        publish(cluster, "new", lan.nodes)
        (other,) = given(cluster, "new", PATIENCE)
        assert watch.silence(address) < 0.5
    assert other != address
    assert owner(lan, address) == before


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"cut": True}, id="watches are cut"),
        pytest.param({"compact": True, "cut": True}, id="history is forgotten"),
        pytest.param({"refuse": 3.0}, id="connections are refused"),
        pytest.param({"fail": 20, "code": 500}, id="requests fail"),
        pytest.param({"fail": 20, "code": 429, "retry_after": 1}, id="requests are throttled"),
        pytest.param({"lose": 3, "match": "POST /apis/coordination"}, id="answers to the reservation are lost"),
        pytest.param({"lose": 3, "match": "PATCH /api/v1"}, id="answers to the status are lost"),
        pytest.param({"slow": 0.5}, id="every answer is slow"),
    ],
)
def test_after_a_fault_addresses_are_as_before_and_new_ones_are_given_once(
    cluster: Cluster, plane: Embedded, lan: Lan, faults: dict[str, object]
) -> None:
    publish(cluster, "before", lan.nodes)
    (before,) = given(cluster, "before")
    plane.fault(**faults)
    names = [f"after-{number}" for number in range(3)]
    for name in names:
        eventually(partial(published, cluster, lan, name), f"{name} is created", PATIENCE)
    found = [given(cluster, name, PATIENCE)[0] for name in names]
    plane.fault()
    assert len({before, *found}) == 1 + len(names)
    assert cluster.addresses("before") == [before]
    for address in (before, *found):
        owner(lan, address, PATIENCE)
    eventually(lambda: len(vip_leases(cluster)) == 1 + len(names), "each address is reserved once")


def published(cluster: Cluster, lan: Lan, name: str) -> bool:
    """Whether the server, faults and all, has the Service and its endpoints."""
    try:
        cluster.ensure(objects.service(name))
        cluster.ensure(objects.endpoints(name, lan.nodes))
    except Exception as fault:  # noqa: BLE001  whatever the server was told to do
        print(f"{name}: {fault}")
        return False
    return True


def test_addresses_survive_a_restart_of_every_agent_and_each_has_one_owner_after_it(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    names = [f"kept-{number}" for number in range(5)]
    for name in names:
        publish(cluster, name, lan.nodes)
    before = {name: given(cluster, name) for name in names}
    writes = len(cluster.writes())
    for agent in agents:
        agent.stop()
        agent.start()
    for (address,) in before.values():
        owner(lan, address, 20)
    eventually(cluster.allocator, "there is an allocator", 20)
    throughout(lambda: {name: cluster.addresses(name) for name in names} == before, "addresses are kept", 2)
    assert not [each for each in cluster.writes()[writes:] if each.resource == "services/status"]


def test_where_metallb_never_was_the_settings_pool_serves_and_its_kinds_are_taken_up_when_they_come() -> None:
    with Lan() as lan, Embedded(lan, bare=True) as plane, fleet(lan, plane, settings={"iprange": "10.99.13.1/32"}):
        cluster = plane.cluster
        publish(cluster, "plain", lan.nodes)
        assert given(cluster, "plain") == ["10.99.13.1"]
        owner(lan, "10.99.13.1", PATIENCE)  # once the key of the members' messages was missing for long enough
        plane.apply(yaml.safe_load_all(command_output("crds", "--no-policies")))
        cluster.create(objects.pool("later", "10.99.14.0/24"))
        publish(cluster, "wished", lan.nodes, pool="later")
        assert given(cluster, "wished", PATIENCE) == ["10.99.14.0"]


def test_a_bad_settings_file_changes_nothing_and_is_visible_and_a_good_one_is_used() -> None:
    with Lan() as lan, Embedded(lan) as plane, fleet(lan, plane, settings={"iprange": "10.99.13.1/32"}) as agents:
        first = agents[0]
        publish(plane.cluster, "web", lan.nodes)
        assert given(plane.cluster, "web") == ["10.99.13.1"]
        good = first.config.read_text()
        first.config.write_text("adressPools: []\n")
        problems = eventually(lambda: first.status()["configuration"].get("reloadProblems"), "status shows it")
        assert "addressPools" in str(problems)
        owner(lan, "10.99.13.1")
        publish(plane.cluster, "more", lan.nodes)
        first.config.write_text(good)
        for agent in agents:
            agent.config.write_text(agent.config.read_text().replace("10.99.13.1/32", "10.99.13.1-10.99.13.9"))
        assert given(plane.cluster, "more", 20) == ["10.99.13.2"]
        eventually(lambda: not first.status()["configuration"].get("reloadProblems"), "status is clean again")


def told_unusable(agent: Agent, file: str = "", why: str = "") -> bool:
    """Whether it is a finding that credentials are not in use: those of `file`, and why."""
    found = [each for each in agent.status()["findings"] if each["finding"] == "credentials-unusable"]
    return any(each["object"].startswith(file) and why in each["message"] for each in found)


def test_a_kubeconfig_that_breaks_or_is_refused_is_a_finding_until_it_is_mended_and_all_goes_on(
    cluster: Cluster, plane: Embedded, lan: Lan, agents: list[Agent]
) -> None:
    agent = next(each for each in agents if each.host.name == cluster.allocator())
    file = plane.kubeconfig(agent.host.name)
    good = file.read_text()
    stale = json.loads(good)
    stale["users"][0]["user"]["token"] = "of yesterday"
    try:
        for name, text, why in (("broken", "{", "not YAML"), ("refused", json.dumps(stale), "401 Unauthorized")):
            file.write_text(text)
            eventually(partial(told_unusable, agent, str(file), why), why, 20)
            assert agent.status()["api"]["connected"]
            publish(cluster, name, lan.nodes)
            owner(lan, given(cluster, name)[0])
        assert cluster.allocator() == agent.host.name
    finally:
        file.write_text(good)
    eventually(lambda: not told_unusable(agent), "it is mended", 20)


def differing(agent: Agent) -> str:
    """With whom the agent finds that it differs in what it obeys."""
    found = (each["object"] for each in agent.status()["findings"] if each["finding"] == "configuration-differs")
    return next(found, "")


def test_a_host_whose_file_differs_is_a_finding_on_every_host_until_it_is_mended() -> None:
    with Lan() as lan, Embedded(lan) as plane, fleet(lan, plane, settings={"iprange": "10.99.13.1/32"}) as agents:
        first, second, third = agents
        good = first.config.read_text()
        first.config.write_text(good.replace("10.99.13.1/32", "10.99.14.1/32"))
        names = [agent.host.name for agent in agents]
        eventually(lambda: differing(second) == differing(third) == names[0], "the others find the first", 20)
        eventually(lambda: differing(first) == ", ".join(names[1:]), "the first finds the others", 20)
        assert second.status()["configuration"]["differs"] == [names[0]]
        first.config.write_text(good)
        eventually(lambda: not any(map(differing, agents)), "all are of one mind again", 20)


def serves(agent: Agent, name: str) -> bool:
    """Whether the Service is of the class that `agent` serves."""
    return any(each["name"] == name for each in agent.status().get("services", ()))


def test_another_load_balancer_class_begins_anew_while_answers_go_on_and_outlives_a_crash() -> None:
    pool, kind = "10.99.13.1-10.99.13.9", "example.com/lb"
    with Lan() as lan, Embedded(lan) as plane, fleet(lan, plane, settings={"iprange": pool}) as agents:
        publish(plane.cluster, "plain", lan.nodes)
        assert given(plane.cluster, "plain") == ["10.99.13.1"]
        owner(lan, "10.99.13.1")
        for agent in agents:
            settings = json.loads(agent.config.read_text())
            settings["kubernetes"]["loadBalancerClass"] = kind
            agent.config.write_text(json.dumps(settings))
        publish(plane.cluster, "classy", lan.nodes, balancer=kind)
        (address,) = given(plane.cluster, "classy", PATIENCE)
        for agent in agents:
            eventually(partial(serves, agent, "classy"), "the new class is obeyed", PATIENCE)
            agent.kill("controller", signal.SIGKILL)
        publish(plane.cluster, "again", lan.nodes, balancer=kind)
        assert given(plane.cluster, "again", PATIENCE)
        owner(lan, address)
