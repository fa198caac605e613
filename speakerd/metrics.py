"""What Prometheus is told: MetalLB's names where the thing is the same, `speakerd_*` for what it lacks; pure.

Imported at the first scrape, with the library that knows the text format, and not before: most controllers have none.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    UnknownMetricFamily,
)
from prometheus_client.metrics_core import Metric

from speakerd import model, sessions
from speakerd.decision import Plan
from speakerd.exchange import MemberSeen, Vip
from speakerd.model import Config, unpacked
from speakerd.peering import ESTABLISHED, Peer, SessionSeen
from speakerd.search import Space
from speakerd.tally import Histogram, Seen

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MOST_COUNTED = (1 << 63) - 1
"""Addresses; MetalLB counts larger pools as so many."""

Rows = Iterable[tuple[Sequence[str], float]]
"""Values of labels, and what is so."""


class _Collector:
    """As much of a registry as the library asks for."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._families


def exposition(seen: Seen) -> bytes:
    """The text that a scrape is answered with; families without a sample are left out."""
    return generate_latest(_Collector(family for family in collect(seen) if family.samples))


def collect(seen: Seen) -> Iterator[Metric]:
    """All families, MetalLB's first."""
    yield from _client(seen)
    yield from _layer2(seen)
    yield from _bgp(seen)
    yield from _bfd(seen)
    if seen.allocator and seen.config and seen.plan:
        # The allocator alone, as in MetalLB: its alerts join these families by pool, which no second host may tell.
        yield from _pools(seen.config, seen.plan)
    yield from _ownership(seen)
    yield from _mesh(seen)
    yield from _process(seen)


# -- MetalLB's


def _client(seen: Seen) -> Iterator[Metric]:
    loaded, stale = seen.config is not None, seen.stale
    name = "metallb_k8s_client"
    yield _counter(f"{name}_updates_total", "Times that changes in the cluster were acted on.", seen.tally.updates)
    yield _counter(f"{name}_update_errors_total", "Objects that could not be read.", seen.unreadable)
    yield _gauge(f"{name}_config_loaded_bool", "1 if a configuration was loaded.", loaded)
    yield _gauge(f"{name}_config_stale_bool", "1 if part of the newest configuration is not in use.", stale)


def _layer2(seen: Seen) -> Iterator[Metric]:
    here = sorted(_here(seen), key=lambda vip: (len(vip.ip), vip.ip))
    announced = [[vip.service, "layer2", seen.me, str(unpacked(vip.ip))] for vip in here]
    announced += [[service, "bgp", seen.me, str(ip)] for service, ip in _routed(seen)]
    what, labels = "Addresses that this node answers for, or tells a router.", ("service", "protocol", "node", "ip")
    yield _gauges("metallb_speaker_announced", what, labels, ((values, 1) for values in announced))
    counted = [([str(unpacked(raw))], each) for raw, each in sorted(seen.observed.counters.items())]
    for name, what, rows in (
        ("requests_received", "Questions for an address that came here.", [(ip, c.requests) for ip, c in counted]),
        ("responses_sent", "Answers given.", [(ip, c.responses) for ip, c in counted]),
        ("gratuitous_sent", "Announcements sent.", [(ip, c.gratuitous) for ip, c in counted]),
    ):
        # The library would call a counter `_total`, which MetalLB does not: its kind is left open.
        yield _rows(UnknownMetricFamily(f"metallb_layer2_{name}", what, labels=("ip",)), rows)


def _here(seen: Seen) -> list[Vip]:
    """The VIPs that this node answers for."""
    rows = seen.plan.wanted.vips if seen.plan else {}
    return [rows[ip] for ip, claim in seen.observed.claims.items() if claim.owner == seen.me and ip in rows]


def _routed(seen: Seen) -> list[tuple[str, model.IP]]:
    """Service and address of what a peer with an established session is told by this node, in order."""
    up = {each.peer for each in seen.observed.sessions if each.state == ESTABLISHED}
    if seen.plan is None or not up:
        return []
    rows = seen.plan.wanted.prefixes
    heard = {key for key, row in rows.items() if any(not up.isdisjoint(names) for _, names in row.said)}
    found = (holder for holder, keys in seen.plan.routed.items() if not heard.isdisjoint(keys))
    return sorted(found, key=lambda holder: (holder[0], holder[1].version, holder[1]))


