"""This host's interfaces as the kernel tells them by rtnetlink, and which of them may carry ARP and NDP.

`Links` and `Listing` are pure: netlink messages in, interfaces out. `Host` holds the socket. pyroute2 decodes the
messages; its own sockets and loop would bring asyncio into the announcer.
"""

import errno
import os
import re
import socket
import sys
from struct import Struct as Form
from typing import Any

from msgspec import Struct

from speakerd import lean
from speakerd.exchange import Layer2Settings
from speakerd.model import Interface

lean.package("pyroute2")
with lean.hollow("multiprocessing", "Pipe", "Process", "Queue"):  # 0.4 MB with what it imports
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

# linux/netlink.h, linux/rtnetlink.h
HEADER = Form("=IHHII")
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP, NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
NEW_LINK, DEL_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DEL_ADDRESS, GET_ADDRESS = 20, 21, 22
GROUPS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""

# linux/if.h, linux/if_arp.h, linux/if_addr.h
UP, BROADCAST, LOOPBACK, NOARP, LOWER_UP = 0x1, 0x2, 0x8, 0x80, 0x10000
ETHERNET = 1
TENTATIVE, DADFAILED = 0x40, 0x08

QUEUE_BYTES = 1 << 20
"""Messages the kernel keeps while this process does not run; when they were too many it says so, and we ask anew."""
READ_BYTES = 1 << 16
"""More than the kernel puts into one answer (32 KiB)."""
MESSAGES_A_TURN = 20
"""After so many others have their turn: 0.2 ms each to decode."""
MOST_LINKS = 10_000
"""Interfaces of a host with thousands of pods; beyond it new ones are not looked at."""


class Link(Struct):
    """What is kept of a link. `kind` as `ip link add type` has it.

    `addresses`: (family, text), oldest first, each with the network that it leads to.
    """

    index: int
    name: str
    mac: bytes
    flags: int
    type: int
    master: int
    kind: str
    addresses: dict[tuple[int, str], str]


class Links:
    """Every link and its addresses, from messages of rtnetlink(7)."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}

    def take(self, kind: int, data: bytes) -> None:
        """One message (header included); what concerns no link known changes nothing."""
        if kind in (NEW_LINK, DEL_LINK):
            self._link(kind, _decoded(ifinfmsg, data))
        elif kind in (NEW_ADDRESS, DEL_ADDRESS):
            self._address(kind, _decoded(ifaddrmsg, data))

    def _link(self, kind: int, message: Any) -> None:  # noqa: ANN401  pyroute2 has no types
        if message["family"] != socket.AF_UNSPEC or message.get_attr("IFLA_WIRELESS"):
            return  # of a bridge's port, of a radio: the link's own message is another
        index = message["index"]
        known = self._links.get(index)
        if kind == DEL_LINK:
            self._links.pop(index, None)
        elif known or len(self._links) < MOST_LINKS:
            self._links[index] = _link(message, known.addresses if known else {})

    def _address(self, kind: int, message: Any) -> None:  # noqa: ANN401
        link = self._links.get(message["index"])
        text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if link is None or not text:
            return
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        if kind == NEW_ADDRESS and not flags & (TENTATIVE | DADFAILED):
            there = message.get_attr("IFA_ADDRESS") or text
            link.addresses[message["family"], text] = f"{there}/{message['prefixlen']}"
        else:
            link.addresses.pop((message["family"], text), None)

    def interfaces(self, settings: Layer2Settings) -> tuple[Interface, ...]:
        """All of them by index, each with the reason why it is not used, if it is not."""
        excluded = [re.compile(pattern) for pattern in settings.exclude_interfaces]
        return tuple(
            _interface(link, self._unused(link) or _unwanted(link.name, settings, excluded))
            for _, link in sorted(self._links.items())
        )

    def _unused(self, link: Link) -> str:
        """Why no ARP or NDP can or may go over `link`; "" where it can."""
        if link.flags & LOOPBACK:
            return "loopback"
        if link.type != ETHERNET:
            return "not-ethernet"
        if link.flags & NOARP or not link.flags & BROADCAST:
            return "no-arp"
        if self._enslaved(link):
            return "enslaved"
        if not link.flags & UP:
            return "down"
        return "" if link.flags & LOWER_UP else "no-carrier"

    def _enslaved(self, link: Link) -> bool:
        """Whether a master (bridge, bond, team) takes this link's frames; a VRF only takes its routes."""
        if not link.master:
            return False
        above = self._links.get(link.master)
        return above is None or above.kind != "vrf"


def _link(message: Any, addresses: dict[tuple[int, str], str]) -> Link:  # noqa: ANN401
    info = message.get_attr("IFLA_LINKINFO")
    return Link(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME") or "",
        mac=bytes.fromhex((message.get_attr("IFLA_ADDRESS") or "").replace(":", "")),
        flags=message["flags"],
        type=message["ifi_type"],
        master=message.get_attr("IFLA_MASTER") or 0,
        kind=(info.get_attr("IFLA_INFO_KIND") or "") if info else "",
        addresses=addresses,
    )


