"""Messages written by hand from the RFCs' figures, and an independent reader that says whether a value makes sense."""

from ipaddress import IPv4Network, IPv6Network, ip_network

from speakerd.bgp import attribute
from speakerd.bgp.family import IPV4, IPV6, Negotiated
from speakerd.bgp.frame import MOST_EXTENDED, Frame, Frames
from speakerd.bgp.message import Message
from speakerd.bgp.tolerance import Routes
from speakerd.bgp.update import Update

BOTH = frozenset({IPV4, IPV6})
TERMS = Negotiated(four_octet=True, families=BOTH, extended_next_hop=True)
"""What most tests take to be agreed with an external peer."""
OLD = Negotiated(families=BOTH)
"""With one who knows AS numbers of two octets only."""
MARK = "ff" * 16


def octets(text: str) -> bytes:
    """What is written in hexadecimal, blanks between fields."""
    return bytes.fromhex(text)


def whole(kind: str, body: str) -> bytes:
    """A message: marker, length, type, body (RFC 4271 section 4.1)."""
    tail = octets(body)
    return octets(MARK) + (19 + len(tail)).to_bytes(2) + octets(kind) + tail


def block(*attributes: str, gone: str = "", come: str = "") -> bytes:
    """The body of an UPDATE: lengths are worked out here, all else is as written (RFC 4271 section 4.3)."""
    said = octets(" ".join(attributes))
    left = octets(gone)
    return len(left).to_bytes(2) + left + len(said).to_bytes(2) + said + octets(come)


ORIGIN = "40 01 01 00"
PATH = "40 02 06 02 01 0000fde8"
"""AS_SEQUENCE of 65000, in four octets."""
PATH_TWO = "40 02 04 02 01 fde8"
HOP = "40 03 04 c0000201"
NET = "18 cb0071"
"""203.0.113.0/24."""
HOST = "20 cb007107"
NET_SIX = "40 20010db800010000"
"""2001:db8:1::/64."""
BY_SIX = "20010db8000000000000000000000001"
REACH_SIX = f"80 0e 1e 0002 01 10 {BY_SIX} 00 {NET_SIX}"

OPENS = {
    # RFC 4271 section 4.2: version 4, AS 65000, hold time 90, identifier 192.0.2.1, no parameters
    "plain": whole("01", "04 fde8 005a c0000201 00"),
    # RFC 5492 section 4 in one parameter: 4760 both families, 2918, 8950 IPv4 by IPv6, 8654, 4724 R and N and one
    # family preserved, 6793 AS 4200000000, 7313 unknown here
    "capable": whole(
        "01",
        "04 5ba0 005a c0000201 2a 02 28"
        " 01 04 0001 00 01  01 04 0002 00 01  02 00  05 06 0001 0001 0002  06 00"
        " 40 06 c078 0001 01 80  41 04 fa56ea00  46 00",
    ),
    # RFC 9072 section 2: 255, 255, length in two octets, then a parameter with its length in two
    "extended": whole("01", "04 fde8 0000 c0000201 ff ff 0007 02 0004 02 00 46 00"),
}
UPDATES = {
    # RFC 4271 section 4.3
    "announce": whole("02", "0000 0014 40010100 4002060201 0000fde8 400304 c0000201 18cb0071 20cb007107"),
    "withdraw": whole("02", "0009 18cb0071 20cb007107 0000"),
    # RFC 4760 sections 3 and 4
    "announce six": whole("02", f"0000 002e {REACH_SIX} {ORIGIN} {PATH}"),
    "withdraw six": whole("02", f"0000 000f 80 0f 0c 0002 01 {NET_SIX}"),
    # RFC 8950 section 3
    "announce four by six": whole("02", f"0000 0029 80 0e 19 0001 01 10 {BY_SIX} 00 {NET} {ORIGIN} {PATH}"),
    # RFC 4724 section 2
    "end of rib": whole("02", "0000 0000"),
    "end of rib six": whole("02", "0000 0006 80 0f 03 0002 01"),
    # RFC 4271 5.1.4, 5.1.6, 5.1.7; 1997; 8092; 4360; one unknown and transitive
    "rich": whole(
        "02",
        f"0000 004f {ORIGIN} {PATH} {HOP} 80 04 04 00000064 40 06 00 c0 07 08 0000fde9 c0000202"
        " c0 08 04 fde80064 c0 10 08 0002fde800000064 c0 20 0c 0000fde8 00000001 00000002 e0 63 02 abcd 18 cb0071",
    ),
}
OTHERS = {
    # RFC 4271 section 4.5, RFC 9003 section 2
    "notification": whole("03", "06 02 03 627965"),
    "keepalive": whole("04", ""),
    # RFC 2918 section 3
    "route refresh": whole("05", "0002 00 01"),
}
GOLDENS = OPENS | UPDATES | OTHERS


def frame(data: bytes) -> Frame | None:
    """The first message of a stream."""
    frames = Frames()
    frames.longest = MOST_EXTENDED
    frames.feed(data)
    return frames.take()


def networks(routes: Routes) -> list[IPv4Network | IPv6Network]:
    """The prefixes, read octet by octet; raises ValueError where they are none."""
    size = routes.family.bits // 8
    found, left = [], list(routes.prefixes)
    while left:
        length = left.pop(0)
        taken, left = left[: -(-length // 8)], left[-(-length // 8) :]
        if len(taken) != -(-length // 8):
            raise ValueError("cut")
        found.append(ip_network((bytes(taken).ljust(size, b"\0"), length), strict=False))
    return found


def sensible(said: Message) -> None:
    """Fail unless every part of a value is one that the RFCs know, and what was read can be written."""
    if not isinstance(said, Update):
        return
    for routes in (*said.announced, *said.withdrawn):
        assert routes.family in BOTH
        assert routes.family not in said.disabled
        assert len(networks(routes)) == routes.count > 0
    assert {len(routes.next_hop) for routes in said.announced} <= {4, 16, 32}
    assert {len(routes.next_hop) for routes in said.withdrawn} <= {0}
    assert bool(said.announced) == (said.attributes is not None)
    if said.attributes:
        assert attribute.encode(said.attributes, b"", TERMS)
        assert all(0 < number < 1 << 32 for segment in said.attributes.path for number in segment.numbers)
