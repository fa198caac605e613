"""What each router says on the wire, written to tests/data/bgp: python -m tests.lab.routers.goldens (root).

Each has a session with another router and does all that a session may have to say, then one with a peer that it takes
for another. Addresses, names and numbers are always the same, so that a capture differs only where a router does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.lab.net import Host, Lan, orderly, tool
from tests.lab.routers.bird import Bird
from tests.lab.routers.capture import KEEPALIVE, NOTIFICATION, OPEN, ROUTE_REFRESH, UPDATE, Capture, Said
from tests.lab.routers.exabgp import ExaBgp
from tests.lab.routers.frr import Frr
from tests.lab.routers.gobgp import GoBgp
from tests.lab.routers.openbgpd import OpenBgpd
from tests.lab.routers.router import Neighbour, Route, Router, Setup
from tests.lab.waiting import eventually

FOLDER = Path(__file__).parents[2] / "data" / "bgp"
ROUTERS: Mapping[str, type[Router]] = {
    "frr": Frr,
    "bird": Bird,
    "gobgp": GoBgp,
    "exabgp": ExaBgp,
    "openbgpd": OpenBgpd,
}
ASN, PEER_ASN, STRANGER = 4200000001, 65010, 65099
REASON = "maintenance at noon"
FOUR = Route(
    prefix="203.0.113.0/24",
    communities=((65001, 100), (65001, 101)),
    large=((ASN, 1, 2),),
    med=50,
    prepend=2,
)
SIX = Route(prefix="2001:db8:1::/48", communities=((65001, 100),), large=((ASN, 3, 4),))
NAMES = {OPEN: "open", KEEPALIVE: "keepalive", NOTIFICATION: "notification", ROUTE_REFRESH: "refresh"}
FAMILIES = {b"\x00\x01": "ipv4", b"\x00\x02": "ipv6"}
NEXT_HOP, REACH, UNREACH = 3, 14, 15


def attributes(data: bytes) -> dict[int, bytes]:
    """The path attributes by type (RFC 4271 section 4.3)."""
    found = {}
    while data:
        wide = data[0] & 0x10
        start = 4 if wide else 3
        end = start + int.from_bytes(data[2:start])
        found[data[1]] = data[start:end]
        data = data[end:]
    return found


def update(body: bytes) -> str:
    """What an UPDATE is about; each here is about one thing."""
    gone = int.from_bytes(body[:2])
    said = attributes(body[4 + gone :][: int.from_bytes(body[2 + gone : 4 + gone])])
    if gone:
        return "withdraw ipv4"
    if REACH in said:
        return f"announce {FAMILIES[said[REACH][:2]]}"
    if UNREACH in said:
        return f"{'withdraw' if said[UNREACH][3:] else 'end of rib'} {FAMILIES[said[UNREACH][:2]]}"
    return "announce ipv4" if said else "end of rib ipv4"


def name(said: Said) -> str:
    """What a message is, in two or three words."""
    match said.kind:
        case _ if said.kind == UPDATE:
            return update(said.body)
        case _ if said.kind == ROUTE_REFRESH:
            return f"refresh {FAMILIES[said.body[:2]]}"
        case _ if said.kind == NOTIFICATION:
            return f"notification {said.body[0]}/{said.body[1]}"
    return NAMES[said.kind]


class Record:
    """The first message of each name that one router says."""

    def __init__(self, capture: Capture, sender: str) -> None:
        self._capture, self._sender = capture, sender

    def found(self) -> dict[str, bytes]:
        """All so far."""
        found: dict[str, bytes] = {}
        for each in list(self._capture.messages):
            if each.sender == self._sender:
                found.setdefault(name(each), each.data)
        return found

    def wait(self, *names: str) -> None:
        """Until all of these have been said."""
        for each in names:
            eventually(partial(self._has, each), f"{each} is said", 20)

    def _has(self, word: str) -> bool:
        return any(each.startswith(word) for each in self.found())


@contextmanager
def session(
    lan: Lan, kind: type[Router], expected: int = PEER_ASN, restart: int = 0
) -> Iterator[tuple[Router, Router, Record]]:
    """The router and its peer, FRR (BIRD for FRR itself), which it takes for AS `expected`; and what it says."""
    host, other = lan.routers
    ours = Setup(
        asn=ASN,
        router_id="192.0.2.1",
        neighbours=(Neighbour(address=other.ipv4, asn=expected, restart=restart),),
        routes=(FOUR, SIX),
    )
    theirs = Setup(asn=PEER_ASN, router_id="192.0.2.2", neighbours=(Neighbour(address=host.ipv4, asn=ASN),))
    peer = Bird if kind is Frr else Frr
    with Capture(host) as capture, kind(lan, host, ours) as router, peer(lan, other, theirs) as against:
        yield router, against, Record(capture, host.ipv4)


def record(lan: Lan, kind: type[Router]) -> dict[str, bytes]:
    """All that it says."""
    with session(lan, kind, restart=120) as (router, peer, said):
        router.wait_up(peer.host.ipv4)
        said.wait("announce ipv4", "announce ipv6", "end of rib ipv4", "end of rib ipv6")
        if kind is not GoBgp:
            router.refresh(peer.host.ipv4)
            said.wait("refresh ipv4", "refresh ipv6")
        for route in (FOUR, SIX):
            router.withdraw(route.prefix)
            said.wait(f"withdraw {route.family}")
        found = said.found()
    # With graceful restart ExaBGP ends a session without a word.
    with session(lan, kind) as (router, peer, said):
        router.wait_up(peer.host.ipv4)
        router.shut(peer.host.ipv4, REASON)
        said.wait("notification 6/")
        found |= _farewells(said)
    with session(lan, kind, STRANGER) as (_, _, said):
        said.wait("notification 2/")
        return found | _farewells(said)


def _farewells(said: Record) -> dict[str, bytes]:
    return {each: data for each, data in said.found().items() if each.startswith("notification")}


def settle(host: Host) -> None:
    """Give it a link-local address that is always the same: some tell it with their routes."""
    at = ("ip", "-n", host.namespace, "-6", "address")
    tool(*at, "flush", "dev", "eth0", "scope", "link")
    tool(*at, "add", f"fe80::{host.ipv4.rpartition('.')[2]}/64", "dev", "eth0", "nodad")


def version(kind: type[Router]) -> str:
    """Of the Debian package, as its makers count."""
    package = next(iter(kind.programs.values()))
    return tool("dpkg-query", "-W", "-f", "${Version}", package).split("-")[0]


def main() -> None:
    """Write all files anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with orderly(), Lan(0, 2) as lan:
        for host in lan.routers:
            settle(host)
        for word, kind in ROUTERS.items():
            found = record(lan, kind)
            head = f"# {kind.__name__} {version(kind)}"
            lines = [f"{head}: {each}\n{data.hex()}\n" for each, data in sorted(found.items())]
            (FOLDER / f"{word}.hex").write_text("".join(lines))
            print(f"{word}: {', '.join(found)}")


if __name__ == "__main__":
    main()
