"""What ends a BGP session: NOTIFICATIONs in the words of the RFCs, and the exception that carries one."""

from enum import IntEnum
from typing import Self

from msgspec import Struct

from speakerd.wire import DecodeError

MOST_TEXT = 255
"""Octets of a shutdown communication (RFC 9003 section 2)."""


class Words(IntEnum):
    """A number that an RFC has given a name, and that name."""

    words: str

    def __new__(cls, number: int, words: str) -> Self:
        """The member: an int that knows its name."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.words = words
        return member


class Code(Words):
    """RFC 4271 section 4.5; 7: RFC 7313 section 5; 8: RFC 9687."""

    MESSAGE_HEADER = 1, "Message Header Error"
    OPEN = 2, "OPEN Message Error"
    UPDATE = 3, "UPDATE Message Error"
    HOLD_TIMER = 4, "Hold Timer Expired"
    FSM = 5, "Finite State Machine Error"
    CEASE = 6, "Cease"
    ROUTE_REFRESH = 7, "ROUTE-REFRESH Message Error"
    SEND_HOLD_TIMER = 8, "Send Hold Timer Expired"


class HeaderError(Words):
    """RFC 4271 section 6.1."""

    NOT_SYNCHRONIZED = 1, "Connection Not Synchronized"
    BAD_LENGTH = 2, "Bad Message Length"
    BAD_TYPE = 3, "Bad Message Type"


class OpenError(Words):
    """RFC 4271 section 6.2; 7: RFC 5492 section 5; 11: RFC 9234 section 4.2."""

    UNSPECIFIC = 0, "Unspecific"
    VERSION = 1, "Unsupported Version Number"
    PEER_AS = 2, "Bad Peer AS"
    IDENTIFIER = 3, "Bad BGP Identifier"
    PARAMETER = 4, "Unsupported Optional Parameter"
    HOLD_TIME = 6, "Unacceptable Hold Time"
    CAPABILITY = 7, "Unsupported Capability"
    ROLE = 11, "Role Mismatch"


class UpdateError(Words):
    """RFC 4271 section 6.3."""

    ATTRIBUTE_LIST = 1, "Malformed Attribute List"
    UNRECOGNIZED = 2, "Unrecognized Well-known Attribute"
    MISSING = 3, "Missing Well-known Attribute"
    FLAGS = 4, "Attribute Flags Error"
    LENGTH = 5, "Attribute Length Error"
    ORIGIN = 6, "Invalid ORIGIN Attribute"
    NEXT_HOP = 8, "Invalid NEXT_HOP Attribute"
    OPTIONAL = 9, "Optional Attribute Error"
    NETWORK = 10, "Invalid Network Field"
    AS_PATH = 11, "Malformed AS_PATH"


class FsmError(Words):
    """RFC 6608 section 3."""

    OPEN_SENT = 1, "Receive Unexpected Message in OpenSent State"
    OPEN_CONFIRM = 2, "Receive Unexpected Message in OpenConfirm State"
    ESTABLISHED = 3, "Receive Unexpected Message in Established State"


class Cease(Words):
    """RFC 4486 section 3; 9: RFC 8538 section 3; 10: RFC 9384."""

    PREFIXES = 1, "Maximum Number of Prefixes Reached"
    SHUTDOWN = 2, "Administrative Shutdown"
    DECONFIGURED = 3, "Peer De-configured"
    RESET = 4, "Administrative Reset"
    REJECTED = 5, "Connection Rejected"
    CHANGE = 6, "Other Configuration Change"
    COLLISION = 7, "Connection Collision Resolution"
    RESOURCES = 8, "Out of Resources"
    HARD_RESET = 9, "Hard Reset"
    BFD_DOWN = 10, "BFD Down"


class RefreshError(Words):
    """RFC 7313 section 5."""

    LENGTH = 1, "Invalid Message Length"


SUBCODES: dict[int, type[Words]] = {
    Code.MESSAGE_HEADER: HeaderError,
    Code.OPEN: OpenError,
    Code.UPDATE: UpdateError,
    Code.FSM: FsmError,
    Code.CEASE: Cease,
    Code.ROUTE_REFRESH: RefreshError,
}


class Notification(Struct, frozen=True):
    """Why a session ends (RFC 4271 section 4.5); a peer may use codes that nobody has named."""

    code: int
    subcode: int = 0
    data: bytes = b""

    @property
    def words(self) -> str:
        """Code and subcode as the RFCs call them, numbers where they have no name; subcode 0 is not told."""
        code = _named(Code, self.code)
        return f"{code}/{_named(SUBCODES.get(self.code), self.subcode)}" if self.subcode else code

    @property
    def communication(self) -> str:
        """What the peer's operator wrote (RFC 9003 section 2), fit to print; nothing where nothing valid was said."""
        if self.code != Code.CEASE or self.subcode not in {Cease.SHUTDOWN, Cease.RESET} or not self.data:
            return ""
        size = self.data[0]
        text = self.data[1 : 1 + size].decode(errors="backslashreplace")
        return "".join(map(_printable, text)) if size < len(self.data) else ""

    @property
    def within(self) -> "Notification | None":
        """The reason that a Hard Reset encloses (RFC 8538 section 3); None where it encloses none."""
        if self.code != Code.CEASE or self.subcode != Cease.HARD_RESET or len(self.data) < 2:
            return None
        return Notification(self.data[0], self.data[1], self.data[2:])


class Fault(DecodeError):
    """The peer broke the protocol so that the session must end, and what it is to be told; `detail`: our operator."""

    def __init__(self, code: int, subcode: int, data: bytes = b"", detail: str = "") -> None:
        self.detail = detail
        self.notification = Notification(int(code), int(subcode), data)
        super().__init__(self.notification.words)


def farewell(subcode: Cease, text: str) -> Notification:
    """A Cease with a shutdown communication, cut at a character to 255 octets (RFC 9003: subcodes 2 and 4 alone)."""
    said = text.encode(errors="replace")[:MOST_TEXT].decode(errors="ignore").encode()
    return Notification(int(Code.CEASE), int(subcode), bytes((len(said),)) + said)


def _named(names: type[Words] | None, number: int) -> str:
    return next((each.words for each in names or () if each == number), str(number))


def _printable(character: str) -> str:
    """Itself, or its escape: what is shown on a terminal must not steer it."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()
