"""The lab itself tells the truth: what it builds works, what it sees is there, and it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.lab.agents import ROOT
from tests.lab.frames import Watch, answers, decode, solicitation, who_has
from tests.lab.net import NAMESPACES, PREFIX, Host, Lan, inside, sweep, tool
from tests.lab.standin import Forward, forward, ruleset
from tests.lab.traffic import Probe, Protocol, ask
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

VIP4, VIP6 = "10.99.20.1", "fd99::6:1"


@pytest.mark.parametrize("address", ["10.99.0.11", "fd99::11"])
def test_an_address_of_a_host_is_answered_once_by_that_host(lan: Lan, address: str) -> None:
    assert [lan.who(each.mac) for each in answers(lan.client, address)] == ["n1"]


@pytest.mark.parametrize("address", ["10.99.30.1", "fd99::7:1", "10.98.1.2"])
def test_an_address_that_no_host_has_on_the_lan_is_not_answered(lan: Lan, address: str) -> None:
    assert answers(lan.client, address, 0.2) == []


def test_the_watch_hears_unasked_announcements_and_measures_silence(lan: Lan) -> None:
    node = lan.nodes[0]
    with Watch(lan.onlooker, ask=[node.ipv4]) as watch:
        lan.link(node, "down")
        time.sleep(0.2)
        lan.link(node, "up")
        with inside(node.namespace):
            # With arp_notify the kernel announces its addresses when the MAC is set, even to the same.
            tool("sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1")
            tool("ip", "link", "set", "eth0", "address", lan.mac(node))
        eventually(partial(watch.of, node.ipv4, "gratuitous"), "the kernel announces its address")
        eventually(lambda: watch.silence(node.ipv4) > 0.2, "the silence is noticed")
        assert watch.speakers(node.ipv4) == [lan.mac(node)]


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("vip", [VIP4, VIP6])
def test_the_stand_in_carries_a_vips_traffic_as_its_policy_says(lan: Lan, vip: str, protocol: Protocol) -> None:
    first, second, _ = lan.nodes
    with local(first, vip):
        forward(lan, [Forward(vip, 80, [second])])
        reply = ask(lan.client, vip, 80, protocol)
        assert reply
        assert reply.node == "n2"
        forward(lan, [Forward(vip, 80, [first, second], "Local")])
        reply = ask(lan.client, vip, 80, protocol)
        assert reply
        assert (reply.node, reply.seen) == ("n1", lan.client.ipv6 if ":" in vip else lan.client.ipv4)


@contextmanager
def local(host: Host, address: str) -> Iterator[None]:
    """The kernel of `host` has `address` for as long as the block lasts."""
    with inside(host.namespace):
        tool("ip", "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
    try:
        yield
    finally:
        with inside(host.namespace):
            tool("ip", "address", "del", f"{address}/{128 if ':' in address else 32}", "dev", "eth0")


def test_a_node_without_a_pod_forwards_nothing_under_local_policy() -> None:
    node, other = (Host(name, name, "", "", "10.98.1.2", "") for name in ("a", "b"))
    assert "dnat" not in ruleset(node, [Forward(VIP4, 80, [other], "Local")])


def test_the_probe_notes_a_silence(lan: Lan) -> None:
    node = lan.nodes[2]
    with Probe(lan.client, node.pod4, 8080, time.monotonic) as probe:
        lan_route = ["ip", "-n", lan.client.namespace, "route"]
        tool(*lan_route, "add", node.pod4, "via", node.ipv4)
        eventually(lambda: len(probe.answers) > 10, "answers come")
        lan.link(node, "down")
        time.sleep(0.2)
        lan.link(node, "up")
        before = len(probe.answers)
        eventually(lambda: len(probe.answers) > before, "answers come again")
        tool(*lan_route, "del", node.pod4)
    assert 0.2 < probe.silence < 2


def test_frames_that_ask_say_nothing_about_who_has_an_address() -> None:
    mac = bytes.fromhex("020000000001")
    assert decode(who_has(mac, "10.0.0.1", "10.0.0.2")) is None
    assert decode(solicitation(mac, "fe80::1", "fe80::2")) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_told_to_end_leaves_nothing(number: signal.Signals) -> None:
    process, prefix = _run()
    process.send_signal(number)
    process.communicate(timeout=20)
    assert list(NAMESPACES.glob(f"{prefix}*")) == []


def test_what_a_killed_run_left_is_swept_and_its_processes_are_gone() -> None:
    process, prefix = _run()
    process.kill()
    process.communicate(timeout=20)
    sweep()
    assert list(NAMESPACES.glob(f"{prefix}*")) == []


def test_a_run_that_goes_on_is_not_swept(lan: Lan) -> None:
    sweep()
    assert (NAMESPACES / lan.client.namespace).exists()


def _run() -> tuple[subprocess.Popen[str], str]:
    """A process that has built a LAN, and the names' beginning."""
    use = "from signal import pause; from tests.lab.net import Lan, orderly"
    code = f"{use}\nwith orderly(), Lan(1): print('up', flush=True); pause()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    prefix = f"{PREFIX}-{process.pid}-"
    assert list(NAMESPACES.glob(f"{prefix}*"))
    return process, prefix
