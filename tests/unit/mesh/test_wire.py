"""What is heard on the wire: strangers, proxies, kernels that answer, segments that are dead."""

import pytest
from msgspec.structs import replace

from speakerd.exchange import Candidate, Stake, Vip
from speakerd.model import Interface
from tests.sim.world import STRANGER, address
from tests.unit.mesh.cluster import IP, Cluster, conditions, misplace, wish


def test_a_stranger_that_answers_holds_the_claim_until_it_is_silent() -> None:
    cluster = Cluster(3, probe=0.012)
    owner = cluster.owner()
    cluster.world.strangers.add(address(1))
    wish(cluster, address(1))
    cluster.run(3.0)
    assert not cluster.promises.answering(address(1))
    told = [node.mesh.conditions(node.clock()) for node in cluster.nodes if node.mesh]
    assert {address(1): STRANGER} in strangers(cluster), "another address may be given"
    assert any(STRANGER.hex(":") in words.get("answered-by-stranger", "") for words in told)
    for _ in range(5):
        cluster.world.strangers.clear()
        cluster.run(0.25)  # busy, not gone
        cluster.world.strangers.add(address(1))
        cluster.run(0.6)
        assert not cluster.promises.answering(address(1))
    cluster.world.strangers.clear()
    cluster.run(1.0)
    assert len(cluster.promises.answering(address(1))) == 1
    assert cluster.owner() is owner
    assert not any(strangers(cluster))


def test_an_address_that_had_an_owner_before_is_never_told_to_be_a_strangers() -> None:
    cluster = Cluster(3, probe=0.012)
    cluster.world.strangers.add(address(1))
    candidates = tuple(Candidate(node.name) for node in cluster.nodes)
    for node in cluster.nodes:
        assert node.mesh
        vip = Vip(address(1), "d/s", address(1), 0, owner=cluster.nodes[0].name, epoch=7)
        node.mesh.want({address(1): Stake(vip, candidates)}, node.clock())
        node.do(node.mesh.wanted(node.clock()))
    cluster.run(3.0)
    assert not cluster.promises.answering(address(1))
    assert any("answered-by-stranger" in conditions(node) for node in cluster.nodes)
    assert not any(strangers(cluster))


def strangers(cluster: Cluster) -> list[dict[bytes, bytes]]:
    """Whose addresses each node tells to be strangers'."""
    return [node.mesh.owner.takeover.strangers for node in cluster.nodes if node.mesh]


@pytest.mark.parametrize(
    ("ips", "several"),
    [([address(1), address(2)], True), ([address(1), address(1, 6)], False), ([address(1)], False)],
    ids=["two", "one of each family", "one"],
)
def test_a_stranger_that_answers_for_several_vips_may_be_a_proxy_and_holds_them_all_the_same(
    ips: list[bytes], several: bool
) -> None:
    cluster = Cluster(3, probe=0.012)
    cluster.world.strangers.update(ips)
    wish(cluster, *ips)
    cluster.run(20.0)
    assert not any(cluster.promises.answering(ip) for ip in ips)
    assert any("answered-by-stranger" in conditions(node) for node in cluster.nodes)
    told = {found for node in cluster.nodes if (found := conditions(node).get("proxy-arp"))}
    assert told == ({f"{STRANGER.hex(':')}: 10.99.0.2, 10.99.0.3"} if several else set())
    cluster.world.strangers.clear()
    cluster.run(1.0)
    assert all(len(cluster.promises.answering(ip)) == 1 for ip in ips)
    assert not any("proxy-arp" in conditions(node) for node in cluster.nodes)


@pytest.mark.parametrize("there", [True, False])
def test_that_a_vip_is_bound_on_an_interface_that_announces_is_told_and_holds_nothing(*, there: bool) -> None:
    cluster = Cluster(3, probe=0.012)
    node = cluster.nodes[0]
    assert node.mesh
    (plain,) = node.interfaces()
    bound = replace(plain, ipv4=("10.99.0.2",))
    dummy = Interface(9, "kube-ipvs0", ipv4=("10.99.0.2",), reason="no-arp")
    node.do(node.mesh.interfaces((bound,) if there else (plain, dummy), node.clock()))
    if there:
        cluster.world.kernels.add((0, address(1)))
    wish(cluster, address(1), nodes=[node])
    assert conditions(node).get("bound-here") == ("10.99.0.2" if there else None)
    cluster.run(0.2)
    assert cluster.promises.answering(address(1)) == [node]
    node.do(node.mesh.interfaces((plain,), node.clock()))
    assert "bound-here" not in conditions(node)


