"""An imitation of another speaker: python -m tests.lab.other ADDRESS... answers ARP for these on eth0 until it ends.

It answers with its host's MAC, as MetalLB's speaker beside speakerd does, or a host that has one of our addresses.
"""

import os
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

from tests.lab.frames import ARP_REPLY, ARP_REQUEST, ETH_ARP
from tests.lab.net import Host, Lan, inside
from tests.lab.waiting import eventually

READY = "answering"


def main() -> None:
    """Answer for good, as promptly as a compiled one would."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    addresses = {IPv4Address(each).packed for each in sys.argv[1:]}
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    raw.bind(("eth0", ETH_ARP))
    mac = raw.getsockname()[4]
    print(READY, flush=True)
    while True:
        frame = raw.recv(64)
        if int.from_bytes(frame[20:22]) == ARP_REQUEST and frame[38:42] in addresses:
            raw.send(reply(frame, mac))


def reply(question: bytes, mac: bytes) -> bytes:
    """The answer to an ARP request (RFC 826)."""
    asker, head = question[22:32], struct.pack("!HHHBBH", ETH_ARP, 1, 0x0800, 6, 4, ARP_REPLY)
    return asker[:6] + mac + head + mac + question[38:42] + asker


@contextmanager
def answering_too(lan: Lan, host: Host, log: Path, *addresses: str) -> Iterator[None]:
    """Another speaker for `addresses` on `host`, from here to the end of the block."""
    process = lan.spawn(host, sys.executable, "-m", "tests.lab.other", *addresses, log=log)
    try:
        eventually(lambda: READY in log.read_text(), "it answers")
        yield
    finally:
        process.kill()
        process.wait()


def _asked(frame: bytes, address: str) -> bool:
    return int.from_bytes(frame[20:22]) == ARP_REQUEST and frame[38:42] == IPv4Address(address).packed != frame[28:32]


@contextmanager
def overheard(host: Host, address: str) -> Iterator[Callable[[], Counter[str]]]:
    """Gives who asked for `address` so far, how often, as `host` hears it."""
    with inside(host.namespace):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        raw.bind(("eth0", ETH_ARP))
    found: Counter[str] = Counter()

    def asked() -> Counter[str]:
        with suppress(BlockingIOError):
            while True:
                frame = raw.recv(64)
                if _asked(frame, address):
                    found[frame[6:12].hex(":")] += 1
        return found

    with raw:
        yield asked


if __name__ == "__main__":
    main()
