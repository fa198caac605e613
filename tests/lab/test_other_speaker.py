"""Somebody else answers for a VIP: it is left alone, asked for each second, told, and taken when that one is silent."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.claims import claim, finding, settled
from tests.lab.cluster import Cluster
from tests.lab.frames import Watch
from tests.lab.net import Host, Lan, tool
from tests.lab.objects import METALLB
from tests.lab.obstacles import unheard
from tests.lab.other import answering_too, overheard
from tests.lab.steps import clear, given, publish, said
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
SECOND_CHECK = 20.0
"""Seconds from a take-over in which a check that fails is made, and made again."""
PROXY, BOUND = "proxy-arp", "bound-here"
STRANGER, MEMBER = "answered-by-stranger", "answered-by-own-kernel-or-other-speaker"
WORDS: dict[Place, str] = {
    "the node that would own it": MEMBER,
    "another node": MEMBER,
    "a host that is no member": STRANGER,
}


def wish(cluster: Cluster, lan: Lan, name: str = "web", address: str = ADDRESS) -> None:
    """A Service that wishes for the address, and gets it."""
    cluster.create(objects.service(name, annotations={"metallb.io/loadBalancerIPs": address}))
    cluster.create(objects.endpoints(name, lan.nodes))
    assert given(cluster, name) == [address]


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


def test_a_new_service_whose_address_a_host_has_already_is_given_the_next_one(
    cluster: Cluster, lan: Lan, agents: list[Agent], tmp_path: Path
) -> None:
    taken, free = "10.99.13.1", "10.99.13.2"
    cluster.create(objects.pool("shared", f"{taken}-{free}"))
    with answering_too(lan, lan.client, tmp_path / "other", taken):
        publish(cluster, "fresh", lan.nodes, pool="shared")
        eventually(lambda: cluster.addresses("fresh") == [free], "it has the next address")
        settled(lan, agents, free)
        assert not owned(agents, taken)
        told = eventually(lambda: said(cluster, "fresh", "ClearAssignment"), "why it has it is told")
        assert told == [f'Cleared IP ["{taken}"]: already answered for by {lan.mac(lan.client)}']
    cluster.delete("IPAddressPool", "shared", METALLB)


def test_a_host_that_answers_for_several_vips_holds_them_and_is_told_to_be_a_proxy_perhaps(
    cluster: Cluster, lan: Lan, agents: list[Agent], tmp_path: Path
) -> None:
    addresses = [f"10.99.10.{number}" for number in range(80, 84)]
    with answering_too(lan, lan.client, tmp_path / "other", *addresses):
        for number, address in enumerate(addresses):
            wish(cluster, lan, f"several-{number}", address)
        told = eventually(lambda: found(agents, PROXY), "it is told")
        throughout(lambda: not any(owned(agents, address) for address in addresses), "nobody claims any", WHILE)
        assert all(lan.mac(lan.client) in each["object"] for each in told)
    for address in addresses:
        settled(lan, agents, address)
    eventually(lambda: not found(agents, PROXY), "the finding goes with its cause")


def test_an_address_that_the_owners_kernel_has_is_told_by_it_and_moves_nothing(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    wish(cluster, lan)
    owner = settled(lan, agents, ADDRESS)
    with bound(owner.host, ADDRESS):
        told = eventually(lambda: found(agents, BOUND), "it is told")
        assert [each["object"] for each in told] == [ADDRESS]
        throughout(lambda: owned(agents) == {owner.host.name}, "it stays", WHILE)
    eventually(lambda: not found(agents, BOUND), "the finding goes with its cause")


def test_an_address_that_another_nodes_kernel_has_is_told_by_both_and_moves_nothing(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    wish(cluster, lan)
    owner = settled(lan, agents, ADDRESS)
    heir = claim(owner, ADDRESS)["heir"]
    other = next(agent for agent in agents if agent.host.name not in (owner.host.name, heir))
    heirs = next(node for node in lan.nodes if node.name == heir)
    with unheard(lan, owner.host, heirs), bound(other.host, ADDRESS):
        eventually(lambda: finding(other, BOUND), "who has it tells it")
        told = eventually(lambda: finding(owner, MEMBER), "so does the owner", SECOND_CHECK)
        assert told["object"] == f"{lan.mac(other.host)}: {ADDRESS}"
        assert owned(agents) == {owner.host.name}
    eventually(lambda: not finding(owner, MEMBER) and not finding(other, BOUND), "the findings go", SECOND_CHECK)


@contextmanager
def bound(host: Host, address: str) -> Iterator[None]:
    """The address is on the host's interface: its kernel answers."""
    tool("ip", "-n", host.namespace, "addr", "add", f"{address}/32", "dev", "eth0")
    try:
        yield
    finally:
        tool("ip", "-n", host.namespace, "addr", "del", f"{address}/32", "dev", "eth0")


def found(agents: list[Agent], word: str) -> list[dict[str, str]]:
    """Every agent that reports it."""
    return [each for each in (finding(agent, word) for agent in agents) if each]


def owned(agents: list[Agent], address: str = ADDRESS) -> set[str]:
    """Who owns it, as any of them has it."""
    return {name for agent in agents if (name := claim(agent, address).get("owner"))}