def test_a_survivor_announces_and_who_is_deaf_among_hosts_that_it_heard_before_does_not() -> None:
    cluster = Cluster(2)
    one, other = cluster.nodes
    assert one.mesh
    one.mesh.host(1, bytes((10, 0, 0, 9)), STRANGER, one.clock())
    cluster.run(3.0)
    other.end()
    cluster.run(1.0)
    assert "alone" in conditions(one)
    assert one.mesh.quiet
    one.mesh.host(1, bytes((10, 0, 0, 9)), STRANGER, one.clock())
    assert not one.mesh.quiet


def test_a_node_cut_off_from_its_segment_with_carrier_up_hands_its_vips_over_and_returns_with_care() -> None:
    cluster = Cluster(3)
    lost = cluster.owner()
    misplace(cluster, lost, 5.0)
    cluster.run(4.9)
    owner = cluster.owner()
    assert owner is not lost
    assert IP not in lost.answers
    assert conditions(lost)["segment-silent"] == "eth0"
    assert owner.mesh
    assert owner.mesh.known[IP].cause == "interface-lost"
    assert all("segment-silent" not in conditions(node) for node in cluster.nodes if node is not lost)
    cluster.run(2.1)
    assert "segment-silent" not in conditions(lost)
    owner.end()
    cluster.run(40.0)
    assert cluster.owner() is not owner


def test_of_two_members_none_gives_its_segment_up() -> None:
    cluster = Cluster(2)
    lost = cluster.owner()
    misplace(cluster, lost, 30.0)
    cluster.run(8.0)
    assert IP in lost.answers
    assert not any("segment-silent" in conditions(node) for node in cluster.nodes)


def test_a_segment_that_stays_dead_stays_given_up_when_a_witness_starts_anew() -> None:
    cluster = Cluster(3)
    lost = cluster.owner()
    misplace(cluster, lost, 30.0)
    cluster.run(5.0)
    witness = next(node for node in cluster.nodes if node is not lost and not node.answers)
    witness.end()
    cluster.run(1.0)
    witness.start()
    for _ in range(50):
        cluster.run(0.1)
        assert "segment-silent" in conditions(lost)


@pytest.mark.parametrize("deaf", [True, False])
def test_frames_blocked_in_one_direction_give_no_segment_up_where_arp_is_answered(*, deaf: bool) -> None:
    cluster = Cluster(3)
    owner = cluster.owner()
    for other in cluster.nodes:
        if other is not owner:
            way = (other.number, owner.number) if deaf else (owner.number, other.number)
            cluster.world.blocked[(*way, 1)] += 1
    cluster.run(12.0)
    assert cluster.owner() is owner
    assert not any("segment-silent" in conditions(node) for node in cluster.nodes)


def test_that_the_segment_does_not_hear_the_owner_is_told_by_the_owner_until_it_does() -> None:
    cluster = Cluster(3)
    owner = cluster.owner()
    assert owner.mesh
    heir = owner.mesh.known[IP].heir
    cluster.world.mute.add(owner.number)
    cluster.run(6.0)
    assert conditions(owner)["self-check-unanswered"] == f"{heir}: 10.99.0.1"
    assert cluster.owner() is owner
    cluster.world.mute.clear()
    cluster.run(11.0)
    assert "self-check-unanswered" not in conditions(owner)


def test_a_stranger_that_answers_beside_the_owner_is_told_by_the_owner_until_it_is_silent() -> None:
    cluster = Cluster(3)
    owner = cluster.owner()
    cluster.world.strangers.add(IP)
    cluster.run(4.0)
    assert conditions(owner)["answered-by-stranger"] == f"{STRANGER.hex(':')}: 10.99.0.1"
    assert cluster.owner() is owner
    cluster.world.strangers.clear()
    cluster.run(11.0)
    assert "answered-by-stranger" not in conditions(owner)


def test_a_members_kernel_that_answers_beside_the_owner_is_told_and_moves_nothing() -> None:
    cluster = Cluster(4)
    owner = cluster.owner()
    assert owner.mesh
    other = next(node for node in cluster.nodes if node.name not in (owner.name, owner.mesh.known[IP].heir))
    cluster.world.mute.add(owner.number)
    cluster.world.kernels.add((other.number, IP))
    cluster.run(6.0)
    word = "answered-by-own-kernel-or-other-speaker"
    assert conditions(owner)[word] == f"{other.mac(0).hex(':')}: 10.99.0.1"
    assert "self-check-unanswered" not in conditions(owner)
    cluster.world.mute.clear()
    cluster.world.kernels.clear()
    cluster.run(11.0)
    assert word not in conditions(owner)
    assert cluster.owner() is owner


def test_an_announcer_started_anew_has_what_it_answers_for_checked_again() -> None:
    cluster = Cluster(3)
    node = cluster.owner()
    assert node.mesh
    remembered = dict(node.mesh.known)
    cluster.run(6.0)
    node.end()
    cluster.run(0.05)
    node.start(remembered=remembered, resume=True)
    cluster.world.mute.add(node.number)
    cluster.run(3.0)
    assert "self-check-unanswered" in conditions(node)
