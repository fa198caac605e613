"""A LAN of network namespaces: a bridge beside which the API server lives, nodes, routers, a client and an onlooker.

Every name begins with a prefix of its own, so that runs stand side by side; the next run sweeps what a killed one left.
"""

import ctypes
import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

PREFIX = "speakerd-lab"
NAMES = re.compile(rf"{PREFIX}-(\d+)-[0-9a-f]{{4}}-")
NAMESPACES = Path("/run/netns")
CLONE_NEWNET = 0x40000000
FIRST_NODE, CLIENT, ONLOOKER, FIRST_ROUTER = 11, 100, 101, 201
"""Last parts of the addresses; 10.99.0.0/16 and fd99::/64 are the LAN, 10.98.x.2 and fd98:0:0:x::2 a node's pod."""
PATIENCE = 5.0
"""Seconds a process has to end after SIGTERM; speakerd promises to be gone in less."""

SYSCTLS: Mapping[str, str] = {
    # Duplicate address detection would keep every address unusable for a second.
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_ra": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    # The kernel answers for addresses of the asked interface only, as kube-proxy's strictARP has it.
    "net/ipv4/conf/all/arp_ignore": "1",
    "net/ipv4/conf/all/arp_announce": "2",
    # Frames that cross a bridge are not the host's to filter; absent where br_netfilter is not loaded.
    "net/bridge/bridge-nf-call-iptables": "0",
    "net/bridge/bridge-nf-call-ip6tables": "0",
    "net/bridge/bridge-nf-call-arptables": "0",
}
ROUTING: Mapping[str, str] = {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}

_libc = ctypes.CDLL(None, use_errno=True)


class Host(Struct, frozen=True):
    """A machine on the LAN; `pod4`, `pod6`: where its one pod listens (nodes only)."""

    name: str
    namespace: str
    ipv4: str
    ipv6: str
    pod4: str = ""
    pod6: str = ""


