"""Lines of JSON over a Unix socket: how qemu and the agent in its machine are spoken to."""

import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any


class Lines:
    """A connection to the socket at `path`. Raises OSError where nobody listens."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._kept = b""
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def send(self, value: object) -> None:
        """One line."""
        self._socket.settimeout(None)
        self._socket.sendall(json.dumps(value).encode() + b"\n")

    def receive(self, timeout: float) -> dict[str, Any]:
        """The next line that is an object; what a terminal prints before it is raw is none. Raises TimeoutError."""
        until = time.monotonic() + timeout
        while True:
            while b"\n" in self._kept:
                line, _, self._kept = self._kept.partition(b"\n")
                with suppress(ValueError):
                    found = json.loads(line)
                    if isinstance(found, dict):
                        return found
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            data = self._socket.recv(65536)
            assert data, "the machine ended"
            self._kept += data
