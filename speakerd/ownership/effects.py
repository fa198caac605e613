"""What ownership wants done: something told to a member, a question on the wire, an announcement again."""

from msgspec import Struct

from speakerd.model import unpacked


class Tell(Struct, frozen=True):
    """Send `body` to member `to`; `index`: as a frame over that interface alone, 0: by whatever carrier works."""

    to: str
    body: Struct
    index: int = 0


class AskWire(Struct, frozen=True):
    """Ask who has `ip`, of `mac` alone or, without one, of everybody on the segment of interface `index`."""

    index: int
    ip: bytes
    mac: bytes = b""


class Announce(Struct, frozen=True):
    """Tell all neighbours again, at once, that `ip` is here."""

    ip: bytes


class Noted(Struct, frozen=True):
    """Something an operator may want to know: `word` in dotted form, `subject` an address or a member."""

    word: str
    subject: str
    detail: str = ""


class Vouch(Struct, frozen=True):
    """Tell member `to` that `name` lives, if this node hears it: the two may be apart for each other alone."""

    to: str
    name: str


Effect = Tell | AskWire | Announce | Noted | Vouch
"""All of them."""


def text(ip: bytes) -> str:
    """A packed address as people write it."""
    return str(unpacked(ip))
