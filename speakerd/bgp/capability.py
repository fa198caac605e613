"""What a speaker can do, as its OPEN says (RFC 5492): those capabilities a session uses; others are kept unread.

0      1        2 octets
| code | length | value |  and so on
"""

from enum import IntEnum
from struct import Struct as Form

from msgspec import Struct

from speakerd.bgp.family import Family
from speakerd.wire import DecodeError, Reader


class Capability(IntEnum):
    """RFC 4760 section 8, 2918 2, 8950 4, 8654 3, 4724 3, 6793 3."""

    MULTIPROTOCOL = 1
    ROUTE_REFRESH = 2
    EXTENDED_NEXT_HOP = 5
    EXTENDED_MESSAGE = 6
    GRACEFUL_RESTART = 64
    FOUR_OCTET_AS = 65


MULTIPROTOCOL = Form("!HxB")
NEXT_HOP = Form("!HHH")
RESTART_FAMILY = Form("!HBB")
RESTARTED, NOTIFIES, LONGEST_RESTART = 0x8000, 0x4000, 0x0FFF
PRESERVED = 0x80


class Restart(Struct, frozen=True):
    """Graceful restart (RFC 4724 section 3). `time`: seconds until the session is back, at most 4095.

    `families`: whose routes outlive the session; with True, those forwarded on throughout the last restart.
    `restarted` is the R bit. `notifies`, the N bit: a NOTIFICATION too leaves the routes in place (RFC 8538).
    """

    time: int
    families: tuple[tuple[Family, bool], ...] = ()
    restarted: bool = False
    notifies: bool = False


class Capabilities(Struct, frozen=True):
    """All that one OPEN says, without repetition.

    `asn`: the speaker's number in four octets, 0: it knows two only. `next_hops`: families that may be by way of a
    next hop of that other AFI. `other`: code and value of those that are not known here.
    """

    families: tuple[Family, ...] = ()
    asn: int = 0
    route_refresh: bool = False
    extended_message: bool = False
    next_hops: tuple[tuple[Family, int], ...] = ()
    restart: Restart | None = None
    other: tuple[tuple[int, bytes], ...] = ()


def encode(said: Capabilities) -> bytes:
    """All of them, one after another."""
    pieces = [multiprotocol(family) for family in said.families]
    if said.route_refresh:
        pieces.append(_one(Capability.ROUTE_REFRESH))
    if said.next_hops:
        value = b"".join(NEXT_HOP.pack(family.afi, family.safi, afi) for family, afi in said.next_hops)
        pieces.append(_one(Capability.EXTENDED_NEXT_HOP, value))
    if said.extended_message:
        pieces.append(_one(Capability.EXTENDED_MESSAGE))
    if said.restart:
        pieces.append(_one(Capability.GRACEFUL_RESTART, _restart(said.restart)))
    if said.asn:
        pieces.append(_one(Capability.FOUR_OCTET_AS, said.asn.to_bytes(4)))
    return b"".join(pieces) + b"".join(_one(code, value) for code, value in said.other)


def multiprotocol(family: Family) -> bytes:
    """The capability to speak of `family`: also what an Unsupported Capability lists (RFC 5492 section 5)."""
    return _one(Capability.MULTIPROTOCOL, MULTIPROTOCOL.pack(family.afi, family.safi))


def _one(code: int, value: bytes = b"") -> bytes:
    return bytes((code, len(value))) + value


def _restart(said: Restart) -> bytes:
    head = said.time | RESTARTED * said.restarted | NOTIFIES * said.notifies
    families = (RESTART_FAMILY.pack(each.afi, each.safi, PRESERVED * kept) for each, kept in said.families)
    return head.to_bytes(2) + b"".join(families)


class Sheet:
    """Capabilities in the making, as they are read."""

    def __init__(self) -> None:
        self._families: dict[Family, None] = {}
        self._next_hops: dict[tuple[Family, int], None] = {}
        self._restart: Restart | None = None
        self._flags: set[int] = set()
        self._asn = 0
        self._other: dict[tuple[int, bytes], None] = {}

    def read(self, data: bytes) -> None:
        """Take in one parameter's capabilities; a later one of a kind counts. Raises DecodeError from a malformed one.

        Of graceful restart RFC 4724 section 3 demands that the last one counts.
        """
        reader = Reader(data)
        while reader.left:
            code, size = reader.take(2)
            self._take(code, reader.take(size))

    def _take(self, code: int, value: bytes) -> None:
        match code:
            case Capability.MULTIPROTOCOL:
                self._families[Family(*_exactly(value, MULTIPROTOCOL))] = None
            case Capability.ROUTE_REFRESH | Capability.EXTENDED_MESSAGE:
                _exactly(value, Form(""))
                self._flags.add(code)
            case Capability.EXTENDED_NEXT_HOP:
                rows = _rows(value, NEXT_HOP)
                self._next_hops.update({(Family(afi, safi), by): None for afi, safi, by in rows})
            case Capability.GRACEFUL_RESTART:
                self._restart = _read_restart(value)
            case Capability.FOUR_OCTET_AS:
                (self._asn,) = _exactly(value, Form("!I"))
                self._flags.add(code)
            case _:
                self._other[code, value] = None

    @property
    def zero_asn(self) -> bool:
        """Whether the speaker calls itself AS 0 in four octets, which nobody is (RFC 7607)."""
        return Capability.FOUR_OCTET_AS in self._flags and not self._asn

    def capabilities(self) -> Capabilities:
        """What was read so far."""
        return Capabilities(
            tuple(self._families),
            self._asn,
            Capability.ROUTE_REFRESH in self._flags,
            Capability.EXTENDED_MESSAGE in self._flags,
            tuple(self._next_hops),
            self._restart,
            tuple(self._other),
        )


def _exactly(value: bytes, form: Form) -> tuple[int, ...]:
    """The fields of a value that must be as long as `form`."""
    if len(value) != form.size:
        raise DecodeError(f"a capability of {len(value)} octets")
    return form.unpack(value)


def _rows(value: bytes, form: Form) -> list[tuple[int, ...]]:
    if len(value) % form.size:
        raise DecodeError(f"a capability of {len(value)} octets")
    return list(form.iter_unpack(value))


def _read_restart(value: bytes) -> Restart:
    head = int.from_bytes(Reader(value).take(2))
    rows = _rows(value[2:], RESTART_FAMILY)
    families = tuple((Family(afi, safi), bool(flags & PRESERVED)) for afi, safi, flags in rows)
    return Restart(head & LONGEST_RESTART, families, bool(head & RESTARTED), bool(head & NOTIFIES))
