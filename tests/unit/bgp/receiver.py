"""A model of the router at the other end: a table made of nothing but the messages that came."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from speakerd.bgp import nlri, update
from speakerd.bgp.attribute import Attributes
from speakerd.bgp.family import IPV4, IPV6, Family, Negotiated
from speakerd.bgp.frame import MOST
from speakerd.bgp.rib import Rib
from tests.unit.bgp.golden import BOTH, frame, networks, octets

Network = IPv4Network | IPv6Network
INTERNAL = Negotiated(four_octet=True, families=BOTH, extended_next_hop=True, external=False)
HOPS = {IPV4: octets("c0000201"), IPV6: octets("20010db8000000000000000000000001")}


class Receiver:
    """Reads with the codec, prefixes octet by octet. `ended`: Ends-of-RIB in their order; `heard`: prefixes announced.

    `idle`: prefixes that were announced although the table had them just so, or withdrawn although it had none.
    `again`: those that are no idle talk for once, since the router asked for them.
    """

    def __init__(self, negotiated: Negotiated = INTERNAL) -> None:
        self._negotiated = negotiated
        self.table: dict[Network, tuple[Attributes, bytes]] = {}
        self.ended: list[Family] = []
        self.heard: list[Network] = []
        self.idle: list[Network] = []
        self.again: set[Network] = set()

    def read(self, messages: Iterable[bytes]) -> None:
        """Take in messages, each a whole one."""
        for each in messages:
            found = frame(each)
            assert found
            assert len(each) == 19 + len(found.body)
            self._update(update.decode(found.body, self._negotiated))

    def _update(self, said: update.Update) -> None:
        assert not said.flaws
        for routes in said.withdrawn:
            for network in networks(routes):
                if self.table.pop(network, None) is None:
                    self.idle.append(network)
                self.again.discard(network)
        for routes in said.announced:
            assert said.attributes
            for network in networks(routes):
                self._announced(network, (said.attributes, routes.next_hop))
        if said.end_of_rib:
            self.ended.append(said.end_of_rib)

    def _announced(self, network: Network, route: tuple[Attributes, bytes]) -> None:
        if self.table.get(network) == route and network not in self.again:
            self.idle.append(network)
        self.again.discard(network)
        self.table[network] = route
        self.heard.append(network)


def wish(rib: Rib, routes: Mapping[str, Attributes | None]) -> None:
    """Have these prefixes told, None: no longer."""
    for text, said in routes.items():
        network = ip_network(text)
        rib.change(family_of(network), {nlri.encode(network): said})


def some(rib: Rib) -> list[bytes]:
    """The next message, after as many slices as it takes; of a core that has one."""
    while not (messages := rib.take(MOST)):
        assert rib.pending
    return messages


def everything(rib: Rib) -> list[bytes]:
    """All that is pending, in as many slices as it takes."""
    messages = []
    while rib.pending:
        messages += rib.take(PLENTY)
    return messages


def table(
    routes: Mapping[str, Attributes], hops: Mapping[Family, bytes] = HOPS
) -> dict[Network, tuple[Attributes, bytes]]:
    """What a router's table is to be where all of these are told."""
    return {net: (said, hops[family_of(net)]) for text, said in routes.items() for net in [ip_network(text)]}


def family_of(network: Network) -> Family:
    """The family that a prefix is of."""
    return IPV4 if network.version == 4 else IPV6


def hosts(count: int) -> dict[bytes, Attributes]:
    """As many host routes of IPv4, all said the same of."""
    said = Attributes(local_pref=100)
    return {bytes((32, 10)) + i.to_bytes(3): said for i in range(count)}


PLENTY = 1000 * MOST


ONE, OTHER = Attributes(local_pref=100), Attributes(local_pref=200, communities=(0xFDE80064,))
A, B, C, SIX = "192.0.2.1/32", "192.0.2.2/32", "198.51.100.0/24", "2001:db8::1/128"
ALL = {A: ONE, B: ONE, C: OTHER, SIX: ONE}
END = update.end_of_rib(IPV4)


def opened(rib: Rib, longest: int = MOST) -> Rib:
    rib.up(INTERNAL, BOTH, HOPS, longest)
    return rib


def told(routes: dict[str, Attributes]) -> tuple[Rib, Receiver]:
    """A session whose peer was told all of these."""
    rib, peer = opened(Rib()), Receiver()
    wish(rib, routes)
    peer.read(everything(rib))
    peer.heard.clear()
    peer.ended.clear()
    return rib, peer
