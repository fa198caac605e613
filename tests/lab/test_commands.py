"""What people ask a running node: who answers and why, what happened, and to hand everything over."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from speakerd.events import stamp
from tests.lab.agents import Agent, program, ready
from tests.lab.cluster import Cluster
from tests.lab.frames import Watch
from tests.lab.net import Lan
from tests.lab.steps import answering, given, owner, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

LAN_POOL_END = "10.99.10.200"
"""An address of the pool that no Service has."""


def ran(agent: Agent, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of `speakerd ARGUMENTS`, asked of `agent`."""
    command = [*program(), *arguments, "--run", str(agent.run)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def told(agent: Agent, *arguments: str) -> dict[str, Any]:
    """The one JSON object that `speakerd ARGUMENTS -o json` prints."""
    _, out, err = ran(agent, *arguments, "-o", "json")
    assert not err
    found: dict[str, Any] = json.loads(out)
    return found


def happened(agent: Agent, *arguments: str) -> list[dict[str, Any]]:
    """What `speakerd events` tells."""
    code, out, _ = ran(agent, "events", "-o", "json", *arguments)
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


def named(agents: list[Agent], name: str) -> Agent:
    return next(each for each in agents if each.host.name == name)


def served(cluster: Cluster, lan: Lan, agents: list[Agent], name: str = "web") -> tuple[str, Agent]:
    """The address of a new Service whose owner has an heir, and the agent that answers for it."""
    publish(cluster, name, lan.nodes)
    (address,) = given(cluster, name)
    agent = named(agents, owner(lan, address))
    eventually(lambda: known(agent, address).get("heir"), f"{address} has an heir")
    return address, agent


def known(agent: Agent, address: str) -> dict[str, Any]:
    """The VIP as `agent` reports it."""
    return next((each for each in agent.status().get("vips", ()) if each["ip"] == address), {})


def knows(agent: Agent, address: str, **fields: str) -> bool:
    """Whether `agent` reports the VIP with these fields."""
    return fields.items() <= known(agent, address).items()


@contextmanager
def drained(agent: Agent) -> Iterator[tuple[int, dict[str, Any]]]:
    """Exit code and answer of `drain --wait`; undrained after the block."""
    try:
        code, out, _ = ran(agent, "drain", "--wait", "-o", "json")
        yield code, json.loads(out)
    finally:
        assert ran(agent, "undrain")[0] == 0
        eventually(lambda: not agent.status()["node"]["drained"], "it may answer again")


def members(agent: Agent) -> dict[str, dict[str, Any]]:
    """The members as `agent` reports them, by name."""
    return {each["name"]: each for each in agent.status().get("members", ())}


def meets(agent: Agent, name: str) -> bool:
    """Whether `agent` and the member hear each other by both carriers, and know how long the way is."""
    seen = members(agent)[name]
    return seen["carriers"] == ["udp", "ethernet"] and seen["roundTrip"] is not None


def test_a_plan_of_the_running_cluster_tells_who_takes_over_from_whom(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    address, agent = served(cluster, lan, agents)
    heir = known(agent, address)["heir"]
    other = next(each for each in agents if each is not agent)
    eventually(lambda: knows(other, address, owner=agent.host.name, heir=heir), "the others know of it, too")
    for asked in (agent, other):
        found = told(asked, "plan")
        (web,) = found["services"]
        assert (web["result"], web["ips"], web["announce"][0]["owner"]) == ("kept", [address], agent.host.name)
        assert found["moves"] == []
        found = told(asked, "plan", "--down", agent.host.name)
        assert found["moves"] == [{"ip": address, "from": agent.host.name, "to": heir, "cause": "owner-dead"}]


def test_status_tells_every_member_with_round_trip_and_both_carriers(agents: list[Agent], lan: Lan) -> None:
    for agent in agents:
        others = {node.name for node in lan.nodes} - {agent.host.name}
        for name in others:
            eventually(partial(meets, agent, name), f"{agent.host.name} meets {name}")
            assert members(agent)[name]["heard"] < 1
        assert set(members(agent)) == others | {agent.host.name}
    code, text, _ = ran(agents[0], "status")
    assert code == 0
    assert f"{len(agents)} of {len(agents)} members alive" in text


def test_a_drain_moves_everything_without_an_open_question_and_nothing_comes_back(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    address, agent = served(cluster, lan, agents)
    heir = known(agent, address)["heir"]
    with Watch(lan.onlooker, ask=[address]) as watch:
        eventually(lambda: watch.of(address, "answer"), "it is answered")
        with drained(agent) as (code, answer):
            assert (code, answer) == (0, {"drained": True, "done": True, "moved": {address: heir}, "kept": {}})
            assert watch.silence(address) < 0.1
            words = [each["finding"] for each in agent.status()["findings"]]
            assert "drained" in words
            for other in agents:
                eventually(partial(seen_drained, other, agent.host.name), f"{other.host.name} knows")
        throughout(lambda: owner(lan, address) == heir, "the address stays where it went", 1)
    assert known(agent, address)["cause"] == "drain"


def seen_drained(agent: Agent, name: str) -> bool:
    return bool(members(agent).get(name, {}).get("drained"))


def test_a_drain_outlives_a_restart_of_the_controller(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    address, agent = served(cluster, lan, agents)
    with drained(agent):
        killed = agent.kill("controller")
        eventually(lambda: agent.pids().get("controller", killed) != killed, "a new controller")
        eventually(lambda: ready(agent, [node.name for node in lan.nodes]), "it knows the cluster", 20)
        assert agent.status()["node"]["drained"]
        assert owner(lan, address) != agent.host.name


def test_what_nobody_else_can_take_stays_and_the_drain_says_why(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "only-here", lan.nodes[:1], policy="Local")
    (address,) = given(cluster, "only-here")
    agent = named(agents, owner(lan, address))
    with drained(agent) as (code, answer):
        assert code == 1
        assert (answer["done"], answer["kept"]) == (False, {address: "no other node is a candidate"})
        assert owner(lan, address) == agent.host.name


def test_every_node_explains_who_answers_who_is_next_and_what_would_change_it(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    address, agent = served(cluster, lan, agents)
    heir, cause = known(agent, address)["heir"], known(agent, address)["cause"]
    for each in agents:
        eventually(partial(knows, each, address, heir=heir), "every node knows the heir")
        for asked in (address, "web", "default/web"):
            (found,) = told(each, "explain", asked)["addresses"]
            assert (found["owner"], found["heir"], found["cause"]) == (agent.host.name, heir, cause)
            roles = {one["node"]: one["role"] for one in found["candidates"]}
            assert roles == {
                node.name: {agent.host.name: "owner", heir: "heir"}.get(node.name, "") for node in lan.nodes
            }
            assert {change["cause"]: change["to"] for change in found["changes"]} == {"owner-dead": heir, "drain": heir}
    code, text, _ = ran(agent, "explain", address)
    assert code == 0
    assert f"if {agent.host.name} dies" in text


def test_after_a_death_the_heir_explains_it(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    address, agent = served(cluster, lan, agents)
    heir = named(agents, known(agent, address)["heir"])
    agent.kill("supervisor")
    try:
        eventually(lambda: answering(lan, address) == [heir.host.name], "the heir alone answers")
        eventually(lambda: known(heir, address).get("cause") == "owner-dead", "it says why")
        (found,) = told(heir, "explain", address)["addresses"]
        assert (found["previous"], found["owner"]) == (agent.host.name, heir.host.name)
        assert 0.05 < found["gap"] < 2
        assert "vip.owned" in [each["event"] for each in found["events"]]
        states = {each["node"]: each["state"] for each in found["candidates"]}
        assert states[agent.host.name] == "dead"
        assert said(heir, "member.dead", {"subject": agent.host.name})
    finally:
        agent.stop()
        agent.start()
        eventually(lambda: ready(agent, [node.name for node in lan.nodes]), "it is back", 30)


def test_an_address_that_nobody_answers_for_is_explained(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    publish(cluster, "empty", [])
    (address,) = given(cluster, "empty")
    agent = agents[0]
    eventually(lambda: known(agent, address).get("reason") == "no-endpoints", "the reason is known")
    (found,) = told(agent, "explain", address)["addresses"]
    assert {each["node"]: each["reason"] for each in found["others"]} == dict.fromkeys(
        [node.name for node in lan.nodes], "no-endpoints"
    )
    assert ran(agent, "explain", "empty")[0] == 1


def test_what_is_not_known_is_one_error_with_what_is_near(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    address, agent = served(cluster, lan, agents)
    code, out, err = ran(agent, "explain", LAN_POOL_END)
    assert (code, out) == (2, "")
    assert err == f"error: {LAN_POOL_END}: no Service has this address (near it: {address})\n"
    code, _, err = ran(agent, "explain", "wbe")
    assert code == 2
    assert "did you mean default/web?" in err


def test_events_are_told_on_both_sides_of_a_move_and_outlive_the_controller(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    address, agent = served(cluster, lan, agents)
    heir = named(agents, known(agent, address)["heir"])
    with drained(agent):
        pass
    told_of = {"subject": address, "owner": heir.host.name, "previous": agent.host.name, "cause": "drain"}
    eventually(partial(said, agent, "vip.left", told_of), "the old owner tells it")
    eventually(partial(said, heir, "vip.owned", told_of), "the new one, too")
    before = happened(agent)
    assert {"node.drained", "node.undrained"} <= {each["event"] for each in before}
    killed = agent.kill("controller", signal.SIGKILL)
    eventually(lambda: agent.pids().get("controller", killed) != killed, "a new controller")
    eventually(lambda: ran(agent, "events")[0] == 0, "it tells events", 20)
    after = happened(agent)
    assert after[: len(before)] == before
    numbers = [each["number"] for each in after]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert happened(agent, "--since", before[-1]["time"])[0]["time"] >= before[-1]["time"]


def said(agent: Agent, word: str, fields: dict[str, Any]) -> bool:
    """Whether `agent` has such an event."""
    return any(fields.items() <= each.items() for each in happened(agent) if each["event"] == word)


def test_events_are_followed_as_they_happen(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    _, agent = served(cluster, lan, agents)
    command = [*program(), "events", "-f", "-o", "json", "--since", stamp(time.time()), "--run", str(agent.run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert follower.stdout
            with drained(agent):
                words = [json.loads(follower.stdout.readline())["event"] for _ in range(2)]
            assert "node.drained" in words
        finally:
            follower.send_signal(signal.SIGINT)
    assert follower.returncode == 130
