"""What a session wants done, and what it has to tell."""

from msgspec import Struct

from speakerd.bgp.error import Notification
from speakerd.bgp.message import RouteRefresh
from speakerd.bgp.negotiation import Agreement
from speakerd.bgp.update import Update


class Ending(Struct, frozen=True):
    """Why a connection ended: by a NOTIFICATION, which `sent` says who sent, or in other `words`; `detail` for us."""

    words: str
    notification: Notification | None = None
    sent: bool = False
    detail: str = ""

    @property
    def text(self) -> str:
        """One line for an operator."""
        if self.notification is None:
            return self.words
        head = f"{'sent' if self.sent else 'received'} {self.words}"
        said = self.detail or self.notification.communication
        return f"{head}: {said}" if said else head


TIMED_OUT = Ending("connection timed out")
"""What we dialled came to nothing."""


def sent(said: Notification, detail: str = "") -> Ending:
    """We ended it."""
    return Ending(said.words, said, sent=True, detail=detail)


def received(said: Notification) -> Ending:
    """The peer ended it; a Hard Reset is told with what it encloses (RFC 8538 section 3)."""
    inner = said.within
    return Ending(said.words if inner is None else f"{said.words} ({inner.words})", said)


class Dial(Struct, frozen=True):
    """An effect: connect to the peer; answer with `connected` or `failed`. Close may come before that."""

    connection: int


class Close(Struct, frozen=True):
    """An effect: what was to be sent goes out as far as it can without waiting, then the connection is closed."""

    connection: int


class Send(Struct, frozen=True):
    """An effect: one message."""

    connection: int
    data: bytes


class Up(Struct, frozen=True):
    """An effect: the session is Established; routes go by `connection`, in messages as `agreement` has them."""

    connection: int
    agreement: Agreement


class Down(Struct, frozen=True):
    """An effect: the session is no longer Established.

    `graceful`: the peer keeps our routes for the time that it told, for it may take this for a restart of ours: both
    offered that, and no NOTIFICATION was exchanged (RFC 4724 section 4.2).
    """

    why: Ending
    graceful: bool = False


class Failed(Struct, frozen=True):
    """An effect: an attempt came to nothing before the session was Established, or hangs."""

    why: Ending


class Received(Struct, frozen=True):
    """An effect: what an Established peer says.

    Of an UPDATE's `disabled` families nothing more will be told; a ROUTE-REFRESH asks for a family that both speak.
    """

    said: Update | RouteRefresh


Effect = Dial | Close | Send | Up | Down | Failed | Received
"""All of them."""
