"""Between which ends a session runs, and what it wants done."""

from msgspec import Struct

from speakerd.bfd.packet import State

CONTROL_PORT, ECHO_PORT, MULTIHOP_PORT = 3784, 3785, 4784
"""UDP ports that packets go to (RFC 5881 section 4, RFC 5883 section 5)."""
SOURCE_PORTS = range(49152, 65536)
"""Of which the transport takes one a session, and keeps it for all its packets (RFC 5881 section 4)."""
TTL = 255
"""What all packets leave with (RFC 5881 section 5)."""


class Path(Struct, frozen=True):
    """The way to a neighbour: its packed address, and over a single hop the interface, where only one is meant."""

    address: bytes
    index: int = 0
    multihop: bool = False


class Send(Struct, frozen=True):
    """An effect: `data` is to leave for `port` at the far end of `path`, with TTL.

    By ECHO_PORT go echo packets: to the neighbour's MAC, and to an address of our own (RFC 5881 section 4).
    """

    path: Path
    data: bytes
    port: int


class Changed(Struct, frozen=True):
    """An effect: a session has another state, since `since` in seconds of the caller's clock.

    `diagnostic`: why; a Diagnostic. `remote`: what the neighbour said its state was. A Down with `remote` AdminDown is
    no failure of the path: somebody there stopped BFD on purpose (RFC 5882 section 3.2).
    """

    path: Path
    state: State
    diagnostic: int
    remote: State
    since: float


class Ended(Struct, frozen=True):
    """An effect: the session that was to end has told its neighbour for long enough, and is no more."""

    path: Path


Effect = Send | Changed | Ended
"""All of them."""
