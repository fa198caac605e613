"""Nodes that die, stand still, start anew or lose their cable: who takes their VIPs, and gives them back or not."""

from collections.abc import Iterable
from itertools import product

import pytest

from speakerd.exchange import Candidate, Member, MembershipSettings, Stake, Vip
from speakerd.membership.peer import State
from speakerd.mesh import Mesh
from speakerd.model import Interface
from tests.sim.faults import Join
from tests.sim.world import Node
from tests.unit.mesh.cluster import IP, Cluster, happened, state, watch


def test_who_heard_a_heartbeat_of_the_same_instant_denies_no_death() -> None:
    cluster = Cluster(4)
    dead, first, slow, other = cluster.nodes
    assert slow.mesh
    watched = slow.mesh.detector.peers[dead.name]
    for _ in range(2):
        watched.stalled(slow.clock())
    assert watched.slowed(slow.clock())
    dead.end()
    cluster.run(0.3)
    assert state(first, dead) is state(other, dead) is State.DEAD
    assert not any(h.word == "member.alive" and h.subject == dead.name for h in happened(first, 0.3))


@pytest.mark.parametrize(("nodes", "most"), [(2, 0.25), (3, 0.2), (5, 0.2), (12, 0.2)])
def test_when_the_owner_dies_its_heir_answers_in_time_and_the_one_who_returns_gets_nothing_back(
    nodes: int, most: float
) -> None:
    cluster = Cluster(nodes)
    dead = cluster.owner()
    assert dead.mesh
    heir = dead.mesh.known[IP].heir
    dead.end()
    assert cluster.silence(1.0) <= most
    assert cluster.owner().name == heir
    dead.start()
    cluster.run(5.0)
    assert cluster.owner().name == heir


def test_when_the_owner_is_back_in_a_new_life_before_it_was_missed_its_heir_alone_takes_over() -> None:
    cluster = Cluster(5)
    dead = cluster.owner()
    assert dead.mesh
    heir = dead.mesh.known[IP].heir
    dead.end()
    cluster.run(0.1)
    dead.start()
    assert watch(cluster, 0.5) == {heir}


@pytest.mark.parametrize("knows", [True, False])
def test_a_vip_that_is_wanted_again_after_its_owners_death_is_taken_by_one(*, knows: bool) -> None:
    cluster = Cluster(5)
    dead = cluster.owner()
    assert dead.mesh
    heir, stake = dead.mesh.known[IP].heir, dead.stakes[IP]
    nodes = [node for node in cluster.nodes if node is not dead]
    for node in nodes:
        assert node.mesh
        node.mesh.want({IP: None}, node.clock())
        node.do(node.mesh.wanted(node.clock()))
    dead.end()
    cluster.run(2.0)
    assert not cluster.answering()
    for node in nodes:
        if node.mesh and (knows or node.name != heir):
            node.mesh.want({IP: stake}, node.clock())
            node.do(node.mesh.wanted(node.clock()))
    found = watch(cluster, 0.5)
    assert len(found) == 1
    assert (found == {heir}) == knows


def test_who_stood_still_is_silent_before_it_says_a_word() -> None:
    cluster = Cluster(3)
    stopped = cluster.owner()
    stopped.paused = True
    cluster.silence(1.0)
    cluster.run(2.0)
    stopped.go_on()
    assert not stopped.answers
    cluster.run(2.0)
    assert cluster.owner() is not stopped


def test_an_announcer_started_anew_at_once_answers_at_once_and_nothing_moves() -> None:
    cluster = Cluster(3)
    node = cluster.owner()
    assert node.mesh
    remembered = dict(node.mesh.known)
    node.end()
    cluster.run(0.05)
    node.start(remembered=remembered, resume=True)
    cluster.run(0.02)
    assert cluster.owner() is node
    cluster.run(2.0)
    assert cluster.owner() is node


