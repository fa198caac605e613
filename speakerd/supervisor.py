"""The first process: forks announcer and controller, restarts what dies, speaks to systemd, and is in nobody's way.

A plain poll loop, never a thread or an event loop, since it forks for as long as it lives. What the children share (the
link) is made before the first fork, so one that is started again finds what its predecessor knew.
"""

import fcntl
import gc
import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

from speakerd import apart, privileges, snap
from speakerd.link import Link
from speakerd.log import Output
from speakerd.sd_notify import RESTARTING, Notifier
from speakerd.vigil import SILENCE, Vigil

USER = "speakerd"
SHARED = 0o070
"""What hooks and commands, which are root without its capabilities, do in folders of the snap's own user."""
LOCK = "\0speakerd"
"""Abstract socket, one per network namespace: two announcers on one host would answer against each other."""
ENDING = (signal.SIGTERM, signal.SIGINT)
STEADY = 10.0
"""Seconds a child must live for its next death to be a fresh start, not another of a series."""
BACKOFF = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the n-th restart of a series; the first is at once."""
DEATHS, DEATHS_WITHIN, REST = 3, 60.0, 300.0
"""An announcer that dies so often within so many seconds answers for nothing for REST seconds: others do it better."""
GOODBYE = 5.0
"""Seconds the children have to end."""
REPORT_BYTES = 4096
REPORT_FD = 255
"""A child's end of its report. The kernel lets go of a dead process' files from the highest number down, and of raw
sockets slowly, 10 ms each: so that the end of the report is the first sign of a death, not the last.
"""

Run = Callable[[socket.socket, int, int], None]


class Child:
    """One of the two processes: how to run it, and what became of it so far. `run` gets report, parent, restarts.

    `load`: what it shares with the supervisor, called before its first start.
    """

    def __init__(self, name: str, run: Run, load: Callable[[], None] | None = None) -> None:
        self.name = name
        self._run = run
        self._load = load
        self.pid = 0
        self.report: socket.socket | None = None
        self.started = 0.0
        self.restarts = 0
        self.series = -1
        self.due: float | None = 0.0
        self.rest_until = 0.0
        self._deaths: deque[float] = deque(maxlen=DEATHS)

    def start(self, now: float, others: list["Child"]) -> None:
        """Fork it."""
        if self._load:
            self._load()
            self._load = None
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        # A signal that comes before the child has its own handlers would be lost on those of the supervisor.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        self.pid = os.fork()
        if self.pid == 0:
            for number in ENDING:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if self.pid == 0:
            report = socket.socket(fileno=fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, REPORT_FD))
            for end in [mine, theirs, *(other.report for other in others if other.report)]:
                end.close()
            _child(self._run, report, parent, self.restarts)
        theirs.close()
        mine.setblocking(False)
        self.report, self.started, self.due = mine, now, None

    def ended(self, now: float) -> None:
        """It is gone: plan its restart."""
        self.hang_up()
        self.series = 0 if now - self.started > STEADY else self.series + 1
        self.restarts += 1
        self._deaths.append(now)
        if len(self._deaths) == DEATHS and now - self._deaths[0] <= DEATHS_WITHIN:
            self.rest_until = now + REST
        self.pid = 0
        self.due = now + BACKOFF[min(self.series, len(BACKOFF) - 1)]

    def hang_up(self) -> None:
        """Listen to it no more."""
        if self.report:
            self.report.close()
        self.report = None

    def kill(self, number: signal.Signals) -> None:
        """Signal it, if it runs."""
        if self.pid:
            os.kill(self.pid, number)


def _child(run: Run, report: socket.socket, parent: int, restarts: int) -> NoReturn:
    """The child's whole life."""
    signal.set_wakeup_fd(-1)
    # The announcer alone has a use for it, and systemd sends it to all: it must not end a controller before its time.
    signal.signal(RESTARTING, signal.SIG_IGN)
    apart.live(partial(run, report, parent, restarts))


