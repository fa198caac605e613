"""Stable event names and fields to a terminal, as JSON lines, or as fields of the journal.

`line` is all the supervisor needs; the controller logs through structlog, whose last processor is an `Output`.
"""

import os
import socket
import sys
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from enum import IntEnum
from struct import Struct as Form
from typing import Any

import msgspec

JOURNAL = "/run/systemd/journal/socket"
LENGTH = Form("<Q")


class Level(IntEnum):
    """Severities, with the numbers structlog and the standard library give them."""

    debug = 10
    info = 20
    warning = 30
    error = 40


PRIORITY = {Level.debug: 7, Level.info: 6, Level.warning: 4, Level.error: 3}
"""syslog(3) severities, as the journal and systemd's stream prefixes use them."""


def text(fields: Mapping[str, Any]) -> str:
    """`TIME LEVEL EVENT key=value ...`; values with spaces are quoted."""
    rest = " ".join(f"{key}={_word(value)}" for key, value in fields.items() if key not in ("event", "level"))
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
    return f"{stamp} {fields['level']:<7} {fields['event']} {rest}".rstrip()


def _word(value: object) -> str:
    word = str(value)
    return f'"{word}"' if not word or any(c in word for c in ' "=\n') else word


def json(fields: Mapping[str, Any]) -> str:
    """One JSON object a line; `ts` in seconds since 1970."""
    return msgspec.json.encode({"ts": round(time.time(), 3), **fields}, enc_hook=str).decode()


def journal(fields: Mapping[str, Any]) -> bytes:
    """A datagram of the journal's native protocol: MESSAGE for people, one upper-case field for each of ours."""
    rest = {key: value for key, value in fields.items() if key not in ("event", "level")}
    message = " ".join([fields["event"], *(f"{key}={_word(value)}" for key, value in rest.items())])
    known = {
        "MESSAGE": message,
        "PRIORITY": PRIORITY[Level[fields["level"]]],
        "EVENT": fields["event"],
    }
    named = {f"SPEAKERD_{key.upper()}": value for key, value in rest.items()}
    return b"".join(_journal_field(key, str(value).encode()) for key, value in {**known, **named}.items())


def _journal_field(key: str, value: bytes) -> bytes:
    if b"\n" in value:
        return key.encode() + b"\n" + LENGTH.pack(len(value)) + value + b"\n"
    return key.encode() + b"=" + value + b"\n"


def under_journal(environ: Mapping[str, str]) -> bool:
    """Whether standard error is the journal's stream (systemd.exec(5), JOURNAL_STREAM)."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    with suppress(OSError):
        status = os.fstat(2)
        return (device, inode) == (str(status.st_dev), str(status.st_ino))
    return False


class Output:
    """Where log lines go; `format` as settings' log.format: auto, text, json or journal."""

    def __init__(self, form: str = "auto", environ: Mapping[str, str] = os.environ) -> None:
        if form == "auto":
            form = "journal" if under_journal(environ) else "text" if sys.stderr.isatty() else "json"
        self._form = form
        self._journal: socket.socket | None = None
        if form == "journal":
            self._journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def write(self, fields: Mapping[str, Any]) -> None:
        """One line; where nobody takes it, it is lost rather than waited for."""
        with suppress(OSError):
            if self._journal:
                self._journal.sendto(journal(fields), JOURNAL)
            else:
                os.write(
                    2,
                    ((json if self._form == "json" else text)(fields) + "\n").encode(),
                )

    def __call__(self, _logger: object, _method: str, fields: MutableMapping[str, Any]) -> str:
        """As structlog's last processor."""
        self.write(fields)
        return ""


class _Nowhere:
    """structlog's logger of last resort: `Output` has written the line already."""

    def msg(self, _message: str) -> None:
        """Take what the last processor returned."""

    debug = info = warning = error = critical = msg


def start(level: str, form: str) -> None:
    """Set up structlog; called again, it changes level and format for all loggers."""
    import structlog  # noqa: PLC0415  the supervisor and the announcer never load it

    structlog.configure(
        processors=[structlog.stdlib.add_log_level, Output(form)],
        wrapper_class=structlog.make_filtering_bound_logger(Level[level]),
        logger_factory=lambda *_: _Nowhere(),
        cache_logger_on_first_use=False,
    )
