"""The prefixes this node announces by BGP, brought up to date by what changed; rows that stay the same stay one object.

Whether the node is drained does not matter here: that is said to routers, of all prefixes at once.
"""

from collections.abc import Iterable, Mapping

from speakerd import advertise
from speakerd.aggregates import Aggregates, Holder
from speakerd.decision import Snapshot
from speakerd.difference import Difference, Draft, difference, put_or_drop
from speakerd.holders import Holders
from speakerd.model import IP, Config, Endpoints, Node, Reason, Service, packed
from speakerd.peering import Prefix
from speakerd.routes import Routes, Told


class Prefixes:
    """What one turn leaves for the next; handed over, never shared.

    `rows` by their keys. `refused`: why this node announces an address by no prefix, per (Service key, address);
    `routed`: the keys of the prefixes by which it announces one. All are empty where there is no BGPAdvertisement.
    """

    def __init__(self) -> None:
        self.rows: Mapping[bytes, Prefix] = {}
        self.refused: Mapping[Holder, Reason] = {}
        self.routed: Mapping[Holder, tuple[bytes, ...]] = {}
        self._rows: Draft[bytes, Prefix] = Draft()
        self._refused: Draft[Holder, Reason] = Draft()
        self._routed: Draft[Holder, tuple[bytes, ...]] = Draft()
        self._holders = Holders()
        self._aggregates = Aggregates()
        self._active = False
        self._config = Config()
        self._nodes: Mapping[str, Node] = {}
        self._endpoints: Mapping[str, Endpoints] = {}
        self._routes = Routes(self._config, self._nodes)

    def turn(self, snapshot: Snapshot, services: Difference[str, Service]) -> None:
        """Take what changed since the last turn (`services`: what of the Services) and bring everything up to date."""
        before, self._endpoints = self._endpoints, snapshot.endpoints
        anew = self._conditions(snapshot)
        if not (self._active or anew):
            return
        concerned = {*services, *(snapshot.services if anew else self._moved(before))}
        touched = {ip for key in concerned for ip in self._list(key, snapshot)}
        for ip in touched:
            self._show(ip, snapshot)
        changed, holders = self._aggregates.turn(lambda key: advertise.age(snapshot.services[key]))
        for key, prefix in changed.items():
            put_or_drop(self._rows, key, prefix)
        for holder in holders:
            self._note(holder)
        self.rows, self.refused, self.routed = self._rows.publish(), self._refused.publish(), self._routed.publish()

    def _conditions(self, snapshot: Snapshot) -> bool:
        """Whether what concerns every address has changed."""
        active = snapshot.announce and bool(snapshot.config.routing.routes)
        changed, self._active = active != self._active, active
        if snapshot.config is self._config and snapshot.nodes is self._nodes:
            return changed
        pools, before = self._config.pools != snapshot.config.pools, self._routes
        self._config, self._nodes = snapshot.config, snapshot.nodes
        self._routes = Routes(self._config, self._nodes)
        return not self._routes.agrees(before) or pools or changed

    def _moved(self, before: Mapping[str, Endpoints]) -> Iterable[str]:
        """The Services with an address whose endpoints have changed."""
        return [key for key in difference(before, self._endpoints) if key in self._holders]

    def _list(self, key: str, snapshot: Snapshot) -> Iterable[IP]:
        """Note which addresses a Service has now; these, and of those it had before such as others may have still."""
        before, now = self._holders.note(key, snapshot.services.get(key) if self._active else None)
        for ip in before:
            if ip not in now:
                self._aggregates.give((key, ip), ())
                self._refused.drop((key, ip))
        return {*before, *now}

    def _show(self, ip: IP, snapshot: Snapshot) -> None:
        """Note what this node says of one address for each of the Services that have it, or why nothing."""
        holders = [snapshot.services[key] for key in self._holders.of(ip)]
        sharing = advertise.sharing(sorted(holders, key=advertise.age)) if len(holders) > 1 else holders
        for each in holders:
            holder = each.key, ip
            match self._own(each, ip, snapshot) if each in sharing else Reason.ADDRESS_HELD:
                case Reason() as reason:
                    self._aggregates.give(holder, ())
                    self._refused.put(holder, reason)
                case told:
                    self._aggregates.give(holder, [(_prefix(ip, length), said) for length, said in told])

    def _own(self, service: Service, ip: IP, snapshot: Snapshot) -> Told | Reason:
        endpoints = snapshot.endpoints.get(service.key, advertise.NOWHERE)
        return self._routes.told(snapshot.me, service, ip, endpoints)

    def _note(self, holder: Holder) -> None:
        """Write down by which prefixes an address is announced; that others say otherwise of them all is a reason."""
        given, lost = self._aggregates.of(holder)
        put_or_drop(self._routed, holder, tuple(key for key in given if key not in lost) or None)
        if given:
            contradicted = Reason.CONFLICTING_ADVERTISEMENTS if len(lost) == len(given) else None
            put_or_drop(self._refused, holder, contradicted)


def _prefix(ip: IP, length: int) -> bytes:
    """The key of the prefix of a length that an address is in: version, then length and octets as UPDATE has them."""
    cut = ip.max_prefixlen - length
    whole = (int(ip) >> cut << cut).to_bytes(len(packed(ip)), "big")
    return bytes((ip.version, length)) + whole[: (length + 7) >> 3]