class Supervisor:
    """Turns until SIGTERM, SIGINT or RESTARTING; `children` in the order they start."""

    def __init__(self, children: list[Child], notifier: Notifier, output: Output, vigil: Vigil) -> None:
        self._children = children
        self._vigil = vigil
        self._notifier = notifier
        self._output = output
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, RESTARTING):
            signal.signal(number, lambda *_: None)
        self._dying: dict[int, Child] = {}
        self._fed = 0.0
        self._stopping = self._restarting = False

    def run(self) -> None:
        """Until told to stop; then both children have ended."""
        self._start_due(time.monotonic())
        privileges.let_go_of_files()
        while not self._stopping:
            now = time.monotonic()
            self._end_hung(self._vigil.look(now))
            self._start_due(now)
            self._feed_watchdog(now)
            self._wait(self._timeout(now))
        self._end()

    def _wait(self, timeout: float) -> None:
        """Serve signals and reports for at most `timeout` seconds."""
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        reports = {child.report.fileno(): child for child in self._children if child.report}
        for fileno in reports:
            poll.register(fileno, select.POLLIN)
        ready = poll.poll(timeout * 1000)
        # First, and always: a signal that came while a child hung up is in the pipe, though poll has not seen it there.
        self._serve_signals()
        for fileno, _ in ready:
            if fileno in reports:
                self._serve_report(reports[fileno])

    def _serve_signals(self) -> None:
        with suppress(BlockingIOError):
            for number in os.read(self._wakeup, 256):
                if number in (signal.SIGTERM, signal.SIGINT, RESTARTING):
                    again = self._restarting or not self._stopping
                    self._stopping, self._restarting = True, again and number == RESTARTING
                elif number == signal.SIGHUP:
                    next(each for each in self._children if each.name == "controller").kill(signal.SIGHUP)
        self._reap(time.monotonic())

    def _reap(self, now: float) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                child = self._dying.pop(found[0], None)
                if child is None and (child := next((each for each in self._children if each.pid == found[0]), None)):
                    self._ended(child, now)
                if child and not self._stopping:
                    self._say("process.ended", child, status=_ending(found[1]))

    def _serve_report(self, child: Child) -> None:
        """Take what `child` says: a beat, or lines for systemd."""
        try:
            while child.report and (data := child.report.recv(REPORT_BYTES)):
                self._vigil.heard(child.name, time.monotonic())
                if data != b"beat":
                    self._notifier.send(data.decode(errors="replace"))
        except BlockingIOError:
            return
        except ConnectionError:
            pass
        self._hung_up(child)

    def _hung_up(self, child: Child) -> None:
        """It will say nothing more: it is dying, and its successor need not wait until the kernel has done with it."""
        if self._stopping:
            child.hang_up()
        elif child.pid:
            child.kill(signal.SIGKILL)
            self._dying[child.pid] = child
            self._ended(child, time.monotonic())

    def _ended(self, child: Child, now: float) -> None:
        self._vigil.gone(child.name)
        child.ended(now)

    def _start_due(self, now: float) -> None:
        for child in self._children:
            if child.due is not None and child.due <= now:
                child.start(now, self._children)
                self._vigil.heard(child.name, now)
                if child.restarts:
                    self._say(
                        "process.restarted",
                        child,
                        pid=child.pid,
                        restarts=child.restarts,
                    )

    def _feed_watchdog(self, now: float) -> None:
        """Tell systemd that all three live, three times within its limit."""
        if self._notifier.watchdog and self._vigil.whole() and now - self._fed >= self._notifier.watchdog / 3:
            self._fed = now
            self._notifier.send("WATCHDOG=1")

    def _end_hung(self, hung: Mapping[str, float]) -> None:
        """It is started again once the kernel tells of its end."""
        for child in self._children:
            if child.name in hung:
                self._say("process.hung", child, pid=child.pid, silent=round(hung[child.name], 1))
                child.kill(signal.SIGKILL)

    def _timeout(self, now: float) -> float:
        """Seconds until a restart, the watchdog or a look at the children is due."""
        due = [child.due - now for child in self._children if child.due is not None]
        look = self._vigil.turn
        return max(0.0, min([*due, look, self._notifier.watchdog / 3 or look]))

    def _end(self) -> None:
        """End the children, and wait for them."""
        self._notifier.send("STOPPING=1")
        for child in self._children:
            returns = self._restarting and child.name == "announcer"
            child.kill(RESTARTING if returns else signal.SIGTERM)
        until = time.monotonic() + GOODBYE
        while any(child.pid for child in self._children) and (now := time.monotonic()) < until:
            self._wait(until - now)
        for child in self._children:
            child.kill(signal.SIGKILL)

    def _say(self, event: str, child: Child, **fields: object) -> None:
        self._output.write({"event": event, "level": "warning", "process": child.name, **fields})


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal-{-code}" if code < 0 else f"exit-{code}"


