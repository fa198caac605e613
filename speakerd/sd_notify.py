"""systemd's notification protocol (sd_notify(3)): one datagram of VARIABLE=value lines."""

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress

RESTARTING = signal.SIGUSR2
"""Sent in place of SIGTERM where this host's speakerd ends to be started again (systemd's RestartKillSignal=)."""


class Notifier:
    """Sends to $NOTIFY_SOCKET; does nothing where systemd does not wait for us."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        watchdog = environ.get("WATCHDOG_USEC", "")
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog = int(watchdog) / 1e6 if watchdog.isdigit() and mine else 0.0
        """Seconds within which systemd wants WATCHDOG=1; 0: it does not."""

    def send(self, *lines: str) -> None:
        """Tell systemd; a full or missing socket is its loss, never our pause."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out,
        ):
            out.sendto("\n".join(lines).encode(), address)
