"""What the demo shows, in order, on a LAN with an API server and speakerd on every node."""

from collections.abc import Sequence
from functools import partial

from tests.demo.telling import Teller
from tests.lab import objects
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan
from tests.lab.objects import METALLB
from tests.lab.standin import Forward, forward
from tests.lab.steps import Family, Policy, given, owner, said
from tests.lab.stopwatch import Stopwatch
from tests.lab.traffic import Protocol, ask
from tests.lab.waiting import eventually

POOL = "demo"
FIRST = ("10.99.10.1-10.99.10.2", "fd99::5:1-fd99::5:2")
MORE = ("10.99.10.1-10.99.10.3", "fd99::5:1-fd99::5:2")
DUAL: tuple[Family, Family] = ("IPv4", "IPv6")


class Story:
    """Tells itself step by step; an AssertionError says what did not happen."""

    def __init__(self, lan: Lan, plane: Embedded, teller: Teller) -> None:
        self._lan, self._cluster = lan, plane.cluster
        self._teller = teller
        self._forwards: dict[str, list[Forward]] = {}
        self.passed = 0
        self.last = ""

    def tell(self) -> None:
        """All of it."""
        self._pool(*FIRST)
        with Stopwatch(self._cluster, self._lan) as stopwatch:
            web = self._appears(stopwatch, "web", self._lan.nodes, families=DUAL)
            self._forward("web", web, self._lan.nodes)
            for address in web:
                for protocol in ("TCP", "UDP"):
                    self._reached(address, protocol)
            home = self._lan.nodes[1]
            game = self._appears(stopwatch, "game", [home], policy="Local")
            self._forward("game", game, [home], policy="Local")
            self._keeps_the_client(game[0], home)
            self._waits(stopwatch, "late")
            self._waits(stopwatch, "later")
        self._more()
        self._freed(web)

    def _pool(self, *addresses: str) -> None:
        self._cluster.create(objects.advertisement(POOL))
        self._cluster.create(objects.pool(POOL, *addresses))
        self._teller.step("pool", f"IPAddressPool {POOL}: {', '.join(addresses)}; L2Advertisement for all")

    def _appears(
        self,
        stopwatch: Stopwatch,
        name: str,
        pods: Sequence[Host],
        *,
        families: tuple[Family, ...] = ("IPv4",),
        policy: Policy = "Cluster",
    ) -> tuple[str, ...]:
        """A Service is created, gets its addresses, and one node says so on the LAN."""
        for family in families:
            self._cluster.create(objects.endpoints(name, pods, family=family))
        stopwatch.create(objects.service(name, families=families, policy=policy))
        kind = "dual stack" if len(families) > 1 else f"externalTrafficPolicy: {policy}"
        self._teller.step("Service", f"{name} created ({kind}, pods on {', '.join(pod.name for pod in pods)})")
        times = stopwatch.times(name)
        self._teller.step(
            "address", f"{name} has {' and '.join(times.addresses)} after {times.addressed * 1000:.1f} ms"
        )
        who = owner(self._lan, times.addresses[0])
        self._teller.step("announced", f"{who} said so on the LAN after {times.announced * 1000:.1f} ms")
        self._teller.figures |= {
            f"{name}.postMilliseconds": round(times.post * 1000, 2),
            f"{name}.addressMilliseconds": round(times.addressed * 1000, 2),
            f"{name}.announcedMilliseconds": round(times.announced * 1000, 2),
        }
        return times.addresses

    def _forward(
        self, name: str, addresses: tuple[str, ...], pods: Sequence[Host], *, policy: Policy = "Cluster"
    ) -> None:
        """Stand in for kube-proxy."""
        first = not self._forwards
        self._forwards[name] = [Forward(address, 80, pods, policy) for address in addresses]
        forward(self._lan, [each for some in self._forwards.values() for each in some])
        if first:
            self._teller.note("nftables rules on the nodes stand in for kube-proxy from here on")

    def _reached(self, address: str, protocol: Protocol) -> None:
        reply = eventually(partial(ask, self._lan.client, address, 80, protocol), f"{protocol} through {address}")
        assert reply
        self.passed += 1
        self._teller.step("reached", f"the client's {protocol} to {address} port 80: the pod on {reply.node} answered")

    def _keeps_the_client(self, address: str, home: Host) -> None:
        """With policy Local, the node that has a pod answers, and the pod sees who asks."""
        reply = eventually(partial(ask, self._lan.client, address, 80, "UDP"), f"UDP through {address}")
        assert reply
        assert (reply.node, reply.seen) == (home.name, self._lan.client.ipv4)
        assert owner(self._lan, address) == home.name
        self.passed += 1
        self._teller.step("reached", f"UDP to {address}: the pod on {reply.node} saw the client's own {reply.seen}")

    def _waits(self, stopwatch: Stopwatch, name: str) -> None:
        """The pool is exhausted: the Service is told so."""
        self._cluster.create(objects.endpoints(name, self._lan.nodes))
        stopwatch.create(objects.service(name))
        (why, *_) = eventually(
            partial(said, self._cluster, name, "AllocationFailed"), f"an event tells why {name} waits"
        )
        self._teller.step("waits", f"{name}: {why}")

    def _more(self) -> None:
        """The pool grows by one address: who waited longest has it."""
        start = self._teller.elapsed
        self._cluster.patch("IPAddressPool", POOL, {"spec": {"addresses": list(MORE)}}, namespace=METALLB)
        self._teller.step("pool", f"changed to {', '.join(MORE)}")
        (address,) = given(self._cluster, "late")
        self._teller.step("address", f"late has {address}, answered by {owner(self._lan, address)}")
        self._teller.figures["poolChangedMilliseconds"] = round((self._teller.elapsed - start) * 1000, 1)

    def _freed(self, web: tuple[str, ...]) -> None:
        """A Service goes: its address serves the one that waited."""
        self._cluster.delete("Service", "web")
        self._teller.step("Service", "web deleted")
        (address,) = given(self._cluster, "later")
        assert address in web
        self._teller.step("address", f"later has {address}, answered by {owner(self._lan, address)}")
        self._forwards.pop("web")
        self._forward("later", (address,), self._lan.nodes)
        self._reached(address, "TCP")
        self.last = address
