"""GoBGP: gobgpd with a file of TOML, asked through gobgp."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tests.lab.routers.router import Neighbour, Route, Router, Seen, Session

STATES = {1: "idle", 2: "connect", 3: "active", 4: "opensent", 5: "openconfirm", 6: "established"}
PATH, NEXT_HOP, MED, LOCAL_PREF, COMMUNITIES, REACH, LARGE = 2, 3, 4, 5, 8, 14, 32
SEQUENCE = 2


# It tells its peers the name of the machine, which is nobody's business; in a namespace it has one of its own.
BEGIN = 'hostname gobgp && exec "$@"'


class GoBgp(Router):
    """GoBGP 3. It has no BFD, and puts no route into a kernel."""

    programs: ClassVar[Mapping[str, str]] = {"/usr/bin/gobgpd": "gobgpd", "/usr/bin/gobgp": "gobgpd"}

    def _run(self) -> None:
        path = self._write("gobgpd.toml", "\n".join((*_configuration(self), "")))
        command = ["/usr/bin/gobgpd", "-f", path, "--api-hosts", f"unix://{self.folder}/api", "--pprof-disable"]
        self._spawn("unshare", "--uts", "sh", "-c", BEGIN, "sh", *command)

    def _ready(self) -> object:
        if len(self._json("neighbor")) < len(self.setup.neighbours):
            return False
        for each in self.setup.routes:
            self.announce(each)
        return True

    def _gobgp(self, *command: str) -> str:
        return self._ask("gobgp", "--target", f"unix://{self.folder}/api", *command)

    def _json(self, *command: str) -> Any:  # noqa: ANN401 - what comes is judged where it is read
        return json.loads(self._gobgp("-j", *command) or "[]")

    def sessions(self) -> list[Session]:
        """All sessions, up or not."""
        return [self._session(each) for each in self._json("neighbor")]

    def _session(self, said: Mapping[str, Any]) -> Session:
        state, peer = said["state"], said["conf"]["neighbor_address"]
        word = STATES[state.get("session_state", 1)]
        since = said["timers"].get("state", {}).get("uptime", {}).get("seconds", 0)
        capabilities = (each["type_url"].rpartition(".")[2] for each in state.get("remote_cap", ()))
        return Session(
            peer,
            word,
            int(time.time()) - since if word == "established" else None,
            self._error(peer),
            frozenset(each.removesuffix("Capability") for each in capabilities),
        )

    def _error(self, peer: str) -> str:
        """Why the last session ended: its log alone says so, a line of JSON each."""
        lines = (json.loads(line) for line in self.tail(10_000).splitlines() if line.startswith("{"))
        said = [line["Reason"] for line in lines if line.get("Key") == peer and "Reason" in line]
        return str(said[-1]) if said else ""

    def routes(self) -> list[Seen]:
        """All routes from its peers, each as often as a peer tells it."""
        found: list[Seen] = []
        for peer in self.setup.neighbours:
            for kind in peer.families:
                table = self._heard(peer.name, kind)
                found += [_seen(peer.name, each) for paths in table.values() for each in paths]
        return found

    def _heard(self, peer: str, kind: str) -> dict[str, Any]:
        try:
            return dict(self._json("neighbor", peer, "adj-in", "-a", kind))
        except RuntimeError:
            # It calls it an error that it has nothing of a peer that it has no session with.
            if self.session(peer).up:
                raise
            return {}

    def notifications(self, peer: str) -> int:
        """How many `peer` has sent: of one that ended no session the log says nothing."""
        (state,) = (each["state"] for each in self._json("neighbor") if each["conf"]["neighbor_address"] == peer)
        return int(state["messages"]["received"].get("notification", 0))

    def announce(self, route: Route) -> None:
        """Announce one route more, or one differently."""
        said = ["origin", "igp", "nexthop", self.host.ipv4 if route.family == "ipv4" else self.host.ipv6]
        if route.communities:
            said += ["community", ",".join(f"{high}:{low}" for high, low in route.communities)]
        if route.large:
            said += ["large-community", ",".join(":".join(map(str, each)) for each in route.large)]
        if route.prepend:
            said += ["aspath", ",".join([str(self.setup.asn)] * route.prepend)]
        for word, value in (("med", route.med), ("local-pref", route.local_pref)):
            said += [word, str(value)] if value is not None else []
        self._gobgp("global", "rib", "add", "-a", route.family, route.prefix, *said)

    def withdraw(self, prefix: str) -> None:
        """Announce `prefix` no longer."""
        self._gobgp("global", "rib", "del", "-a", Route(prefix=prefix).family, prefix)

    def refresh(self, peer: str) -> None:
        """GoBGP cannot: a soft reset looks through what it kept, and asks nobody."""
        raise NotImplementedError(f"GoBGP asks {peer} for nothing again")

    def shut(self, peer: str, reason: str) -> None:
        """End the session with `peer` for good, and tell it the reason (RFC 9003)."""
        # The first tells the reason, and the second keeps it from coming back.
        self._gobgp("neighbor", peer, "shutdown", "--reason", reason)
        self._gobgp("neighbor", peer, "disable")


def _configuration(router: GoBgp) -> Iterator[str]:
    setup = router.setup
    yield from ("[global.config]", f"as = {setup.asn}", f'router-id = "{setup.router_id}"', f"port = {setup.port}")
    for each in setup.neighbours:
        yield from _neighbour(each)


def _neighbour(peer: Neighbour) -> Iterator[str]:
    yield from ("[[neighbors]]", "[neighbors.config]", f"peer-as = {peer.asn}")
    name = "neighbor-interface" if peer.interface else "neighbor-address"
    yield from (f'{name} = "{peer.name}"', f'auth-password = "{peer.password}"')
    yield from ("[neighbors.timers.config]", "connect-retry = 1", "idle-hold-time-after-reset = 1")
    yield from (f"hold-time = {peer.hold_time}", f"keepalive-interval = {peer.hold_time // 3}")
    yield from ("[neighbors.transport.config]", f"passive-mode = {_word(peer.passive)}", f"remote-port = {peer.port}")
    if peer.local:
        yield f'local-address = "{peer.local}"'
    if peer.hops > 1:
        yield from ("[neighbors.ebgp-multihop.config]", "enabled = true", f"multihop-ttl = {peer.hops}")
    # One that only helps says no time of its own.
    yield from ("[neighbors.graceful-restart.config]", "enabled = true")
    yield f"restart-time = {peer.restart}" if peer.restart else "helper-only = true"
    for kind in peer.families:
        yield from ("[[neighbors.afi-safis]]", "[neighbors.afi-safis.config]", f'afi-safi-name = "{kind}-unicast"')
        yield from ("[neighbors.afi-safis.mp-graceful-restart.config]", "enabled = true")


def _word(wanted: bool) -> str:
    return "true" if wanted else "false"


def _seen(peer: str, said: Mapping[str, Any]) -> Seen:
    values = {each["type"]: each for each in said["attrs"]}
    path = values.get(PATH, {}).get("as_paths") or ()
    communities = values.get(COMMUNITIES, {}).get("communities", ())
    return Seen(
        said["nlri"]["prefix"],
        peer,
        values.get(NEXT_HOP, values.get(REACH, {}))["nexthop"],
        tuple(number for each in path if each["segment_type"] == SEQUENCE for number in each["asns"]),
        frozenset((each >> 16, each & 0xFFFF) for each in communities),
        frozenset(
            (each["ASN"], each["LocalData1"], each["LocalData2"]) for each in values.get(LARGE, {}).get("value", ())
        ),
        values.get(MED, {}).get("metric"),
        values.get(LOCAL_PREF, {}).get("value"),
        bool(said.get("stale")),
    )
