"""What controller and announcer tell each other: what is wanted, and what is observed; frozen values only.

Addresses are 4 or 16 bytes, as the wire has them.
"""

from collections.abc import Mapping

from msgspec import Struct

from speakerd.model import Interface
from speakerd.peering import BgpSettings, Neighbour, Prefix, SessionSeen

READY = 1 << 32
"""Added to the score of a node whose endpoints are ready where only such nodes count (externalTrafficPolicy Local)."""


class Candidate(Struct, frozen=True, gc=False, array_like=True):
    """A node that may answer for a VIP; a higher `score` ranks before.

    `score`: the weights of all preferences that name the node (preferredNodeSelectors), below READY; plus READY where
    the Service's traffic stays on the node and an endpoint there is ready rather than ending.
    """

    node: str
    score: int = 0


class Vip(Struct, frozen=True, gc=False, array_like=True):
    """A virtual IP as the announcer needs it.

    `ip`: 4 or 16 bytes. `rank_by`: the Service's first address, by which all its addresses rank together.
    `candidates`: index into `Wanted.candidate_sets`. `interfaces`: names, none means every usable one.
    `row_version`: largest resourceVersion the sender's watch had reached; `epoch`, `owner`, `heir`, `segments`: the
    last record of its ownership, as far as one is known.
    """

    ip: bytes
    service: str
    rank_by: bytes
    candidates: int
    interfaces: tuple[str, ...] = ()
    row_version: int = 0
    epoch: int = 0
    heir: str = ""
    segments: tuple[str, ...] = ()
    owner: str = ""


class Stake(Struct, frozen=True, gc=False):
    """A VIP with its candidates resolved, as the ownership core takes it."""

    vip: Vip
    candidates: tuple[Candidate, ...]


class Layer2Settings(Struct, frozen=True, array_like=True):
    """The announcer's share of the settings: seconds and frames a second; patterns match unanchored."""

    interfaces: tuple[str, ...] = ()
    exclude_interfaces: tuple[str, ...] = ()
    refresh: float = 60.0
    rate: int = 1000
    probe: float = 0.012


class MembershipSettings(Struct, frozen=True, array_like=True):
    """How members watch one another: UDP `bind` and `port`; `interval` in seconds between heartbeats.

    `misses`: heartbeats missed until a vote for death; `questions`: asked on the wire before it counts as silent;
    `peers`: addresses of the other hosts where no API tells them.
    """

    bind: str = ""
    port: int = 7946
    interval: float = 0.075
    misses: int = 2
    questions: int = 3
    peers: tuple[str, ...] = ()


class Key(Struct, frozen=True, array_like=True):
    """A key that signs the members' messages; `id` tells keys apart and says nothing of the material."""

    id: str
    material: bytes

    def __repr__(self) -> str:
        return f"Key({self.id})"


class Member(Struct, frozen=True, array_like=True):
    """A node with a member record (Lease speakerd-node-NAME).

    `keys`: ids of the mesh keys it knows, newest first; `drained`: it was told to answer for nothing. `strangers`:
    addresses that nobody owned before and that a host which is no member has already, with its MAC. `pools`: a digest
    of those in its own settings, "" where it may not allocate.
    """

    name: str
    addresses: tuple[str, ...] = ()
    version: str = ""
    keys: tuple[str, ...] = ()
    drained: bool = False
    strangers: tuple[tuple[bytes, bytes], ...] = ()
    pools: str = ""


