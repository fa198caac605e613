"""An owner dies, stalls, is cut off, told to end or drained: another answers, one at a time, and it stays there."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct

from tests.lab.agents import Agent, command_output, ready
from tests.lab.claims import agreed, claim, finding, others, settled, states
from tests.lab.cluster import Cluster
from tests.lab.eyes import Seen, looking, plan
from tests.lab.net import Lan
from tests.lab.outage import BEFORE, outage
from tests.lab.standin import Forward, forward
from tests.lab.steps import answering, given, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

SOON = 2.0
"""Seconds a take-over may take on a machine that does other things meanwhile."""
OVERLAP = 0.5
"""Seconds two nodes that hear each other may both answer (the promise of the protocol)."""


class Served(Struct, frozen=True):
    """A VIP, and the agent that answers for it."""

    address: str
    agent: Agent


@pytest.fixture
def served(cluster: Cluster, lan: Lan, agents: list[Agent]) -> Served:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    return Served(address, settled(lan, agents, address))


class Story:
    """What was seen while something happened: `seen` once the block has ended."""

    def __init__(self, lan: Lan, folder: Path, served: Served) -> None:
        self._lan, self._folder, self._address = lan, folder, served.address
        self.stay = [node for node in lan.nodes if node != served.agent.host]
        self.plan = plan(lan, [served.address], ())
        self.began = 0.0
        self.back = 0.0
        self.seen = Seen([], [], [])

    @contextmanager
    def told(self) -> Iterator[None]:
        """Look at client and wire, through rules that stand in for kube-proxy; from `began` on, what happens counts."""
        forward(self._lan, [Forward(self._address, 80, self.stay)])
        with looking(self._lan, self._folder, self.plan) as eyes:
            eyes.served()
            self.began = self.back = time.time()
            yield
            self.seen = eyes.end()

    def returns(self) -> None:
        """From now on the old owner can speak again."""
        self.back = time.time()

    def answered_by(self) -> list[str]:
        """The hosts that answered, from shortly before it happened, in order; neighbours once."""
        found: list[str] = []
        for each in self.seen.sightings:
            who = self._lan.who(each.mac)
            if each.kind == "answer" and each.when > self.began - BEFORE and found[-1:] != [who]:
                found.append(who)
        return found


@pytest.fixture
def story(lan: Lan, tmp_path: Path, served: Served) -> Story:
    return Story(lan, tmp_path, served)


@contextmanager
def restored(lan: Lan, agents: list[Agent], agent: Agent) -> Iterator[None]:
    """After the block the node is there again, whatever became of it."""
    try:
        yield
    finally:
        lan.link(agent.host, "up")
        agent.stop()
        agent.start()
        eventually(partial(ready, agent, [each.host.name for each in agents]), f"{agent.host.name} is back", 30)


def started_again(agent: Agent, killed: int) -> bool:
    """Whether another announcer runs than the one that was killed."""
    return agent.pids().get("announcer", killed) != killed


def test_a_dead_nodes_vip_is_answered_by_another_and_stays_there_when_it_returns(
    lan: Lan, agents: list[Agent], served: Served, story: Story
) -> None:
    address, agent = served.address, served.agent
    rest = others(agents, agent)
    with story.told(), restored(lan, agents, agent):
        for pid in agent.pids().values():
            os.kill(pid, signal.SIGKILL)
        lan.link(agent.host, "down")
        eventually(lambda: agreed(rest, address), "another owns it", SOON)
        heir = agreed(rest, address)
        assert {claim(each, address)["cause"] for each in rest} == {"owner-dead"}
        eventually(lambda: {states(each)[agent.host.name] for each in rest} == {"dead"}, "it is dead for all")
    settled(lan, agents, address)
    throughout(lambda: answering(lan, address) == [heir], "it does not move back", 1.0)
    assert story.answered_by() == [agent.host.name, heir]
    found = outage(story.seen, story.plan, story.began, story.back)
    assert (found.twice, found.moves) == (0, 1)
    assert max(found.client, found.arp) < SOON


def test_the_announcer_killed_moves_nothing(lan: Lan, agents: list[Agent], served: Served, story: Story) -> None:
    address, agent = served.address, served.agent
    before = claim(agent, address)
    with story.told():
        killed = agent.kill("announcer")
        eventually(lambda: agent.pids().get("announcer", killed) != killed, "a new announcer")
        eventually(lambda: settled(lan, agents, address), "all are at peace")
    assert story.answered_by() == [agent.host.name]
    after = claim(agent, address)
    assert (after["owner"], after["epoch"]) == (before["owner"], before["epoch"])


def test_an_announcer_that_dies_three_times_in_a_minute_hands_over_and_a_finding_says_so(
    lan: Lan, agents: list[Agent], served: Served, story: Story
) -> None:
    agent = served.agent
    with story.told(), restored(lan, agents, agent):
        for _ in range(3):
            eventually(partial(started_again, agent, agent.kill("announcer")), "it is started again")
        eventually(lambda: agreed(agents, served.address) not in ("", agent.host.name), "another owns it", 10.0)
        assert finding(agent, "announcer-crash-loop")["severity"] == "error"
        throughout(lambda: answering(lan, served.address) != [agent.host.name], "it does not go back", 2.0)
    assert story.answered_by()[0] == agent.host.name
    assert len(story.answered_by()) == 2


def test_sigterm_moves_it_without_a_lost_probe_and_not_back_at_the_next_start(
    lan: Lan, agents: list[Agent], served: Served, story: Story
) -> None:
    address, agent = served.address, served.agent
    with story.told():
        assert agent.stop() == 0
        agent.start()
        eventually(partial(ready, agent, [each.host.name for each in agents]), "it is back", 30)
        after = settled(lan, agents, address)
    assert after is not agent
    found = outage(story.seen, story.plan, story.began, story.back)
    assert (found.lost, found.moves) == (0, 1)
    assert found.after < OVERLAP


def test_drain_moves_it_without_a_lost_probe_and_undrain_not_back(
    lan: Lan, agents: list[Agent], served: Served, story: Story
) -> None:
    address, agent = served.address, served.agent
    run = ("--run", str(agent.run))
    with story.told():
        try:
            assert address in command_output("drain", "--wait", *run)
            after = settled(lan, agents, address)
            assert {claim(each, address)["cause"] for each in agents} == {"drain"}
        finally:
            command_output("undrain", *run)
        eventually(lambda: not agent.status()["node"]["drained"], "it may be given VIPs again")
        throughout(lambda: answering(lan, address) == [after.host.name], "it does not move back", 1.0)
    assert after is not agent
    found = outage(story.seen, story.plan, story.began, story.back)
    assert (found.lost, found.moves) == (0, 1)
    assert found.after < OVERLAP


def test_an_announcer_that_stood_still_answers_for_nothing_that_another_took_over(
    lan: Lan, agents: list[Agent], served: Served, story: Story
) -> None:
    address, agent = served.address, served.agent
    rest = others(agents, agent)
    with story.told():
        agent.kill("announcer", signal.SIGSTOP)
        try:
            eventually(lambda: agreed(rest, address), "another owns it", SOON)
        finally:
            agent.kill("announcer", signal.SIGCONT)
            story.returns()
        after = settled(lan, agents, address)
        throughout(lambda: answering(lan, address) == [after.host.name], "one answers", 1.0)
    found = outage(story.seen, story.plan, story.began, story.back)
    assert found.after < OVERLAP
    assert after is not agent


def test_a_cable_out_moves_it_once_and_in_again_changes_nothing(
    lan: Lan, agents: list[Agent], served: Served, story: Story
) -> None:
    address, agent = served.address, served.agent
    with story.told():
        lan.link(agent.host, "down")
        try:
            eventually(lambda: agreed(others(agents, agent), address), "another owns it", SOON)
        finally:
            story.returns()
            lan.link(agent.host, "up")
        after = settled(lan, agents, address)
        throughout(lambda: answering(lan, address) == [after.host.name], "one answers", 1.0)
    found = outage(story.seen, story.plan, story.began, story.back)
    assert (found.moves, after is agent) == (1, False)
    assert found.after < OVERLAP
