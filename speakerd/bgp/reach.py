"""How a peer's TCP connection is to be made, and what one that stands is; values that transport and session share."""

from ipaddress import ip_address

from msgspec import Struct

from speakerd.peering import Neighbour, Password

FARTHEST = 255
"""The TTL (hop limit) to whom may be far, as routers that check for it expect from near ones (RFC 5082)."""


class Reach(Struct, frozen=True):
    """How to connect. `address` "": not known yet. `interface`: that a link-local `address` is on.

    `source` "": as the kernel chooses. `device`: a VRF to bind to. `ttl` 0: as the host has it.
    """

    address: str
    port: int = 179
    interface: str = ""
    source: str = ""
    device: str = ""
    ttl: int = 0
    password: Password | None = None

    @property
    def version(self) -> int:
        """Of IP."""
        return 6 if self.interface or ":" in self.address else 4


class Ends(Struct, frozen=True):
    """The addresses of a connection. `interface`: index, where they are link-local."""

    local: str
    peer: str
    interface: int = 0


def reach(neighbour: Neighbour, *, external: bool, address: str = "") -> Reach:
    """How a neighbour is reached; `address`: the link-local one that was learnt of an unnumbered peer.

    A peer of another AS is on our link unless it is said to be further: nothing we send it lives longer (TTL 1, as FRR
    does it). Link-local addresses lead no further anyway.
    """
    peer = neighbour.peer
    near = external and not peer.multihop and not peer.interface
    return Reach(
        plain(peer.address or address),
        peer.port,
        peer.interface,
        plain(peer.source_address),
        peer.vrf,
        1 if near else FARTHEST,
        neighbour.password,
    )


def plain(address: str) -> str:
    """As the kernel writes it, however it was configured; "" stays so."""
    return str(ip_address(address)) if address else ""
