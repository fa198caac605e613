"""BFD with the routers that people have, FRR and BIRD: their own view of the sessions, and what they say of an end."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path as File

import pytest
from msgspec.structs import replace

from speakerd.bfd.effects import Path
from speakerd.peering import BfdProfile
from tests.lab.bfd import Ask, Speaker, speaking, way
from tests.lab.net import Lan, end, tool
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

FRR, BIRD = File("/usr/lib/frr"), File("/usr/sbin/bird")
FAST = BfdProfile("fast", receive_interval=50, transmit_interval=50)
WIDE = replace(FAST, minimum_ttl=60)
"""Over several hops BIRD sends with the host's own TTL, 64."""
ECHOING = replace(FAST, echo_mode=True)
PATIENCE = 20.0

FRR_BFD = """
bfd
 profile fast
  receive-interval 50
  transmit-interval 50
 !
 peer {ipv4} interface eth0
  profile fast
 !
 peer {ipv6} interface eth0 local-address {own6}
  profile fast
 !
 peer {ipv4} multihop local-address {own4}
  profile fast
 !
!
"""
BIRD_BFD = """
router id {own4};
protocol device {{}}
protocol bfd {{
  interface "eth0" {{ interval 50 ms; multiplier 3; }};
  multihop {{ interval 50 ms; multiplier 3; }};
  neighbor {ipv4} dev "eth0";
  neighbor {ipv6} dev "eth0" local {own6};
  neighbor {ipv4} local {own4} multihop;
}}
"""


class Frr:
    """bfdd on a host; `kill` ends it without a word."""

    def __init__(self, folder: File, bfdd: subprocess.Popen[bytes]) -> None:
        self._folder, self._bfdd = folder, bfdd
        self.kill = bfdd.kill

    def say(self, *commands: str) -> str:
        """What vtysh prints."""
        arguments = [part for command in commands for part in ("-c", command)]
        return tool("vtysh", "--vty_socket", str(self._folder), *arguments)

    def peers(self) -> list[dict[str, object]]:
        """As bfdd sees them; multihop last."""
        try:
            found: list[dict[str, object]] = json.loads(self.say("show bfd peers json"))
        except (RuntimeError, ValueError):  # it is not there yet
            return []
        return sorted(found, key=lambda peer: (bool(peer["multihop"]), str(peer["peer"])))

    def views(self, field: str) -> list[object]:
        """One thing that it sees of each."""
        return [peer[field] for peer in self.peers()]


def configuration(lan: Lan, text: str, number: int) -> str:
    node, router = lan.nodes[0], lan.nodes[number]
    return text.format(ipv4=node.ipv4, ipv6=node.ipv6, own4=router.ipv4, own6=router.ipv6)


@contextmanager
def private(owner: str) -> Iterator[File]:
    """A folder of `owner`, who cannot look into pytest's."""
    with tempfile.TemporaryDirectory(prefix="speakerd-lab-") as name:
        shutil.chown(name, owner)
        yield File(name)


@pytest.fixture(scope="module")
def frr(lan: Lan) -> Iterator[Frr]:
    if not (FRR / "bfdd").exists():
        pytest.skip("bfdd not found: apt-get install frr")
    router = lan.nodes[1]
    with private("frr") as folder:
        for name, text in ("zebra", ""), ("bfdd", configuration(lan, FRR_BFD, 1)):
            (folder / f"{name}.conf").write_text(text)
            shutil.chown(folder / f"{name}.conf", "frr")
        processes = []
        for name, more in ("zebra", []), ("bfdd", ["--bfdctl", f"{folder}/ctl"]):
            files = [
                f"--{option}={folder}/{name}.{end}" for option, end in (("config_file", "conf"), ("pid_file", "pid"))
            ]
            argv = [str(FRR / name), *files, "-z", f"{folder}/zserv", "--vty_socket", str(folder), *more]
            processes.append(lan.spawn(router, *argv, log=folder / f"{name}.log"))
            # bfdd that finds no zebra tries again ten seconds later.
            eventually((folder / "zserv").exists, "zebra listens", PATIENCE)
        made = Frr(folder, processes[-1])
        eventually(made.peers, "FRR has its peers", PATIENCE)
        yield made
        for process in reversed(processes):
            end(process)


