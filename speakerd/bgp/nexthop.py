"""Which families a session carries, and by which next hops, from where it stands and what was agreed.

Our routes lead to this host, so a next hop is always an address of our own: for the session's own family the very one
that the peer talks to (RFC 4271 section 5.1.3), for the other one of the same interface.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address

from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.reach import Ends
from speakerd.model import Interface
from speakerd.peering import Peer


def families(peer: Peer) -> tuple[Family, ...]:
    """What is offered: both over one session where it is asked for, and where there is no address to go by."""
    if peer.dual_stack or peer.interface:
        return IPV4, IPV6
    return (IPV6,) if ":" in peer.address else (IPV4,)


def next_hops(
    ends: Ends, interfaces: Iterable[Interface], negotiated: Negotiated, *, near: bool
) -> Mapping[Family, bytes]:
    """Octets of a next hop for each family that has one. `near`: the peer is on our link.

    Then the link-local address goes with an IPv6 one (RFC 2545 section 3), if the session itself is over IPv6: FRR ends
    one over IPv4 by which it hears of a link-local address before it knows the interface. IPv4 goes by way of IPv6
    where that was agreed (RFC 8950) and the session is over IPv6.
    """
    here = _interface(ends, interfaces)
    if ":" not in ends.local:
        ours = _six("", here, near=False) or _six("", here, near=True)
        return _present({IPV4: ip_address(ends.local).packed, IPV6: ours})
    six = _six(ends.local, here, near=near)
    four = six if negotiated.extended_next_hop else _first(here.ipv4 if here else ())
    return _present({IPV4: four, IPV6: six})


def _interface(ends: Ends, interfaces: Iterable[Interface]) -> Interface | None:
    for each in interfaces:
        if ends.interface == each.index if ends.interface else ends.local in (*each.ipv4, *each.ipv6):
            return each
    return None


def _six(local: str, here: Interface | None, *, near: bool) -> bytes:
    """Of a session at `local` ("": it is over IPv4): the global address, and maybe the link-local one behind it.

    A link-local address alone where there is no other: routers take it (FRR, BIRD).
    """
    own = here.ipv6 if here else ()
    link_local = next((each for each in own if _is_local(each)), "")
    if local and _is_local(local):
        link_local, local = local, ""
    whole = IPv6Address(local).packed if local else _first(each for each in own if not _is_local(each))
    beside = IPv6Address(link_local).packed if link_local and near else b""
    return whole + beside if whole else beside


def _is_local(address: str) -> bool:
    return IPv6Address(address).is_link_local


def _first(addresses: Iterable[str]) -> bytes:
    """The first that leads here from elsewhere."""
    found = map(ip_address, addresses)
    return next((each.packed for each in found if not each.is_loopback), b"")


def _present(found: Mapping[Family, bytes]) -> Mapping[Family, bytes]:
    return {family: octets for family, octets in found.items() if octets}
