"""Whole nodes in conversation, in simulated time: who takes a VIP when, who keeps it, who is silent."""

from collections.abc import Collection
from itertools import product

import pytest
from msgspec.structs import replace

from speakerd.exchange import READY, Candidate, Happening, Member, MembershipSettings, Stake, Vip
from speakerd.membership.peer import State
from speakerd.mesh import Mesh
from speakerd.model import Interface
from tests.sim.actions import Actions
from tests.sim.faults import Misplaced
from tests.sim.promises import Promises
from tests.sim.scenario import Scenario, VipPlan
from tests.sim.world import STRANGER, Node, World, address

IP = address(0)
SETTLED = 3.0


class Cluster:
    """Nodes on one LAN, with one VIP that all may answer for, after they have settled."""

    def __init__(self, nodes: int, scores: tuple[int | None, ...] = (), segments: int = 1, probe: float = 0.0) -> None:
        scenario = Scenario(
            seed=1,
            nodes=nodes,
            segments=segments,
            preset=(0.075, 2, 3),
            vips=(VipPlan(scores or (0,) * nodes, dual=False),),
            starts=(0.0,) * nodes,
            rates=(1.0,) * nodes,
            probe=probe,
            seconds=60.0,
            faults=(),
        )
        self.promises = Promises()
        self.world = World(scenario, self.promises)
        self.actions = Actions(self.world)
        self.promises.attach(self.world, self.actions)
        self.actions.plan()
        self.run(SETTLED)

    @property
    def nodes(self) -> list[Node]:
        return self.world.nodes

    def run(self, seconds: float) -> None:
        """Let time pass, the promises checked all the way."""
        until = self.world.now + seconds
        while self.world.now < until:
            self.world.run(self.world.now + 0.005)
            self.promises.look()
        assert self.promises.broken is None

    def answering(self) -> list[Node]:
        return self.promises.answering(IP)

    def owner(self) -> Node:
        (node,) = self.answering()
        return node

    def silence(self, most: float) -> float:
        """Seconds until somebody answers."""
        began = self.world.now
        while not self.answering():
            self.world.run(self.world.now + 0.001)
            assert self.world.now < began + most
        return self.world.now - began

    def cut(self, node: Node, carrier: int, by: int = 1) -> None:
        """Nothing passes between `node` and the others by carrier, or again."""
        for other in self.nodes:
            if other is not node:
                self.world.blocked[node.number, other.number, carrier] += by
                self.world.blocked[other.number, node.number, carrier] += by


def wish(cluster: Cluster, *ips: bytes, nodes: Collection[Node] = ()) -> None:
    """More VIPs, for `nodes` to answer for (none: all)."""
    candidates = tuple(Candidate(node.name) for node in nodes or cluster.nodes)
    for node in cluster.nodes:
        assert node.mesh
        change = {ip: Stake(Vip(ip, "d/s", ip, 0), candidates) for ip in ips}
        node.stakes |= change
        node.mesh.want(change, node.clock())
        node.do(node.mesh.wanted(node.clock()))


def state(node: Node, of: Node) -> State:
    assert node.mesh
    return node.mesh.detector.peers[of.name].state


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


def happened(node: Node, seconds: float) -> list[Happening]:
    """What it noted lately."""
    assert node.mesh
    return [each for each in node.mesh.happenings if each.at >= node.clock() - seconds]


@pytest.mark.parametrize("nodes", [1, 2, 3, 5, 12])
def test_one_node_answers_and_all_know_it(nodes: int) -> None:
    cluster = Cluster(nodes)
    owner = cluster.owner()
    assert {node.mesh.known[IP].owner for node in cluster.nodes if node.mesh} == {owner.name}


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


def watch(cluster: Cluster, seconds: float) -> set[str]:
    """Who answers, looked at each 0.2 ms; never two at a time."""
    found: set[str] = set()
    until = cluster.world.now + seconds
    while cluster.world.now < until:
        cluster.world.run(cluster.world.now + 0.0002)
        here = [node.name for node in cluster.answering()]
        assert len(here) <= 1
        found.update(here)
    return found


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
    node.drained = True
    assert node.mesh
    node.do(node.configured(node.mesh))
    cluster.run(2.0)
    assert cluster.owner() is node


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


