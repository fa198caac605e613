"""By which terms a Service shares its addresses, as a word that a Lease can keep, and who has changed them since.

Of several that have one address and no longer agree, whoever has changed is moved: the objects do not say who that is,
the address' Lease does.
"""

from enum import IntEnum
from hashlib import blake2b

from msgspec import json

from speakerd.model import Holder, Reservation, Service, ServiceRef, Sharing

BYTES = 6
"""Of a digest: among the few that share an address two are alike once in 10^14."""


class Constancy(IntEnum):
    """Whether a Service has the terms still by which it has an address; in the order in which they keep it.

    One whose terms nobody wrote down may have changed them; the last one surely has.
    """

    KEPT = 0
    UNKNOWN = 1
    CHANGED = 2


def digest(sharing: Sharing | None) -> str:
    """The terms as 12 hexadecimal digits, the same on every host; "" for who shares with nobody."""
    if sharing is None:
        return ""
    text = json.encode([sharing.key, sharing.backend, sorted(sharing.ports)])
    return blake2b(text, digest_size=BYTES).hexdigest()


def holder(service: Service) -> Holder:
    """A Service as a Lease is to name it."""
    return Holder(ServiceRef(service.key, service.uid), digest(service.sharing))


def constancy(service: Service, reservation: Reservation | None) -> Constancy:
    """Whether `service` has changed its terms since it joined; without terms in the Lease that is not known."""
    recorded = reservation.recorded(ServiceRef(service.key, service.uid)) if reservation else ""
    if not recorded:
        return Constancy.UNKNOWN
    return Constancy.KEPT if recorded == digest(service.sharing) else Constancy.CHANGED
