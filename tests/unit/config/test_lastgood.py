"""A change for the worse changes nothing, and is told; all else goes on changing."""

from typing import Any

from msgspec.structs import replace

from speakerd.config.lastgood import Good, in_force, resolved
from speakerd.config.resources import (
    BGPPeer,
    BGPPeerSpec,
    IPAddressPool,
    IPAddressPoolSpec,
    L2Advertisement,
    Metadata,
    Resources,
)
from speakerd.config.sides import NOTHING
from speakerd.model import Config

ALL = L2Advertisement(Metadata("all", "ns"))


def pool(name: str, *addresses: str, version: int = 1) -> IPAddressPool:
    return IPAddressPool(Metadata(name, "ns", resource_version=str(version)), IPAddressPoolSpec(addresses))


def seen(*pools: IPAddressPool, good: Good, **more: Any) -> tuple[Config, Good]:  # noqa: ANN401  fields
    """What is in force, with the problems of what was given."""
    cluster = Resources(pools, (ALL,), **more)
    counts, good = in_force(cluster, NOTHING, good)
    return resolved(counts, cluster, NOTHING, None), good


def sizes(found: Config) -> dict[str, int]:
    return {each.name: each.size(4) for each in found.pools}


def errors(found: Config) -> list[str]:
    return [each.object for each in found.problems if each.severity == "error"]


def test_the_last_good_version_stays_in_force_and_all_else_changes() -> None:
    _, good = seen(pool("a", "10.0.0.0/24"), pool("b", "10.1.0.0/24"), good={})
    found, good = seen(pool("a", "10.0.0.0/30", "oops", version=2), pool("b", "10.1.0.0/25", version=2), good=good)
    assert sizes(found) == {"a": 256, "b": 128}
    assert errors(found) == ["IPAddressPool/ns/a"]
    found, good = seen(pool("a", "10.0.0.0/30", "still", version=3), pool("b", "10.1.0.0/25", version=2), good=good)
    assert sizes(found)["a"] == 256
    found, good = seen(pool("a", "10.0.0.0/30", version=4), good=good)
    assert (sizes(found), errors(found)) == ({"a": 4}, [])


def test_one_that_was_never_good_keeps_what_can_be_kept() -> None:
    found, good = seen(pool("a", "10.0.0.0/30", "oops"), good={})
    assert (sizes(found), errors(found)) == ({"a": 4}, ["IPAddressPool/ns/a"])
    assert not any(name.endswith("/a") for name in good)


def test_one_that_is_deleted_is_gone_also_as_it_was_good() -> None:
    _, good = seen(pool("a", "10.0.0.0/24"), good={})
    _, good = seen(good=good)
    found, _ = seen(pool("a", "oops", version=2), good=good)
    assert sizes(found) == {"a": 0}


def test_a_pool_that_grows_over_another_stays_as_it_was() -> None:
    _, good = seen(pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24"), good={})
    found, _ = seen(pool("a", "10.0.0.0/24"), pool("b", "10.0.0.128-10.0.3.255", version=2), good=good)
    assert sizes(found) == {"a": 256, "b": 256}
    assert errors(found) == ["IPAddressPool/ns/b"]


def test_a_session_is_not_lost_by_a_slip_in_its_peer() -> None:
    spec = BGPPeerSpec(my_asn=1, peer_asn=2, peer_address="192.0.2.1")
    peer = BGPPeer(Metadata("tor", "ns"), spec)
    _, good = seen(good={}, peers=(peer,))
    found, _ = seen(good=good, peers=(replace(peer, spec=replace(spec, hold_time="1s")),))
    assert [each.address for each in found.routing.peers] == ["192.0.2.1"]
    assert errors(found) == ["BGPPeer/ns/tor"]
