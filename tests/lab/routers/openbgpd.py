"""OpenBGPD: bgpd in the foreground, asked through bgpctl."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tests.lab.routers.router import Neighbour, Route, Router, Seen, Session, pair, triple

# Each part of it confines itself to this folder, which need not be there. `ip netns exec` has given it mounts of its
# own, so that nobody else sees the one it is given.
BEGIN = 'mount -t tmpfs tmpfs /run && mkdir /run/openbgpd && exec /usr/sbin/bgpd -d -v -f "$0"'


class OpenBgpd(Router):
    """OpenBGPD 7. It has no BFD and puts no route into this kernel; in restarts it only helps others."""

    programs: ClassVar[Mapping[str, str]] = {"/usr/sbin/bgpd": "openbgpd", "/usr/sbin/bgpctl": "openbgpd"}

    def _run(self) -> None:
        path = self._write("bgpd.conf", "\n".join((*_configuration(self), "")))
        # It holds passwords, and the daemon insists.
        (self.folder / "bgpd.conf").chmod(0o600)
        self._spawn("sh", "-c", BEGIN, path)

    def _ready(self) -> object:
        return len(self._json("show", "neighbor").get("neighbors", ())) >= len(self.setup.neighbours)

    def _bgpctl(self, *command: str) -> str:
        return self._ask("bgpctl", "-s", f"{self.folder}/ctl", *command)

    def _json(self, *command: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._bgpctl("-j", *command))
        return found

    def sessions(self) -> list[Session]:
        """All sessions, up or not."""
        return [_session(each) for each in self._json("show", "neighbor").get("neighbors", ())]

    def routes(self) -> list[Seen]:
        """All routes from its peers, each as often as a peer tells it."""
        names = {each.address for each in self.setup.neighbours}
        table = self._json("show", "rib", "detail").get("rib", ())
        return [_seen(each) for each in table if each["neighbor"]["remote_addr"] in names]

    def announce(self, route: Route) -> None:
        """Announce one route more, or one differently; through bgpctl, which takes one of each community at most."""
        said = [word for statement in _said(self, route) for word in statement.split()]
        self._bgpctl("network", "add", route.prefix, *said)

    def withdraw(self, prefix: str) -> None:
        """Announce `prefix` no longer; one of its configuration too."""
        self._bgpctl("network", "delete", prefix)

    def refresh(self, peer: str) -> None:
        """Have it ask `peer` for all routes again (RFC 2918)."""
        self._bgpctl("neighbor", peer, "refresh")

    def shut(self, peer: str, reason: str) -> None:
        """End the session with `peer` for good, and tell it the reason (RFC 9003)."""
        self._bgpctl("neighbor", peer, "down", reason)


def _configuration(router: OpenBgpd) -> Iterator[str]:
    setup = router.setup
    yield from (f"AS {setup.asn}", f"router-id {setup.router_id}", "fib-update no", f'socket "{router.folder}/ctl"')
    yield from (f"listen on {each} port {setup.port}" for each in (router.host.ipv4, router.host.ipv6))
    yield "connect-retry 1"
    for route in setup.routes:
        yield f"network {route.prefix} set {{ {' '.join(_said(router, route))} }}"
    for each in setup.neighbours:
        yield from (f"neighbor {each.address} {{", *_neighbour(each), "}")
    # On Linux its own next hop is ::1 or 127.0.0.1 in the family that the session is not over. Each route's own is told
    # instead, which needs a session of several hops.
    yield from ("allow from any", "allow to any", "match to any set nexthop no-modify")


def _said(router: OpenBgpd, route: Route) -> Iterator[str]:
    yield f"nexthop {router.host.ipv4 if route.family == 'ipv4' else router.host.ipv6}"
    yield from (f"community {high}:{low}" for high, low in route.communities)
    yield from (f"large-community {':'.join(map(str, each))}" for each in route.large)
    yield from (f"metric {route.med}",) if route.med is not None else ()
    yield from (f"localpref {route.local_pref}",) if route.local_pref is not None else ()
    yield from (f"prepend-self {route.prepend}",) if route.prepend else ()


def _neighbour(peer: Neighbour) -> Iterator[str]:
    yield from (f"remote-as {peer.asn}", f"holdtime {peer.hold_time}", "announce restart yes")
    for kind, name in (("ipv4", "IPv4"), ("ipv6", "IPv6")):
        yield f"announce {name} {'unicast' if kind in peer.families else 'none'}"
    options: Mapping[str, object] = {
        f'tcp md5sig password "{peer.password}"': peer.password,
        "passive": peer.passive,
        f"port {peer.port}": peer.port != 179,
        f"multihop {max(peer.hops, 2)}": True,
        f"local-address {peer.local}": peer.local,
    }
    yield from (option for option, wanted in options.items() if wanted)


def _session(said: Mapping[str, Any]) -> Session:
    state = said["state"].lower()
    theirs = said.get("session", {}).get("remote", {}).get("capabilities", {})
    errors = (
        said.get(key, "") for key in ("last_error", "last_error_received", "last_error_sent", "last_shutdown_reason")
    )
    return Session(
        said["remote_addr"],
        state,
        said["last_updown_sec"] if state == "established" else None,
        ": ".join(filter(None, errors)),
        frozenset(name for name, value in theirs.items() if value),
    )


def _seen(said: Mapping[str, Any]) -> Seen:
    return Seen(
        said["prefix"],
        said["neighbor"]["remote_addr"],
        said["exit_nexthop"],
        tuple(int(word) for word in said["aspath"].split() if word.isdigit()),
        frozenset(map(pair, said.get("communities", ()))),
        frozenset(map(triple, said.get("large_communities", ()))),
        said.get("metric"),
        said.get("localpref"),
        bool(said.get("stale")),
    )