def _pools(config: Config, plan: Plan) -> Iterator[Metric]:
    space = Space(config.pools)
    used = {ip for given in plan.assignments.values() for ip in given.ips}
    in_use = Counter((pool.name, ip.version) for ip in used if (pool := space.pool_of(ip)))
    services = Counter(given.pool for given in plan.assignments.values() if given.ips)
    families: tuple[tuple[str, tuple[model.Family, ...]], ...] = (("", (4, 6)), ("ipv4_", (4,)), ("ipv6_", (6,)))
    for word, counted in families:
        name = f"metallb_allocator_{word}addresses"
        totals = [([pool.name], min(MOST_COUNTED, sum(map(pool.size, counted)))) for pool in config.pools]
        taken = [([pool.name], sum(in_use[pool.name, family] for family in counted)) for pool in config.pools]
        yield _gauges(f"{name}_total", "Addresses that a pool may give out.", ("pool",), totals)
        yield _gauges(f"{name}_in_use_total", "Addresses of a pool that are given out.", ("pool",), taken)
    given = [([pool.name], services[pool.name]) for pool in config.pools]
    yield _gauges("metallb_allocator_services_allocated_total", "Services with an address.", ("pool",), given)


def _sessions(seen: Seen) -> list[tuple[tuple[str, str], SessionSeen]]:
    """Each session with the labels that MetalLB gives it: peer (address:port) and vrf, empty where there is none."""
    known = {each.peer.name: each.peer for each in (seen.plan.wanted.neighbours if seen.plan else ())}
    found = ((known.get(each.peer), each) for each in seen.observed.sessions)
    return [((_place(peer, each), peer.vrf), each) for peer, each in found if peer]


def _place(peer: Peer, seen: SessionSeen) -> str:
    where = sessions.where(peer, seen)
    return f"[{where}]:{peer.port}" if ":" in where else f"{where}:{peer.port}"


def _bgp(seen: Seen) -> Iterator[Metric]:
    told = _sessions(seen)
    name = "metallb_bgp"
    up = [(labels, each.state == ESTABLISHED) for labels, each in told]
    yield _gauges(f"{name}_session_up", "1 if the session is established.", PEER, up)
    prefixes = [(labels, each.announced) for labels, each in told]
    yield _gauges(f"{name}_announced_prefixes_total", "Prefixes that the peer has from here.", PEER, prefixes)
    due = [(labels, each.due) for labels, each in told]
    yield _gauges(f"{name}_pending_prefixes_total", "Prefixes that the peer is to learn or forget yet.", PEER, due)
    received = [(labels, each.received) for labels, each in told]
    yield _gauges("speakerd_bgp_received_prefixes", "Prefixes that the peer sent; none is kept.", PEER, received)
    updates = [(labels, each.sent.get("update", 0)) for labels, each in told]
    yield _counters(f"{name}_updates_total", "UPDATEs sent.", PEER, updates)
    for word, count in MESSAGES:
        rows = [(labels, count(each)) for labels, each in told]
        yield _rows(UnknownMetricFamily(f"{name}_{word}", "Messages of BGP.", labels=PEER), rows)


PEER = ("peer", "vrf")
MESSAGES: tuple[tuple[str, Callable[[SessionSeen], int]], ...] = (
    ("updates_total_received", lambda each: each.heard.get("update", 0)),
    ("opens_sent", lambda each: each.sent.get("open", 0)),
    ("opens_received", lambda each: each.heard.get("open", 0)),
    ("notifications_sent", lambda each: each.sent.get("notification", 0)),
    ("keepalives_sent", lambda each: each.sent.get("keepalive", 0)),
    ("keepalives_received", lambda each: each.heard.get("keepalive", 0)),
    ("route_refresh_sent", lambda each: each.sent.get("route-refresh", 0)),
    ("total_sent", lambda each: sum(each.sent.values())),
    ("total_received", lambda each: sum(each.heard.values())),
)
"""What MetalLB counts of messages, by the end of its name."""


def _bfd(seen: Seen) -> Iterator[Metric]:
    told = [(labels, each.bfd) for labels, each in _sessions(seen) if each.bfd]
    name = "metallb_bfd"
    up = [(labels, each.state == "Up") for labels, each in told]
    yield _gauges(f"{name}_session_up", "1 if BFD finds the path alive.", PEER, up)
    for word, counted in PACKETS.items():
        rows = [(labels, each.counted.get(counted, 0)) for labels, each in told]
        yield _rows(UnknownMetricFamily(f"{name}_{word}", "Packets of BFD, and changes.", labels=PEER), rows)


