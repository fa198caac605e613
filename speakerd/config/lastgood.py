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


def settled(cluster: Resources, file: Resources, nodes: Labels | None, good: Good) -> tuple[Config, Good]:
    """The configuration, and what is good for the next time; problems are those of the objects as they are now."""
    found = resolve(cluster, file, nodes)
    faulty = {each.object for each in found.problems if each.severity == "error"}
    now = {name: each for name, each in _every(cluster) if name not in faulty}
    kept = {name: good[name] for name, each in _every(cluster) if name in faulty and good.get(name, each) is not each}
    if not kept:
        return found, now
    before = resolve(_with(cluster, kept), file, nodes)
    return replace(before, problems=found.problems), now | kept


def _every(cluster: Resources) -> Iterator[tuple[str, Any]]:
    for field, kind in KINDS.items():
        for each in getattr(cluster, field):
            yield identity(kind, each), each


def _with(cluster: Resources, kept: Good) -> Resources:
    """The objects, those `kept` in place of what they are now."""
    return replace(
        cluster,
        **{
            field: tuple(kept.get(identity(kind, each), each) for each in getattr(cluster, field))
            for field, kind in KINDS.items()
        },
    )
