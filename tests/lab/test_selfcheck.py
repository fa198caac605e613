"""A node learns that the segment does not hear it, though it answers: from the member that would be next."""

from pathlib import Path

import pytest

from tests.lab.agents import Agent
from tests.lab.claims import claim, finding, settled
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.obstacles import unheard
from tests.lab.other import answering_too
from tests.lab.steps import answering, given, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

CHECKED = 7.0
"""Seconds after a take-over by which both checks are over."""
GONE = 15.0
"""Seconds in which a check that failed is made again."""
UNHEARD, STRANGER = "self-check-unanswered", "answered-by-stranger"


def test_that_the_heir_does_not_hear_the_owner_is_a_finding_until_it_does(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "unheard", lan.nodes)
    (address,) = given(cluster, "unheard")
    owner = settled(lan, agents, address)
    heir = next(agent for agent in agents if agent.host.name == claim(owner, address)["heir"])
    with unheard(lan, owner.host, heir.host):
        told = eventually(lambda: finding(owner, UNHEARD), "the finding is there", 10.0)
        assert told["object"] == f"{heir.host.name}: {address}"
        assert answering(lan, address) == [owner.host.name]
    eventually(lambda: not finding(owner, UNHEARD), "it is gone", GONE)


def test_where_all_is_well_there_is_no_finding(cluster: Cluster, lan: Lan, agents: list[Agent]) -> None:
    publish(cluster, "heard", lan.nodes)
    (address,) = given(cluster, "heard")
    owner = settled(lan, agents, address)
    throughout(lambda: not finding(owner, UNHEARD), "nothing is found", CHECKED)


def test_that_the_heir_hears_a_stranger_in_the_owners_place_is_a_finding_with_its_mac_and_moves_nothing(
    cluster: Cluster, lan: Lan, agents: list[Agent], tmp_path: Path
) -> None:
    publish(cluster, "beside", lan.nodes)
    (address,) = given(cluster, "beside")
    owner = settled(lan, agents, address)
    heir = next(agent for agent in agents if agent.host.name == claim(owner, address)["heir"])
    with unheard(lan, owner.host, heir.host):
        with answering_too(lan, lan.client, tmp_path / "other", address):
            told = eventually(lambda: finding(owner, STRANGER), "the finding is there", GONE)
            assert told["object"] == f"{lan.mac(lan.client)}: {address}"
            assert claim(owner, address)["owner"] == owner.host.name
        eventually(lambda: finding(owner, UNHEARD), "once the stranger is silent nobody is heard", GONE)
        assert not finding(owner, STRANGER)
    eventually(lambda: not finding(owner, UNHEARD), "it is gone", GONE)