PACKETS = {
    "control_packet_input": "control-heard",
    "control_packet_output": "control-sent",
    "echo_packet_input": "echo-heard",
    "echo_packet_output": "echo-sent",
    "session_up_events": "ups",
    "session_down_events": "downs",
}
"""What MetalLB counts of BFD, by the end of its name."""


# -- ours


def _ownership(seen: Seen) -> Iterator[Metric]:
    what = "From when a dead owner was last heard until this node answered in its place."
    yield _histogram("speakerd_failover_duration_seconds", what, seen.tally.failovers)
    moves = sorted(seen.tally.moves.items())
    yield _counters("speakerd_vip_moves_total", "VIPs that came to this node, by cause.", ("cause",), _by(moves))


def _mesh(seen: Seen) -> Iterator[Metric]:
    states = sorted(Counter(each.state for each in seen.observed.members).items())
    yield _gauges("speakerd_members", "Other members as this node sees them.", ("state",), _by(states))
    late = [([each.name], _late(each, seen.now)) for each in seen.observed.members if each.heard]
    what = "How much later than due the next heartbeat of a member is."
    yield _gauges("speakerd_heartbeat_lateness_seconds", what, ("member",), late)
    trips = [([each.name], each.round_trip) for each in seen.observed.members if each.round_trip]
    yield _gauges("speakerd_member_round_trip_seconds", "To a member and back.", ("member",), trips)
    words = sorted(seen.observed.mesh.items())
    conflicts = [(word, count) for word, count in words if word in CONFLICTS]
    routers = [(word, count) for word, count in words if word.startswith(ROUTERS)]
    messages = [(word, count) for word, count in words if word not in CONFLICTS and not word.startswith(ROUTERS)]
    what = "VIPs claimed or answered for elsewhere, too."
    yield _counters("speakerd_conflicts_total", what, ("kind",), _by(conflicts))
    what = "Members' messages, by what became of them."
    yield _counters("speakerd_mesh_messages_total", what, ("what",), _by(messages))
    what = "Connections of routers and packets of BFD that were taken or came to nothing."
    yield _counters("speakerd_routers_total", what, ("what",), _by(routers))


ROUTERS = ("bgp-", "bfd-")
"""How counters of BGP and BFD begin, beside those of the mesh."""
CONFLICTS = frozenset({"conflicts", "contests-won", "contests-lost", "moves-without-successor", "two-boots"})
"""Counters of the mesh that tell of VIPs and names, not of messages."""


def _late(member: MemberSeen, now: float) -> float:
    return round(max(0.0, now - member.heard - member.watched), 6)


def _process(seen: Seen) -> Iterator[Metric]:
    yield _gauges("speakerd_build_info", "The version.", ("version",), [([seen.version], 1)])
    yield _histogram("speakerd_cycle_duration_seconds", "Gather, decide, apply.", seen.tally.cycles)
    what, requests = "Requests to the API server; code 0: no answer.", sorted(seen.requests.items())
    yield _counters("speakerd_api_requests_total", what, ("verb", "code"), requests)
    again = [([kind], max(0, begun - 1)) for kind, begun in sorted(seen.watches.items())]
    yield _counters("speakerd_watch_restarts_total", "Watches begun anew.", ("kind",), again)
    if seen.link is not None:
        yield _gauge("speakerd_link_lag_seconds", "A question to the announcer, until it answered.", seen.link)
    what, restarts = "Starts of a process after its first.", sorted(seen.restarts.items())
    yield _counters("speakerd_process_restarts_total", what, ("process",), _by(restarts))
    what, found = "What needs an operator; see speakerd status.", sorted(seen.findings.items())
    yield _gauges("speakerd_findings", what, ("finding", "severity"), found)


# -- the library's families


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value)


def _gauges(name: str, what: str, labels: Sequence[str], rows: Rows) -> Metric:
    return _rows(GaugeMetricFamily(name, what, labels=labels), rows)


def _counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(name, what, value)


def _counters(name: str, what: str, labels: Sequence[str], rows: Rows) -> Metric:
    return _rows(CounterMetricFamily(name, what, labels=labels), rows)


def _histogram(name: str, what: str, values: Histogram) -> Metric:
    return HistogramMetricFamily(name, what, buckets=values.buckets(), sum_value=values.total)


def _rows(family: GaugeMetricFamily | CounterMetricFamily | UnknownMetricFamily, rows: Rows) -> Metric:
    for values, value in rows:
        family.add_metric(values, value)
    return family


def _by(counts: Iterable[tuple[str, float]]) -> Rows:
    return (([word], count) for word, count in counts)
