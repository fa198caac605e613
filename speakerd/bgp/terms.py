"""What one session is to be: the wish of a peer's configuration, compared by value."""

from ipaddress import IPv4Address

from msgspec import Struct
from msgspec.structs import replace

from speakerd.bgp.capability import Capabilities, Restart
from speakerd.bgp.family import IPV4, IPV6, Family
from speakerd.bgp.opening import Open
from speakerd.peering import Peer

HOLD_TIME = 90
"""Seconds that are offered where nothing is configured (RFC 4271 section 10)."""
RESTART_TIME = 20
"""Seconds in which a node that restarts is back: an announcer is in one, a host's agent in ten."""


class Terms(Struct, frozen=True):
    """Who we are, whom we expect, what we offer. Times are seconds.

    `asn`, `identifier`: ours in the OPEN. `peer_asn` 0: learnt, and `dynamic` says internal or external. `hold_time` 0:
    without timers. `keepalive_time`, `connect_time` 0: the defaults. `restart_time` 0: no graceful restart;
    `restarted`: this process has just come back. `dials` False is the passive mode;
    `accepts` False: nobody but us opens the session. `way`: whatever else the connection depends on (addresses, port, a
    digest of the password): compared, never read.
    """

    asn: int
    identifier: bytes
    peer_asn: int = 0
    dynamic: str = ""
    families: tuple[Family, ...] = (IPV4,)
    extended_next_hop: bool = False
    hold_time: int = HOLD_TIME
    keepalive_time: int = 0
    connect_time: int = 0
    restart_time: int = 0
    restarted: bool = False
    dials: bool = True
    accepts: bool = True
    way: tuple[str, ...] = ()

    @property
    def open(self) -> Open:
        """The OPEN that offers them."""
        hops = ((IPV4, IPV6.afi),) if self.extended_next_hop else ()
        said = Capabilities(self.families, self.asn, True, True, hops, self._restart)
        return Open(self.asn, self.hold_time, self.identifier, said)

    @property
    def _restart(self) -> Restart | None:
        """The kernel forwards without us, so a peer may always keep what it has until it hears all anew.

        The N bit stays off: with it a node that shuts down keeps traffic that it no longer forwards (RFC 8538).
        """
        if not self.restart_time:
            return None
        kept = tuple((family, True) for family in self.families)
        return Restart(self.restart_time, kept, restarted=self.restarted)

    def outlived_by(self, other: "Terms") -> bool:
        """Whether a session opened by these goes on under others: what its OPEN said, and its way, are the same."""
        return self._lasting == other._lasting

    @property
    def _lasting(self) -> "Terms":
        return replace(self, keepalive_time=0, connect_time=0, restarted=False, dials=True, accepts=True)


def of_peer(peer: Peer, router_id: bytes, families: tuple[Family, ...], digest: str = "") -> Terms:
    """What a peer's configuration asks for; its own router ID before `router_id`. `digest`: of the password.

    IPv4 by way of IPv6 is offered where the session itself is over IPv6 (RFC 8950).
    """
    six = bool(peer.interface) or ":" in peer.address
    where = (peer.address, peer.interface, peer.source_address, str(peer.port), peer.vrf, str(peer.multihop))
    return Terms(
        peer.local_asn or peer.my_asn,
        IPv4Address(peer.router_id).packed if peer.router_id else router_id,
        peer.peer_asn,
        peer.dynamic_asn,
        families,
        six and IPV4 in families,
        HOLD_TIME if peer.hold_time is None else peer.hold_time,
        peer.keepalive_time or 0,
        peer.connect_time or 0,
        RESTART_TIME if peer.graceful_restart else 0,
        way=(*where, digest),
    )
