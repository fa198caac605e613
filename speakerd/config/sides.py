"""The cluster's objects and the settings file's as one set, each with its origin; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from speakerd.config.origin import Labels, Origin
from speakerd.config.resources import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    IPAddressPool,
    L2Advertisement,
    Resources,
)
from speakerd.model import Pool, Problem

NOTHING = Resources()
Kind = TypeVar("Kind", IPAddressPool, L2Advertisement, BGPPeer, BGPAdvertisement, BFDProfile, Community)


class Given(Struct, frozen=True):
    """The BGP objects, each with its origin."""

    peers: Sequence[tuple[Origin, BGPPeer]]
    routes: Sequence[tuple[Origin, BGPAdvertisement]]
    profiles: Sequence[tuple[Origin, BFDProfile]]
    communities: Sequence[tuple[Origin, Community]]


class Ground(Struct, frozen=True):
    """What they refer to: pools, their labels and the Nodes' by name; None: no Node is known.

    `secrets`: why each that is known holds no password, "" where it does.
    """

    pools: Sequence[Pool]
    pool_labels: Labels
    node_labels: Labels | None
    secrets: Mapping[str, str] = {}


def given(cluster: Resources, file: Resources, problems: list[Problem]) -> Given:
    """The BGP objects of both sides."""
    places = file.places
    return Given(
        peers=every("BGPPeer", cluster.peers, file.peers, places, problems),
        routes=every("BGPAdvertisement", cluster.routes, file.routes, places, problems),
        profiles=every("BFDProfile", cluster.bfd_profiles, file.bfd_profiles, places, problems),
        communities=every("Community", cluster.communities, file.communities, places, problems),
    )


def every(
    kind: str, cluster: Iterable[Kind], file: Iterable[Kind], places: Mapping[str, str], problems: list[Problem]
) -> list[tuple[Origin, Kind]]:
    """The cluster's objects, oldest first, then the file's, each with its origin; a name counts once."""
    by_age = sorted(cluster, key=lambda each: (each.metadata.creation_timestamp, each.metadata.name))
    found = {each.metadata.name: (Origin(identity(kind, each), "spec."), each) for each in by_age}
    for each in file:
        name = each.metadata.name
        origin = Origin(places.get(f"{kind}/{name}", "settings"))
        if name in found:
            what = f"{kind} {name} is also {found[name][0].name}, which counts"
            problems.append(origin.error("name", "duplicate-name", what, "rename or remove one of them"))
        else:
            found[name] = (origin, each)
    return list(found.values())


def identity(kind: str, each: Kind) -> str:
    """What problems call an object of the cluster."""
    return "/".join(filter(None, (kind, each.metadata.namespace, each.metadata.name)))
