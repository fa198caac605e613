"""Packet sockets: one gets its filter before it is bound, so that nothing unfiltered ever queues."""

import ctypes
import errno
import socket
from struct import Struct as Form

SO_ATTACH_FILTER = 26
FPROG = Form("@HP")
INSTRUCTION_BYTES = 8
"""struct sock_filter (linux/filter.h)."""
WEATHER = (errno.ENETDOWN, errno.ENODEV, errno.ENXIO, errno.ENOBUFS, errno.EAGAIN, errno.EPERM)
"""Of an interface that goes, of queues that are empty or full, and of a firewall that lets no frame out."""


def packet_socket(name: str, protocol: int, program: bytes, queue: int) -> socket.socket | None:
    """One on interface `name` for frames of EtherType `protocol` that `program` lets through; `queue` bytes may wait.

    None where the interface is going, netlink will say so; and where the host refuses raw sockets, told at the start.
    Raises OSError.
    """
    try:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        return None
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, queue)
        attach(end, program)
        end.bind((name, protocol))
    except OSError as fault:
        end.close()
        if fault.errno not in WEATHER:
            raise
        return None
    return end


def attach(end: socket.socket, program: bytes) -> None:
    """Let the kernel run `program` (struct sock_filter[]) on what this socket would get."""
    code = ctypes.create_string_buffer(program, len(program))
    prog = FPROG.pack(len(program) // INSTRUCTION_BYTES, ctypes.addressof(code))
    end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, prog)
