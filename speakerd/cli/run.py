"""`speakerd run`: the agent in the foreground, as systemd starts it."""

import argparse
import gc
import os
import socket
from functools import partial
from pathlib import Path

import msgspec

from speakerd import apart, commands, snap
from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, fail
from speakerd.cli.telling import tell
from speakerd.config.sources import Sources
from speakerd.link import Link
from speakerd.log import Output
from speakerd.settings import Settings

FOLDER_MODE = 0o700
RUN_MODE = 0o755


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    Sources.configure(parser)
    parser.epilog = "Example: speakerd run --config /etc/speakerd.yaml --set log.level=debug"


def run(args: argparse.Namespace) -> int:
    """See to it that the program is whole, read the settings, make the folders, and supervise until SIGTERM."""
    sources = Sources.of(args, os.environ)
    stamp = sources.stamp()
    gc.disable()  # what is loaded stays; the supervisor looks for garbage once, when nobody waits
    reading = apart.begin(partial(_read, sources))
    from speakerd import life, selftest, supervisor  # noqa: PLC0415  while the other process reads YAML

    broken = selftest.problems()
    supervisor.foresee()
    settings = _settings(reading())
    if broken:
        fail("this build", "; ".join(broken), selftest.REMEDY)
        return NOT_VALID
    if settings is None:
        return WRONG_USAGE
    lock = supervisor.locked()
    if lock is None:
        fail("speakerd", "already runs on this host", f"stop the other one: {commands.known(os.environ).stop}")
        return WRONG_USAGE
    try:
        supervisor.prepare({Path(settings.paths.state): FOLDER_MODE, Path(settings.paths.run): RUN_MODE})
        _tell_hooks(Path(settings.paths.run))
    except OSError as fault:
        fail(fault.filename or settings.paths.run, fault.strerror or str(fault), "run as root, or set paths")
        return WRONG_USAGE

    def controller(report: socket.socket, parent: int, _restarts: int) -> None:
        gc.disable()  # loading makes no garbage, only objects that stay
        begun, credentials = life.begin(link.controller(), report, parent, settings)
        from speakerd import controller as process  # noqa: PLC0415  the supervisor never loads it

        gc.freeze()
        gc.enable()
        process.run(link.controller(), report, sources, begun, stamp, credentials)

    with Link() as link:
        supervisor.supervise(controller, link, Output(settings.log.format))
    return FINE


def _settings(data: bytes) -> Settings | None:
    return msgspec.msgpack.decode(data, type=Settings) if data else None


def _tell_hooks(run: Path) -> None:
    """Note which revision of the snap runs: after a refresh the hooks begin it again. Raises OSError."""
    if own := snap.inside(os.environ):
        (run / snap.REVISION).write_text(own.revision)


def _read(sources: Sources) -> bytes:
    """In the reading process, so that YAML stays out of the memory that all children share: the settings.

    Problems go to standard error; nothing where one of them is an error.
    """
    from speakerd.config.load import load  # noqa: PLC0415  see above

    loaded = load(sources)
    tell(loaded.problems)
    return msgspec.msgpack.encode(loaded.settings) if loaded.settings else b""
