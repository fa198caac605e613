"""A node learns that the segment does not hear it, though it answers: from the member that would be next."""

import pytest

from tests.lab.agents import Agent
from tests.lab.claims import claim, finding, settled
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.obstacles import unheard
from tests.lab.steps import answering, given, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

CHECKED = 7.0
"""Seconds after a take-over by which both checks are over."""


def test_that_the_heir_does_not_hear_the_owner_is_a_finding_until_it_does(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "unheard", lan.nodes)
    (address,) = given(cluster, "unheard")
    owner = settled(lan, agents, address)
    heir = next(agent for agent in agents if agent.host.name == claim(owner, address)["heir"])
    with unheard(lan, owner.host, heir.host):
        told = eventually(lambda: finding(owner, "self-check-unanswered"), "the finding is there", 10.0)
        assert told["object"] == f"{heir.host.name}: {address}"
        assert answering(lan, address) == [owner.host.name]
    eventually(lambda: not finding(owner, "self-check-unanswered"), "it is gone", 15.0)


def test_where_all_is_well_there_is_no_finding(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    publish(cluster, "heard", lan.nodes)
    (address,) = given(cluster, "heard")
    owner = settled(lan, agents, address)
    throughout(lambda: not finding(owner, "self-check-unanswered"), "nothing is found", CHECKED)
