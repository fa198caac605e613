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
BUSY, REST = 1000, 0.001
"""Turns in a row in which something was due at once, more than any slice of work needs, and seconds that each turn
waits at least after these: a core that is wrong about its deadline must not take a real-time processor from its host.
"""
QUIET = 0.02
"""Seconds without a deadline in which collecting garbage disturbs nobody."""
GARBAGE = 20_000
"""Objects made since the last collection from which on it is worth its time."""


def boot_time() -> float:
    """CLOCK_BOOTTIME in seconds: goes on while the host sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Core(Protocol):
    """What the loop runs beside sockets: says when to wake it, and works when woken."""

    def deadline(self) -> float | None:
        """When to wake it, by the loop's clock; None: not before something else happens."""

    def wake(self, now: float) -> None:
        """Do what is due."""


class Engine:
    """Runs callbacks of readable files and due cores until `stop`; `lateness`: the worst wake-up so far, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, steady: Callable[[], float] = boot_time) -> None:
        self._clock, self._steady = clock, steady
        self._turned = steady()
        self._gap: float | None = None
        self._stood_still: Callable[[float, float], None] = lambda _seconds, _now: None
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[float], None]] = {}
        # Who waits to write stands in a poll of its own, readable itself where one may: others pay nothing for it.
        self._writable = select.epoll()
        self._writers: dict[int, Callable[[float], None]] = {}
        self.register(self._writable.fileno(), self._let_write)
        self._cores: list[Core] = []
        self._running = True
        self._due: float | None = None
        self._known = False
        self._busy = 0
        self.lateness = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._epoll.close()
        self._writable.close()

    def register(self, fileno: int, callback: Callable[[float], None]) -> None:
        """Call `callback(now)` whenever `fileno` is readable."""
        self._epoll.register(fileno, select.EPOLLIN)
        self._callbacks[fileno] = callback

    def unregister(self, fileno: int) -> None:
        """No longer care whether `fileno` is readable; to be called before it is closed."""
        del self._callbacks[fileno]
        self._epoll.unregister(fileno)

    def await_writable(self, fileno: int, callback: Callable[[float], None] | None) -> None:
        """Call `callback(now)` whenever `fileno` takes bytes, or has failed; None: no longer, as before it is closed.

        Apart from whether it is registered for reading.
        """
        if callback is None:
            if self._writers.pop(fileno, None):
                self._writable.unregister(fileno)
            return
        if fileno not in self._writers:
            self._writable.register(fileno, select.EPOLLOUT)
        self._writers[fileno] = callback

    def _let_write(self, now: float) -> None:
        for fileno, _ in self._writable.poll(0.0, READY_AT_ONCE):
            if callback := self._writers.get(fileno):
                callback(now)

    def add(self, core: Core) -> None:
        """Wake `core` at its deadlines."""
        self._cores.append(core)
        self._known = False

    def notice_gaps(self, over: float, stood_still: Callable[[float, float], None]) -> None:
        """Call `stood_still(seconds, now)` where this process was kept from turning for longer than `over` seconds.

        Before any byte that came meanwhile reaches a callback: it tells of a world that is gone.
        """
        self._gap, self._stood_still = over, stood_still

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
        due = self._due if self._known else self._nearest()
        if (due is None or due - now > QUIET) and gc.get_count()[0] > GARBAGE:
            gc.collect()
        self._look_for_gap(0.0)
        ready = self._drain(-1.0 if due is None else self._pause(due - now))
        self._due, self._known = self._nearest(), True
        if self._due is None or self._due > self._clock():
            return
        for _ in range(ROUNDS - 1):
            if not ready:
                break
            ready = self._drain(0.0)
        self._judge()

    def _pause(self, left: float) -> float:
        """Seconds to wait at most for bytes where the nearest deadline is `left` away."""
        self._busy = self._busy + 1 if left <= 0 else 0
        return max(REST if self._busy > BUSY else 0.0, left)

    def _drain(self, timeout: float) -> bool:
        """Serve the files ready within `timeout` seconds; whether there were any."""
        ready = self._epoll.poll(timeout, READY_AT_ONCE)
        self._look_for_gap(timeout)
        if ready:
            now = self._clock()
            for fileno, _ in ready:
                if callback := self._callbacks.get(fileno):
                    callback(now)
        return bool(ready)

    def _look_for_gap(self, allowed: float) -> None:
        """Whether more time has passed since the last look than waiting explains; without end it explains all."""
        now = self._steady()
        late, self._turned = now - self._turned - allowed, now
        if self._gap is not None and allowed >= 0 and late > self._gap:
            self._stood_still(late, self._clock())

    def _nearest(self) -> float | None:
        found = None
        for core in self._cores:
            at = core.deadline()
            if at is not None and (found is None or at < found):
                found = at
        return found

    def _judge(self) -> None:
        """Wake what is due. Where nothing was, the nearest deadline is known until something is read again."""
        now = self._clock()
        self._due, self._known = None, True
        for core in self._cores:
            at = core.deadline()
            if at is None:
                continue
            if at <= now:
                self.lateness = max(self.lateness, now - at)
                core.wake(now)
                self._known = False  # one core's waking may bring another's deadline forward
            elif self._due is None or at < self._due:
                self._due = at
