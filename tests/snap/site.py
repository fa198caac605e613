"""What the machine is to the snap: a host of a LAN, with another member and a client in namespaces beside it."""

import json
from types import TracebackType
from typing import Any, Self, cast

import msgspec
from msgspec import Struct

from tests.lab.net import Host
from tests.lab.waiting import eventually
from tests.snap.machine import CARRIED, Machine

ONE = Host("node-1", "", "10.99.0.11", "fd99::11", "10.98.1.2", "fd98:0:0:1::2")
"""The machine itself, where the snap is installed."""
TWO = Host("node-2", "other", "10.99.0.12", "fd99::12", "10.98.2.2", "fd98:0:0:2::2")
"""The same program without a snap, in a namespace of the machine."""
CLIENT = Host("client", "client", "10.99.0.100", "fd99::100")
RANGE, VIP, PORT = "10.99.10.1-10.99.10.9", "10.99.10.1", 80
INTERVAL = 0.02
"""Seconds between a probe's questions."""
PACE = {"membership": {"preset": "wide"}, "layer2": {"interfaces": ["lan0"]}}
"""Heartbeats each second: an emulated processor may stand still for longer than the usual preset forgives.

And answers on the LAN alone, not on each node's own way to the API server.
"""

LAN = f"""
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
for name in wire {TWO.namespace} {CLIENT.namespace}; do ip netns add $name; ip -n $name link set lo up; done
ip link set eth1 netns {TWO.namespace}
ip -n {TWO.namespace} addr add 10.0.2.15/24 dev eth1
ip -n {TWO.namespace} link set eth1 up
ip -n wire link add bridge type bridge
ip -n wire link set bridge up
join() {{ # NAME IPV4 IPV6 [COMMAND...]: the words that enter the namespace
    # Left to udev, every interface of one name in one machine has the same MAC.
    ip link add lan0 address $(printf 02:00:00:00:00:%02x ${{2##*.}}) type veth peer name $1 netns wire
    ip -n wire link set $1 up master bridge
    [ $# -eq 3 ] || ip link set lan0 netns $1
    "${{@:4}}" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    "${{@:4}}" sysctl -qw net.ipv6.conf.lan0.accept_dad=0
    "${{@:4}}" ip addr add $2/16 dev lan0
    "${{@:4}}" ip addr add $3/64 dev lan0
    "${{@:4}}" ip link set lan0 up
}}
join {CLIENT.namespace} {CLIENT.ipv4} {CLIENT.ipv6} ip netns exec {CLIENT.namespace}
join {TWO.namespace} {TWO.ipv4} {TWO.ipv6} ip netns exec {TWO.namespace}
join {ONE.name} {ONE.ipv4} {ONE.ipv6}
for enter in "" "ip netns exec {TWO.namespace}"; do # as kube-proxy has it where it uses IPVS
    $enter ip link add kube-ipvs0 type dummy
    $enter ip addr add {VIP}/32 dev kube-ipvs0
done
"""


class Probed(Struct, frozen=True):
    """What came of a probe: questions `sent`, numbers of the `lost`, when which node began to answer."""

    sent: int
    lost: list[int]
    answers: list[tuple[float, str]]

    @property
    def nodes(self) -> list[str]:
        """Who answered, in order."""
        return [node for _, node in self.answers]


class Site:
    """The LAN in `machine`, with a pod on either node."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        machine.shell(LAN)
        for node in (ONE, TWO):
            self.start(f"pod-{node.name}", node, "python3", f"{CARRIED}/echo.py", node.name, VIP, str(PORT))

    def start(self, unit: str, host: Host, *command: str, output: str = "journal") -> None:
        """Run `command` on a host of the LAN as a unit of the machine."""
        where = [f"--property=NetworkNamespacePath=/run/netns/{host.namespace}"] if host.namespace else []
        told = f"--property=StandardOutput={output}"
        self.machine.run("systemd-run", "--quiet", "--collect", f"--unit={unit}", told, *where, *command)

    def stop(self, unit: str) -> None:
        """End it, and wait for that."""
        self.machine.run("systemctl", "stop", unit)

    def probe(self) -> "Probe":
        """A client that asks the address, for the length of a block."""
        return Probe(self)

    def status(self, *command: str) -> dict[str, Any]:
        """What `COMMAND status -o json` tells; nothing while no agent answers."""
        done = self.machine.attempt(*command, "status", "-o", "json")
        return cast("dict[str, Any]", json.loads(done.out)) if done.out.startswith("{") else {}


class Probe:
    """Asks from enter to exit; then `came` has what came of it."""

    came: Probed

    def __init__(self, site: Site) -> None:
        self._site = site

    def __enter__(self) -> Self:
        self._site.machine.run("rm", "-f", "/run/probe.end", "/run/probe.begun", "/run/probe.json")
        command = ["python3", f"{CARRIED}/probe.py", VIP, str(PORT), str(INTERVAL), "/run/probe.end"]
        self._site.start("probe", CLIENT, *command, output="file:/run/probe.json")
        begun = ("test", "-e", "/run/probe.begun")
        eventually(lambda: self._site.machine.attempt(*begun).code == 0, "the probe asks", 60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        machine = self._site.machine
        machine.run("touch", "/run/probe.end")
        told = eventually(lambda: machine.attempt("cat", "/run/probe.json").out, "the probe ends", 60)
        self.came = msgspec.json.decode(told, type=Probed)
