"""Scrapers read what Prometheus' text format says, under MetalLB's names where the thing is the same."""

from ipaddress import ip_address
from typing import Literal

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from speakerd.decision import Plan
from speakerd.events import Event
from speakerd.exchange import Claim, Counters, MemberSeen, Observed, Vip, Wanted
from speakerd.metrics import exposition
from speakerd.model import Advertisement, Assignment, Config, Pool, Range
from speakerd.peering import BfdSeen, Neighbour, Peer, Prefix, SessionSeen, Wording
from speakerd.tally import Histogram, Seen, Tally

V4, V6 = ip_address("10.0.0.1"), ip_address("fd00::1")
BASE = int(ip_address("10.0.0.0"))


def pool(name: str, first: int, last: int, family: Literal[4, 6] = 4, *, avoid_buggy: bool = False) -> Pool:
    return Pool(name, (Range(family, first, last),), avoid_buggy=avoid_buggy)


def seen(**more: object) -> Seen:
    rows = {ip.packed: Vip(ip.packed, "ns/web", V4.packed, 0) for ip in (V4, V6)}
    plan = Plan({"ns/web": Assignment((V4, V6), "p")}, Wanted("me", rows))
    claims = {V4.packed: Claim(V4.packed, 3, "me", 0.0, "first"), V6.packed: Claim(V6.packed, 3, "other", 0.0, "first")}
    observed = Observed(claims=claims, counters={V4.packed: Counters(V4.packed, 7, 5, 2)})
    config = Config((pool("p", BASE, BASE + 255),), (Advertisement("all"),))
    return replace(Seen("me", "1.2", 100.0, observed, Tally(), config, plan), **more)


