"""What comes between hosts of a LAN: a switch that drops members' messages, a LAN in two parts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal

from tests.lab.net import Host, Lan, inside, tool

Way = Literal["from", "to"]
Carrier = Literal["udp", "ethernet"]

BOTH_WAYS: tuple[Way, Way] = ("from", "to")
MATCHES: dict[Carrier, tuple[str, ...]] = {
    "udp": ("ether type ip udp dport 7946", "ether type ip6 udp dport 7946"),
    "ethernet": ("ether type 0x88b5",),
}
INTERFACES: dict[Way, str] = {"from": "iifname", "to": "oifname"}


@contextmanager
def blocked(
    lan: Lan, host: Host, carriers: Iterable[Carrier] = ("udp",), ways: Iterable[Way] = BOTH_WAYS
) -> Iterator[None]:
    """The bridge drops what members say by these carriers on its way from `host`, or to it; all else passes."""
    rules = [
        f'{INTERFACES[way]} "{host.name}" {each} drop' for way in ways for one in carriers for each in MATCHES[one]
    ]
    body = "\n".join(["type filter hook forward priority 0", *rules])
    table = f"obstacle-{host.name}"
    with inside(lan.server.namespace):
        tool("nft", "-f", "-", feed=f"table bridge {table} {{\nchain forward {{\n{body}\n}}\n}}\n")
    try:
        yield
    finally:
        with inside(lan.server.namespace):
            tool("nft", "delete", "table", "bridge", table)


@contextmanager
def unheard(lan: Lan, host: Host, by: Host) -> Iterator[None]:
    """The bridge keeps what `host` says by ARP from one other host, as a switch does that inspects it."""
    rule = f'iifname "{host.name}" oifname "{by.name}" ether type arp drop'
    with inside(lan.server.namespace):
        table = f"table bridge unheard {{\nchain forward {{\ntype filter hook forward priority 0\n{rule}\n}}\n}}\n"
        tool("nft", "-f", "-", feed=table)
    try:
        yield
    finally:
        with inside(lan.server.namespace):
            tool("nft", "delete", "table", "bridge", "unheard")


@contextmanager
def divided(lan: Lan, apart: Iterable[Host]) -> Iterator[None]:
    """These hosts hang on a bridge of their own, without the API server; their links stay up."""
    hosts = list(apart)
    ip = ("ip", "-n", lan.server.namespace, "-batch", "-")
    there = [f"link set {host.name} master br1" for host in hosts]
    tool(*ip, feed="\n".join(["link add br1 type bridge", "link set br1 up", *there]) + "\n")
    try:
        yield
    finally:
        back = [f"link set {host.name} master br0" for host in hosts]
        tool(*ip, feed="\n".join([*back, "link del br1"]) + "\n")
