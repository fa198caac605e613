"""An object that was changed for the worse stays in force as it was when it was good; pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from speakerd.config.origin import Labels
from speakerd.config.resolve import resolve
from speakerd.config.resources import Resources
from speakerd.config.sides import identity
from speakerd.model import Config

KINDS: Mapping[str, str] = {
    "pools": "IPAddressPool",
    "advertisements": "L2Advertisement",
    "peers": "BGPPeer",
    "routes": "BGPAdvertisement",
    "bfd_profiles": "BFDProfile",
    "communities": "Community",
}
"""Field of Resources -> kind."""
Good = Mapping[str, Any]
"""The last version of each of the cluster's objects that had no fault, by Kind/namespace/name."""


def in_force(cluster: Resources, file: Resources, good: Good) -> tuple[Resources, Good]:
    """The cluster's objects as they count, and what is good for the next time."""
    found = resolve(cluster, file)
    faulty = {each.object for each in found.problems if each.severity == "error"}
    now = {name: each for name, each in _every(cluster) if name not in faulty}
    kept = {name: good[name] for name, each in _every(cluster) if name in faulty and good.get(name, each) is not each}
    return (_with(cluster, kept), now | kept) if kept else (cluster, now)


def resolved(counts: Resources, given: Resources, file: Resources, nodes: Labels | None) -> Config:
    """What the objects in force come to, with the problems of those that were given."""
    found = resolve(counts, file, nodes)
    return found if counts is given else replace(found, problems=resolve(given, file, nodes).problems)


def _every(cluster: Resources) -> Iterator[tuple[str, Any]]:
    for field, kind in KINDS.items():
        for each in getattr(cluster, field):
            yield identity(kind, each), each


def _with(cluster: Resources, kept: Good) -> Resources:
    """The objects, those `kept` in place of what they are now."""
    fields = {
        field: tuple(kept.get(identity(kind, each), each) for each in getattr(cluster, field))
        for field, kind in KINDS.items()
    }
    return replace(cluster, **fields)
