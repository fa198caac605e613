"""What the kernel lets each process do: user, capabilities, memory, scheduling, and dying with its parent."""

import ctypes
import os
import pwd
import re
import resource
import signal
import socket
import time
from contextlib import suppress
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from struct import Struct as Form

# linux/prctl.h, linux/capability.h, sys/mman.h, bits/resource.h
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_SET_NO_NEW_PRIVS = 38
PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522
MADV_DONTNEED = 4
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
RLIMIT_RTTIME = 15

CAP_HEADER = Form("=Ii")
CAP_DATA = Form("=6I")

PRIORITY = 10
"""SCHED_FIFO: above ordinary work, below the kernel's own threads."""
LONG, RUNAWAY = 1_000_000, 10_000_000
"""Microseconds a real-time process may run without once waiting: until it is reminded that the host comes first (a slow
processor may have that much work at once), and until the kernel ends it.
"""
BREATH = 0.002
"""Seconds for which it then lets others run."""
CAPABILITIES = 64
"""More than the kernel has: the sets are of 64 bits."""
SPARED = -900
"""oom_score_adj: a host that runs out of memory ends nearly everything else before this (proc(5))."""


class Capability(IntEnum):
    """linux/capability.h, the ones in use."""

    NET_BIND_SERVICE = 10
    NET_RAW = 13
    IPC_LOCK = 14
    SYS_NICE = 23


SUPERVISOR = frozenset(Capability)
ANNOUNCER = frozenset({Capability.NET_RAW, Capability.NET_BIND_SERVICE, Capability.IPC_LOCK})
NOTHING: frozenset[Capability] = frozenset()

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> None:
    """A libc function that answers 0 for success. Raises OSError."""
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def permitted() -> frozenset[Capability]:
    """Which of our capabilities this process may use."""
    header, data = (
        ctypes.create_string_buffer(CAP_HEADER.pack(CAPABILITY_VERSION_3, 0)),
        (ctypes.c_char * CAP_DATA.size)(),
    )
    _call("capget", header, data)
    mask = CAP_DATA.unpack(data.raw)[1]
    return frozenset(each for each in Capability if mask & 1 << each)


def keep_only(wanted: frozenset[Capability]) -> None:
    """Give up every capability but `wanted` (of those held), for ever."""
    mask = sum(1 << each for each in wanted & permitted())
    header = ctypes.create_string_buffer(CAP_HEADER.pack(CAPABILITY_VERSION_3, 0))
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with suppress(OSError):
        _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    _call(
        "capset",
        header,
        ctypes.create_string_buffer(CAP_DATA.pack(mask, mask, 0, 0, 0, 0)),
    )


def bound(wanted: frozenset[Capability]) -> bool:
    """Take all but `wanted` from what any program started from here could ever get; False where the host refuses.

    A sandbox does, and a process that was never root: to be asked again is to learn whether it holds.
    """
    held = [each for each in range(CAPABILITIES) if _libc.prctl(PR_CAPBSET_READ, each, 0, 0, 0) == 1]
    return not any(each not in wanted and _libc.prctl(PR_CAPBSET_DROP, each, 0, 0, 0) for each in held)


def spare() -> bool:
    """Have the kernel end others first where memory runs out; False where the host refuses. May be asked again."""
    try:
        Path("/proc/self/oom_score_adj").write_text(str(SPARED))
    except OSError:
        return False
    return True


@lru_cache(maxsize=4)
def identity(user: str) -> tuple[int, int] | None:
    """(uid, gid) of `user`, or None where nobody has that name."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def raw_sockets() -> bool:
    """Whether this process gets packet sockets: a sandbox may refuse what the capability would allow."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


def become(user: str, *, its_group: bool = True) -> bool:
    """From root to `user`, capabilities kept for `keep_only`; False where this is not root or nobody has that name.

    Without `its_group` the group stays root's. Raises OSError.
    """
    found = identity(user)
    if os.getuid() != 0 or not found:
        return False
    _call("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    if its_group:
        os.setgid(found[1])
    os.setuid(found[0])
    return True


def die_with(parent: int) -> None:
    """End this process when `parent` ends; ends it at once where that has happened already."""
    _call("prctl", PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def call_it(name: str) -> None:
    """The name `ps`, `top` and the kernel's log show for this process (15 bytes)."""
    _call("prctl", PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def let_go_of_files() -> None:
    """Give back the pages of programs and libraries: what a start reads once, constants above all, is not read again.

    They stay in the kernel's cache, so that what is needed after all comes back without the disk. What was written to
    since (relocated tables) is not touched. Where /proc is not to be read, all stays.
    """
    with suppress(OSError):
        for mapping in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE):
            addresses, access, _, _, inode, *_ = mapping.split(maxsplit=5) if mapping else ("", "", "", "", "0")
            if access in ("r--p", "r-xp") and inode != "0" and "\nAnonymous:             0 kB" in mapping:
                first, last = (int(each, 16) for each in addresses.split("-"))
                _libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), MADV_DONTNEED)


def let_go_of_heap() -> None:
    """Give back what lies free between objects of the C heap: it does so by itself at the end of the heap alone."""
    with suppress(AttributeError):  # other C libraries than glibc
        _libc.malloc_trim(ctypes.c_size_t(0))


def lock_memory() -> bool:
    """Keep what is touched from now on in memory; False where the host refuses it.

    ONFAULT: without it every shared page would be copied at once. Under a limit that still holds, memory that grows
    past it would be refused, and that is worse than memory that is not locked.
    """
    limited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY
    if limited and Capability.IPC_LOCK not in permitted():
        return False
    try:
        _call("mlockall", MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)
    except OSError:
        return False
    return True


def real_time() -> int:
    """Ask for real-time scheduling; the priority got, 0 where the host refuses."""
    signal.signal(signal.SIGXCPU, _breathe)
    _limit()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return 0
    return PRIORITY


def _limit() -> None:
    """Have the kernel count anew (setrlimit(2), RLIMIT_RTTIME): it reminds a second later each time, without."""
    with suppress(OSError, ValueError):
        resource.setrlimit(RLIMIT_RTTIME, (LONG, RUNAWAY))


def _breathe(*_: object) -> None:
    time.sleep(BREATH)
    _limit()
