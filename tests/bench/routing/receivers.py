"""FRR and BIRD as receivers: each on a router of the LAN with sessions to all nodes, its kernel watched.

BIRD's RIB and its kernel are one; FRR thinks for 50 ms before it tells the kernel what is best of its RIB. When a route
came into that is in FRR's own log.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from msgspec import Struct

from tests.bench.routing.fib import Fib
from tests.lab.bgp import OURS, THEIRS, bgp
from tests.lab.cluster import Cluster
from tests.lab.net import Lan
from tests.lab.routers.bird import Bird
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Bfd, Neighbour, Router, Setup
from tests.lab.waiting import eventually

KINDS: Mapping[str, type[Router]] = {"frr": Frr, "bird": Bird}
MULTIPLIER, INTERVAL = 3, 50
"""BFD: packets missed until a path is dead, milliseconds between two."""


class Receiver(Struct, frozen=True):
    """A router by name, and the routes in its kernel."""

    name: str
    router: Router
    fib: Fib

    def trace(self) -> None:
        """Have `ways` and `fell` known from now on."""
        if isinstance(self.router, Frr):
            self.router.trace()

    def ways(self, prefix: str, since: float) -> list[float]:
        """When its RIB had a first way to `prefix`, a second and so on; from `since` (time.time()) on."""
        if isinstance(self.router, Frr):
            first: dict[str, float] = {}
            for when, peer in self.router.taken(prefix):
                if when >= since:
                    first.setdefault(peer, when)
            return list(first.values())
        return self.fib.ways(prefix, since)

    @property
    def tells(self) -> bool:
        """Whether its sessions end apart from its routes, and `fell` is known."""
        return isinstance(self.router, Frr)

    def fell(self, peer: str, since: float) -> float:
        """When its session with `peer` ended first from `since` on."""
        assert isinstance(self.router, Frr)
        return next(when for when in self.router.fallen(peer) if when >= since)

    def wait_up(self, lan: Lan) -> None:
        """Sessions with all nodes."""
        for node in lan.nodes:
            self.router.wait_up(node.ipv4)


@contextmanager
def receivers(lan: Lan, *, bfd: bool = False) -> Iterator[Sequence[Receiver]]:
    """Both, on a LAN with two routers."""
    profile = Bfd(transmit=INTERVAL, receive=INTERVAL, multiplier=MULTIPLIER) if bfd else None
    neighbours = tuple(Neighbour(address=node.ipv4, asn=OURS, bfd=profile, families=("ipv4",)) for node in lan.nodes)
    with ExitStack() as stack:
        found = []
        for number, (name, kind) in enumerate(KINDS.items()):
            host = lan.routers[number]
            setup = Setup(asn=THEIRS, router_id=f"192.0.2.{number + 1}", neighbours=neighbours)
            fib = stack.enter_context(Fib(host))
            found.append(Receiver(name, stack.enter_context(kind(lan, host, setup)), fib))
        yield found


def speak(cluster: Cluster, lan: Lan, found: Sequence[Receiver], **peer: Any) -> None:  # noqa: ANN401 - a spec
    """Have all nodes announce everything to them, and wait for the sessions; `peer`: more of each BGPPeer."""
    cluster.create(bgp("BGPAdvertisement", "all"))
    for each in found:
        address = each.router.host.ipv4
        cluster.create(bgp("BGPPeer", each.name, myASN=OURS, peerASN=THEIRS, peerAddress=address, **peer))
    for each in found:
        each.wait_up(lan)


def watched(receiver: Receiver, lan: Lan) -> None:
    """Wait for BFD sessions with all nodes."""

    def up() -> bool:
        there = {each.peer for each in receiver.router.bfd() if each.state == "up"}
        return there >= {node.ipv4 for node in lan.nodes}

    eventually(up, f"BFD of {receiver.name} is up", 30)
