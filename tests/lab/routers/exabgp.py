"""ExaBGP: told what to say through a file that is followed, and heard through its events in JSON."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from tests.lab.routers.router import PATIENCE, Neighbour, Route, Router, Seen, Session, documents
from tests.lab.waiting import eventually

API = """: >events
tail -n +1 -f commands &
trap "kill $!" EXIT
cat >>events
"""
STATES = {"up": "established", "connected": "connect", "down": "idle"}


class ExaBgp(Router):
    """ExaBGP 4. It has no BFD, keeps no table and puts no route into a kernel: its view is what it heard."""

    programs: ClassVar[Mapping[str, str]] = {"/usr/sbin/exabgp": "exabgp"}

    def _run(self) -> None:
        self._write("commands", "")
        self._write("api", f"cd {self.folder}\n{API}")
        for each in self.setup.routes:
            self.announce(each)
        path = self._write("exabgp.conf", "\n".join((*_configuration(self), "")))
        options = {"daemon.user": "root", "api.ack": "false", "api.cli": "false", "tcp.port": str(self.setup.port)}
        if any(each.passive for each in self.setup.neighbours):
            options["tcp.bind"] = f"{self.host.ipv4} {self.host.ipv6}"
        environment = {f"exabgp.{name}": value for name, value in options.items()}
        self._spawn("/usr/sbin/exabgp", "-e", f"{self.folder}/none", path, env={**os.environ, **environment})

    def _ready(self) -> object:
        return (self.folder / "events").exists()

    def _events(self) -> list[dict[str, Any]]:
        """All so far."""
        return list(documents((self.folder / "events").read_text()))

    def _tell(self, command: str) -> None:
        with (self.folder / "commands").open("a") as commands:
            commands.write(f"{command}\n")

    def sessions(self) -> list[Session]:
        """All sessions, up or not."""
        found = {each.name: Session(each.name, "idle") for each in self.setup.neighbours}
        for event in self._events():
            peer = event.get("neighbor", {}).get("address", {}).get("peer", "")
            if peer in found:
                found[peer] = _after(found[peer], event)
        return list(found.values())

    def routes(self) -> list[Seen]:
        """All routes from its peers, each as often as a peer tells it."""
        found: dict[tuple[str, str], Seen] = {}
        for event in self._events():
            said = event.get("neighbor", {})
            peer = said.get("address", {}).get("peer", "")
            if event["type"] == "state" and said["state"] == "down":
                found = {key: each for key, each in found.items() if key[0] != peer}
            update = said.get("message", {}).get("update", {})
            for prefix in _gone(update):
                found.pop((peer, prefix), None)
            found.update({(peer, each.prefix): each for each in _come(peer, update)})
        return list(found.values())

    def announce(self, route: Route) -> None:
        """Announce one route more, or one differently."""
        said = [
            f"announce route {route.prefix}",
            "next-hop",
            self.host.ipv4 if route.family == "ipv4" else self.host.ipv6,
        ]
        if route.communities:
            said.append(f"community [ {' '.join(f'{high}:{low}' for high, low in route.communities)} ]")
        if route.large:
            said.append(f"large-community [ {' '.join(':'.join(map(str, each)) for each in route.large)} ]")
        if route.prepend:
            # Where a path is given, ExaBGP puts nothing before it.
            said.append(f"as-path [ {' '.join([str(self.setup.asn)] * (route.prepend + 1))} ]")
        for word, value in (("med", route.med), ("local-preference", route.local_pref)):
            said += [f"{word} {value}"] if value is not None else []
        self._tell(" ".join(said))

    def withdraw(self, prefix: str) -> None:
        """Announce `prefix` no longer."""
        hop = self.host.ipv4 if Route(prefix=prefix).family == "ipv4" else self.host.ipv6
        self._tell(f"withdraw route {prefix} next-hop {hop}")

    def refresh(self, peer: str) -> None:
        """Have it ask `peer` for all routes again (RFC 2918)."""
        kinds = next(each.families for each in self.setup.neighbours if each.name == peer)
        for kind in kinds:
            self._tell(f"neighbor {peer} announce route-refresh {kind} unicast")

    def shut(self, peer: str, reason: str) -> None:  # noqa: ARG002 - it cannot tell any
        """End the session with `peer`; ExaBGP tells no reason but the subcode, and comes back.

        It does not heed every such command, so it is told once a second until it has.
        """
        before = self._downs(peer)
        for _ in range(int(PATIENCE)):
            self._tell(f"neighbor {peer} teardown 2")
            with suppress(AssertionError):
                eventually(lambda: self._downs(peer) > before, "it has ended the session", 1.0)
                return
        raise AssertionError(f"ExaBGP does not end the session with {peer}")

    def _downs(self, peer: str) -> int:
        """How often a session with `peer` has ended."""
        said = [each.get("neighbor", {}) for each in self._events() if each["type"] == "state"]
        return sum(each.get("address", {}).get("peer") == peer and each.get("state") == "down" for each in said)


def _configuration(router: ExaBgp) -> Iterator[str]:
    yield f"process api {{ run /bin/sh {router.folder}/api; encoder json; }}"
    for each in router.setup.neighbours:
        yield from (f"neighbor {each.address} {{", *_neighbour(router, each), "}")


def _neighbour(router: ExaBgp, peer: Neighbour) -> Iterator[str]:
    setup, host = router.setup, router.host
    local = peer.local or (host.ipv6 if ":" in peer.address else host.ipv4)
    yield from (f"router-id {setup.router_id};", f"local-address {local};")
    yield from (f"local-as {setup.asn};", f"peer-as {peer.asn};", f"hold-time {peer.hold_time};")
    options: Mapping[str, object] = {
        f'md5-password "{peer.password}"': peer.password,
        "passive true": peer.passive,
        f"connect {peer.port}": peer.port != 179,
        f"outgoing-ttl {peer.hops}": peer.hops > 1,
    }
    yield from (f"{option};" for option, wanted in options.items() if wanted)
    yield f"family {{ {' '.join(f'{kind} unicast;' for kind in peer.families)} }}"
    restart = f"graceful-restart {peer.restart};" if peer.restart else ""
    yield f"capability {{ asn4 enable; route-refresh enable; {restart} }}"
    yield "api { processes [ api ]; neighbor-changes; receive { parsed; open; update; notification; refresh; } }"


def _after(session: Session, event: Mapping[str, Any]) -> Session:
    """A session once that has happened."""
    said = event["neighbor"]
    match event["type"]:
        case "open" if said["direction"] == "receive":
            names = frozenset(each["name"] for each in said["open"]["capabilities"].values())
            return Session(session.peer, session.state, session.uptime, session.error, names)
        case "notification":
            return Session(session.peer, session.state, session.uptime, _words(said), session.capabilities)
        case "state":
            state = STATES[said["state"]]
            uptime = int(time.time() - event["time"]) if state == "established" else None
            return Session(session.peer, state, uptime, said.get("reason", session.error), session.capabilities)
    return session


def _words(said: Mapping[str, Any]) -> str:
    told = said.get("notification") or said.get("message", {}).get("notification", {})
    return f"{said['direction']} {told.get('code')}/{told.get('subcode')} {told.get('message', '')}".strip()


def _gone(update: Mapping[str, Any]) -> Iterator[str]:
    for rows in update.get("withdraw", {}).values():
        yield from (each["nlri"] for each in rows)


def _come(peer: str, update: Mapping[str, Any]) -> Iterator[Seen]:
    said = update.get("attribute", {})
    for hops in update.get("announce", {}).values():
        for hop, rows in hops.items():
            # Of two next hops, global and link-local, it tells all routes twice.
            for each in rows if len(hops) == 1 or not hop.startswith("fe80:") else ():
                yield Seen(
                    each["nlri"],
                    peer,
                    hop,
                    tuple(said.get("as-path", ())),
                    frozenset((one, two) for one, two in said.get("community", ())),
                    frozenset((one, two, three) for one, two, three in said.get("large-community", ())),
                    said.get("med"),
                    said.get("local-preference"),
                )
