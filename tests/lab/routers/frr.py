"""FRR: zebra, bfdd and bgpd, each started directly, asked through vtysh."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from tests.lab.routers.router import (
    BfdSession,
    Neighbour,
    Route,
    Router,
    Seen,
    Session,
    documents,
    family,
    pair,
    triple,
)
from tests.lab.waiting import eventually

DAEMONS = "/usr/lib/frr"
OURS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - not bound to
"""Whom FRR calls the peer of its own routes; also a next hop of those who have none but a link-local one."""
BATCH = 200
"""Prefixes asked for in one call of vtysh, which takes 50 ms to start."""
TAKEN = re.compile(r"^(\S+ [\d:]+\.\d+) BGP: \S+ ([^\s(]+)\(\S*\) rcvd ([\da-f.:]+/\d+) ", re.MULTILINE)
FALLEN = re.compile(r"^(\S+ [\d:]+\.\d+) BGP: \S+ %ADJCHANGE: neighbor ([^\s(]+)\(\S*\) in vrf \S+ Down", re.MULTILINE)
BFD_STATES = {"shutdown": "admindown"}


class Frr(Router):
    """FRR 8.4. Its routes reach the kernel of its namespace."""

    programs: ClassVar[Mapping[str, str]] = {f"{DAEMONS}/bgpd": "frr", "/usr/bin/vtysh": "frr"}

    def _run(self) -> None:
        self._write("vtysh.conf", "")
        for name, lines in self._files():
            self._write(f"{name}.conf", "\n".join(("hostname frr", *lines, "")))
        # They leave root behind, for a user that may write its own files only.
        for path in (self.folder, *self.folder.iterdir()):
            shutil.chown(path, "frr", "frr")
        for name, more in (
            ("zebra", ()),
            ("bfdd", ("--bfdctl", f"{self.folder}/bfdd.sock")),
            ("bgpd", ("-p", str(self.setup.port))),
        ):
            places = ["--vty_socket", str(self.folder), "-z", f"{self.folder}/zebra.api", "-P", "0"]
            files = ["-i", f"{self.folder}/{name}.pid", "-f", f"{self.folder}/{name}.conf", "--log", "stdout"]
            self._spawn(f"{DAEMONS}/{name}", *places, *files, *more)
            # Who does not find the one before it tries again 10 s later.
            eventually((self.folder / f"{name}.vty").exists, f"{name} answers")

    def _files(self) -> Iterable[tuple[str, Iterable[str]]]:
        """What each daemon is told at its start, line by line."""
        return ("zebra", _interfaces(self)), ("bfdd", _profiles(self)), ("bgpd", _bgp(self))

    def _ready(self) -> object:
        # bgpd may answer before it has read its file.
        known = self._json("show bgp neighbors json")
        self._vtysh("show interface brief", "show bfd peers json")
        return all(each.name in known for each in self.setup.neighbours)

    def _vtysh(self, *commands: str) -> str:
        given = [part for command in commands for part in ("-c", command)]
        return self._ask("vtysh", "--vty_socket", str(self.folder), "--config_dir", str(self.folder), *given)

    def _json(self, command: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._vtysh(command))
        return found

    def sessions(self) -> list[Session]:
        """All sessions, up or not. FRR forgets the error of one that came back."""
        return [_session(name, said) for name, said in self._json("show bgp neighbors json").items()]

    def routes(self) -> list[Seen]:
        """All routes from its peers, each as often as a peer tells it."""
        prefixes = sorted(self.prefixes())
        found: list[Seen] = []
        for at in range(0, len(prefixes), BATCH):
            found += self._detailed(prefixes[at : at + BATCH])
        return found

    def prefixes(self) -> frozenset[str]:
        """Of all routes from its peers the prefixes; quick, however many they are."""
        tables = [self._json(f"show bgp {kind} unicast json").get("routes", {}) for kind in ("ipv4", "ipv6")]
        return frozenset(prefix for table in tables for prefix, paths in table.items() if any(map(_foreign, paths)))

    def route(self, prefix: str) -> list[Seen]:
        """All that it has of `prefix`."""
        return self._detailed([prefix])

    def _detailed(self, prefixes: Sequence[str]) -> list[Seen]:
        said = self._vtysh(*(f"show bgp {family(each)} unicast {each} json" for each in prefixes))
        return [
            _seen(table["prefix"], path)
            for table in documents(said)
            for path in table.get("paths", ())
            if path["peer"]["peerId"] not in OURS
        ]

    def heard(self, peer: str) -> int:
        """How many UPDATEs `peer` has told."""
        found: int = self._json("show bgp neighbors json")[peer]["messageStats"]["updatesRecv"]
        return found

    def bfd(self) -> list[BfdSession]:
        """All BFD sessions."""
        found: list[dict[str, Any]] = json.loads(self._vtysh("show bfd peers json"))
        return [
            BfdSession(each["peer"], BFD_STATES.get(each["status"], each["status"]), each["multihop"]) for each in found
        ]

    def configure(self, *lines: str) -> None:
        """Change how BGP is configured, line by line as under `router bgp`."""
        self._vtysh("configure terminal", f"router bgp {self.setup.asn}", *lines)

    def trace(self) -> None:
        """From now on have it write down each route that it takes in and each session that ends: `taken`, `fallen`."""
        self._vtysh("configure terminal", "log timestamp precision 6", "debug bgp updates in")
        self.configure("bgp log-neighbor-changes")

    def taken(self, prefix: str) -> list[tuple[float, str]]:
        """When (time.time()) it took a route to `prefix` into its RIB, and from whom, each time since `trace`.

        What is best it works out 50 ms later, and the kernel hears of it no sooner.
        """
        lines = TAKEN.findall(self._log.read_text(errors="replace"))
        return [(_clock(when), peer) for when, peer, told in lines if told == prefix]

    def fallen(self, peer: str) -> list[float]:
        """When (time.time()) a session with `peer` ended, each time since `trace`."""
        lines = FALLEN.findall(self._log.read_text(errors="replace"))
        return [_clock(when) for when, name in lines if name == peer]

    def announce(self, route: Route) -> None:
        """Announce one route more, or one differently."""
        self._vtysh("configure terminal", *_map(route, self.setup.asn))
        self.configure(*_network(route))

    def withdraw(self, prefix: str) -> None:
        """Announce `prefix` no longer."""
        self.configure(f"address-family {family(prefix)} unicast", f"no network {prefix}")

    def refresh(self, peer: str) -> None:
        """Have it ask `peer` for all routes again (RFC 2918)."""
        self._vtysh(f"clear bgp {peer} soft in")

    def shut(self, peer: str, reason: str) -> None:
        """End the session with `peer` for good, and tell it the reason (RFC 9003)."""
        self.configure(f"neighbor {peer} shutdown message {reason}")


def _interfaces(router: Frr) -> Iterator[str]:
    """Router advertisements on each interface whose peer is found by its link-local address."""
    for each in router.setup.neighbours:
        if each.interface:
            yield from (f"interface {each.interface}", "no ipv6 nd suppress-ra", "ipv6 nd ra-interval 1", "exit")


def _profiles(router: Frr) -> Iterator[str]:
    yield "bfd"
    for number, each in enumerate(router.setup.neighbours):
        if each.bfd:
            yield from (f"profile p{number}", f"transmit-interval {each.bfd.transmit}")
            yield from (f"receive-interval {each.bfd.receive}", f"detect-multiplier {each.bfd.multiplier}")
            yield "passive-mode" if each.bfd.passive else "no passive-mode"
            # Where a session is multihop, FRR refuses an echo and heeds the TTL; elsewhere the other way round.
            yield f"minimum-ttl {each.bfd.minimum_ttl}"
            yield from ("echo-mode",) if each.bfd.echo else ()
            yield "exit"
    yield "exit"


def _bgp(router: Frr) -> Iterator[str]:
    setup = router.setup
    for route in setup.routes:
        yield from _map(route, setup.asn)
    yield from (f"router bgp {setup.asn}", f"bgp router-id {setup.router_id}", "no bgp default ipv4-unicast")
    yield from ("no bgp ebgp-requires-policy", "no bgp network import-check", "bgp bestpath as-path multipath-relax")
    times = [each.restart for each in setup.neighbours if each.restart]
    if times:
        yield from ("bgp graceful-restart", f"bgp graceful-restart restart-time {max(times)}")
    for number, each in enumerate(setup.neighbours):
        yield from _neighbour(each, f"p{number}")
    for kind in ("ipv4", "ipv6"):
        yield from (f"address-family {kind} unicast", f"maximum-paths {setup.multipath}")
        yield f"maximum-paths ibgp {setup.multipath}"
        for each in setup.neighbours:
            if kind in each.families:
                yield f"neighbor {each.name} activate"
        yield "exit-address-family"
    for route in setup.routes:
        yield from _network(route)
    yield "exit"


def _neighbour(peer: Neighbour, profile: str) -> Iterator[str]:
    begin = f"neighbor {peer.name}"
    yield f"{begin} {'interface ' if peer.interface else ''}remote-as {peer.asn}"
    yield from (f"{begin} timers {peer.hold_time // 3} {peer.hold_time}", f"{begin} timers connect 1")
    yield f"{begin} advertisement-interval 0"
    options: Mapping[str, object] = {
        f"password {peer.password}": peer.password,
        f"ebgp-multihop {peer.hops}": peer.hops > 1,
        "passive": peer.passive,
        f"port {peer.port}": peer.port != 179,
        f"update-source {peer.local}": peer.local,
        "graceful-restart": peer.restart,
        "bfd": peer.bfd,
        f"bfd profile {profile}": peer.bfd,
        "bfd check-control-plane-failure": peer.bfd and peer.bfd.lenient,
    }
    yield from (f"{begin} {option}" for option, wanted in options.items() if wanted)


def _name(prefix: str) -> str:
    return f"say-{prefix}"


def _map(route: Route, asn: int) -> Iterator[str]:
    """What is said of a route: a route map of its own, made anew."""
    name = _name(route.prefix)
    yield from (f"no route-map {name}", f"route-map {name} permit 10")
    if route.communities:
        yield f"set community {' '.join(f'{high}:{low}' for high, low in route.communities)}"
    if route.large:
        yield f"set large-community {' '.join(':'.join(map(str, each)) for each in route.large)}"
    if route.med is not None:
        yield f"set metric {route.med}"
    if route.local_pref is not None:
        yield f"set local-preference {route.local_pref}"
    if route.prepend:
        yield f"set as-path prepend {' '.join([str(asn)] * route.prepend)}"
    yield "exit"


def _network(route: Route) -> Iterable[str]:
    begin = f"address-family {route.family} unicast"
    return begin, f"network {route.prefix} route-map {_name(route.prefix)}", "exit-address-family"


def _clock(text: str) -> float:
    # Local time, and this machine's own.
    return datetime.strptime(text, "%Y/%m/%d %H:%M:%S.%f").astimezone().timestamp()


def _foreign(path: Mapping[str, Any]) -> bool:
    return bool(path["peerId"] != "(unspec)")


def _session(name: str, said: Mapping[str, Any]) -> Session:
    up = said["bgpState"] == "Established"
    told = (said.get(key, "") for key in ("lastResetDueTo", "lastNotificationReason", "lastShutdownDescription"))
    capabilities = {
        capability
        for capability, word in said.get("neighborCapabilities", {}).items()
        if "eceived" in json.dumps(word) or word == "received"
    }
    return Session(
        name,
        said["bgpState"].lower(),
        said["bgpTimerUpMsec"] // 1000 if up else None,
        ": ".join(filter(None, told)),
        frozenset(capabilities),
    )


def _seen(prefix: str, path: Mapping[str, Any]) -> Seen:
    return Seen(
        prefix,
        path["peer"]["peerId"],
        next(each["ip"] for each in path["nexthops"] if each["ip"] not in OURS),
        tuple(
            number for each in path["aspath"]["segments"] if each["type"] == "as-sequence" for number in each["list"]
        ),
        frozenset(map(pair, path.get("community", {}).get("list", ()))),
        frozenset(map(triple, path.get("largeCommunity", {}).get("list", ()))),
        path.get("metric"),
        path.get("locPrf"),
        bool(path.get("stale")),
    )
