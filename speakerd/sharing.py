"""Where a Service may join others: the places that Services of its key and backend have, by the ports in use there."""

from collections import Counter, defaultdict

from msgspec import Struct

from speakerd.model import Sharing

Port = tuple[str, int]
"""Protocol and port number."""


class Group(Struct):
    """How many Services of one key and backend have each place, and each place with a port."""

    places: Counter[int]
    busy: defaultdict[Port, Counter[int]]


class Shared:
    """The places of all Services that share; what enters by some terms leaves by the same."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}

    def enter(self, at: int, sharing: Sharing) -> None:
        """A Service has a place."""
        group = self._groups.get(sharing.group)
        if group is None:
            group = self._groups[sharing.group] = Group(Counter(), defaultdict(Counter))
        for held in (group.places, *(group.busy[port] for port in sharing.ports)):
            held[at] += 1

    def leave(self, at: int, sharing: Sharing) -> None:
        """It has it no longer."""
        group = self._groups[sharing.group]
        _strike(group.places, at)
        for port in sharing.ports:
            _strike(group.busy[port], at)
            if not group.busy[port]:
                del group.busy[port]
        if not group.places:
            del self._groups[sharing.group]

    def open(self, sharing: Sharing) -> list[int]:
        """The places of its group at which none of its ports is in use, the lowest first."""
        group = self._groups.get(sharing.group)
        busy = [group.busy.get(port, Counter[int]()) for port in sharing.ports] if group else []
        if group is None or any(len(each) == len(group.places) for each in busy):
            return []
        return sorted(set(group.places).difference(*busy))


def _strike(held: Counter[int], at: int) -> None:
    held[at] -= 1
    if not held[at]:
        del held[at]
