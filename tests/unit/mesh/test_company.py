"""Who knows whom, and who owns what, in calm, in a cut network and after it has healed."""

from itertools import product

import pytest

from speakerd.exchange import Member, MembershipSettings
from speakerd.membership.peer import State
from tests.sim.faults import Cut, Join, Outage
from tests.unit.mesh.cluster import IP, Cluster, conditions, part, state, strangers


@pytest.mark.parametrize("nodes", [1, 2, 3, 5, 12])
def test_one_node_answers_and_all_know_it(nodes: int) -> None:
    cluster = Cluster(nodes)
    owner = cluster.owner()
    assert {node.mesh.known[IP].owner for node in cluster.nodes if node.mesh} == {owner.name}


@pytest.mark.parametrize("carrier", [0, 1])
def test_one_carrier_blocked_moves_nothing(carrier: int) -> None:
    cluster = Cluster(3)
    owner = cluster.owner()
    cluster.cut(owner, carrier)
    cluster.run(5.0)
    assert cluster.owner() is owner
    assert all(state(node, owner) is State.ALIVE for node in cluster.nodes if node is not owner)
    (other, *_) = (node for node in cluster.nodes if node is not owner)
    assert other.mesh
    words = other.mesh.conditions(other.clock())
    assert ("membership-blocked" if carrier == 0 else "ethernet-carrier-blocked") in words


@pytest.mark.parametrize("settled", [0.0, 10.0], ids=["right after the start", "in calm"])
def test_a_lan_cut_in_two_has_an_owner_in_each_part_and_the_larger_parts_after_it_is_whole(settled: float) -> None:
    cluster = Cluster(3)
    cluster.run(settled)
    alone = cluster.owner()
    part(cluster, alone, seconds=2.0)
    assert len(cluster.answering()) == 2
    cluster.run(0.5)
    assert cluster.owner() is not alone


def test_members_of_a_large_cluster_know_each_other_once_they_have_started() -> None:
    assert strangers(Cluster(24)) == []


def test_members_of_a_large_cluster_know_each_other_again_right_after_a_cut_has_healed() -> None:
    cluster = Cluster(16)
    part(cluster, *cluster.nodes[:8], seconds=2.0)
    assert strangers(cluster)
    cluster.run(2.0)
    assert strangers(cluster) == []
    assert len(cluster.answering()) == 1


def test_two_that_do_not_hear_each_other_settle_what_a_third_tells_them_and_keep_to_it() -> None:
    cluster = Cluster(3, vips=8)
    one, third, other = cluster.nodes
    third.paused = True
    for way in product([(one.number, other.number), (other.number, one.number)], (0, 1)):
        cluster.world.blocked[(*way[0], way[1])] += 1
    cluster.world.run(cluster.world.now + 3.0)
    assert {name for names in owners(cluster).values() for name in names} == {one.name, other.name}
    assert all(len(names) == 2 for names in owners(cluster).values())
    said = sum(cluster.world.messages.values())
    third.go_on()
    cluster.world.run(cluster.world.now + 2.0)
    settled = owners(cluster)
    assert all(len(names) == 1 for names in settled.values())
    assert sum(cluster.world.messages.values()) - said < 1500
    for _ in range(2000):
        cluster.world.run(cluster.world.now + 0.005)
        assert owners(cluster) == settled


def test_a_member_that_has_never_been_met_is_left_what_it_owns_while_others_hear_it() -> None:
    cluster = Cluster(3, vips=8, faults=(Outage(1.0, 90.0, (0,)), Join(2.0, 1.0, 2, 0.0)))
    blind, _, joined = cluster.nodes
    cluster.run(12.0)
    assert state(joined, blind) is State.UNHEARD
    before = owners(cluster)
    assert all(len(names) == 1 for names in before.values())
    for _ in range(4000):
        cluster.world.run(cluster.world.now + 0.005)
        assert owners(cluster) == before


def test_a_newcomer_takes_nothing_of_a_member_that_it_has_not_met_and_that_others_hear() -> None:
    cluster = Cluster(3, vips=8, faults=(Outage(1.0, 90.0, (0,)), Join(14.0, 1.0, 2, 0.0)))
    blind, _, joined = cluster.nodes
    cluster.run(10.0)
    before = owners(cluster)
    for _ in range(2000):
        cluster.world.run(cluster.world.now + 0.005)
        assert owners(cluster) == before
    assert state(joined, blind) is State.UNHEARD
    assert blind.name in {name for names in before.values() for name in names}


def test_what_it_owned_is_taken_over_when_it_dies_though_the_newcomer_never_met_it() -> None:
    cluster = Cluster(3, vips=8, faults=(Outage(1.0, 90.0, (0,)), Join(14.0, 1.0, 2, 0.0)))
    blind, *others = cluster.nodes
    cluster.run(20.0)
    blind.end()
    cluster.run(1.0)
    after = owners(cluster)
    assert all(len(names) == 1 for names in after.values())
    assert {name for names in after.values() for name in names} <= {node.name for node in others}


def owners(cluster: Cluster) -> dict[bytes, list[str]]:
    """Who answers for each VIP."""
    return {ip: [node.name for node in cluster.promises.answering(ip)] for ip in cluster.nodes[0].stakes}


