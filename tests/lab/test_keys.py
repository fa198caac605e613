"""The key of the members' messages: its Secret may go or change, and no VIP moves."""

import os
from base64 import b64encode
from functools import partial

import pytest

from tests.lab import objects
from tests.lab.agents import Agent
from tests.lab.claims import all_alive, claim, settled
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.steps import given, owner, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

SECRET = "memberlist"
PATIENCE = 20.0
"""Seconds until the Secret is there again: 5 until it counts as missing, and what a busy machine adds."""


def material(cluster: Cluster) -> str:
    """What the Secret holds; nothing where there is none."""
    found = cluster.get("Secret", SECRET, objects.METALLB) or {}
    return str(found.get("data", {}).get("secretkey", ""))


def known(cluster: Cluster) -> dict[str, list[str]]:
    """The ids of the keys that each member's record names."""
    records = [each for name, each in cluster.leases().items() if name.startswith("speakerd-node-")]
    return {
        each["spec"]["holderIdentity"]: each["metadata"]["annotations"]["speakerd.io/keys"].split(",")
        for each in records
    }


def all_know_one_other_than(cluster: Cluster, before: str) -> bool:
    """Whether every record names the same newest key, and not `before`."""
    newest = {keys[0] for keys in known(cluster).values()}
    return len(newest) == 1 and before not in newest


def test_a_secret_that_vanishes_is_made_again_with_the_same_key_and_nothing_moves(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    node = settled(lan, agents, address).host.name
    before, keys = material(cluster), known(cluster)
    cluster.delete("Secret", SECRET, objects.METALLB)
    eventually(lambda: material(cluster) == before, "it is there again with the same key", PATIENCE)
    assert known(cluster) == keys
    assert owner(lan, address) == node


def test_a_changed_secret_spreads_without_anybody_being_cut_off(
    cluster: Cluster, lan: Lan, agents: list[Agent]
) -> None:
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    node = settled(lan, agents, address).host.name
    epoch = claim(agents[0], address)["epoch"]
    old = next(iter(known(cluster).values()))[0]
    data = {"data": {"secretkey": b64encode(os.urandom(32)).decode()}}
    cluster.patch("Secret", SECRET, data, namespace=objects.METALLB)
    eventually(partial(all_know_one_other_than, cluster, old), "every record names the new key")
    eventually(lambda: all(len(keys) == 1 for keys in known(cluster).values()), "the old key is given up")
    throughout(partial(all_alive, agents), "all hear one another", 3.0)
    assert owner(lan, address) == node
    assert claim(agents[0], address)["epoch"] == epoch
