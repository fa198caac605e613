"""This host's interfaces as the kernel tells them by rtnetlink, and which of them may carry ARP and NDP.

`Links` is pure: netlink messages in, interfaces out. `Host` holds the socket. pyroute2 decodes the messages; its own
sockets and loop would bring asyncio into the announcer.
"""

import re
import socket
from struct import Struct as Form
from typing import Any

from speakerd import lean
from speakerd.model import Interface, Layer2Settings

lean.package("pyroute2")
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # noqa: E402
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # noqa: E402

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
READ_BYTES = 1 << 17
READS_A_TURN = 32
MOST_LINKS = 10_000
"""Interfaces of a host with thousands of pods; beyond it new ones are not looked at."""


class Link:
    """What is kept of a link: the decoded message, and its addresses as (family, text)."""

    def __init__(self, message: Any) -> None:  # noqa: ANN401  pyroute2 has no types
        self.message = message
        self.addresses: dict[tuple[int, str], int] = {}


class Links:
    """Every link and its addresses, from messages of rtnetlink(7)."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}

    def take(self, kind: int, data: bytes) -> None:
        """One message (header included). What cannot be decoded or concerns an unknown link changes nothing."""
        if kind in (NEW_LINK, DEL_LINK):
            self._link(kind, _decoded(ifinfmsg, data))
        elif kind in (NEW_ADDRESS, DEL_ADDRESS):
            self._address(kind, _decoded(ifaddrmsg, data))

    def _link(self, kind: int, message: Any) -> None:  # noqa: ANN401
        index = message["index"]
        if message["family"] != socket.AF_UNSPEC:
            return  # a bridge port's own message (AF_BRIDGE): the link itself has sent one, too
        if kind == DEL_LINK:
            self._links.pop(index, None)
        elif known := self._links.get(index):
            known.message = message
        elif len(self._links) < MOST_LINKS:
            self._links[index] = Link(message)

    def _address(self, kind: int, message: Any) -> None:  # noqa: ANN401
        link = self._links.get(message["index"])
        text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if link is None or not text:
            return
        flags = message.get_attr("IFA_FLAGS") or message["flags"]
        if kind == NEW_ADDRESS and not flags & (TENTATIVE | DADFAILED):
            link.addresses[message["family"], text] = flags
        else:
            link.addresses.pop((message["family"], text), None)

    def interfaces(self, settings: Layer2Settings) -> tuple[Interface, ...]:
        """All of them by index, each with the reason why it is not used, if it is not."""
        excluded = [re.compile(pattern) for pattern in settings.exclude_interfaces]
        found = ((index, self._links[index]) for index in sorted(self._links))
        return tuple(self._interface(index, link, settings, excluded) for index, link in found)

    def _interface(
        self, index: int, link: Link, settings: Layer2Settings, excluded: list[re.Pattern[str]]
    ) -> Interface:
        message = link.message
        name = message.get_attr("IFLA_IFNAME") or ""
        mac = bytes.fromhex((message.get_attr("IFLA_ADDRESS") or "").replace(":", ""))
        reason = self._unused(message) or _unwanted(name, settings, excluded)
        return Interface(
            index=index,
            name=name,
            mac=mac,
            up=bool(message["flags"] & UP),
            carrier=bool(message["flags"] & LOWER_UP),
            usable=not reason,
            reason=reason,
            master=message.get_attr("IFLA_MASTER") or 0,
            ipv4=tuple(text for family, text in link.addresses if family == socket.AF_INET),
            ipv6=tuple(text for family, text in link.addresses if family == socket.AF_INET6),
        )

    def _unused(self, message: Any) -> str:  # noqa: ANN401
        """Why no ARP or NDP can or may go over this link; "" where it can."""
        flags = message["flags"]
        if flags & LOOPBACK:
            return "loopback"
        if message["ifi_type"] != ETHERNET:
            return "not-ethernet"
        if flags & NOARP or not flags & BROADCAST:
            return "no-arp"
        if self._enslaved(message):
            return "enslaved"
        if not flags & UP:
            return "down"
        return "" if flags & LOWER_UP else "no-carrier"

    def _enslaved(self, message: Any) -> bool:  # noqa: ANN401
        """Whether a master (bridge, bond, team) takes this link's frames; a VRF only takes its routes."""
        master = message.get_attr("IFLA_MASTER")
        if not master:
            return False
        above = self._links.get(master)
        return above is None or _kind(above.message) != "vrf"


def _kind(message: Any) -> str:  # noqa: ANN401
    info = message.get_attr("IFLA_LINKINFO")
    return (info.get_attr("IFLA_INFO_KIND") or "") if info else ""


def _unwanted(name: str, settings: Layer2Settings, excluded: list[re.Pattern[str]]) -> str:
    if settings.interfaces and name not in settings.interfaces:
        return "not-in-settings"
    return "excluded" if any(pattern.search(name) for pattern in excluded) else ""


def _decoded(kind: Any, data: bytes) -> Any:  # noqa: ANN401
    message = kind(data)
    message.decode()
    return message


def messages(data: bytes) -> list[tuple[int, int, bytes]]:
    """(type, flags, message with its header) of what one read gave; a length that lies ends it."""
    found = []
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, _, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            break
        found.append((kind, flags, data[at : at + length]))
        at += (length + 3) & ~3
    return found


class Host:
    """The netlink socket: `start` asks for everything, `read` gives the interfaces once an answer is whole."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE_BYTES)
        self._socket.bind((0, GROUPS))
        self._links = Links()
        self._asked: list[int] = []
        self._interrupted = False

    def fileno(self) -> int:
        """For the loop that waits."""
        return self._socket.fileno()

    def start(self) -> None:
        """Ask the kernel for all links, then all addresses; what was known stays until the answer is whole."""
        self._links = Links()
        self._interrupted = False
        self._asked = [GET_LINK, GET_ADDRESS]
        self._ask()

    def read(self) -> bool:
        """Take what the kernel has sent; whether the interfaces may have changed and are wholly known."""
        for _ in range(READS_A_TURN):
            try:
                data = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                break
            except OSError:  # ENOBUFS: messages were lost, so everything is asked for again
                self._begin_anew()
                break
            for kind, flags, message in messages(data):
                self._take(kind, flags, message)
        return not self._asked

    def interfaces(self, settings: Layer2Settings) -> tuple[Interface, ...]:
        """All interfaces, judged by `settings`."""
        return self._links.interfaces(settings)

    def _take(self, kind: int, flags: int, message: bytes) -> None:
        self._interrupted |= bool(flags & NLM_F_DUMP_INTR)
        if kind not in (NLMSG_DONE, NLMSG_ERROR):
            self._links.take(kind, message)
        elif self._interrupted:
            self.start()
        elif self._asked:
            self._asked.pop(0)
            if self._asked:
                self._ask()

    def _begin_anew(self) -> None:
        """Ask for everything; where an answer is under way, once it has ended (the kernel gives one at a time)."""
        if self._asked:
            self._interrupted = True
        else:
            self.start()

    def _ask(self) -> None:
        """Send the next request of a dump: a header and an empty ifinfomsg or ifaddrmsg."""
        body = bytes(16)
        header = HEADER.pack(HEADER.size + len(body), self._asked[0], NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        self._socket.send(header + body)