def missing() -> str:
    """What a LAN of namespaces needs that this machine or user lacks, or nothing."""
    if os.geteuid() != 0:
        return "root is needed to make network namespaces: run it with sudo"
    tools = {"ip": "iproute2", "nft": "nftables", "setpriv": "util-linux"}
    folders = [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/sbin"]
    absent = [tool for tool in tools if not any((Path(folder) / tool).is_file() for folder in folders if folder)]
    if absent:
        packages = " ".join(tools[tool] for tool in absent)
        return f"{', '.join(absent)} not found: apt-get install {packages}"
    return ""


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Sockets and processes that this thread makes within the block live in `namespace`. Raises OSError."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(NAMESPACES / namespace)
        yield
    finally:
        # Also where Ctrl-C came just after it had entered: what is left in a namespace is killed with it.
        _setns(home)
        os.close(home)


def _enter(path: Path) -> None:
    there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
    finally:
        os.close(there)


def _setns(fileno: int) -> None:
    if _libc.setns(fileno, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


@contextmanager
def orderly() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does: by an exception that lets every context manager clean up."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not cut the cleaning up short."""
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def tool(*command: str, feed: str = "") -> str:
    """What `command` prints; its complaint becomes a RuntimeError."""
    done = subprocess.run(command, input=feed, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def sweep() -> None:
    """Remove the namespaces, and end the processes in them, of runs that were killed before they could."""
    for path in NAMESPACES.glob(f"{PREFIX}-*") if NAMESPACES.is_dir() else ():
        if (found := NAMES.match(path.name)) and not Path(f"/proc/{found[1]}").exists():
            _remove(path.name)


def _remove(namespace: str) -> None:
    with suppress(RuntimeError):
        for pid in map(int, tool("ip", "netns", "pids", namespace).split()):
            with suppress(ProcessLookupError):
                if pid != os.getpid():
                    os.kill(pid, signal.SIGKILL)
        tool("ip", "netns", "del", namespace)


class Lan:
    """Namespaces from enter to exit: `server` with the bridge, `nodes`, `routers`, `client`, `onlooker`.

    And what runs in them. A router is a host that forwards what comes; which program makes it one is not said here.
    """

    def __init__(self, nodes: int = 3, routers: int = 0) -> None:
        self.prefix = f"{PREFIX}-{os.getpid()}-{secrets.token_hex(2)}"
        self.server = self._host("lan", 1)
        self.nodes = tuple(self._node(number) for number in range(1, nodes + 1))
        self.routers = tuple(self._host(f"r{number + 1}", FIRST_ROUTER + number) for number in range(routers))
        self.client = self._host("client", CLIENT)
        self.onlooker = self._host("onlooker", ONLOOKER)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._macs: dict[str, str] = {}

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All that hang on the bridge."""
        return *self.nodes, *self.routers, self.client, self.onlooker

    def _host(self, name: str, number: int) -> Host:
        return Host(name, f"{self.prefix}-{name}", f"10.99.0.{number}", f"fd99::{number}")

    def _node(self, number: int) -> Host:
        plain = self._host(f"n{number}", FIRST_NODE - 1 + number)
        return Host(plain.name, plain.namespace, plain.ipv4, plain.ipv6, f"10.98.{number}.2", f"fd98:0:0:{number}::2")

    def __enter__(self) -> Self:
        sweep()
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _undisturbed():
            for process in reversed(self._processes):
                end(process)
            self._processes.clear()
            for host in (*self.hosts, self.server):
                if (NAMESPACES / host.namespace).exists():
                    _remove(host.namespace)

    def _build(self) -> None:
        for host in (self.server, *self.hosts):
            tool("ip", "netns", "add", host.namespace)
            _set(host.namespace, {**SYSCTLS, **(ROUTING if host.pod4 or host in self.routers else {})})
        ports = [
            f"link add {host.name} type veth peer name eth0 netns {host.namespace}\n"
            f"link set {host.name} master br0 up\n"
            for host in self.hosts
        ]
        bridge = "link set lo up\nlink add br0 type bridge\nlink set br0 up\n" + _addresses(self.server, "br0")
        self._ip(self.server, bridge + "".join(ports))
        for host in self.hosts:
            self._ip(host, "link set lo up\nlink set eth0 up\n" + _addresses(host, "eth0") + self._pods(host))
            with inside(host.namespace):
                self._macs[_mac("eth0")] = host.name

    def _pods(self, host: Host) -> str:
        """A node's own pod address, and routes to those of the others."""
        if not host.pod4:
            return ""
        lines = [f"addr add {host.pod4}/32 dev lo", f"addr add {host.pod6}/128 dev lo"]
        for other in self.nodes:
            if other != host:
                lines += [f"route add {other.pod4} via {other.ipv4}", f"route add {other.pod6} via {other.ipv6}"]
        return "\n".join(lines) + "\n"

    def _ip(self, host: Host, commands: str) -> None:
        tool("ip", "-n", host.namespace, "-batch", "-", feed=commands)

    def who(self, mac: str) -> str:
        """The name of the host whose interface has `mac`; the MAC itself where none has."""
        return self._macs.get(mac, mac)

    def mac(self, host: Host) -> str:
        """The MAC of `host`."""
        return next(mac for mac, name in self._macs.items() if name == host.name)

    def spawn(
        self, host: Host, *command: str, log: Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Run `command` on `host` until the LAN ends; it dies with this process, however that ends.

        Its pid is the program's own (setpriv and ip both exec); it has a session of its own, so that Ctrl-C in a
        terminal reaches this process alone.
        """
        argv = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", host.namespace, *command]
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ if env is None else env),
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def link(self, host: Host, state: str) -> None:
        """Set the carrier of `host`: `up` or `down`, from the bridge's side."""
        tool("ip", "-n", self.server.namespace, "link", "set", host.name, state)


def end(process: subprocess.Popen[bytes]) -> None:
    """End `process`: SIGTERM, and SIGKILL to one that does not heed it."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _set(namespace: str, values: Mapping[str, str]) -> None:
    """Write sysctls in `namespace`; one the kernel does not have is not needed."""
    with inside(namespace):
        for name, value in values.items():
            with suppress(FileNotFoundError):
                (Path("/proc/sys") / name).write_text(value)


def _addresses(host: Host, interface: str) -> str:
    return f"addr add {host.ipv4}/16 dev {interface}\naddr add {host.ipv6}/64 dev {interface} nodad\n"


def _mac(interface: str) -> str:
    return tool("ip", "-br", "link", "show", interface).split()[2]