def test_a_node_whose_cable_is_out_gives_its_vips_up_and_answers_for_none_when_it_is_back() -> None:
    cluster = Cluster(3)
    node = cluster.owner()
    node.carrier[0] = False
    assert node.mesh
    node.do(node.mesh.interfaces(node.interfaces(), node.clock()))
    assert not node.answers
    cluster.run(2.0)
    node.carrier[0] = True
    node.do(node.mesh.interfaces(node.interfaces(), node.clock()))
    cluster.run(2.0)
    assert cluster.owner() is not node


def test_a_node_whose_announcer_died_again_and_again_answers_for_nothing_until_its_rest_is_over() -> None:
    mesh = Mesh(1, lambda: 0.5, {}, 0.0, rest=300.0)
    up = Interface(1, "eth0", b"\2\0\0\0\0\1", up=True, carrier=True, usable=True)
    mesh.configure("a", (Member("a"), Member("b")), MembershipSettings(), 0.0)
    mesh.interfaces((up,), 0.0)
    mesh.want({IP: Stake(Vip(IP, "d/s", IP, 0), (Candidate("a"),))}, 0.0)
    mesh.wanted(0.0)
    for step in range(2000):
        mesh.wake(step / 10)
    assert not mesh.mine
    assert "announcer-crash-loop" in mesh.conditions(200.0)
    for step in range(3000, 3100):
        mesh.wake(step / 10)
    assert list(mesh.mine) == [IP]
    assert "announcer-crash-loop" not in mesh.conditions(310.0)


def test_a_machine_that_was_suspended_and_finds_all_that_came_meanwhile_is_silent_until_others_have_spoken() -> None:
    cluster = Cluster(2)
    owner = cluster.owner()
    (other,) = (node for node in cluster.nodes if node is not owner)
    owner.since, owner.suspended = cluster.world.now, True
    cluster.run(2.0)
    assert cluster.owner() is other
    owner.resume()
    assert owner.mesh
    assert not owner.mesh.mine, "two seconds of heartbeats, 75 ms apart, were in its sockets"
    assert any(each.word == "node.paused" for each in happened(owner, 1.0))


def test_who_stood_still_yields_to_a_claim_whoever_tells_of_it_before_it_answers_again() -> None:
    cluster = Cluster(5)
    owner = cluster.owner()
    owner.paused = True
    cluster.run(1.0)
    taker = cluster.owner()
    block(cluster, [(taker, owner)], 1)
    owner.go_on()
    for _ in range(100):
        cluster.world.run(cluster.world.now + 0.0002)
        assert cluster.answering() == [taker]


def test_who_stood_still_rises_above_no_claim_of_one_who_came_meanwhile_and_was_not_heard_yet() -> None:
    cluster = Cluster(4, scores=(0, 0, None, 0), faults=(Join(4.0, 1.0, 3, 0.0),))
    still, newcomer = cluster.owner(), cluster.nodes[3]
    taker = next(node for node in cluster.nodes[:2] if node is not still)
    still.paused = True
    cluster.run(3.0)
    taker.end()
    cluster.run(1.0)
    assert cluster.owner() is newcomer
    assert newcomer.mesh
    epoch = newcomer.mesh.known[IP].epoch
    block(cluster, [(newcomer, still)], 1)
    still.go_on()
    for _ in range(1000):
        cluster.world.run(cluster.world.now + 0.0002)
        assert cluster.answering() == [newcomer]
    assert newcomer.mesh.known[IP].epoch == epoch


def test_who_stood_still_takes_back_at_once_what_its_successor_has_withdrawn_meanwhile() -> None:
    cluster = Cluster(3, scores=(0, 0, None))
    still = cluster.owner()
    taker = next(node for node in cluster.nodes[:2] if node is not still)
    still.paused = True
    cluster.run(1.0)
    assert cluster.owner() is taker
    assert taker.mesh
    stake = taker.stakes[IP]
    assert stake
    taker.mesh.want({IP: Stake(stake.vip, (Candidate(still.name),))}, taker.clock())
    taker.do(taker.mesh.wanted(taker.clock()))
    cluster.run(0.5)
    assert not cluster.answering()
    still.go_on()
    assert cluster.silence(0.5) < 0.2
    assert cluster.owner() is still


