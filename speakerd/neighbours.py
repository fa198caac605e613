"""With whom this node has BGP sessions, and what it calls itself there; what stays the same stays one object; pure."""

from hashlib import sha256
from ipaddress import IPv4Address

from msgspec.structs import replace

from speakerd.annotations import addresses
from speakerd.decision import Snapshot
from speakerd.model import Node
from speakerd.peering import BgpSettings, Neighbour


class Neighbours:
    """What one turn leaves for the next; handed over, never shared. `value`: by name; `settings` with the router ID."""

    def __init__(self) -> None:
        self.value: tuple[Neighbour, ...] = ()
        self.settings = BgpSettings()
        self._seen: tuple[object, ...] = ()

    def turn(self, snapshot: Snapshot) -> None:
        """Bring both up to date."""
        node = snapshot.nodes.get(snapshot.me, Node(snapshot.me))
        seen = (snapshot.config.routing, snapshot.passwords, snapshot.announce, snapshot.bgp, node)
        if len(self._seen) == len(seen) and all(new is old for new, old in zip(seen, self._seen, strict=True)):
            return
        self._seen = seen
        value = neighbours(snapshot)
        if value != self.value:
            known = {each.peer.name: each for each in self.value}
            self.value = tuple(known[e.peer.name] if known.get(e.peer.name) == e else e for e in value)
        settings = snapshot.bgp
        if not settings.router_id and value:
            settings = replace(settings, router_id=router_id(node))
        if settings != self.settings:
            self.settings = settings


def neighbours(snapshot: Snapshot) -> tuple[Neighbour, ...]:
    """The peers that select this node; one whose password is not known gets no session rather than one without."""
    if not snapshot.announce:
        return ()
    routing = snapshot.config.routing
    profiles = {each.name: each for each in routing.bfd_profiles}
    return tuple(
        Neighbour(each, snapshot.passwords.get(each.name), profiles.get(each.bfd))
        for each in routing.peers
        if (each.nodes is None or snapshot.me in each.nodes) and (not each.secret or each.name in snapshot.passwords)
    )


def router_id(node: Node) -> str:
    """What a node is called where nothing else is said: its first IPv4 address, or four octets of its name.

    They need not be an address, only differ from others' of the AS, and from 0 (RFC 6286 section 2.1).
    """
    own = (ip for ip in addresses(node.addresses) if isinstance(ip, IPv4Address) and int(ip))
    return str(next(own, None) or IPv4Address(int.from_bytes(sha256(node.name.encode()).digest()[:4], "big") or 1))
