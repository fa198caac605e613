"""What the settings file says of the cluster -> the same resources the API holds; pure."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from msgspec import Struct

from speakerd.config.addresses import items
from speakerd.config.resources import (
    MED,
    PREPEND,
    BFDProfile,
    BFDProfileSpec,
    BGPAdvertisement,
    BGPAdvertisementSpec,
    BGPPeer,
    BGPPeerSpec,
    Community,
    CommunitySpec,
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    Metadata,
    Resources,
)
from speakerd.settings import FileBGPAdvertisement, FilePool, Settings

SHORTHAND = "default"
"""Name of the pool and of the advertisement that `iprange` stands for."""
Spec = TypeVar("Spec", bound=Struct)


def resources(settings: Settings) -> Resources:
    """`iprange` and all entries as objects; they have no namespace."""
    return Resources(
        pools=(*_shorthand_pool(settings), *map(_pool, settings.address_pools)),
        advertisements=(
            *_shorthand_advertisement(settings),
            *(L2Advertisement(_named(e.name), _spec(e, L2AdvertisementSpec)) for e in settings.l2_advertisements),
        ),
        peers=tuple(BGPPeer(_named(each.name), _spec(each, BGPPeerSpec)) for each in settings.bgp_peers),
        routes=tuple(
            BGPAdvertisement(Metadata(each.name, annotations=_annotations(each)), _spec(each, BGPAdvertisementSpec))
            for each in settings.bgp_advertisements
        ),
        bfd_profiles=tuple(BFDProfile(_named(e.name), _spec(e, BFDProfileSpec)) for e in settings.bfd_profiles),
        communities=tuple(Community(_named(each.name), _spec(each, CommunitySpec)) for each in settings.communities),
        places=dict(_places(settings)),
    )


def _shorthand_pool(settings: Settings) -> Iterator[IPAddressPool]:
    if entries := items(settings.iprange):
        yield IPAddressPool(_named(SHORTHAND), IPAddressPoolSpec(addresses=entries))


def _shorthand_advertisement(settings: Settings) -> Iterator[L2Advertisement]:
    if settings.iprange.strip():
        yield L2Advertisement(_named(SHORTHAND), L2AdvertisementSpec(ip_address_pools=(SHORTHAND,)))


def _pool(entry: FilePool) -> IPAddressPool:
    return IPAddressPool(Metadata(name=entry.name, labels=entry.labels), _spec(entry, IPAddressPoolSpec))


def _named(name: str) -> Metadata:
    return Metadata(name=name)


def _annotations(entry: FileBGPAdvertisement) -> dict[str, str]:
    """What the spec has no field for, as an object of the cluster says it."""
    prepend = {PREPEND: str(entry.as_path_prepend)} if entry.as_path_prepend else {}
    return prepend if entry.med is None else {**prepend, MED: str(entry.med)}


def _spec(entry: Spec, kind: type[Spec]) -> Spec:
    """The entry without what it has besides: name, labels, place."""
    return kind(**{name: getattr(entry, name) for name in kind.__struct_fields__})


def _places(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.iprange.strip():
        yield f"IPAddressPool/{SHORTHAND}", "iprange"
        yield f"L2Advertisement/{SHORTHAND}", "iprange"
    for kind, entries in _entries(settings):
        for name, origin in entries:
            yield f"{kind}/{name}", origin


def _entries(settings: Settings) -> Iterator[tuple[str, Iterable[tuple[str, str]]]]:
    """Name and place of each entry, by kind."""
    yield "IPAddressPool", ((each.name, each.origin) for each in settings.address_pools)
    yield "L2Advertisement", ((each.name, each.origin) for each in settings.l2_advertisements)
    yield "BGPPeer", ((each.name, each.origin) for each in settings.bgp_peers)
    yield "BGPAdvertisement", ((each.name, each.origin) for each in settings.bgp_advertisements)
    yield "BFDProfile", ((each.name, each.origin) for each in settings.bfd_profiles)
    yield "Community", ((each.name, each.origin) for each in settings.communities)
