"""The least that a process can do to answer ARP: wait, read, write. What more speakerd takes is speakerd's own.

python -m tests.bench.least INTERFACE ADDRESS
"""

import os
import select
import socket
import sys
from contextlib import suppress
from ipaddress import IPv4Address

from speakerd.layer2 import arp
from tests.lab.frames import ETH_ARP


def main(interface: str, address: str) -> None:
    """Answer for `address` on `interface`, for ever; at real-time priority where allowed, as the announcer does."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    end.bind((interface, ETH_ARP))
    waiting = select.epoll()
    waiting.register(end, select.EPOLLIN)
    wanted = IPv4Address(address).packed
    head = arp.reply_head(end.getsockname()[4], wanted)
    print("ready", flush=True)
    while True:
        waiting.poll()
        frame = end.recv(64)
        if frame[38:42] == wanted:
            end.send(arp.reply(head, frame[22:28], frame[28:32]))


if __name__ == "__main__":
    main(*sys.argv[1:])
