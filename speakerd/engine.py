"""The announcer's loop: one epoll, every ready socket drained before any deadline is judged.

No asyncio: this is smaller, and the order (bytes first, clocks second) is what keeps a busy host from mistaking its own
lateness for a neighbour's death.
"""

import gc
import select
import time
from collections.abc import Callable
from typing import Protocol, Self

ROUNDS = 8
"""Polls without waiting before deadlines are judged: bounds what a flood can delay them by."""
READY_AT_ONCE = 64
QUIET = 0.02
"""Seconds without a deadline in which collecting garbage disturbs nobody."""
GARBAGE = 20_000
"""Objects made since the last collection from which on it is worth its time."""


class Core(Protocol):
    """What the loop runs beside sockets: says when to wake it, and works when woken."""

    def deadline(self) -> float | None:
        """When to wake it, by the loop's clock; None: not before something else happens."""

    def wake(self, now: float) -> None:
        """Do what is due."""


class Engine:
    """Runs callbacks of readable files and due cores until `stop`; `lateness`: the worst wake-up so far, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[float], None]] = {}
        self._cores: list[Core] = []
        self._running = True
        self.lateness = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._epoll.close()

    def register(self, fileno: int, callback: Callable[[float], None]) -> None:
        """Call `callback(now)` whenever `fileno` is readable."""
        self._epoll.register(fileno, select.EPOLLIN)
        self._callbacks[fileno] = callback

    def unregister(self, fileno: int) -> None:
        """Forget `fileno`; to be called before it is closed."""
        del self._callbacks[fileno]
        self._epoll.unregister(fileno)

    def add(self, core: Core) -> None:
        """Wake `core` at its deadlines."""
        self._cores.append(core)

    def stop(self) -> None:
        """Make `run` return after this turn."""
        self._running = False

    def run(self) -> None:
        """Turn until stopped."""
        while self._running:
            self.turn()

    def turn(self) -> None:
        """Wait for bytes or the nearest deadline, drain what is ready, then wake what is due."""
        now = self._clock()
        due = min(
            (at for core in self._cores if (at := core.deadline()) is not None),
            default=None,
        )
        if (due is None or due - now > QUIET) and gc.get_count()[0] > GARBAGE:
            gc.collect()
        timeout = -1.0 if due is None else max(0.0, due - now)
        for _ in range(ROUNDS):
            if not self._drain(timeout):
                break
            timeout = 0.0
        self._judge()

    def _drain(self, timeout: float) -> bool:
        """Serve the files ready within `timeout` seconds; whether there were any."""
        ready = self._epoll.poll(timeout, READY_AT_ONCE)
        if ready:
            now = self._clock()
            for fileno, _ in ready:
                if callback := self._callbacks.get(fileno):
                    callback(now)
        return bool(ready)

    def _judge(self) -> None:
        now = self._clock()
        for core in self._cores:
            at = core.deadline()
            if at is not None and at <= now:
                self.lateness = max(self.lateness, now - at)
                core.wake(now)
