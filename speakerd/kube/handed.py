"""Credentials that a process of its own reads, and hands to the one that calls with them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from speakerd.config.sources import Stamp, stamped
from speakerd.kube import noted
from speakerd.kube.credentials import Credentials, CredentialsProblem, Hidden, find, places


class Known(Struct, frozen=True):
    """Credentials as they were found, and what the files looked like that they depend on."""

    credentials: Credentials
    stamps: tuple[Stamp, ...]


def read(setting: str, state: str, environ: Mapping[str, str]) -> bytes:
    """What there is, for the process that asked for it; nothing where none are found: that one tells why."""
    folder = Path(state)
    try:
        found = find(setting, folder, environ)
    except CredentialsProblem:
        return b""
    return msgspec.msgpack.encode(Known(found, stamps(setting, folder, environ, [found])), enc_hook=_told)


def known(data: bytes) -> Known | None:
    """What `read` gave."""
    return msgspec.msgpack.decode(data, type=Known, dec_hook=_hidden) if data else None


def stamps(setting: str, state: Path, environ: Mapping[str, str], used: Iterable[Credentials]) -> tuple[Stamp, ...]:
    """Of every file that may be read: in the known places, and what `used` name."""
    named = [Path(name) for each in used for name in each.files]
    return tuple(map(stamped, (*places(setting, state, environ), state / noted.NOTE, *named)))


def _told(hidden: Hidden) -> str:
    return hidden.reveal


def _hidden(_kind: type, text: str) -> Hidden:
    return Hidden(text)