def _interface(link: Link, reason: str) -> Interface:
    return Interface(
        index=link.index,
        name=link.name,
        mac=link.mac,
        up=bool(link.flags & UP),
        carrier=bool(link.flags & LOWER_UP),
        usable=not reason,
        reason=reason,
        master=link.master,
        ipv4=tuple(text for family, text in link.addresses if family == socket.AF_INET),
        ipv6=tuple(text for family, text in link.addresses if family == socket.AF_INET6),
        networks=tuple(link.addresses.values()),
    )


def _unwanted(name: str, settings: Layer2Settings, excluded: list[re.Pattern[str]]) -> str:
    if settings.interfaces and name not in settings.interfaces:
        return "not-in-settings"
    return "excluded" if any(pattern.search(name) for pattern in excluded) else ""


def _decoded(kind: Any, data: bytes) -> Any:  # noqa: ANN401
    message = kind(data)
    message.decode()
    return message


class Message(Struct, frozen=True):
    """One netlink message; `port` is who caused it (nlmsg_pid), `data` has the header in front."""

    kind: int
    flags: int
    port: int
    data: bytes


def messages(data: bytes) -> list[Message]:
    """What one read gave; a length that lies ends it."""
    found = []
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, _, port = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            break
        found.append(Message(kind, flags, port, data[at : at + length]))
        at += (length + 3) & ~3
    return found


class Listing:
    """What the kernel has told: `links` are those of the last whole answer, and what has happened since.

    A core: requests come out, messages go in. `port` is our own, on what answers our requests.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._left: list[int] = []
        self._coming: Links | None = None
        self._spoilt = False
        self.links = Links()

    @property
    def whole(self) -> bool:
        """Whether no answer is under way: `links` is all there is."""
        return not self._left

    def begin(self) -> bytes:
        """The request that starts a new answer: all links, then all addresses."""
        self._left = [GET_LINK, GET_ADDRESS]
        self._coming = None
        self._spoilt = False
        return self._request()

    def lost(self) -> bytes:
        """Messages were lost: the request to send, unless an answer is under way, which must end first."""
        if self.whole:
            return self.begin()
        self._spoilt = True
        return b""

    def take(self, message: Message) -> bytes:
        """One message in; the request that follows from it, if any. Raises OSError where a request was refused."""
        if message.kind == NLMSG_ERROR:
            number = -int.from_bytes(message.data[HEADER.size : HEADER.size + 4], sys.byteorder, signed=True)
            raise OSError(number, f"rtnetlink: {os.strerror(number)}")
        if message.port == self._port:
            return self._answer(message)
        # Before the answer begins, what happens is older than it, and part of it.
        now = self.links if self.whole else self._coming
        if now is not None:
            now.take(message.kind, message.data)
        return b""

    def _answer(self, message: Message) -> bytes:
        if self._coming is None:
            self._coming = Links()
        self._spoilt |= bool(message.flags & NLM_F_DUMP_INTR)
        if message.kind != NLMSG_DONE:
            self._coming.take(message.kind, message.data)
            return b""
        if self._spoilt:
            return self.begin()
        self._left.pop(0)
        if self._left:
            return self._request()
        self.links, self._coming = self._coming, None
        return b""

    def _request(self) -> bytes:
        """A header and an empty ifinfomsg or ifaddrmsg."""
        return HEADER.pack(HEADER.size + 16, self._left[0], NLM_F_REQUEST | NLM_F_DUMP, 0, 0) + bytes(16)


class Host:
    """The netlink socket: `start` asks for everything, `read` tells once an answer is whole."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
        self._socket.bind((0, GROUPS))
        self._listing = Listing(self._socket.getsockname()[0])

    def fileno(self) -> int:
        """For the loop that waits."""
        return self._socket.fileno()

    def start(self) -> None:
        """Ask the kernel for all links and addresses; what was known stays until the answer is whole."""
        self._socket.send(self._listing.begin())

    def read(self) -> bool:
        """Take what the kernel has sent; whether the interfaces may have changed and are wholly known."""
        taken = 0
        while taken < MESSAGES_A_TURN:
            try:
                data = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                break
            except OSError as fault:
                if fault.errno != errno.ENOBUFS:
                    raise
                self._ask(self._listing.lost())
                break
            found = messages(data)
            for message in found:
                self._ask(self._listing.take(message))
            taken += len(found)
        return taken > 0 and self._listing.whole

    def interfaces(self, settings: Layer2Settings) -> tuple[Interface, ...]:
        """All interfaces as last wholly known, judged by `settings`."""
        return self._listing.links.interfaces(settings)

    def _ask(self, request: bytes) -> None:
        if request:
            self._socket.send(request)
