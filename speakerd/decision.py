"""What a turn of the controller looks at, and what it comes to: Snapshot in, Plan out; frozen values only."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from speakerd.exchange import Key, Layer2Settings, Member, MembershipSettings, Wanted
from speakerd.model import (
    IP,
    Assignment,
    Config,
    Endpoints,
    Holder,
    Node,
    Reason,
    Record,
    Release,
    Reservation,
    Service,
)
from speakerd.peering import BgpSettings, Password


class Snapshot(Struct, frozen=True):
    """One look at the world. `ledger` None: the addresses' Leases are not known (not the allocator, or not listed yet).

    `settled`: every kind was listed at least once; before that nothing may be released or withdrawn. `blind`: as in
    Wanted. `hints`: who owned a VIP before this controller started, by packed address. `strangers`: MAC of who has an
    address that nobody owned before, as a member found when it was to announce it. `passwords`: of BGP sessions, by the
    name of the peer, as far as they are known.
    """

    me: str
    settled: bool
    services: Mapping[str, Service]
    endpoints: Mapping[str, Endpoints]
    nodes: Mapping[str, Node]
    members: Mapping[str, Member]
    config: Config
    ledger: Mapping[IP, Reservation] | None = None
    layer2: Layer2Settings = Layer2Settings()
    announce: bool = True
    row_version: int = 0
    membership: MembershipSettings = MembershipSettings()
    keys: tuple[Key, ...] = ()
    drained: bool = False
    blind: int = 0
    hints: Mapping[bytes, Record] = {}
    strangers: Mapping[IP, str] = {}
    bgp: BgpSettings = BgpSettings()
    passwords: Mapping[str, Password] = {}


class StatusWrite(Struct, frozen=True):
    """A Service's status and output annotation as they should be; each address' Lease comes first.

    `service.resource_version` guards the write. No `ips`: clear.
    """

    service: Service
    assignment: Assignment


class EventWrite(Struct, frozen=True):
    """A Kubernetes Event on a Service."""

    service: Service
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


class Plan(Struct, frozen=True):
    """All that should be: statuses to write, addresses to free, events, and what the announcer should do.

    `refused`: why an address is announced by nobody, per (service key, address); `writes`: oldest Service first.
    `adoptions`: addresses that a status names and whose Lease does not say so, or not by which terms. `shared`: by
    packed address, the keys of all Services it is announced for, where they are several. `set_aside`: addresses that a
    stranger has, with its MAC: their Services are given others. Per (service key, address), where routers are to learn
    addresses at all: `routed`: keys of the prefixes this node announces it by; `unrouted`: why it does by none.
    """

    assignments: Mapping[str, Assignment]
    wanted: Wanted
    writes: tuple[StatusWrite, ...] = ()
    releases: tuple[Release, ...] = ()
    adoptions: tuple[tuple[IP, Holder], ...] = ()
    events: tuple[EventWrite, ...] = ()
    refused: Mapping[tuple[str, IP], Reason] = {}
    shared: Mapping[bytes, tuple[str, ...]] = {}
    set_aside: tuple[tuple[Reservation, str], ...] = ()
    routed: Mapping[tuple[str, IP], tuple[bytes, ...]] = {}
    unrouted: Mapping[tuple[str, IP], Reason] = {}
