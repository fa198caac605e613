"""`systemctl restart` keeps the routes of a router that was asked to keep them, `systemctl stop` withdraws them."""

import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.lab import objects
from tests.lab.bgp import OURS, THEIRS, bgp, remove
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Neighbour, Setup, missing
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually
from tests.package.machine import Machine

UNIT = "speakerd"


@pytest.fixture
def router(installed: Machine, lan: Lan, plane: Embedded) -> Iterator[Frr]:
    """A router that has a session with the machine."""
    if lacking := missing((Frr,)):
        pytest.skip(f"needed: {lacking}")
    installed.run("systemctl", "start", UNIT)
    setup = Setup(asn=THEIRS, router_id="192.0.2.1", neighbours=(Neighbour(address=installed.host.ipv4, asn=OURS),))
    with Frr(lan, lan.routers[0], setup) as made:
        plane.cluster.create(objects.pool("routed", "198.51.100.0/24"))
        plane.cluster.create(bgp("BGPAdvertisement", "routed", ipAddressPools=["routed"]))
        peer = {"myASN": OURS, "peerASN": THEIRS, "peerAddress": made.host.ipv4}
        plane.cluster.create(bgp("BGPPeer", "tor", enableGracefulRestart=True, **peer))
        made.wait_up(installed.host.ipv4)
        yield made
        print(installed.run("journalctl", "--unit", UNIT, "--no-pager")[-3000:])
    for kind in ("BGPPeer", "BGPAdvertisement"):
        remove(plane.cluster, kind)
    installed.run("systemctl", "start", UNIT)


@pytest.fixture
def prefix(router: Frr, lan: Lan, plane: Embedded) -> Iterator[str]:
    """What the router has learnt of a Service."""
    publish(plane.cluster, "routed", lan.nodes[:1], pool="routed")
    (address,) = given(plane.cluster, "routed", 20)
    router.wait_route(f"{address}/32")
    yield f"{address}/32"
    plane.cluster.delete("Service", "routed")
    plane.cluster.delete("EndpointSlice", "routed-ipv4")
    plane.cluster.delete("IPAddressPool", "routed", objects.METALLB)


def kept(router: Frr, prefix: str, until: Callable[[], object]) -> Callable[[], bool]:
    """Whether it has come to what is waited for; fails at the first look at which the router lacks `prefix`."""

    def looked() -> bool:
        done = bool(until())
        assert prefix in router.prefixes(), router.sessions()
        return done

    return looked


def test_a_restart_costs_no_route(installed: Machine, router: Frr, prefix: str) -> None:
    assert installed.show(UNIT, "RestartKillSignal") == str(signal.SIGUSR2.value)
    installed.run("systemctl", "restart", UNIT)
    back = partial(router.route, prefix)
    fresh = kept(router, prefix, lambda: not any(each.stale for each in back()))
    eventually(fresh, "it has told the route anew", 60)
    assert router.session(installed.host.ipv4).up
    assert installed.show(UNIT, "NRestarts") == "0"


def test_a_stop_withdraws_at_once(installed: Machine, router: Frr, prefix: str) -> None:
    installed.run("systemctl", "stop", "--no-block", UNIT)
    eventually(lambda: prefix not in router.prefixes(), "the route is gone", 2)
    eventually(lambda: installed.show(UNIT, "ActiveState") == "inactive", "it has ended", 3)
