"""The Control packet of BFD (RFC 5880 section 4.1), and why bytes are none; pure.

0         3        8    10                12              16             24       32 bits
| version | diag   |state |P|F|C|A|D|M      | detect mult   | length        |
| my discriminator                                                         |
| your discriminator, 0: not known yet                                     |
| desired min TX interval                                                  |
| required min RX interval, 0: send nothing periodic                       |
| required min echo RX interval, 0: echo packets are not looped back       |

Intervals are microseconds. Nothing here is authenticated: a packet that says it is, is dropped.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from struct import Struct as Form

from msgspec import Struct

from speakerd.wire import DecodeError

VERSION = 1
FORM = Form("!BBBBIIIII")
LENGTH = FORM.size
"""Octets of a packet without authentication."""
POLL, FINAL, INDEPENDENT, AUTHENTICATED, DEMAND, MULTIPOINT = 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


class State(IntEnum):
    """Of a session (RFC 5880 section 4.1, Sta)."""

    ADMIN_DOWN = 0
    DOWN = 1
    INIT = 2
    UP = 3

    @property
    def word(self) -> str:
        """As RFC 5880 writes it."""
        return self.name.title().replace("_", "")


class Diagnostic(IntEnum):
    """Why a session last changed its state (RFC 5880 section 4.1, Diag); 9 to 31 are for others to define."""

    NO_DIAGNOSTIC = 0
    CONTROL_DETECTION_TIME_EXPIRED = 1
    ECHO_FUNCTION_FAILED = 2
    NEIGHBOR_SIGNALED_SESSION_DOWN = 3
    FORWARDING_PLANE_RESET = 4
    PATH_DOWN = 5
    CONCATENATED_PATH_DOWN = 6
    ADMINISTRATIVELY_DOWN = 7
    REVERSE_CONCATENATED_PATH_DOWN = 8


WORDS: Mapping[int, str] = {each: each.name.replace("_", " ").title() for each in Diagnostic if each}


def words(diagnostic: int) -> str:
    """What a diagnostic means, in the words of RFC 5880 section 4.1; "" where there is none."""
    return WORDS.get(diagnostic, f"Diagnostic {diagnostic}") if diagnostic else ""


class Refusal(StrEnum):
    """Why bytes change nothing; DecodeError says the first ones, and counters count them all."""

    OTHER_VERSION = "other-version"
    MALFORMED = "malformed"
    NO_MULTIPLIER = "no-multiplier"
    MULTIPOINT = "multipoint"
    NO_DISCRIMINATOR = "no-discriminator"
    NO_SESSION = "no-session"
    AUTHENTICATED = "authenticated"
    STRANGER = "stranger"
    FROM_AFAR = "from-afar"
    NO_ECHO_OF_OURS = "no-echo-of-ours"


class Packet(Struct, frozen=True):
    """What a Control packet says. `mine` and `yours` are discriminators, as the sender sees them.

    `independent`: the sender's BFD outlives its control plane (C). `demand`: it wishes to hear nothing periodic (D).
    `diagnostic` is a Diagnostic, or a number that others define.
    """

    state: State
    mine: int
    yours: int
    multiplier: int
    desired_tx: int
    required_rx: int
    required_echo_rx: int = 0
    diagnostic: int = Diagnostic.NO_DIAGNOSTIC
    poll: bool = False
    final: bool = False
    independent: bool = False
    demand: bool = False


def encode(packet: Packet) -> bytes:
    """The packet as it goes out. Every field has to be in the range of its bits; `struct.error` where one is not."""
    flags = POLL * packet.poll | FINAL * packet.final | INDEPENDENT * packet.independent | DEMAND * packet.demand
    return FORM.pack(
        VERSION << 5 | packet.diagnostic,
        packet.state << 6 | flags,
        packet.multiplier,
        LENGTH,
        packet.mine,
        packet.yours,
        packet.desired_tx,
        packet.required_rx,
        packet.required_echo_rx,
    )


def decode(data: bytes) -> Packet:
    """The packet in a UDP payload, checked as far as no session is needed, in the order of RFC 5880 section 6.8.6.

    What follows the packet's own length is none of it. Raises DecodeError, in the words of Refusal.
    """
    if not data or data[0] >> 5 != VERSION:
        raise DecodeError(Refusal.OTHER_VERSION if data else Refusal.MALFORMED)
    if len(data) < LENGTH:
        raise DecodeError(Refusal.MALFORMED)
    first, second, multiplier, length, mine, yours, desired_tx, required_rx, required_echo_rx = FORM.unpack_from(data)
    state = State(second >> 6)
    if fault := _fault(second, multiplier, length, len(data)) or _nobodys(state, mine, yours):
        raise DecodeError(fault)
    if second & AUTHENTICATED:
        raise DecodeError(Refusal.AUTHENTICATED)
    return Packet(
        state,
        mine,
        yours,
        multiplier,
        desired_tx,
        required_rx,
        required_echo_rx,
        first & 0x1F,
        bool(second & POLL),
        bool(second & FINAL),
        bool(second & INDEPENDENT),
        bool(second & DEMAND),
    )


def _fault(flags: int, multiplier: int, length: int, size: int) -> Refusal | None:
    least = LENGTH + 2 if flags & AUTHENTICATED else LENGTH
    if not least <= length <= size:
        return Refusal.MALFORMED
    if not multiplier:
        return Refusal.NO_MULTIPLIER
    return Refusal.MULTIPOINT if flags & MULTIPOINT else None


def _nobodys(state: State, mine: int, yours: int) -> Refusal | None:
    """Why a packet can be of no session: who is Init or Up has heard our discriminator."""
    if not mine:
        return Refusal.NO_DISCRIMINATOR
    return Refusal.NO_SESSION if not yours and state in (State.INIT, State.UP) else None
