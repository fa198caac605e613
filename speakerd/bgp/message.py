"""The five messages of BGP as values: what a frame holds, and the short ones written."""

from msgspec import Struct

from speakerd.bgp import opening, update
from speakerd.bgp.error import Notification
from speakerd.bgp.family import Family, Negotiated
from speakerd.bgp.frame import HEAD, MOST, Frame, Kind, framed
from speakerd.bgp.opening import Open
from speakerd.bgp.update import Update

KEEPALIVE = framed(Kind.KEEPALIVE, b"")
"""The message (RFC 4271 section 4.4)."""
MOST_DATA = MOST - HEAD.size - 2
"""Octets of a NOTIFICATION's data that any peer can take."""


class Keepalive(Struct, frozen=True):
    """The peer lives."""


class RouteRefresh(Struct, frozen=True):
    """The peer would hear all routes of a family again (RFC 2918 section 3).

    `subtype`: 0 asks so; others are of enhanced route refresh, which is never offered, and ask nothing (RFC 7313).
    """

    family: Family
    subtype: int = 0


Message = Open | Update | Notification | Keepalive | RouteRefresh


def decode(frame: Frame, negotiated: Negotiated) -> Message:
    """What a frame of `frame.Frames` says. Raises Fault."""
    body = frame.body
    match frame.kind:
        case Kind.OPEN:
            return opening.decode(body)
        case Kind.UPDATE:
            return update.decode(body, negotiated)
        case Kind.NOTIFICATION:
            return Notification(body[0], body[1], body[2:])
        case Kind.ROUTE_REFRESH:
            return RouteRefresh(Family(int.from_bytes(body[:2]), body[3]), body[2])
        case Kind.KEEPALIVE:
            return Keepalive()


def notification(said: Notification) -> bytes:
    """The message; data beyond what any peer can take are left out, for they only explain."""
    return framed(Kind.NOTIFICATION, bytes((said.code, said.subcode)) + said.data[:MOST_DATA])


def route_refresh(family: Family) -> bytes:
    """The message that asks for all routes of `family` again."""
    return framed(Kind.ROUTE_REFRESH, family.afi.to_bytes(2) + bytes((0, family.safi)))
