"""VIPs that move while all live: a node leaves or drains, pods end, a preferred node is back."""

import pytest

from speakerd.exchange import READY, Candidate, Stake, Vip
from speakerd.model import Interface
from tests.sim.faults import Join
from tests.unit.mesh.cluster import IP, Cluster, drain, part, wish


def test_a_member_that_leaves_hands_over_before_it_falls_silent() -> None:
    cluster = Cluster(3)
    leaver = cluster.owner()
    assert leaver.mesh
    leaver.do(leaver.mesh.leave(leaver.clock()))
    while not leaver.mesh.left:
        cluster.world.run(cluster.world.now + 0.0005)
        assert cluster.answering()
    assert cluster.owner() is not leaver


def test_the_last_of_all_waits_for_nobody_when_it_leaves() -> None:
    cluster = Cluster(1)
    (node,) = cluster.nodes
    assert node.mesh
    node.do(node.mesh.leave(node.clock()))
    assert node.mesh.left


def test_a_drained_node_keeps_what_nobody_else_can_take() -> None:
    cluster = Cluster(2, scores=(0, None))
    node = cluster.owner()
    drain(node, wanted=True)
    cluster.run(2.0)
    assert cluster.owner() is node


def test_a_preferred_node_gets_its_vip_back_after_half_a_minute_of_calm() -> None:
    cluster = Cluster(3, scores=(0, 0, 1))
    preferred = cluster.nodes[2]
    assert cluster.owner() is preferred
    preferred.end()
    cluster.silence(1.0)
    preferred.start()
    cluster.run(20.0)
    assert cluster.owner() is not preferred
    cluster.run(12.0)
    assert cluster.owner() is preferred


def test_a_preferred_node_that_is_lost_again_and_again_waits_longer_whoever_takes_over() -> None:
    cluster = Cluster(3, scores=(0, 0, 1))
    preferred = cluster.nodes[2]
    for wait in (30.0, 60.0, 120.0):
        preferred.end()
        cluster.silence(1.0)
        other = cluster.owner()
        preferred.start()
        cluster.run(wait - 5.0)
        assert cluster.owner() is other
        cluster.run(10.0)
        assert cluster.owner() is preferred


def test_a_node_that_is_a_candidate_now_and_then_is_calm_only_since_it_was_left() -> None:
    cluster = Cluster(2, scores=(0, 1))
    other, preferred = cluster.nodes
    cluster.run(60.0)
    for wait in (30.0, 60.0):
        wish(cluster, IP, nodes=[other])
        cluster.run(1.0)
        assert cluster.owner() is other
        wish(cluster, IP, scores=(0, 1))
        cluster.run(wait - 5.0)
        assert cluster.owner() is other
        cluster.run(10.0)
        assert cluster.owner() is preferred


@pytest.mark.parametrize("drained", [0.0, 5.0])
def test_a_newcomer_gets_its_share_also_when_it_could_take_nothing_as_it_was_due(drained: float) -> None:
    cluster = Cluster(3, vips=12, faults=(Join(40.0, 1.0, 2, 0.0),))
    newcomer = cluster.nodes[2]
    cluster.run(60.0)
    drain(newcomer, wanted=drained > 0)
    cluster.run(9.0 + drained)
    assert (not cluster.served(newcomer)) == (drained > 0)
    drain(newcomer, wanted=False)
    cluster.run(4.0)
    assert sorted(map(len, map(cluster.served, cluster.nodes))) == [2, 5, 5]


def test_who_was_there_before_takes_nothing_of_others_when_it_is_back() -> None:
    cluster = Cluster(3, vips=12, faults=(Join(40.0, 1.0, 2, 0.0),))
    cluster.run(120.0)
    before = cluster.nodes[0]
    before.end()
    cluster.run(5.0)
    before.start()
    cluster.run(60.0)
    assert not cluster.served(before)


def test_where_pods_end_the_vip_goes_at_once_to_a_node_with_one_that_is_ready() -> None:
    cluster = Cluster(3, scores=(READY, READY, READY))
    ending = cluster.owner()
    scores = {node.name: 0 if node is ending else READY for node in cluster.nodes}
    for node in cluster.nodes:
        assert node.mesh
        change = {IP: Stake(Vip(IP, "d/s", IP, 0), tuple(Candidate(name, score) for name, score in scores.items()))}
        node.stakes |= change
        node.mesh.want(change, node.clock())
        node.do(node.mesh.wanted(node.clock()))
    cluster.run(0.5)
    now = cluster.owner()
    assert now is not ending
    assert now.mesh
    assert now.mesh.known[IP].cause == "not-candidate"


def test_where_all_pods_end_the_vip_stays() -> None:
    cluster = Cluster(3, scores=(0, 0, 0))
    before = cluster.owner()
    cluster.run(5.0)
    assert cluster.owner() is before


@pytest.mark.parametrize(("blind", "moves"), [(5, True), (7, False), (0, False)])
def test_an_owner_takes_a_later_row_from_others_only_while_its_own_watch_is_down(blind: int, moves: bool) -> None:
    cluster = Cluster(3)
    before = cluster.owner()
    assert before.mesh
    names = [node.name for node in cluster.nodes if node is not before]
    for node in cluster.nodes:
        if node is not before and node.mesh:
            node.mesh.want(
                {IP: Stake(Vip(IP, "d/s", IP, 0, row_version=7), tuple(map(Candidate, names)))}, node.clock()
            )
            node.do(node.mesh.wanted(node.clock()))
    before.see(blind)
    cluster.run(3.0)
    assert (cluster.owner() is not before) == moves
    assert cluster.owner().mesh.known[IP].cause == ("not-candidate" if moves else "first")  # type: ignore[union-attr]


def test_once_it_sees_for_itself_again_its_own_row_counts() -> None:
    cluster = Cluster(3)
    before = cluster.owner()
    for node in cluster.nodes:
        if node is not before and node.mesh:
            change = {IP: Stake(Vip(IP, "d/s", IP, 0, row_version=7), (Candidate(node.name),))}
            node.mesh.want(change, node.clock())
            node.do(node.mesh.wanted(node.clock()))
    before.see(5)
    cluster.run(3.0)
    assert cluster.owner() is not before
    before.see(0)
    assert before.mesh
    assert any(each.node == before.name for each in before.mesh.owner.holdings.stakes[IP].candidates)


def test_an_interface_of_another_name_carries_no_vip_that_names_its_own() -> None:
    cluster = Cluster(1)
    (node,) = cluster.nodes
    assert node.mesh
    other = Interface(7, "other0", b"\2\0\0\0\0\7", up=True, carrier=True, usable=True)
    stake = Stake(Vip(IP, "d/s", IP, 0, ("eth0",)), (Candidate(node.name),))
    node.mesh.want({IP: stake}, node.clock())
    node.do(node.mesh.wanted(node.clock()))
    assert node.answers[IP] == ("eth0",)
    node.do(node.mesh.interfaces((other,), node.clock()))
    assert IP not in node.answers


def test_an_offer_that_nobody_took_is_forgotten_once_its_cause_is_gone() -> None:
    cluster = Cluster(2)
    owner = cluster.owner()
    assert owner.mesh
    for up in (False, True):
        owner.carrier[0] = up
        owner.do(owner.mesh.interfaces(owner.interfaces(), owner.clock()))
        cluster.run(0.05)
    cluster.run(11.0)
    assert cluster.owner() is owner
    part(cluster, owner, seconds=3.0)
    cluster.run(1.0)
    assert cluster.owner() is owner
