"""Address families, and what two speakers agreed on as far as reading and writing depend on it."""

from msgspec import Struct


class Family(Struct, frozen=True, order=True):
    """Address family and subsequent address family, as IANA numbers them (RFC 4760 section 3)."""

    afi: int
    safi: int

    @property
    def bits(self) -> int:
        """Of an address; of one of the two families below."""
        return 32 if self.afi == IPV4.afi else 128


IPV4, IPV6 = Family(1, 1), Family(2, 1)
"""Unicast of both. What a peer tells of other families is passed over."""


class Negotiated(Struct, frozen=True):
    """What both OPENs say together, defaults as without any capability.

    `four_octet`: AS numbers in UPDATEs have 4 octets (RFC 6793); `families`: those that are listened to, without those
    that an error has disabled; `extended_next_hop`: IPv4 may be by way of IPv6 (RFC 8950); `external`: another AS.
    """

    four_octet: bool = False
    families: frozenset[Family] = frozenset({IPV4})
    extended_next_hop: bool = False
    external: bool = True
