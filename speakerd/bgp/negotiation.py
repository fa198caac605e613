"""What two OPENs say together, or why there can be no session (RFC 4271 section 6.2)."""

from msgspec import Struct

from speakerd.bgp import capability
from speakerd.bgp.capability import Capabilities, Restart
from speakerd.bgp.error import Code, Fault, OpenError
from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.frame import MOST, MOST_EXTENDED
from speakerd.bgp.opening import Open
from speakerd.bgp.terms import Terms


class Agreement(Struct, frozen=True):
    """What holds for a session, seconds and octets.

    `negotiated`: what reading and writing go by. `hold_time` 0: no timers (RFC 4271 section 4.2). `longest`: octets of
    a message that the peer can take. `refresh`: whether it can be asked for its routes again (RFC 2918). `restart`: how
    it keeps our routes through a restart of ours, None where it does not; its `families` are those of both.
    """

    peer: Open
    negotiated: Negotiated
    hold_time: int
    longest: int = MOST
    refresh: bool = False
    restart: Restart | None = None


def agree(ours: Terms, theirs: Open) -> Agreement:
    """What holds between us. Raises Fault: it is not the one we expect, or there is nothing to talk about."""
    _expected(ours, theirs)
    said = theirs.capabilities
    families = _common(ours, said)
    negotiated = Negotiated(
        four_octet=said.asn != 0,
        families=families,
        extended_next_hop=ours.extended_next_hop and (IPV4, IPV6.afi) in said.next_hops,
        external=theirs.asn != ours.asn,
    )
    return Agreement(
        theirs,
        negotiated,
        min(ours.hold_time, theirs.hold_time),
        MOST_EXTENDED if said.extended_message else MOST,
        said.route_refresh,
        _restart(ours, said, families),
    )


def keepalive(ours: Terms, agreement: Agreement) -> float | None:
    """Seconds between our KEEPALIVEs: a third of the hold time at most, None without one (RFC 4271 section 4.4)."""
    third = agreement.hold_time / 3
    return min(ours.keepalive_time or third, third) or None


def outgoing_wins(ours: Terms, theirs: Open) -> bool:
    """Of two connections the one survives that the higher identifier opened (RFC 4271 section 6.8), whether ours did.

    Where identifiers are equal, the higher AS number (RFC 6286 section 2.3).
    """
    return (ours.identifier, ours.asn) > (theirs.identifier, theirs.asn)


def _expected(ours: Terms, theirs: Open) -> None:
    """Refuse a stranger, and within our AS one who calls itself as we do (RFC 6286 section 2.2)."""
    internal = theirs.asn == ours.asn
    wanted = theirs.asn == ours.peer_asn if ours.peer_asn else internal == (ours.dynamic == "internal")
    if not wanted:
        expected = f"AS {ours.peer_asn}" if ours.peer_asn else f"an {ours.dynamic} one"
        raise Fault(Code.OPEN, OpenError.PEER_AS, detail=f"it is AS {theirs.asn}, not {expected}")
    if internal and theirs.identifier == ours.identifier:
        raise Fault(Code.OPEN, OpenError.IDENTIFIER)


def _common(ours: Terms, said: Capabilities) -> frozenset[Family]:
    """Whoever names no family speaks of IPv4 (RFC 4760). Raises Fault with what is missing (RFC 5492 section 5)."""
    found = frozenset(ours.families) & frozenset(said.families or (IPV4,))
    if not found:
        raise Fault(Code.OPEN, OpenError.CAPABILITY, b"".join(map(capability.multiprotocol, ours.families)))
    return found


def _restart(ours: Terms, said: Capabilities, families: frozenset[Family]) -> Restart | None:
    """The peer's graceful restart as far as it concerns our routes: both must have said it (RFC 4724 section 3)."""
    if not ours.restart_time or said.restart is None:
        return None
    both = tuple(each for each in said.restart.families if each[0] in families)
    return Restart(said.restart.time, both, said.restart.restarted, said.restart.notifies) if both else None
