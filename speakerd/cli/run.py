"""`speakerd run`: the agent in the foreground, as systemd starts it."""

import argparse
import gc
import os
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from speakerd import commands, snap
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
    finish = _reading(sources)
    from speakerd import selftest, supervisor  # noqa: PLC0415  loads the announcer while the other process reads YAML

    broken = selftest.problems()
    settings = finish()
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
        from speakerd import controller as process  # noqa: PLC0415  the supervisor never loads it

        gc.freeze()
        gc.enable()
        process.run(link.controller(), report, parent, sources, settings, stamp)

    with Link() as link:
        supervisor.supervise(controller, link, Output(settings.log.format))
    return FINE


def _tell_hooks(run: Path) -> None:
    """Note which revision of the snap runs: after a refresh the hooks begin it again. Raises OSError."""
    if own := snap.inside(os.environ):
        (run / snap.REVISION).write_text(own.revision)


def _reading(sources: Sources) -> Callable[[], Settings | None]:
    """Read the settings in a process of its own: YAML stays out of the memory that all children share.

    Gives a function that waits for them; None where they have errors, which are told by then.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os._exit(_tell(sources, writer))
    os.close(writer)

    def finish() -> Settings | None:
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read()
        _, status = os.waitpid(child, 0)
        return msgspec.msgpack.decode(data, type=Settings) if status == 0 and data else None

    return finish


def _tell(sources: Sources, writer: int) -> int:
    """In the reading process: problems to standard error, settings to the pipe; the exit code."""
    from speakerd.config.load import load  # noqa: PLC0415  see _reading

    loaded = load(sources)
    tell(loaded.problems)
    with os.fdopen(writer, "wb") as pipe:
        if loaded.settings is not None:
            pipe.write(msgspec.msgpack.encode(loaded.settings))
    return FINE if loaded.settings else WRONG_USAGE
