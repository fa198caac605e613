"""How a controller begins, before it is loaded: as what, with which settings, and reading its credentials meanwhile."""

import os
import signal
import socket
from collections.abc import Callable
from functools import partial

import msgspec

from speakerd import apart, privileges
from speakerd.link import Ends
from speakerd.settings import Settings


class Life(msgspec.Struct, frozen=True):
    """What a controller that is started again goes on with: the settings used last; how often that was."""

    settings: Settings
    restarts: int


def begin(ends: Ends, report_to: socket.socket, parent: int, settings: Settings) -> tuple[Life, Callable[[], bytes]]:
    """Become a controller, with `settings` unless a predecessor left others; and wait for its credentials.

    The function gives them as `handed.known` reads them.
    """
    privileges.die_with(parent)
    privileges.call_it("controller")
    privileges.keep_only(privileges.NOTHING)
    report_to.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    life = Life(settings, 0)
    for note in ends.notes.directory():
        before = msgspec.msgpack.decode(ends.notes.section(note) or b"", type=Life)
        life = Life(before.settings, before.restarts + 1)
    leave(ends, life)
    # Both processes use it, and the supervisor does not. What reads YAML, the other one alone loads.
    from speakerd.kube import handed  # noqa: PLC0415

    where = life.settings.kubernetes.kubeconfig, life.settings.paths.state
    return life, apart.begin(partial(handed.read, *where, os.environ))


def leave(ends: Ends, life: Life) -> None:
    """Note what a successor is to go on with."""
    ends.notes.write([msgspec.msgpack.encode(life)])
