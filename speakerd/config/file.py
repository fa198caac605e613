"""What the settings file says of the cluster -> the same resources the API holds; pure."""

from collections.abc import Iterator

from speakerd.config.addresses import items
from speakerd.config.resources import (
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    L2AdvertisementSpec,
    Metadata,
    Resources,
)
from speakerd.settings import FileL2Advertisement, FilePool, Settings

SHORTHAND = "default"
"""Name of the pool and of the advertisement that `iprange` stands for."""


def resources(settings: Settings) -> Resources:
    """`iprange`, `addressPools` and `l2Advertisements` as objects; they have no namespace."""
    return Resources(
        pools=(*_shorthand_pool(settings), *map(_pool, settings.address_pools)),
        advertisements=(*_shorthand_advertisement(settings), *map(_advertisement, settings.l2_advertisements)),
        places=dict(_places(settings)),
    )


def _shorthand_pool(settings: Settings) -> Iterator[IPAddressPool]:
    if entries := items(settings.iprange):
        yield IPAddressPool(Metadata(name=SHORTHAND), IPAddressPoolSpec(addresses=entries))


def _shorthand_advertisement(settings: Settings) -> Iterator[L2Advertisement]:
    if settings.iprange.strip():
        yield L2Advertisement(Metadata(name=SHORTHAND), L2AdvertisementSpec(ip_address_pools=(SHORTHAND,)))


def _pool(entry: FilePool) -> IPAddressPool:
    spec = {name: getattr(entry, name) for name in IPAddressPoolSpec.__struct_fields__}
    return IPAddressPool(Metadata(name=entry.name, labels=entry.labels), IPAddressPoolSpec(**spec))


def _advertisement(entry: FileL2Advertisement) -> L2Advertisement:
    spec = {name: getattr(entry, name) for name in L2AdvertisementSpec.__struct_fields__}
    return L2Advertisement(Metadata(name=entry.name), L2AdvertisementSpec(**spec))


def _places(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.iprange.strip():
        yield f"IPAddressPool/{SHORTHAND}", "iprange"
        yield f"L2Advertisement/{SHORTHAND}", "iprange"
    for pool in settings.address_pools:
        yield f"IPAddressPool/{pool.name}", pool.origin
    for advertisement in settings.l2_advertisements:
        yield f"L2Advertisement/{advertisement.name}", advertisement.origin