@pytest.fixture
def speaker(lan: Lan) -> Iterator[Speaker]:
    with speaking(lan.nodes[0]) as made:
        yield made


def paths(lan: Lan, number: int) -> list[Path]:
    """To one router: IPv4, IPv6, IPv4 over several hops."""
    node, router = lan.nodes[0], lan.nodes[number]
    return [way(router.ipv4), way(router.ipv6), way(router.ipv4, multihop=True, local=node.ipv4)]


def echoes(speaker: Speaker, path: Path) -> Callable[[], bool]:
    return lambda: speaker.counted(path)["echo-heard"] > 10


def all_up(speaker: Speaker, wanted: list[Path]) -> Callable[[], bool]:
    return lambda: [speaker.state(path) for path in wanted] == ["Up"] * len(wanted)


def test_frr_sees_us_as_fast_as_the_profile_says_and_our_stop_as_planned(lan: Lan, frr: Frr, speaker: Speaker) -> None:
    wanted = paths(lan, 1)
    speaker.want(*[(path, FAST) for path in wanted])
    eventually(all_up(speaker, wanted), "we see all up", PATIENCE)
    for field, value in (
        ("status", "up"),
        ("remote-transmit-interval", 50),
        ("remote-receive-interval", 50),
        ("remote-detect-multiplier", 3),
    ):
        eventually(
            partial(lambda field, value: frr.views(field) == [value] * 3, field, value), f"{field} {value}", PATIENCE
        )
    assert (speaker.told.problems, speaker.told.drops) == ({}, {})
    speaker.ask(Ask(leave=True))
    eventually(lambda: frr.views("remote-diagnostic") == ["administratively down"] * 3, "FRR knows why", PATIENCE)
    eventually(lambda: speaker.told.left, "we are done")


def test_frrs_kernel_sends_our_echo_packets_back_over_both_families(lan: Lan, frr: Frr, speaker: Speaker) -> None:
    wanted = paths(lan, 1)[:2]
    speaker.want(*[(path, ECHOING) for path in wanted])
    for path in wanted:
        eventually(echoes(speaker, path), "echo packets come back", PATIENCE)
    eventually(lambda: frr.views("remote-receive-interval")[:2] == [1000, 1000], "FRR may be slow then", PATIENCE)
    assert speaker.told.lost.get("echo-not-sent", 0) == 0


@pytest.mark.usefixtures("frr")
def test_a_neighbour_that_forwards_no_longer_is_found_by_echo_packets_alone(lan: Lan, speaker: Speaker) -> None:
    """Its control packets come as they did."""
    router, path = lan.nodes[1], paths(lan, 1)[0]
    forwarding = partial(tool, "ip", "netns", "exec", router.namespace, "sysctl", "-qw")
    speaker.want((path, ECHOING))
    eventually(echoes(speaker, path), "echo packets come back", PATIENCE)
    forwarding("net.ipv4.ip_forward=0")
    try:
        failed = (path, False, "Echo Function Failed")
        eventually(lambda: failed in speaker.told.changed, "it has failed", PATIENCE)
        eventually(all_up(speaker, [path]), "and comes up again, since what never came back proves nothing", PATIENCE)
    finally:
        forwarding("net.ipv4.ip_forward=1")


