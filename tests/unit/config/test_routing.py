"""BGP objects come to routes and peers; what is wrong with one costs the others nothing."""

from typing import Any

import pytest

from speakerd.config.resolve import resolve
from speakerd.config.resources import (
    BGPAdvertisement,
    BGPAdvertisementSpec,
    BGPPeer,
    BGPPeerSpec,
    IPAddressPool,
    IPAddressPoolSpec,
    Metadata,
    Resources,
)
from speakerd.model import Config
from speakerd.peering import Peer


def pool(name: str, *addresses: str) -> IPAddressPool:
    return IPAddressPool(Metadata(name, "ns"), IPAddressPoolSpec(addresses))


def route(name: str, **spec: Any) -> BGPAdvertisement:  # noqa: ANN401  fields
    return BGPAdvertisement(Metadata(name, "ns"), BGPAdvertisementSpec(**spec))


def resolved(*routes: BGPAdvertisement, pools: tuple[IPAddressPool, ...]) -> Config:
    return resolve(Resources(pools, routes=routes), nodes={"a": {}})


def covered(found: Config) -> dict[str, list[str]]:
    """The pools that each route announces."""
    return {each.name: [pool.name for pool in found.pools if each.covers(pool.name)] for each in found.routing.routes}


@pytest.mark.parametrize("names", [(), ("wide", "narrow")])
def test_a_pool_that_is_too_narrow_for_an_advertisement_costs_the_other_pools_nothing(names: tuple[str, ...]) -> None:
    wide, narrow = pool("wide", "10.0.0.0/16"), pool("narrow", "10.9.0.0/28")
    found = resolved(route("bgp", ip_address_pools=names, aggregation_length=24), pools=(wide, narrow))
    assert covered(found) == {"bgp": ["wide"]}
    assert [each.reason for each in found.problems if each.severity == "error"] == ["aggregation-too-short"]


def test_timers_are_whole_seconds_and_keepalive_alone_means_three_times_as_much_hold() -> None:
    def timers(**spec: Any) -> tuple[int | None, int | None]:  # noqa: ANN401  fields
        made = BGPPeer(Metadata("p", "ns"), BGPPeerSpec(my_asn=1, peer_asn=2, peer_address="192.0.2.1", **spec))
        (found,) = resolve(Resources(peers=(made,))).routing.peers
        return found.hold_time, found.keepalive_time

    assert timers() == (None, None)
    assert timers(hold_time="1m30.9s") == (90, None)
    assert timers(hold_time="0.9s") == (0, None)
    assert timers(keepalive_time="20s") == (60, 20)


def test_a_peer_without_its_bfd_profile_does_without_and_never_shows_its_password() -> None:
    secret = BGPPeerSpec(my_asn=1, peer_asn=2, peer_address="192.0.2.1", password="hunter2", bfd_profile="later")
    found = resolve(Resources(peers=(BGPPeer(Metadata("p", "ns"), secret),)))
    assert found.routing.peers == (Peer("p", 1, 2, address="192.0.2.1", origin="BGPPeer/ns/p"),)
    assert "hunter2" not in repr(found) + repr(secret)
    assert [each.reason for each in found.problems] == ["unknown-bfd-profile"]


def test_an_advertisement_warns_while_there_is_nobody_to_tell() -> None:
    tor = BGPPeer(Metadata("p", "ns"), BGPPeerSpec(my_asn=1, peer_asn=2, peer_address="192.0.2.1"))
    alone, told = (resolve(Resources(peers=peers, routes=(route("bgp"),))) for peers in ((), (tor,)))
    assert [(each.reason, each.severity) for each in alone.problems] == [("no-peer", "warning")]
    assert told.problems == ()


@pytest.mark.parametrize(("octets", "told"), [(80, []), (81, ["out-of-range"])])
def test_a_password_that_the_kernel_would_not_take_is_told_and_not_shown(octets: int, told: list[str]) -> None:
    spec = BGPPeerSpec(
        my_asn=1, peer_asn=2, peer_address="192.0.2.1", password="\u00e9" * (octets // 2) + "x" * (octets % 2)
    )
    found = resolve(Resources(peers=(BGPPeer(Metadata("p", "ns"), spec),)))
    assert [each.reason for each in found.problems] == told
    assert "\u00e9" not in repr(found)


def test_a_password_does_not_help_to_tell_digests_apart() -> None:
    def digest(password: str) -> str:
        spec = BGPPeerSpec(my_asn=1, peer_asn=2, peer_address="192.0.2.1", password=password)
        return resolve(Resources(peers=(BGPPeer(Metadata("p", "ns"), spec),))).digest

    assert digest("a") == digest("b") != digest("")
