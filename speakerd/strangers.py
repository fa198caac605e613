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
        if _given_up(held, services) and all(_movable(ref, ledger) and has_another(ref.key) for ref in held.services):
            yield held, mac


def _marks(ledger: Ledger) -> Mapping[IP, str]:
    """The addresses set aside, and who has them."""
    return {ip: each.stranger for ip, each in ledger.items() if each.stranger}


def _movable(ref: ServiceRef, ledger: Ledger) -> bool:
    """Whether a Service may be given another address once more."""
    return sum(ref in ledger[ip].services for ip in _marks(ledger)) < MOST


def _given_up(held: Reservation, services: Mapping[str, Service]) -> bool:
    """Whether all that have the address are ours and show it, and none asked for that very one."""
    found = [service for ref in held.services if (service := services.get(ref.key)) and service.uid == ref.uid]
    ready = all(each.ours and held.ip in each.ips and not each.request.ips for each in found)
    return bool(found) and len(found) == len(held.services) and ready