@pytest.mark.usefixtures("frr")
def test_a_neighbour_that_has_another_mac_gets_its_echo_packets_there_once_it_is_up_again(
    lan: Lan, speaker: Speaker
) -> None:
    (node, router, *_), path = lan.nodes, paths(lan, 1)[0]
    speaker.want((path, ECHOING))
    eventually(echoes(speaker, path), "echo packets come back", PATIENCE)
    tool("ip", "-n", router.namespace, "link", "set", "eth0", "address", "02:00:00:00:00:99")
    try:
        tool("ip", "-n", node.namespace, "neigh", "flush", "dev", "eth0")
        eventually(lambda: (path, False, "Echo Function Failed") in speaker.told.changed, "it has failed", PATIENCE)
        before = speaker.counted(path)["echo-heard"]
        eventually(lambda: speaker.counted(path)["echo-heard"] > before + 10, "they come back again", PATIENCE)
    finally:
        tool("ip", "-n", router.namespace, "link", "set", "eth0", "address", lan.mac(router))
        tool("ip", "-n", node.namespace, "neigh", "flush", "dev", "eth0")


def test_what_frr_stops_on_purpose_has_not_failed_and_what_dies_has(lan: Lan, frr: Frr, speaker: Speaker) -> None:
    far = paths(lan, 1)[-1]
    node, router = lan.nodes[:2]
    peer = f"peer {node.ipv4} multihop local-address {router.ipv4}"
    speaker.want((far, FAST))
    eventually(all_up(speaker, [far]), "we see it up", PATIENCE)
    frr.say("configure terminal", "bfd", peer, "shutdown")
    eventually(lambda: speaker.state(far) == "Down", "it is down")
    ((_, seen, _),) = speaker.told.sessions
    assert seen.why.endswith("Administratively Down")
    ups = [up for _, up, _ in speaker.told.changed]
    frr.say("configure terminal", "bfd", peer, "no shutdown")
    eventually(all_up(speaker, [far]), "we see it up again", PATIENCE)
    assert [up for _, up, _ in speaker.told.changed] == [*ups, True]
    frr.kill()
    eventually(lambda: speaker.state(far) == "Down", "it is down")
    assert speaker.told.changed[-1] == (far, False, "Control Detection Time Expired")


@pytest.fixture
def birdc(lan: Lan, tmp_path: File) -> Iterator[Callable[[str], str]]:
    """What BIRD answers to a command."""
    if not BIRD.exists():
        pytest.skip("bird not found: apt-get install bird2")
    control, written = tmp_path / "ctl", tmp_path / "bird.conf"
    written.write_text(configuration(lan, BIRD_BFD, 2))
    argv = [str(BIRD), "-f", "-c", str(written), "-s", str(control), "-P", str(tmp_path / "pid")]
    process = lan.spawn(lan.nodes[2], *argv, log=tmp_path / "bird.log")
    eventually(control.exists, "BIRD listens", PATIENCE)
    yield lambda command: tool("birdc", "-s", str(control), command)
    end(process)


def test_bird_sees_us_as_fast_as_the_profile_says(lan: Lan, birdc: Callable[[str], str], speaker: Speaker) -> None:
    wanted = paths(lan, 2)
    speaker.want(*[(path, WIDE) for path in wanted])
    eventually(all_up(speaker, wanted), "we see all up", PATIENCE)
    node = lan.nodes[0]
    expected = [[node.ipv4, "eth0", "Up"], [node.ipv4, "---", "Up"], [node.ipv6, "eth0", "Up"]]
    eventually(lambda: sorted(row[:3] for row in sessions(birdc)) == sorted(expected), "BIRD sees all up", PATIENCE)
    eventually(lambda: [row[-2:] for row in sessions(birdc)] == [["0.050", "0.150"]] * 3, "as agreed", PATIENCE)
    assert (speaker.told.problems, speaker.told.drops) == ({}, {})


def sessions(birdc: Callable[[str], str]) -> list[list[str]]:
    """IP address, interface, state, since, interval, timeout."""
    rows = [line.split() for line in birdc("show bfd sessions").splitlines()]
    return [row for row in rows if len(row) == 6 and row[2] in ("Up", "Down", "Init")]
