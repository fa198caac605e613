"""What every router of the lab is: described by one small value, run in a namespace, and asked for its own view."""

import json
import re
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

from msgspec import Struct

from tests.lab.net import NAMES, PREFIX, Host, Lan, end, inside, tool
from tests.lab.waiting import eventually

Family = Literal["ipv4", "ipv6"]
BOTH: tuple[Family, ...] = ("ipv4", "ipv6")
Large = tuple[int, int, int]
PATIENCE = 60.0
"""Seconds until a router answers or has a session, on a machine that is busy; it may be called each 30 s alone."""


class Bfd(Struct, frozen=True):
    """A BFD profile: milliseconds between packets sent and received, how many may be missed, and how it behaves.

    `minimum_ttl`: of packets from several hops away; for a session of BGP FRR insists on 256 less `hops` instead.
    `lenient`: what it finds dead may be restarting (RFC 5882 section 4.3), and its routes are kept.
    """

    transmit: int = 50
    receive: int = 50
    multiplier: int = 3
    passive: bool = False
    echo: bool = False
    minimum_ttl: int = 254
    lenient: bool = False


class Neighbour(Struct, frozen=True, kw_only=True):
    """One peer as the router's configuration has it; seconds, and what is 0 or empty is left to the router.

    `address` or, for a peer found by its link-local address, `interface`. `hops` above 1: the session is multihop.
    `restart`: graceful restart with this time, 0: the router only helps others. `local`: the address to speak from.
    """

    asn: int
    address: str = ""
    interface: str = ""
    password: str = ""
    families: tuple[Family, ...] = BOTH
    hops: int = 1
    bfd: Bfd | None = None
    passive: bool = False
    restart: int = 0
    port: int = 179
    hold_time: int = 90
    local: str = ""

    @property
    def name(self) -> str:
        """What the router calls it."""
        return self.address or self.interface


class Route(Struct, frozen=True, kw_only=True):
    """A route that the router itself announces. `prepend`: how often its own number stands in the path beyond once."""

    prefix: str
    communities: tuple[tuple[int, int], ...] = ()
    large: tuple[Large, ...] = ()
    med: int | None = None
    prepend: int = 0
    local_pref: int | None = None

    @property
    def family(self) -> Family:
        """Which family it is of."""
        return family(self.prefix)


class Setup(Struct, frozen=True, kw_only=True):
    """One router. `port`: where it listens. `multipath`: next hops that it puts into one route at most."""

    asn: int
    router_id: str
    neighbours: tuple[Neighbour, ...] = ()
    routes: tuple[Route, ...] = ()
    port: int = 179
    multipath: int = 8


class Session(Struct, frozen=True):
    """One BGP session as the router sees it.

    `state`: as RFC 4271 names it, in lower case. `uptime`: whole seconds, None unless it is established. `error`: why
    the last one ended, in the router's words. `capabilities`: what the peer can do, in the router's words.
    """

    peer: str
    state: str
    uptime: int | None = None
    error: str = ""
    capabilities: frozenset[str] = frozenset()

    @property
    def up(self) -> bool:
        """Whether routes are exchanged."""
        return self.state == "established"


class Seen(Struct, frozen=True):
    """A route as the router has it from one peer. `stale`: kept over a restart of that peer. AS_SETs are left out."""

    prefix: str
    peer: str
    next_hop: str
    path: tuple[int, ...] = ()
    communities: frozenset[tuple[int, int]] = frozenset()
    large: frozenset[Large] = frozenset()
    med: int | None = None
    local_pref: int | None = None
    stale: bool = False


class BfdSession(Struct, frozen=True):
    """One BFD session as the router sees it. `state`: as RFC 5880 names it, in lower case."""

    peer: str
    state: str
    multihop: bool = False