def told(what: Seen) -> dict[str, float]:
    """Every sample by name and labels, as a scraper would read it."""
    found = {}
    for family in text_string_to_metric_families(exposition(what).decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            name = sample.name + (f"{{{labels}}}" if labels else "")
            assert name not in found, f"{name} is told twice"
            found[name] = sample.value
    return found


def test_each_family_is_introduced_by_its_help_and_kind() -> None:
    lines = exposition(seen()).decode().splitlines()
    assert "# HELP metallb_k8s_client_updates_total Times that changes in the cluster were acted on." in lines
    assert "# TYPE metallb_k8s_client_updates_total counter" in lines
    assert "# TYPE metallb_speaker_announced gauge" in lines
    assert "# TYPE speakerd_cycle_duration_seconds histogram" in lines
    assert "# TYPE metallb_layer2_requests_received untyped" in lines


def test_families_without_a_sample_are_left_out() -> None:
    assert b"speakerd_members" not in exposition(seen())


def test_a_histogram_counts_each_value_in_all_larger_buckets() -> None:
    made = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        made.observe(value)
    assert made.buckets() == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert made.total == pytest.approx(7.65)


def test_what_this_node_answers_for_is_told_as_metallb_tells_it() -> None:
    found = told(seen())
    assert found['metallb_speaker_announced{ip="10.0.0.1",node="me",protocol="layer2",service="ns/web"}'] == 1
    assert len([name for name in found if name.startswith("metallb_speaker_announced")]) == 1
    assert found['metallb_layer2_requests_received{ip="10.0.0.1"}'] == 7
    assert found['metallb_layer2_responses_sent{ip="10.0.0.1"}'] == 5
    assert found['metallb_layer2_gratuitous_sent{ip="10.0.0.1"}'] == 2


def test_the_allocator_alone_tells_of_pools() -> None:
    assert not [name for name in told(seen()) if "allocator" in name]
    found = told(seen(allocator=True))
    assert found['metallb_allocator_addresses_total{pool="p"}'] == 256
    assert found['metallb_allocator_ipv4_addresses_total{pool="p"}'] == 256
    assert found['metallb_allocator_ipv6_addresses_total{pool="p"}'] == 0
    assert found['metallb_allocator_addresses_in_use_total{pool="p"}'] == 1
    assert found['metallb_allocator_ipv4_addresses_in_use_total{pool="p"}'] == 1
    assert found['metallb_allocator_services_allocated_total{pool="p"}'] == 1


def test_a_pool_that_avoids_buggy_addresses_has_fewer_and_a_huge_one_as_many_as_64_bits_count() -> None:
    pools = (pool("b", BASE, BASE + 511, avoid_buggy=True), pool("h", 0, (1 << 128) - 1, 6))
    found = told(seen(allocator=True, config=Config(pools)))
    assert found['metallb_allocator_addresses_total{pool="b"}'] == 508
    assert found['metallb_allocator_ipv6_addresses_total{pool="h"}'] == float((1 << 63) - 1)


def test_whether_the_configuration_is_loaded_and_the_newest() -> None:
    fresh = told(seen(config=None, plan=None))
    assert (fresh["metallb_k8s_client_config_loaded_bool"], fresh["metallb_k8s_client_config_stale_bool"]) == (0, 0)
    old = told(seen(stale=True))
    assert (old["metallb_k8s_client_config_loaded_bool"], old["metallb_k8s_client_config_stale_bool"]) == (1, 1)


def test_moves_are_counted_by_cause_and_failovers_by_how_long_they_took() -> None:
    tally = Tally()
    tally.take([Event(event="vip.owned", cause="owner-dead", gap=0.163), Event(event="vip.owned", cause="drain")])
    tally.take([Event(event="vip.left", cause="drain"), Event(event="vip.owned", cause="owner-dead", gap=0.24)])
    found = told(replace(seen(), tally=tally))
    assert found['speakerd_vip_moves_total{cause="owner-dead"}'] == 2
    assert found['speakerd_vip_moves_total{cause="drain"}'] == 1
    assert found['speakerd_failover_duration_seconds_bucket{le="0.2"}'] == 1
    assert found["speakerd_failover_duration_seconds_count"] == 2


def test_members_are_counted_by_state_and_told_how_late_they_are() -> None:
    members = (
        MemberSeen("b", "alive", heard=99.9, round_trip=0.0004, watched=0.075),
        MemberSeen("c", "alive", heard=99.99, watched=0.075),
        MemberSeen("d", "unheard"),
    )
    found = told(replace(seen(), observed=Observed(members=members, mesh={"replayed": 3, "conflicts": 1})))
    assert found['speakerd_members{state="alive"}'] == 2
    assert found['speakerd_members{state="unheard"}'] == 1
    assert found['speakerd_heartbeat_lateness_seconds{member="b"}'] == pytest.approx(0.025)
    assert found['speakerd_heartbeat_lateness_seconds{member="c"}'] == 0
    assert found['speakerd_member_round_trip_seconds{member="b"}'] == 0.0004
    assert found['speakerd_mesh_messages_total{what="replayed"}'] == 3
    assert found['speakerd_conflicts_total{kind="conflicts"}'] == 1


def test_the_process_tells_of_itself() -> None:
    found = told(
        seen(
            link=0.0125,
            requests={("GET", "200"): 4, ("WATCH", "0"): 1},
            watches={"Service": 3, "Node": 0},
            restarts={"announcer": 2, "controller": 0},
            findings={("alone", "warning"): 1},
        )
    )
    assert found['speakerd_build_info{version="1.2"}'] == 1
    assert found['speakerd_api_requests_total{code="200",verb="GET"}'] == 4
    assert found['speakerd_watch_restarts_total{kind="Service"}'] == 2
    assert found['speakerd_watch_restarts_total{kind="Node"}'] == 0
    assert found["speakerd_link_lag_seconds"] == 0.0125
    assert found['speakerd_process_restarts_total{process="announcer"}'] == 2
    assert found['speakerd_findings{finding="alone",severity="warning"}'] == 1


def test_turns_are_counted_with_their_length() -> None:
    tally = Tally()
    tally.turned(0.004)
    found = told(replace(seen(), tally=tally))
    assert found["metallb_k8s_client_updates_total"] == 1
    assert found['speakerd_cycle_duration_seconds_bucket{le="0.005"}'] == 1
    assert found['speakerd_cycle_duration_seconds_bucket{le="0.0025"}'] == 0


def with_peers(*observed: SessionSeen) -> Seen:
    base = seen()
    assert base.plan
    peers = Peer("one", 1, 2, address="192.0.2.1"), Peer("six", 1, 2, address="2001:db8::1", port=1179, vrf="red")
    wanted = replace(base.plan.wanted, neighbours=tuple(Neighbour(each) for each in peers))
    return replace(base, plan=replace(base.plan, wanted=wanted), observed=replace(base.observed, sessions=observed))


def test_sessions_have_metallbs_names_and_labels() -> None:
    up = SessionSeen("one", "Established", 0.0, announced=7, due=2, received=5, sent={"open": 1, "update": 9})
    found = told(with_peers(replace(up, heard={"open": 3, "update": 4}), SessionSeen("six", "Active", 0.0)))
    one, six = '{peer="192.0.2.1:179",vrf=""}', '{peer="[2001:db8::1]:1179",vrf="red"}'
    assert (found[f"metallb_bgp_session_up{one}"], found[f"metallb_bgp_session_up{six}"]) == (1, 0)
    assert found[f"metallb_bgp_announced_prefixes_total{one}"] == 7
    assert found[f"metallb_bgp_pending_prefixes_total{one}"] == 2
    assert found[f"speakerd_bgp_received_prefixes{one}"] == 5
    assert found[f"metallb_bgp_updates_total{one}"] == 9
    assert found[f"metallb_bgp_updates_total_received{one}"] == 4
    assert (found[f"metallb_bgp_opens_sent{one}"], found[f"metallb_bgp_opens_received{one}"]) == (1, 3)
    assert (found[f"metallb_bgp_total_sent{one}"], found[f"metallb_bgp_total_received{one}"]) == (10, 7)
    assert not any(name.startswith("metallb_bfd") for name in found)


def test_bfd_is_told_of_the_peers_that_have_it() -> None:
    bfd = BfdSeen("Up", 0.0, counted={"control-sent": 5, "control-heard": 4, "ups": 2, "downs": 1})
    found = told(with_peers(SessionSeen("one", "Idle", 0.0, bfd=bfd), SessionSeen("six", "Idle", 0.0)))
    names = {name: value for name, value in found.items() if name.startswith("metallb_bfd")}
    one = '{peer="192.0.2.1:179",vrf=""}'
    assert names == {
        f"metallb_bfd_session_up{one}": 1,
        f"metallb_bfd_control_packet_output{one}": 5,
        f"metallb_bfd_control_packet_input{one}": 4,
        f"metallb_bfd_echo_packet_output{one}": 0,
        f"metallb_bfd_echo_packet_input{one}": 0,
        f"metallb_bfd_session_up_events{one}": 2,
        f"metallb_bfd_session_down_events{one}": 1,
    }


def test_a_session_whose_peer_is_wanted_no_more_is_not_told() -> None:
    assert not any("metallb_bgp" in name for name in told(with_peers(SessionSeen("gone", "Established", 0.0))))


def routed(*states: str) -> dict[str, float]:
    """Of two peers in these states, which are told of an address each; what is announced by BGP."""
    rows = {
        row.key: row
        for row in (
            Prefix(4, b"\x20\x0a\0\0\1", ((Wording(), ("one",)), (Wording(med=1), ("six",)))),
            Prefix(4, b"\x20\x0a\0\0\2", ((Wording(), ("six",)),)),
        )
    }
    keys = {("ns/web", V4): (b"\4\x20\x0a\0\0\1",), ("ns/six", ip_address("10.0.0.2")): (b"\4\x20\x0a\0\0\2",)}
    base = with_peers(*(SessionSeen(peer, state, 0.0) for peer, state in zip(("one", "six"), states, strict=True)))
    assert base.plan
    plan = replace(base.plan, wanted=replace(base.plan.wanted, prefixes=rows), routed=keys)
    found = told(replace(base, plan=plan))
    return {name: value for name, value in found.items() if 'protocol="bgp"' in name}


def test_an_address_is_announced_by_bgp_once_a_peer_that_is_told_of_it_has_a_session() -> None:
    web = 'metallb_speaker_announced{ip="10.0.0.1",node="me",protocol="bgp",service="ns/web"}'
    six = 'metallb_speaker_announced{ip="10.0.0.2",node="me",protocol="bgp",service="ns/six"}'
    assert routed("Established", "Active") == {web: 1}
    assert routed("Connect", "Established") == {web: 1, six: 1}
    assert not routed("OpenConfirm", "Idle")


def test_what_comes_to_nothing_with_routers_is_told_apart_from_members_messages() -> None:
    base = seen()
    counted = replace(base.observed, mesh={"sent": 3, "bgp-stranger": 2, "bfd-from-afar": 1})
    found = told(replace(base, observed=counted))
    assert found['speakerd_mesh_messages_total{what="sent"}'] == 3
    assert found['speakerd_routers_total{what="bgp-stranger"}'] == 2
    assert found['speakerd_routers_total{what="bfd-from-afar"}'] == 1
    assert 'speakerd_mesh_messages_total{what="bgp-stranger"}' not in found
