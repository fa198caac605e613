"""Between which ends a session runs, and what it wants done."""

from enum import StrEnum

from msgspec import Struct

from speakerd.bfd.packet import Diagnostic, State, words

CONTROL_PORT, ECHO_PORT, MULTIHOP_PORT = 3784, 3785, 4784
"""UDP ports that packets go to (RFC 5881 section 4, RFC 5883 section 5)."""
SOURCE_PORTS = range(49152, 65536)
"""Of which the transport takes one a session, and keeps it for all its packets (RFC 5881 section 4)."""
TTL = 255
"""What all packets leave with (RFC 5881 section 5)."""


class Path(Struct, frozen=True):
    """The way to a neighbour: its packed address, and what else is meant, as far as only one will do.

    `index`: the interface, over a single hop. `local`: our packed address. `vrf`: a device's name, "" outside of all.
    """

    address: bytes
    index: int = 0
    multihop: bool = False
    local: bytes = b""
    vrf: str = ""


class Send(Struct, frozen=True):
    """An effect: `data` is to leave for `port` at the far end of `path`, with TTL.

    By ECHO_PORT go echo packets: to the neighbour's MAC, and to an address of our own (RFC 5881 section 4). `way`: how
    the neighbour's last packet came, with what `path` leaves open.
    """

    path: Path
    data: bytes
    port: int
    way: Path


class Changed(Struct, frozen=True):
    """An effect: a session has another state, since `since` in seconds of the caller's clock.

    `diagnostic`: why; a Diagnostic. `remote`: what the neighbour said its state was, `said` its own diagnostic. A Down
    with `remote` AdminDown is no failure of the path: somebody there stopped BFD on purpose (RFC 5882 section 3.2).
    """

    path: Path
    state: State
    diagnostic: int
    remote: State
    since: float
    said: int = Diagnostic.NO_DIAGNOSTIC

    @property
    def why(self) -> str:
        """In the RFC's words; where the neighbour is the reason, with the one that it has."""
        ours, theirs = words(self.diagnostic), words(self.said)
        if self.remote is State.ADMIN_DOWN:
            theirs = theirs or words(Diagnostic.ADMINISTRATIVELY_DOWN)
        return f"{ours}: {theirs}" if self.diagnostic == Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN and theirs else ours

    @property
    def anew(self) -> bool:
        """Whether the neighbour, which has missed nothing, began a session anew: its BFD was started or reset."""
        signaled = Diagnostic.NEIGHBOR_SIGNALED_SESSION_DOWN
        return self.diagnostic == signaled and self.said in {Diagnostic.NO_DIAGNOSTIC, signaled}


class Ended(Struct, frozen=True):
    """An effect: the session that was to end has told its neighbour for long enough, and is no more."""

    path: Path


Effect = Send | Changed | Ended
"""All of them."""


class Count(StrEnum):
    """What is counted of each session."""

    CONTROL_SENT = "control-sent"
    CONTROL_HEARD = "control-heard"
    ECHO_SENT = "echo-sent"
    ECHO_HEARD = "echo-heard"
    UPS = "ups"
    DOWNS = "downs"
