"""Members do not hear each other, on a LAN that is whole or is not: what need not move stays, one owner after it."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.lab.agents import Agent
from tests.lab.claims import agreed, finding, others, settled, states
from tests.lab.cluster import Cluster
from tests.lab.eyes import Eyes, Seen, looking, plan
from tests.lab.net import Lan, tool
from tests.lab.obstacles import BOTH_WAYS, Way, blocked, divided
from tests.lab.steps import given, publish
from tests.lab.traffic import ask
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

WHILE = 3.0
"""Seconds a block lasts: forty heartbeats."""
OVERLAP = 0.5
"""Seconds two nodes that hear each other may both answer (the promise of the protocol)."""
AFTER = 1.5
"""Seconds the wire is watched beyond that."""
SIDE = 10.5
"""Seconds for which the fewest members that a node heard are its side, and a moment."""
NAMES = [f"web-{number}" for number in range(6)]
"""Services enough that each of three nodes has some."""

BLOCKED = "membership-blocked"

Owners = dict[str, str]


@pytest.fixture
def addresses(cluster: Cluster, lan: Lan, agents: list[Agent]) -> list[str]:
    """VIPs whose owners all agree on."""
    for name in NAMES:
        publish(cluster, name, lan.nodes)
    found = [given(cluster, name)[0] for name in NAMES]
    for address in found:
        settled(lan, agents, address)
    return found


def owners(agents: Sequence[Agent], addresses: Iterable[str]) -> Owners:
    """Of each VIP, as all agents have it; nothing where they differ."""
    return {address: agreed(agents, address) for address in addresses}


@contextmanager
def watched(lan: Lan, folder: Path, addresses: Sequence[str]) -> Iterator[Eyes]:
    """The onlooker asks for all of them in turn."""
    with looking(lan, folder, plan(lan, addresses, (), probe=(), ask_every=0.002)) as eyes:
        yield eyes


def speakers(lan: Lan, seen: Seen, since: float = 0.0) -> set[tuple[str, str]]:
    """Who spoke for which VIP from a time on."""
    return {(each.ip, lan.who(each.mac)) for each in seen.sightings if each.when > since}


def busy_one(agents: Sequence[Agent], before: Owners) -> Agent:
    """An agent that owns some of the VIPs, but not all."""
    owned = [agent for agent in agents if agent.host.name in before.values()]
    assert len(owned) > 1, "the VIPs are spread over nodes"
    return owned[0]


@pytest.mark.parametrize("ways", [BOTH_WAYS, ("to",), ("from",)], ids=["both ways", "towards it", "from it"])
def test_with_the_membership_port_blocked_at_one_node_nothing_moves_and_a_finding_has_the_remedy(
    lan: Lan, agents: list[Agent], addresses: list[str], tmp_path: Path, ways: Sequence[Way]
) -> None:
    before = owners(agents, addresses)
    node = busy_one(agents, before)
    with watched(lan, tmp_path, addresses) as eyes:
        with blocked(lan, node.host, ("udp",), ways):
            told = eventually(partial(finding, node, BLOCKED), "it knows that it is blocked")
            throughout(lambda: owners(agents, addresses) == before, "nothing moves", WHILE)
            for agent in others(agents, node):
                found = eventually(partial(finding, agent, BLOCKED), "so do the others")
                assert node.host.name in found["object"]
        seen = eyes.end()
    assert "7946" in told["remedy"]
    assert speakers(lan, seen) == set(before.items()), "each address is spoken for by its owner alone"
    for agent in agents:
        eventually(partial(unblocked, agent), "the finding goes with its cause")


def unblocked(agent: Agent) -> bool:
    return not finding(agent, BLOCKED)


def test_with_frames_blocked_as_well_only_that_nodes_vips_move_and_one_answers_after_the_heal(
    lan: Lan, agents: list[Agent], addresses: list[str], tmp_path: Path
) -> None:
    before = owners(agents, addresses)
    node = busy_one(agents, before)
    rest = others(agents, node)
    stay = [address for address, name in before.items() if name != node.host.name]
    with watched(lan, tmp_path, addresses) as eyes:
        with blocked(lan, node.host, ("udp", "ethernet")):
            eventually(partial(dead_for, rest, node), "the others think it is dead")
            throughout(lambda: owners(rest, stay) == {each: before[each] for each in stay}, "theirs stay", WHILE)
        healed = time.time()
        after = at_peace(lan, agents, addresses, healed)
        seen = eyes.end()
    assert speakers(lan, seen, healed + OVERLAP) == set(after.items()), "each address has one speaker"
    assert {each: after[each] for each in stay} == {each: before[each] for each in stay}


def test_of_a_lan_cut_in_two_and_healed_the_larger_part_keeps_its_vips_and_one_owner_is_left_of_each(
    lan: Lan, agents: list[Agent], addresses: list[str], tmp_path: Path
) -> None:
    eventually(partial(together, agents), "all have lived together for as long as a side counts", 2 * SIDE)
    before = owners(agents, addresses)
    node = busy_one(agents, before)
    rest = others(agents, node)
    stay = {address: name for address, name in before.items() if name != node.host.name}
    send_to_all(lan, addresses)
    with watched(lan, tmp_path, addresses) as eyes:
        with divided(lan, [node.host]):
            eventually(lambda: all(owners(rest, addresses).values()), "the larger part has an owner for each")
            during = owners(rest, addresses)
            send_to_all(lan, addresses)
            throughout(lambda: owners(rest, addresses) == during, "and keeps it", 1.0)
        healed = time.time()
        after = at_peace(lan, agents, addresses, healed)
        seen = eyes.end()
    assert speakers(lan, seen, healed + OVERLAP) == set(after.items()), "each address has one speaker"
    assert after == during
    assert stay.items() <= after.items()
    assert {address: neighbour(lan, address) for address in addresses} == after


def together(agents: Sequence[Agent]) -> bool:
    """Whether all know each other for long enough."""
    return all(each["lasted"] > SIDE for agent in agents for each in agent.status().get("members", [{"lasted": 0.0}]))


def send_to_all(lan: Lan, addresses: Iterable[str]) -> None:
    """Have the client's kernel know where each of them is."""
    for address in addresses:
        ask(lan.client, address, 9, "UDP", 0.02)


def dead_for(agents: Collection[Agent], node: Agent) -> bool:
    """Whether all of these think so."""
    return {states(agent)[node.host.name] for agent in agents} == {"dead"}


def at_peace(lan: Lan, agents: Sequence[Agent], addresses: Sequence[str], healed: float) -> Owners:
    """Owners after a heal, once all agree and the wire was watched for a while."""
    for address in addresses:
        settled(lan, agents, address)
    eventually(lambda: time.time() > healed + OVERLAP + AFTER, "the wire was watched")
    return owners(agents, addresses)


def neighbour(lan: Lan, address: str) -> str:
    """The host that the client's kernel would send to."""
    words = tool("ip", "-n", lan.client.namespace, "neigh", "show", address).split()
    return lan.who(words[words.index("lladdr") + 1]) if "lladdr" in words else ""
