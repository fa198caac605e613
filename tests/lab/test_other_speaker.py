"""Somebody else answers for a VIP: it is left alone, asked for each second, told, and taken when that one is silent."""

import time
from pathlib import Path
from typing import Literal

import pytest

from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.claims import claim, finding, settled
from tests.lab.cluster import Cluster
from tests.lab.frames import Watch
from tests.lab.net import Host, Lan
from tests.lab.other import answering_too, overheard
from tests.lab.steps import clear, given
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

ADDRESS = "10.99.10.77"
TAKEN = 1.0
"""Seconds from the other's silence until another answers, at the most."""
SLACK = 0.5
"""On a machine that does other things meanwhile."""
WHILE = 3.0
"""Seconds that it is left alone, and asked for in each."""

Place = Literal["the node that would own it", "another node", "a host that is no member"]
STRANGER, MEMBER = "answered-by-stranger", "answered-by-own-kernel-or-other-speaker"
WORDS: dict[Place, str] = {
    "the node that would own it": MEMBER,
    "another node": MEMBER,
    "a host that is no member": STRANGER,
}


def wish(cluster: Cluster, lan: Lan) -> None:
    """A Service that wishes for the address, and gets it."""
    cluster.create(objects.service("web", annotations={"metallb.io/loadBalancerIPs": ADDRESS}))
    cluster.create(objects.endpoints("web", lan.nodes))
    assert given(cluster, "web") == [ADDRESS]


@pytest.fixture
def first(cluster: Cluster, lan: Lan, agents: list[Agent]) -> Host:
    """The node that owns the address where nobody else answers."""
    wish(cluster, lan)
    owner = settled(lan, agents, ADDRESS).host
    clear(cluster)
    eventually(lambda: not any(claim(agent, ADDRESS) for agent in agents), "it is forgotten")
    return owner


def host(lan: Lan, place: Place, first: Host) -> Host:
    """Where the other speaker is."""
    if place == "a host that is no member":
        return lan.client
    return next(node for node in lan.nodes if (node == first) == (place == "the node that would own it"))


@pytest.mark.parametrize("place", list(WORDS))
def test_a_vip_that_another_speaker_answers_for_is_left_to_it_and_taken_within_a_second_of_its_silence(
    cluster: Cluster, lan: Lan, agents: list[Agent], first: Host, tmp_path: Path, place: Place
) -> None:
    other = host(lan, place, first)
    nodes = {lan.mac(node) for node in lan.nodes}
    with Watch(lan.onlooker, ask=[ADDRESS]) as watch:
        with answering_too(lan, other, tmp_path / "other", ADDRESS), overheard(lan.onlooker, ADDRESS) as asked:
            wish(cluster, lan)
            told = eventually(lambda: found(agents, WORDS[place]), "it is told")
            throughout(lambda: not owned(agents), "nobody claims it", WHILE)
            assert watch.speakers(ADDRESS) == [lan.mac(other)]
            assert not watch.of(ADDRESS, "gratuitous")
            assert sum(count for mac, count in asked().items() if mac in nodes) >= WHILE
            assert ADDRESS in str(told)
            assert lan.mac(other) in str(told)
        silent = time.time()
        last = max(each.when for each in watch.answers())
        eventually(lambda: any(each.when > silent for each in watch.answers()), "it is answered again", 5)
        again = min(each.when for each in watch.answers() if each.when > silent)
        assert again - last < TAKEN + SLACK
    settled(lan, agents, ADDRESS)
    eventually(lambda: not found(agents, WORDS[place]), "the finding goes with its cause")


def found(agents: list[Agent], word: str) -> list[dict[str, str]]:
    """Every agent that reports it."""
    return [each for each in (finding(agent, word) for agent in agents) if each]


def owned(agents: list[Agent]) -> set[str]:
    """Who owns it, as any of them has it."""
    return {name for agent in agents if (name := claim(agent, ADDRESS).get("owner"))}
