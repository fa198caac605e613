"""Heartbeats of members that live on leave all as it is; what is due is known all the same."""

import pytest

from speakerd.deadlines import soonest
from tests.unit.mesh.cluster import IP, Cluster, drain, part

CALM = 10.0
"""Seconds after which heirs are named, and new VIPs were asked for."""


def still(cluster: Cluster) -> list[bool]:
    """Of each node, whether the last message it got left all as it was."""
    return [node.mesh.still for node in cluster.nodes if node.mesh]


def check_deadlines(cluster: Cluster, seconds: float) -> None:
    """Whether no node plans to wake later than something of it is due, while time passes."""
    until = cluster.world.now + seconds
    while cluster.world.now < until:
        cluster.run(0.005)
        for mesh in (node.mesh for node in cluster.nodes if node.mesh):
            planned, due = mesh.deadline(), soonest(mesh.detector.deadline(), mesh.owner.deadline())
            assert due is None or (planned is not None and planned <= due)


def test_in_calm_nearly_every_message_leaves_all_as_it_is() -> None:
    cluster = Cluster(3, vips=8)
    cluster.run(CALM)
    seen: list[bool] = []
    for _ in range(100):
        cluster.run(0.01)
        seen += still(cluster)
    assert sum(seen) > 0.8 * len(seen)  # others are heard twice, or were overtaken


def test_what_changes_for_a_member_is_noticed_with_its_next_heartbeat() -> None:
    cluster = Cluster(3, vips=8)
    cluster.run(CALM)
    owner = cluster.owner()
    drain(owner, wanted=True)
    cluster.run(1.0)
    assert cluster.owner() is not owner


@pytest.mark.parametrize("nodes", [2, 3, 12])
def test_whatever_heartbeats_come_no_node_sleeps_past_what_is_due(nodes: int) -> None:
    cluster = Cluster(nodes, vips=8)
    check_deadlines(cluster, 0.5)
    drain(cluster.owner(), wanted=True)
    check_deadlines(cluster, 1.0)
    if nodes > 2:
        part(cluster, cluster.owner(), seconds=0.5)
    check_deadlines(cluster, 2.0)
    assert len(cluster.promises.answering(IP)) == 1