@pytest.mark.parametrize("seed", [6, 9, 12])
def test_a_node_that_was_cut_off_gets_no_vip_from_the_larger_part_whoever_tells_of_its_claims(seed: int) -> None:
    cluster = Cluster(5, vips=40, seed=seed)
    cluster.run(8.0)
    lost = cluster.owner()
    part(cluster, lost, seconds=4.0)
    there = {ip: [name for name in names if name != lost.name] for ip, names in owners(cluster).items()}
    assert all(there.values())
    cluster.run(1.0)
    assert owners(cluster) == there


def test_of_two_that_could_not_hear_each_other_who_served_unbroken_keeps_its_vips() -> None:
    cluster = Cluster(2, vips=8)
    cluster.run(8.0)
    before = owners(cluster)
    part(cluster, cluster.nodes[0], seconds=3.0)
    assert all(len(names) == 2 for names in owners(cluster).values())
    cluster.run(1.0)
    assert owners(cluster) == before


@pytest.mark.parametrize("seed", [10, 14, 23])
def test_of_two_with_claims_of_one_order_one_goes_on_answering_while_they_settle_it(seed: int) -> None:
    cluster = Cluster(2, vips=8, faults=(Cut(0.0, 15.0, (0,), (0, 1), one_way=False),), seed=seed)
    cluster.run(11.9)
    assert all(len(names) == 2 for names in owners(cluster).values())
    for _ in range(2000):
        cluster.world.run(cluster.world.now + 0.0002)
        assert all(owners(cluster).values())
    assert all(len(names) == 1 for names in owners(cluster).values())


def test_a_vip_that_its_owner_saw_wanted_no_more_is_not_taken_by_who_has_not_seen_that_yet() -> None:
    cluster = Cluster(3)
    owner = cluster.owner()
    assert owner.mesh
    stake = owner.stakes.pop(IP)
    owner.mesh.want({IP: None}, owner.clock())
    owner.do(owner.mesh.wanted(owner.clock()))
    for _ in range(1000):
        cluster.world.run(cluster.world.now + 0.005)
        assert not cluster.answering()
    for node in cluster.nodes:
        assert node.mesh
        node.stakes |= {IP: None}
        node.mesh.want({IP: None}, node.clock())
        node.do(node.mesh.wanted(node.clock()))
        node.stakes |= {IP: stake}
        node.mesh.want({IP: stake}, node.clock())
        node.do(node.mesh.wanted(node.clock()))
    cluster.run(0.5)
    again = cluster.owner()
    assert again.mesh
    assert again.mesh.known[IP].cause == "first"


def test_without_a_key_a_node_answers_only_where_it_is_alone_in_the_records() -> None:
    cluster = Cluster(2)
    node = cluster.owner()
    assert node.mesh
    members = (Member(node.name), Member("n9"))
    node.do(node.mesh.configure(node.name, members, MembershipSettings(), node.clock(), keyed=False))
    node.do(node.mesh.wake(node.clock()))
    assert "no-mesh-key" in node.mesh.conditions(node.clock())
    node.do(node.mesh.configure(node.name, members[:1], MembershipSettings(), node.clock(), keyed=False))
    node.do(node.mesh.wake(node.clock()))
    assert node.answers


def test_while_nothing_changes_packets_are_few_and_claims_stay() -> None:
    cluster = Cluster(3)
    before = sum(cluster.world.messages.values())
    claims = [dict(node.mesh.known) for node in cluster.nodes if node.mesh]
    cluster.run(10.0)
    sent = sum(cluster.world.messages.values()) - before
    assert sent / 10 / 3 < 36
    assert [dict(node.mesh.known) for node in cluster.nodes if node.mesh] == claims


def obey(cluster: Cluster, *configurations: bytes) -> None:
    """What each node's settings and resources come to."""
    for node, configuration in zip(cluster.nodes, configurations, strict=True):
        assert node.mesh
        node.mesh.myself.configure(configuration, node.clock())


def differing(cluster: Cluster) -> list[str | None]:
    """With whom each node finds that it differs."""
    return [conditions(node).get("configuration-differs") for node in cluster.nodes]


def test_a_node_of_another_configuration_is_found_by_all_and_finds_all_after_five_seconds() -> None:
    cluster = Cluster(3)
    obey(cluster, b"same", b"same", b"other")
    cluster.run(4.5)
    assert differing(cluster) == [None, None, None]
    cluster.run(1.0)
    assert differing(cluster) == ["n3", "n3", "n1, n2"]
    obey(cluster, b"same", b"same", b"same")
    cluster.run(0.2)
    assert differing(cluster) == [None, None, None]


def test_a_change_that_reaches_one_sooner_than_another_is_no_difference() -> None:
    cluster = Cluster(2)
    for number in range(4):
        obey(cluster, b"%d" % (number + 1), b"%d" % number)
        cluster.run(3.0)
        assert differing(cluster) == [None, None]


@pytest.mark.parametrize("configuration", [b"", b"same"])
def test_who_has_read_nothing_yet_or_is_dead_does_not_differ(configuration: bytes) -> None:
    cluster = Cluster(2)
    obey(cluster, b"same", configuration)
    cluster.run(6.0)
    assert differing(cluster) == [None, None]
    obey(cluster, b"same", b"other")
    cluster.run(1.0)
    cluster.nodes[1].end()
    cluster.run(6.0)
    assert conditions(cluster.nodes[0]).get("configuration-differs") is None
