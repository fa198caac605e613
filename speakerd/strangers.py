"""Addresses just given that some host has already: which are set aside, so that their Services are given others; pure.

An address that anybody of ours answered for, or that a status named before we came, is never taken from its Service.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from speakerd.model import IP, Reservation, Service, ServiceRef
from speakerd.occupancy import Ledger

MOST = 3
"""Times that a Service is given another address: who meets so many strangers has a pool that is not his."""


def set_aside(
    strangers: Mapping[IP, str], services: Mapping[str, Service], ledger: Ledger, has_another: Callable[[str], bool]
) -> Iterator[tuple[Reservation, str]]:
    """The Leases to be marked, each with the stranger's MAC; `has_another`: there is an address to give instead.

    A MAC that has two of our addresses of one family is told as a proxy, and would have the next one as well.
    """
    has = Counter((mac, ip.version) for ip, mac in ({**_marks(ledger), **strangers} if strangers else {}).items())
    for ip, mac in strangers.items():
        held = ledger.get(ip)
        if held is None or held.stranger or not held.given or has[mac, ip.version] > 1:
            continue
        ref = _holder(held, services)
        if ref and _times(ref, ledger) < MOST and has_another(ref.key):
            yield held, mac


def _marks(ledger: Ledger) -> Mapping[IP, str]:
    """The addresses set aside, and who has them."""
    return {ip: each.stranger for ip, each in ledger.items() if each.stranger}


def _times(ref: ServiceRef, ledger: Ledger) -> int:
    return sum(ref in ledger[ip].services for ip in _marks(ledger))


def _holder(held: Reservation, services: Mapping[str, Service]) -> ServiceRef | None:
    """The one Service of ours that shows the address, unless it asked for that very one."""
    if len(held.services) != 1:
        return None
    (ref,) = held.services
    service = services.get(ref.key)
    if service is None or service.uid != ref.uid or not service.ours:
        return None
    return ref if held.ip in service.ips and not service.request.ips else None