def test_a_stranger_that_answers_holds_the_claim_until_it_is_silent() -> None:
    cluster = Cluster(3, probe=0.012)
    owner = cluster.owner()
    cluster.world.strangers.add(address(1))
    wish(cluster, address(1))
    cluster.run(3.0)
    assert not cluster.promises.answering(address(1))
    told = [node.mesh.conditions(node.clock()) for node in cluster.nodes if node.mesh]
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


def test_a_lan_cut_in_two_has_an_owner_in_each_part_and_the_larger_parts_after_it_is_whole() -> None:
    cluster = Cluster(3)
    cluster.run(10.0)
    alone = cluster.owner()
    cluster.cut(alone, 0)
    cluster.cut(alone, 1)
    cluster.run(2.0)
    assert len(cluster.answering()) == 2
    cluster.cut(alone, 0, -1)
    cluster.cut(alone, 1, -1)
    cluster.run(0.5)
    assert cluster.owner() is not alone


def strangers(cluster: Cluster) -> list[tuple[str, str]]:
    """Members that one does not know to live."""
    nodes = [node for node in cluster.nodes if node.mesh]
    return [(a.name, b.name) for a in nodes for b in nodes if a is not b and state(a, b) is not State.ALIVE]


def test_members_of_a_large_cluster_know_each_other_once_they_have_started() -> None:
    assert strangers(Cluster(24)) == []


def test_members_of_a_large_cluster_know_each_other_again_right_after_a_cut_has_healed() -> None:
    cluster = Cluster(16)
    part = cluster.nodes[:8]
    for by in (1, -1):
        for a, b in product(part, cluster.nodes[8:]):
            for carrier, (one, other) in product((0, 1), ((a, b), (b, a))):
                cluster.world.blocked[one.number, other.number, carrier] += by
        cluster.run(2.0)
        assert bool(strangers(cluster)) == (by == 1)
    assert len(cluster.answering()) == 1


def test_a_lan_cut_in_two_right_after_the_start_keeps_the_larger_parts_owner() -> None:
    cluster = Cluster(3)
    owner = cluster.owner()
    for carrier in (0, 1):
        cluster.cut(owner, carrier)
    cluster.run(2.0)
    assert len(cluster.answering()) == 2
    for carrier in (0, 1):
        cluster.cut(owner, carrier, by=-1)
    cluster.run(1.0)
    assert cluster.owner() is not owner


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


def test_a_survivor_announces_and_who_is_deaf_among_hosts_that_it_heard_before_does_not() -> None:
    cluster = Cluster(2)
    one, other = cluster.nodes
    assert one.mesh
    one.mesh.host(1, bytes((10, 0, 0, 9)), STRANGER, one.clock())
    cluster.run(3.0)
    other.end()
    cluster.run(1.0)
    assert one.mesh.alone
    assert one.mesh.quiet
    one.mesh.host(1, bytes((10, 0, 0, 9)), STRANGER, one.clock())
    assert not one.mesh.quiet


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


def test_while_nothing_changes_packets_are_few_and_claims_stay() -> None:
    cluster = Cluster(3)
    before = sum(cluster.world.messages.values())
    claims = [dict(node.mesh.known) for node in cluster.nodes if node.mesh]
    cluster.run(10.0)
    sent = sum(cluster.world.messages.values()) - before
    assert sent / 10 / 3 < 36
    assert [dict(node.mesh.known) for node in cluster.nodes if node.mesh] == claims


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


def misplace(cluster: Cluster, node: Node, span: float) -> None:
    """The node's switch port is in another network for a while; carrier stays up."""
    fault = Misplaced(cluster.world.now, span, node.number, 0)
    cluster.world.scenario = replace(cluster.world.scenario, faults=(*cluster.world.scenario.faults, fault))
    cluster.actions.begin(fault)
    cluster.world.at(fault.end, lambda: cluster.actions.end(fault))


def conditions(node: Node) -> dict[str, str]:
    assert node.mesh
    return node.mesh.conditions(node.clock())


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