def locked() -> socket.socket | None:
    """The lock that keeps a second speakerd off this host, or None where another has it."""
    own = snap.inside(os.environ)
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        _bind(lock, LOCK, f"\0snap.{own.name}.{snap.SERVICE}" if own else LOCK)
    except OSError:
        return None
    return lock


def _bind(lock: socket.socket, name: str, allowed: str) -> None:
    """To `name`, or where a sandbox wants its own prefix to `allowed`. Raises OSError."""
    try:
        lock.bind(name)
    except PermissionError:
        lock.bind(allowed)


def foresee() -> None:
    """What need not wait for the settings: who we will be, which may take a database; what both children run."""
    import random  # noqa: F401, PLC0415

    import speakerd.engine  # noqa: PLC0415
    import speakerd.ownership.returns  # noqa: F401, PLC0415

    privileges.identity(_user())


def _user() -> str:
    return snap.USER if snap.inside(os.environ) else USER


def prepare(folders: dict[Path, int]) -> None:
    """Make the folders (path -> mode) for the user we will be. Raises OSError."""
    own = snap.inside(os.environ)
    owner = privileges.identity(_user()) if os.getuid() == 0 else None
    for path, mode in folders.items():
        made = not path.is_dir()
        if made:
            path.mkdir(parents=True)
        if owner and own:  # root obeys modes there: it has what is its group's. Only an owner may change them
            if path.stat().st_uid == 0:
                path.chmod(mode | SHARED)
                os.chown(path, owner[0], -1)
        else:
            if made:
                path.chmod(mode)
            if owner:
                os.chown(path, *owner)


def _open_program() -> None:
    """The one file unpacks itself for its caller alone; whom root becomes reads what it loads later, too."""
    folder = Path(__file__).parents[1]
    for each in (folder, *folder.rglob("*")) if "NUITKA_ONEFILE_PARENT" in os.environ else ():
        mode = each.stat().st_mode
        each.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def _drop() -> None:
    """Become the user that files were prepared for, if this is root; where the sandbox forbids it, root goes on.

    In the snap nobody else sees to it that the agent can never get more, and is the last that a full memory ends.
    """
    if snap.inside(os.environ):
        privileges.bound(privileges.SUPERVISOR)
        privileges.spare()
        with suppress(PermissionError):
            privileges.become(snap.USER, its_group=False)
    elif os.getuid() == 0:
        _open_program()
        privileges.become(USER)


def supervise(controller: Run, link: Link, output: Output) -> None:
    """Run both children until told to stop."""

    boot = int.from_bytes(os.urandom(8)) >> 1  # of this life of the host: announcers started again keep it

    def announce(report: socket.socket, parent: int, restarts: int) -> None:
        from speakerd import announcer  # noqa: PLC0415  see _load_announcer

        rest = max(0.0, answering.rest_until - time.monotonic())
        announcer.run(link.announcer(), report, parent, restarts, boot, rest)

    answering = Child("announcer", announce, _load_announcer)
    notifier = Notifier(os.environ)
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)
    _drop()
    privileges.keep_only(privileges.SUPERVISOR)
    gc.freeze()
    Supervisor([Child("controller", controller), answering], notifier, output, Vigil(SILENCE)).run()


def _load_announcer() -> None:
    """Once the controller has begun, which has more to do; an announcer that is started again has it already."""
    import speakerd.announcer  # noqa: F401, PLC0415

    gc.enable()
    gc.collect()
    gc.freeze()
    privileges.let_go_of_heap()
