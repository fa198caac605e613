"""The API server goes, comes back, and has forgotten: VIPs are answered throughout, and what changed is caught up."""

import pytest

from tests.kube.controlplane import ControlPlane
from tests.lab import objects
from tests.lab.cluster import Cluster
from tests.lab.frames import Watch
from tests.lab.net import Lan
from tests.lab.steps import answering, given, owner, publish
from tests.lab.waiting import eventually, throughout

pytestmark = [pytest.mark.kube, pytest.mark.timeout(300)]

OUTAGE = 60.0
CATCH_UP = 40.0
"""Seconds until the agents are back after an outage: their back-off, and the server's own start."""
SILENCE = 0.5
"""Seconds a VIP may be without an answer here: nothing moves, so a busy machine's hiccup at most."""


def published(cluster: Cluster, lan: Lan, *names: str) -> dict[str, str]:
    """New Services with pods everywhere, and the address of each, which is answered."""
    for name in names:
        publish(cluster, name, lan.nodes)
    found = {name: given(cluster, name, CATCH_UP)[0] for name in names}
    for address in found.values():
        owner(lan, address, CATCH_UP)
    return found


def test_vips_are_answered_during_a_minute_without_api_server_and_changes_are_caught_up(
    cluster: Cluster, plane: ControlPlane, lan: Lan
) -> None:
    held = published(cluster, lan, "stays", "goes")
    owners = {address: owner(lan, address) for address in held.values()}
    with Watch(lan.onlooker, ask=held.values(), interval=0.02) as watch:
        with plane.outage() as second:
            second.delete("Service", "goes")
            publish(second, "comes", lan.nodes)
            throughout(lambda: not second.addresses("comes"), "the agents cannot see it", OUTAGE)
            assert {address: owner(lan, address) for address in held.values()} == owners
            silences = [watch.silence(address) for address in held.values()]
        (new,) = given(cluster, "comes", CATCH_UP)
        owner(lan, new, CATCH_UP)
        if new != held["goes"]:
            eventually(lambda: not answering(lan, held["goes"]), "what was deleted is answered no more", CATCH_UP)
        silences.append(watch.silence(held["stays"]))
    assert max(silences) < SILENCE
    assert cluster.addresses("stays") == [held["stays"]]


def test_after_a_restart_without_history_every_address_is_kept_and_new_ones_are_given(
    cluster: Cluster, plane: ControlPlane, lan: Lan
) -> None:
    held = published(cluster, lan, "one", "two")
    seen = cluster.request("GET", objects.path("Service") + "?limit=1")["metadata"]["resourceVersion"]
    with Watch(lan.onlooker, ask=held.values(), interval=0.02) as watch:
        plane.stop()
        plane.compact()
        plane.start()
        with cluster.watch("Service", resourceVersion=seen) as stream:
            first = next(iter(stream))
        assert (first["type"], first["object"]["code"]) == ("ERROR", 410)
        publish(cluster, "three", lan.nodes)
        (new,) = given(cluster, "three", CATCH_UP)
        owner(lan, new, CATCH_UP)
        assert max(watch.silence(address) for address in held.values()) < SILENCE
    assert new not in held.values()
    assert {name: cluster.addresses(name)[0] for name in held} == held
