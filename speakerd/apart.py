"""Work in a process of its own, beside this one: what it loads for it goes with it, what it gives back is bytes."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn


def begin(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Start `work` in a copy of this process; a function that waits for what it gave, nothing where it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        live(partial(_give, work, writer))
    os.close(writer)

    def finish() -> bytes:
        with os.fdopen(reader, "rb") as pipe:
            given = pipe.read()
        _, status = os.waitpid(child, 0)
        return b"" if status else given

    return finish


def live(work: Callable[[], None]) -> NoReturn:
    """The whole life of a process forked just now: what it raises is on standard error, and its exit code is 1."""
    code = 1
    try:
        work()
        code = 0
    except KeyboardInterrupt:
        code = 130  # the process that waits is told as well, and says so
    except BaseException:  # noqa: BLE001  nothing may return into what the other process does
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _give(work: Callable[[], bytes], writer: int) -> None:
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(work())
