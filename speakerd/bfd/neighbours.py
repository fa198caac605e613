"""Which MAC the kernel found a neighbour at, asked by rtnetlink; the kernel has answered when the question is sent."""

import socket
from struct import Struct as Form

from speakerd.host import HEADER, NLM_F_REQUEST, messages

NEW_NEIGHBOUR, GET_NEIGHBOUR = 28, 30
"""linux/rtnetlink.h."""
NEIGHBOUR, ATTRIBUTE = Form("=BxxxiHBB"), Form("=HH")
DESTINATION, LINK_ADDRESS = 1, 2
"""linux/neighbour.h."""
READ_BYTES = 4096
MAC_BYTES = 6
ANSWERS = 16
"""Looked at for the one: some may be left of questions before."""


def question(index: int, address: bytes, number: int) -> bytes:
    """The request for one entry of the neighbour table; `number` comes back with the answer."""
    family = socket.AF_INET6 if len(address) == 16 else socket.AF_INET
    body = NEIGHBOUR.pack(family, index, 0, 0, 0) + ATTRIBUTE.pack(ATTRIBUTE.size + len(address), DESTINATION) + address
    return HEADER.pack(HEADER.size + len(body), GET_NEIGHBOUR, NLM_F_REQUEST, number, 0) + body


def answer(data: bytes) -> bytes:
    """The MAC in one netlink message (header included); b"" where it has none: an error, or nobody was found yet."""
    if len(data) < HEADER.size + NEIGHBOUR.size or HEADER.unpack_from(data)[1] != NEW_NEIGHBOUR:
        return b""
    at = HEADER.size + NEIGHBOUR.size
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < ATTRIBUTE.size or at + length > len(data):
            break
        if kind == LINK_ADDRESS and length == ATTRIBUTE.size + MAC_BYTES:
            return data[at + ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return b""


class Neighbours:
    """Of this host. Asking takes the lock that all network configuration shares: not to be done for each packet."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._number = 0

    def mac(self, index: int, address: bytes) -> bytes:
        """Of the station that has `address` on interface `index`, b"" where the kernel knows of none."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        try:
            self._socket.send(question(index, address, self._number))
            for _ in range(ANSWERS):
                for message in messages(self._socket.recv(READ_BYTES)):
                    if HEADER.unpack_from(message.data)[3] == self._number:
                        return answer(message.data)
        except OSError:
            return b""
        return b""

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
