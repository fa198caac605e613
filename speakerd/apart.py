"""Work in a process of its own, beside this one: what it loads for it goes with it, what it gives back is bytes."""

import os
import sys
from collections.abc import Callable


def begin(work: Callable[[], bytes]) -> Callable[[], bytes]:
    """Start `work` in a copy of this process; a function that waits for what it gave, nothing where it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _do(work, writer)
    os.close(writer)

    def finish() -> bytes:
        with os.fdopen(reader, "rb") as pipe:
            given = pipe.read()
        _, status = os.waitpid(child, 0)
        return b"" if status else given

    return finish


def _do(work: Callable[[], bytes], writer: int) -> None:
    """The copy's whole life; nothing may return into what this process does otherwise."""
    code = 1
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(work())
        code = 0
    except KeyboardInterrupt:
        pass  # the process that waits is told as well, and says so
    except BaseException:  # noqa: BLE001  see above
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)
