"""Wait for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL = 0.02


def eventually(look: Callable[[], T], what: str, timeout: float = 10.0) -> T:
    """The first true value of `look` within `timeout` seconds; an AssertionError that says `what` was waited for."""
    until = time.monotonic() + timeout
    while not (found := look()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout:g} s: {what} (last seen: {found!r})")
        time.sleep(POLL)
    return found


def throughout(look: Callable[[], T], what: str, seconds: float) -> None:
    """Hold `look` true for `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not (found := look()):
            raise AssertionError(f"did not hold for {seconds:g} s: {what} (seen: {found!r})")
        time.sleep(POLL)