class Router(ABC):
    """A router from enter to exit, on a host of the LAN (`Lan.routers` are those that forward).

    `folder`: its files, while it lives; in the folder for temporary files itself, since some routers leave root behind
    and could not reach them elsewhere, and names of sockets must be short.
    """

    programs: ClassVar[Mapping[str, str]]
    """Every program it needs, and the Debian package that has it."""

    def __init__(self, lan: Lan, host: Host, setup: Setup) -> None:
        self.lan, self.host, self.setup = lan, host, setup
        self.folder = Path(tempfile.gettempdir()) / f"{host.namespace}-{type(self).__name__.lower()}"
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        _sweep(self.folder.parent)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            print(f"--- {type(self).__name__} on {self.host.name}\n{self.tail()}")
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it as its description says, and wait until it answers. Raises RuntimeError where it cannot."""
        self._run()
        eventually(self._answers, f"{type(self).__name__} answers", PATIENCE)

    def stop(self) -> None:
        """End it, as an operator would."""
        for process in reversed(self._processes):
            end(process)
        self._processes.clear()

    def kill(self) -> None:
        """End it as a crash does: nobody is told anything."""
        for process in reversed(self._processes):
            process.kill()
            process.wait()
        self._processes.clear()

    def freeze(self) -> None:
        """Stop it where it stands: it lives, and says and hears nothing."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)

    def tail(self, lines: int = 40) -> str:
        """What it said last."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:]) if self._log.exists() else ""

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _spawn(self, *command: str, env: Mapping[str, str] | None = None) -> None:
        self._processes.append(self.lan.spawn(self.host, *command, log=self._log, env=env))

    def _write(self, name: str, text: str) -> str:
        """Write a file of its own; gives its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def _ask(self, *command: str) -> str:
        """What a command says that is run beside the router. Raises RuntimeError."""
        with inside(self.host.namespace):
            return tool(*command)

    def _answers(self) -> bool:
        gone = [process.args for process in self._processes if process.poll() is not None]
        if gone:
            raise RuntimeError(f"{gone} ended at once:\n{self.tail()}")
        try:
            return bool(self._ready())
        except (RuntimeError, ValueError):
            return False

    @abstractmethod
    def _run(self) -> None:
        """Write its files and start its programs."""

    @abstractmethod
    def _ready(self) -> object:
        """True once it answers; may raise RuntimeError or ValueError before."""

    @abstractmethod
    def sessions(self) -> list[Session]:
        """All sessions, up or not."""

    @abstractmethod
    def routes(self) -> list[Seen]:
        """All routes from its peers, each as often as a peer tells it."""

    def prefixes(self) -> frozenset[str]:
        """Of all routes from its peers the prefixes; quick, however many they are."""
        return frozenset(each.prefix for each in self.routes())

    @abstractmethod
    def announce(self, route: Route) -> None:
        """Announce one route more, or one differently."""

    @abstractmethod
    def withdraw(self, prefix: str) -> None:
        """Announce `prefix` no longer."""

    @abstractmethod
    def refresh(self, peer: str) -> None:
        """Have it ask `peer` for all routes again (RFC 2918)."""

    @abstractmethod
    def shut(self, peer: str, reason: str) -> None:
        """End the session with `peer` for good, and tell it the reason (RFC 9003) where the router can."""

    def heard(self, peer: str) -> int:
        """How many UPDATEs, or routes in them, `peer` has told in this session; only FRR and BIRD count."""
        raise NotImplementedError(f"{type(self).__name__} does not count for {peer}")

    def bfd(self) -> list[BfdSession]:
        """All BFD sessions."""
        raise NotImplementedError(f"{type(self).__name__} knows no BFD")

    def session(self, peer: str) -> Session:
        """The one with `peer`. Raises LookupError."""
        for each in self.sessions():
            if each.peer == peer:
                return each
        raise LookupError(peer)

    def route(self, prefix: str) -> list[Seen]:
        """All that it has of `prefix`."""
        return [each for each in self.routes() if each.prefix == prefix]

    def wait_up(self, peer: str, timeout: float = PATIENCE) -> Session:
        """The session with `peer` once it is established."""

        def up() -> Session | None:
            found = self.session(peer)
            return found if found.up else None

        session = eventually(up, f"{self.host.name} is established with {peer}", timeout)
        assert session
        return session

    def wait_route(self, prefix: str, timeout: float = PATIENCE) -> list[Seen]:
        """All that it has of `prefix` once there is something."""
        return eventually(partial(self.route, prefix), f"{self.host.name} has {prefix}", timeout)

    def kernel(self, prefix: str) -> frozenset[str]:
        """The next hops of `prefix` in the kernel of its namespace; only FRR and BIRD put any there."""
        wanted = prefix.removesuffix("/32").removesuffix("/128")
        version = "-6" if family(prefix) == "ipv6" else "-4"
        found: set[str] = set()
        for each in json.loads(tool("ip", "-n", self.host.namespace, "-j", version, "route", "show", wanted)):
            found.update(map(_gateway, each.get("nexthops", [each])))
        return frozenset(found)


def missing(routers: Iterable[type[Router]]) -> str:
    """The packages that these need and this machine lacks, or nothing."""
    needed = {name: package for each in routers for name, package in each.programs.items()}
    return " ".join(sorted({package for name, package in needed.items() if not Path(name).is_file()}))


def _sweep(folder: Path) -> None:
    """Remove what runs left that were killed before they could."""
    for path in folder.glob(f"{PREFIX}-*"):
        if (found := NAMES.match(path.name)) and not Path(f"/proc/{found[1]}").exists():
            shutil.rmtree(path, ignore_errors=True)


def family(prefix: str) -> Family:
    """Which family a prefix is of."""
    return "ipv4" if ip_network(prefix).version == 4 else "ipv6"


def pair(text: str) -> tuple[int, int]:
    """A community of two numbers, with the well-known ones by name."""
    high, low = WELL_KNOWN.get(text.lower().replace("-", ""), text).split(":")
    return int(high), int(low)


def triple(text: str) -> Large:
    """A large community."""
    one, two, three = map(int, text.split(":"))
    return one, two, three


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The JSON documents that stand one after another; one at the end that is not whole yet is left out.

    Control characters within strings are let through: ExaBGP prints what its peers send as it comes.
    """
    decoder, at = json.JSONDecoder(strict=False), 0
    while found := re.compile(r"\s*(?=\S)").match(text, at):
        try:
            document, at = decoder.raw_decode(text, found.end())
        except ValueError:
            return
        yield document


WELL_KNOWN = {
    "noexport": "65535:65281",
    "noadvertise": "65535:65282",
    "localas": "65535:65283",
    "gracefulshutdown": "65535:0",
}
"""Names that routers print in place of numbers (RFC 1997, RFC 8326), as each does; here without hyphens."""


def _gateway(hop: Mapping[str, Any]) -> str:
    """Where a next hop leads; one of the other family is called `via` (RFC 8950)."""
    found: str = hop.get("gateway") or hop.get("via", {}).get("host", "") or hop.get("dev", "")
    return found