class Wanted(Struct, frozen=True):
    """All the announcer needs to go on alone: what to answer for, who may, who is a member.

    `blind`: the largest resourceVersion seen before the watch went down, 10 s ago or earlier; 0: it works.
    `configuration`: the digest, in hexadecimal, of what settings and resources come to. `neighbours`: whom this node
    has BGP sessions with; `prefixes`: what it announces by them, by their keys.
    """

    me: str
    vips: Mapping[bytes, Vip]
    candidate_sets: tuple[tuple[Candidate, ...], ...] = ()
    members: tuple[Member, ...] = ()
    layer2: Layer2Settings = Layer2Settings()
    membership: MembershipSettings = MembershipSettings()
    keys: tuple[Key, ...] = ()
    drained: bool = False
    blind: int = 0
    configuration: str = ""
    bgp: BgpSettings = BgpSettings()
    neighbours: tuple[Neighbour, ...] = ()
    prefixes: Mapping[bytes, Prefix] = {}


class Claim(Struct, frozen=True, gc=False, array_like=True):
    """Who answers for a VIP, since when (seconds of this host's CLOCK_MONOTONIC) and why it moved there.

    (`epoch`, `version`) orders claims; no `owner`: withdrawn. `boot`: of the owner; `heir`: who takes over at its
    death; `previous`: who answered before; `gap`: seconds since that one was last heard, where it died.
    """

    ip: bytes
    epoch: int
    owner: str
    since: float
    cause: str
    interfaces: tuple[str, ...] = ()
    version: int = 0
    boot: int = 0
    heir: str = ""
    previous: str = ""
    gap: float = 0.0


class Counters(Struct, frozen=True, gc=False, array_like=True):
    """Per VIP, since the announcer started (metallb_layer2_*)."""

    ip: bytes
    requests: int = 0
    responses: int = 0
    gratuitous: int = 0


class Facts(Struct, frozen=True):
    """How the announcer runs; `missing` names what the host refused it (real-time priority, locked memory, ...)."""

    pid: int = 0
    started: float = 0.0
    restarts: int = 0
    realtime: int = 0
    locked: bool = False
    missing: tuple[str, ...] = ()


LIVING = frozenset({"starting", "alive", "suspect"})
"""States of a member that counts as alive."""
GONE = frozenset({"dead", "unheard"})
"""States of a member that answers for nothing."""


class MemberSeen(Struct, frozen=True, array_like=True):
    """A member as the mesh sees it: `state` (starting, alive, suspect, dead, leaving, unheard) since `since`.

    `heard`: when last, by any carrier, 0 never; `round_trip` in seconds, 0 unknown; `carriers`: those that work both
    ways now (udp, ethernet); `watched`: the preset's interval it is judged by; `configuration`: the digest of what it
    obeys, b"" unknown. Times of this host's CLOCK_MONOTONIC.
    """

    name: str
    state: str
    since: float = 0.0
    heard: float = 0.0
    boot: int = 0
    round_trip: float = 0.0
    carriers: tuple[str, ...] = ()
    watched: float = 0.0
    drained: bool = False
    configuration: bytes = b""


class Happening(Struct, frozen=True, array_like=True):
    """Something worth telling, numbered without gaps: `word` in dotted form, `subject` a member or an address."""

    number: int
    at: float
    word: str
    subject: str
    detail: str = ""


class Observed(Struct, frozen=True):
    """What the announcer sees: interfaces, claims, members, what happened lately, counters and itself.

    `mesh`: counters of messages and refusals by word; `conditions`: what stands in the way, by word, with its detail.
    `strangers`: VIPs that nobody owned before and that a host which is no member has already -> its MAC.
    """

    interfaces: tuple[Interface, ...] = ()
    claims: Mapping[bytes, Claim] = {}
    counters: Mapping[bytes, Counters] = {}
    facts: Facts = Facts()
    members: tuple[MemberSeen, ...] = ()
    happenings: tuple[Happening, ...] = ()
    mesh: Mapping[str, int] = {}
    conditions: Mapping[str, str] = {}
    strangers: Mapping[bytes, bytes] = {}
    sessions: tuple[SessionSeen, ...] = ()

    @property
    def told_strangers(self) -> tuple[tuple[bytes, bytes], ...]:
        """As this node's record tells of them."""
        return tuple(sorted(self.strangers.items()))
