"""What Prometheus is told: MetalLB's names where the thing is the same, `speakerd_*` for what it lacks; pure.

Written by ourselves: the usual library costs 40 ms and 2 MiB in every controller, this file next to nothing. The
format is Prometheus' text exposition, version 0.0.4.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from speakerd import model
from speakerd.events import Event
from speakerd.model import Config, MemberSeen, Observed, Plan, Vip, unpacked
from speakerd.search import Space

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FAILOVERS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the promise is 0.2, and what takes longer than ten is no failover any more."""
CYCLES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Seconds; one change among 10,000 Services costs 5 ms."""
MOST_COUNTED = (1 << 63) - 1
"""Addresses; MetalLB counts larger pools as so many."""

Labels = tuple[tuple[str, str], ...]
Kind = Literal["gauge", "counter", "histogram"]


class Sample(Struct, frozen=True):
    """A value with its labels; `suffix`: of a histogram's parts."""

    value: float
    labels: Labels = ()
    suffix: str = ""


class Family(Struct, frozen=True):
    """All samples of one name."""

    name: str
    kind: Kind
    help: str
    samples: tuple[Sample, ...]


class Histogram:
    """Counts values in buckets, by their upper bounds in seconds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self._counts[sum(value > bound for bound in self._bounds)] += 1
        self._sum += value

    def samples(self) -> tuple[Sample, ...]:
        """Each bucket holds all that are smaller, too."""
        found, total = [], 0
        for bound, count in zip((*map(_number, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            found.append(Sample(total, (("le", bound),), "_bucket"))
        return *found, Sample(self._sum, suffix="_sum"), Sample(total, suffix="_count")


class Tally:
    """What only grows, since this process started."""

    def __init__(self) -> None:
        self.failovers = Histogram(FAILOVERS)
        self.cycles = Histogram(CYCLES)
        self.updates = 0
        self._moves: Counter[str] = Counter()

    def turned(self, seconds: float) -> None:
        """What is known was acted on, in so many seconds."""
        self.updates += 1
        self.cycles.observe(seconds)

    def take(self, found: Iterable[Event]) -> None:
        """Count the VIPs that came here, and how long each was without an owner."""
        for each in found:
            if each.event == "vip.owned":
                self._moves[each.cause] += 1
                if each.gap:
                    self.failovers.observe(each.gap)

    @property
    def moves(self) -> Mapping[str, int]:
        """VIPs that came here, by cause."""
        return self._moves


class Seen(Struct, frozen=True):
    """All that is told of. `now`: this host's monotonic clock; `link`: seconds a question to the announcer took.

    `allocator`: this node gives out addresses; `loaded`, `stale`: the configuration was read, and is not the newest.
    `requests` by method and code; `watches` begun, by kind; `unreadable`: objects that could not be read so far;
    `restarts` by process; `findings` by word and severity.
    """

    me: str
    version: str
    now: float
    observed: Observed
    tally: Tally
    config: Config | None = None
    plan: Plan | None = None
    allocator: bool = False
    stale: bool = False
    link: float | None = None
    requests: Mapping[tuple[str, str], int] = {}
    watches: Mapping[str, int] = {}
    unreadable: int = 0
    restarts: Mapping[str, int] = {}
    findings: Mapping[tuple[str, str], int] = {}


def exposition(families: Iterable[Family]) -> bytes:
    """The text that a scrape is answered with; families without a sample are left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines.append(f"# HELP {family.name} {_escaped(family.help)}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines += [f"{family.name}{s.suffix}{_labelled(s.labels)} {_number(s.value)}" for s in family.samples]
    return "".join(f"{line}\n" for line in lines).encode()


def _labelled(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in labels) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def collect(seen: Seen) -> Iterator[Family]:
    """All families, MetalLB's first."""
    yield from _client(seen)
    yield from _layer2(seen)
    if seen.allocator and seen.config and seen.plan:
        # The allocator alone, as in MetalLB: its alerts join these families by pool, which no second host may tell.
        yield from _pools(seen.config, seen.plan)
    yield from _ownership(seen)
    yield from _mesh(seen)
    yield from _process(seen)


# -- MetalLB's


def _client(seen: Seen) -> Iterator[Family]:
    loaded, stale = seen.config is not None, seen.stale
    name = "metallb_k8s_client"
    yield _one(
        f"{name}_updates_total", "counter", "Times that changes in the cluster were acted on.", seen.tally.updates
    )
    yield _one(f"{name}_update_errors_total", "counter", "Objects that could not be read.", seen.unreadable)
    yield _one(f"{name}_config_loaded_bool", "gauge", "1 if a configuration was loaded.", loaded)
    yield _one(f"{name}_config_stale_bool", "gauge", "1 if part of the newest configuration is not in use.", stale)


def _layer2(seen: Seen) -> Iterator[Family]:
    here = sorted(_here(seen), key=lambda vip: (len(vip.ip), vip.ip))
    announced = tuple(
        Sample(1, (("service", vip.service), ("protocol", "layer2"), ("node", seen.me), ("ip", str(unpacked(vip.ip)))))
        for vip in here
    )
    yield Family("metallb_speaker_announced", "gauge", "Addresses that this node answers for.", announced)
    counted = [((("ip", str(unpacked(raw))),), each) for raw, each in sorted(seen.observed.counters.items())]
    requests, responses = "Questions for an address that came here.", "Answers given."
    for name, what, samples in (
        ("requests_received", requests, [Sample(each.requests, labels) for labels, each in counted]),
        ("responses_sent", responses, [Sample(each.responses, labels) for labels, each in counted]),
        ("gratuitous_sent", "Announcements sent.", [Sample(each.gratuitous, labels) for labels, each in counted]),
    ):
        yield Family(f"metallb_layer2_{name}", "counter", what, tuple(samples))


def _here(seen: Seen) -> list[Vip]:
    """The VIPs that this node answers for."""
    rows = seen.plan.wanted.vips if seen.plan else {}
    return [rows[ip] for ip, claim in seen.observed.claims.items() if claim.owner == seen.me and ip in rows]


def _pools(config: Config, plan: Plan) -> Iterator[Family]:
    space = Space(config.pools)
    used = {ip for given in plan.assignments.values() for ip in given.ips}
    in_use = Counter((pool.name, ip.version) for ip in used if (pool := space.pool_of(ip)))
    services = Counter(given.pool for given in plan.assignments.values() if given.ips)
    families: tuple[tuple[str, tuple[model.Family, ...]], ...] = (("", (4, 6)), ("ipv4_", (4,)), ("ipv6_", (6,)))
    for word, counted in families:
        name = f"metallb_allocator_{word}addresses"
        totals = [(pool.name, min(MOST_COUNTED, sum(map(pool.size, counted)))) for pool in config.pools]
        taken = [(pool.name, sum(in_use[pool.name, family] for family in counted)) for pool in config.pools]
        yield _by(f"{name}_total", "gauge", "Addresses that a pool may give out.", "pool", totals)
        yield _by(f"{name}_in_use_total", "gauge", "Addresses of a pool that are given out.", "pool", taken)
    given = [(pool.name, services[pool.name]) for pool in config.pools]
    yield _by("metallb_allocator_services_allocated_total", "gauge", "Services with an address.", "pool", given)


# -- ours


def _ownership(seen: Seen) -> Iterator[Family]:
    tally = seen.tally
    what = "From when a dead owner was last heard until this node answered in its place."
    yield Family("speakerd_failover_duration_seconds", "histogram", what, tally.failovers.samples())
    moves = sorted(tally.moves.items())
    yield _by("speakerd_vip_moves_total", "counter", "VIPs that came to this node, by cause.", "cause", moves)


def _mesh(seen: Seen) -> Iterator[Family]:
    states = Counter(each.state for each in seen.observed.members)
    yield _by("speakerd_members", "gauge", "Other members as this node sees them.", "state", sorted(states.items()))
    late = [(each.name, _late(each, seen.now)) for each in seen.observed.members if each.heard]
    what = "How much later than due the next heartbeat of a member is."
    yield _by("speakerd_heartbeat_lateness_seconds", "gauge", what, "member", late)
    trips = [(each.name, each.round_trip) for each in seen.observed.members if each.round_trip]
    yield _by("speakerd_member_round_trip_seconds", "gauge", "To a member and back.", "member", trips)
    words = seen.observed.mesh
    conflicts = [(word, count) for word, count in sorted(words.items()) if word in CONFLICTS]
    messages = [(word, count) for word, count in sorted(words.items()) if word not in CONFLICTS]
    yield _by("speakerd_conflicts_total", "counter", "VIPs claimed or answered for elsewhere, too.", "kind", conflicts)
    yield _by("speakerd_mesh_messages_total", "counter", "Members' messages, by what became of them.", "what", messages)


CONFLICTS = frozenset({"conflicts", "contests-won", "contests-lost", "moves-without-successor", "two-boots"})
"""Counters of the mesh that tell of VIPs and names, not of messages."""


def _late(member: MemberSeen, now: float) -> float:
    return round(max(0.0, now - member.heard - member.watched), 6)


def _process(seen: Seen) -> Iterator[Family]:
    yield Family("speakerd_build_info", "gauge", "The version.", (Sample(1, (("version", seen.version),)),))
    yield Family("speakerd_cycle_duration_seconds", "histogram", "Gather, decide, apply.", seen.tally.cycles.samples())
    requests = tuple(Sample(n, (("verb", verb), ("code", code))) for (verb, code), n in sorted(seen.requests.items()))
    yield Family("speakerd_api_requests_total", "counter", "Requests to the API server; code 0: no answer.", requests)
    again = [(kind, max(0, begun - 1)) for kind, begun in sorted(seen.watches.items())]
    yield _by("speakerd_watch_restarts_total", "counter", "Watches begun anew.", "kind", again)
    if seen.link is not None:
        yield _one("speakerd_link_lag_seconds", "gauge", "A question to the announcer, until it answered.", seen.link)
    restarts = sorted(seen.restarts.items())
    yield _by("speakerd_process_restarts_total", "counter", "Starts of a process after its first.", "process", restarts)
    found = tuple(
        Sample(n, (("finding", word), ("severity", grave))) for (word, grave), n in sorted(seen.findings.items())
    )
    yield Family("speakerd_findings", "gauge", "What needs an operator; see speakerd status.", found)


def _one(name: str, kind: Kind, what: str, value: float) -> Family:
    return Family(name, kind, what, (Sample(value),))


def _by(name: str, kind: Kind, what: str, label: str, values: Iterable[tuple[str, float]]) -> Family:
    return Family(name, kind, what, tuple(Sample(value, ((label, each),)) for each, value in values))