def test_a_death_is_found_by_one_where_the_other_has_never_met_the_dead() -> None:
    cluster = Cluster(3)
    anew, dead, sees = cluster.nodes
    anew.end()
    dead.end()
    anew.start(remembered={})
    cluster.run(2.0)
    assert state(anew, dead) is State.UNHEARD
    assert state(sees, dead) is State.DEAD


def test_who_stood_still_while_another_died_finds_out_that_it_is_dead() -> None:
    cluster = Cluster(3)
    still, dead, _ = cluster.nodes
    still.paused = True
    cluster.run(1.0)
    dead.end()
    cluster.run(5.0)
    still.go_on()
    cluster.run(1.0)
    assert state(still, dead) is State.DEAD


def test_a_member_that_hears_nobody_is_not_waited_for_when_the_wire_is_asked_for_another() -> None:
    cluster = Cluster(3)
    dead = cluster.owner()
    able, deaf = (node for node in cluster.nodes if node is not dead)
    for node in cluster.nodes:
        assert node.mesh
        stake = node.stakes[IP]
        assert stake
        change: dict[bytes, Stake | None] = {IP: Stake(stake.vip, (Candidate(dead.name), Candidate(able.name)))}
        node.stakes |= change
        node.mesh.want(change, node.clock())
        node.do(node.mesh.wanted(node.clock()))
    block(cluster, [(dead, deaf), (able, deaf)], 1)
    cluster.run(2.0)
    dead.end()
    assert cluster.silence(1.0) < 0.5
    assert cluster.owner() is able


def test_what_a_deaf_member_holds_for_dead_is_no_death() -> None:
    cluster = Cluster(5)
    owner = cluster.owner()
    assert owner.mesh
    heir = next(node for node in cluster.nodes if node.name == owner.mesh.known[IP].heir)
    deaf = next(node for node in cluster.nodes if node not in (owner, heir))
    block(cluster, [(other, deaf) for other in cluster.nodes if other is not deaf], 1)
    cluster.run(1.0)
    assert state(deaf, owner) is State.DEAD
    block(cluster, [(owner, heir), (heir, owner)], 1)
    for _ in range(400):
        cluster.run(0.005)
        assert State.DEAD not in (state(owner, heir), state(heir, owner)), "the others hear both"


def test_whom_a_member_held_for_dead_while_it_was_deaf_is_not_robbed_by_it_when_others_hear_both() -> None:
    cluster = Cluster(4, scores=(0, 0, None, None))
    owner = cluster.owner()
    deaf = next(node for node in cluster.nodes[:2] if node is not owner)
    others = [node for node in cluster.nodes if node is not deaf]
    block(cluster, [(other, deaf) for other in others], 1)
    cluster.run(0.4)
    assert state(deaf, owner) is State.DEAD
    block(cluster, [(deaf, owner), (owner, deaf)], 1)
    block(cluster, [(other, deaf) for other in others], -1)
    assert watch(cluster, 5.0) == {owner.name}


@pytest.mark.parametrize("seed", range(1, 13))
def test_what_a_member_held_for_dead_while_it_was_deaf_is_no_death_when_it_hears_again(seed: int) -> None:
    cluster = Cluster(5, seed=seed)
    one, other, deaf, *rest = cluster.nodes
    mute = [(node, deaf) for node in (one, other, *rest)]
    block(cluster, mute, 1)
    cluster.run(1.0)
    block(cluster, [(one, other), (other, one)], 1)
    cluster.run(0.1)
    block(cluster, mute, -1)
    for _ in range(200):
        cluster.world.run(cluster.world.now + 0.005)
        assert State.DEAD not in (state(one, other), state(other, one)), "the others hear both"


def block(cluster: Cluster, ways: Iterable[tuple[Node, Node]], by: int) -> None:
    """Let nothing pass from the first to the second by either carrier, or let it pass again (-1)."""
    for (source, target), carrier in product(ways, (0, 1)):
        cluster.world.blocked[source.number, target.number, carrier] += by
