"""BIRD 2: one process, its configuration written anew for every change, asked through birdc."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import ClassVar

from tests.lab.routers.router import Bfd, BfdSession, Neighbour, Route, Router, Seen, Session

PROTOCOL = re.compile(r"^p(\d+) +BGP +\S+ +\S+ +(\d\S+ [\d:]+)")
STATES = {"down": "idle", "close": "idle", "passive": "active"}
ROUTE = re.compile(r"^(\S*) +unicast \[p(\d+) ")
SAID = re.compile(r"^\tBGP\.(\w+): (.*)$", re.MULTILINE)
GROUP = re.compile(r"\(([\d, ]+)\)")
TABLE = """protocol kernel {{ {0} {{ import none; export where source = RTS_BGP; }}; merge paths on limit {1}; }}
protocol direct {{ {0}; }}
protocol static {{ {0}; {2} }}"""
# BIRD tells no MED to another AS but one that this filter has set.
FILTER = """filter say {
 if source = RTS_STATIC && defined(bgp_med) then bgp_med = bgp_med;
 if source = RTS_STATIC || source = RTS_BGP then accept;
 reject;
}"""


class Bird(Router):
    """BIRD 2.0. Its routes reach the kernel of its namespace. It has no echo, and does not say which routes are stale.

    Of BFD over several hops it heeds no TTL, and sends with 64: for FRR at the other end that is one of 192 `hops`.
    """

    programs: ClassVar[Mapping[str, str]] = {"/usr/sbin/bird": "bird2", "/usr/sbin/birdc": "bird2"}

    def _run(self) -> None:
        self._announced = {each.prefix: each for each in self.setup.routes}
        self._save()
        places = ["-c", f"{self.folder}/bird.conf", "-s", f"{self.folder}/ctl", "-P", f"{self.folder}/pid"]
        self._spawn("/usr/sbin/bird", "-f", *places)

    def _save(self) -> None:
        self._write("bird.conf", "\n".join((*_configuration(self, self._announced.values()), "")))

    def _ready(self) -> object:
        return "Daemon is up and running" in self._birdc("show status")

    def _birdc(self, command: str) -> str:
        return self._ask("birdc", "-s", f"{self.folder}/ctl", command)

    def _name(self, peer: str) -> str:
        return f"p{[each.name for each in self.setup.neighbours].index(peer)}"

    def sessions(self) -> list[Session]:
        """All sessions, up or not."""
        pieces = re.split(r"\n(?=\S)", self._birdc("show protocols all"))
        return [self._session(piece) for piece in pieces if PROTOCOL.match(piece)]

    def _session(self, text: str) -> Session:
        head = PROTOCOL.match(text)
        assert head
        said = dict(re.findall(r"^ +(BGP state|Last error): +(.*)$", text, re.MULTILINE))
        state = said["BGP state"].lower()
        # Local time, and the clock that it is compared with is this machine's own.
        since = datetime.fromisoformat(head[2]).astimezone()
        theirs = re.search(r"^ {4}Neighbor capabilities\n((?: {6}.*(?:\n|$))+)", text, re.MULTILINE)
        return Session(
            self.setup.neighbours[int(head[1])].name,
            STATES.get(state, state),
            int((datetime.now().astimezone() - since).total_seconds()) if state == "established" else None,
            said.get("Last error", ""),
            frozenset(re.findall(r"^ {6}(\S.*?)$", theirs[1], re.MULTILINE) if theirs else ()),
        )

    def routes(self) -> list[Seen]:
        """All routes from its peers, each as often as a peer tells it."""
        return self._told("show route all")

    def route(self, prefix: str) -> list[Seen]:
        """All that it has of `prefix`."""
        # Asked for a prefix by itself, BIRD calls it an error that there is none.
        return self._told(f"show route all where net = {prefix}")

    def _told(self, command: str) -> list[Seen]:
        found, prefix = [], ""
        for piece in re.split(r"\n(?=\S| {8} +\w+ \[)", self._birdc(command)):
            if head := ROUTE.match(piece):
                # Of several routes to one prefix only the first names it.
                prefix = head[1] or prefix
                found.append(_seen(prefix, self.setup.neighbours[int(head[2])].name, piece))
        return found

    def heard(self, peer: str) -> int:
        """How many routes `peer` has told, each as often as it did."""
        said = self._birdc(f"show protocols all {self._name(peer)}")
        return sum(map(int, re.findall(r"^ +Import updates: +(\d+)", said, re.MULTILINE)))

    def bfd(self) -> list[BfdSession]:
        """All BFD sessions."""
        several = {each.address for each in self.setup.neighbours if each.hops > 1}
        rows = re.findall(r"^([\da-f.:]+) +\S+ +(\w+) +\d", self._birdc("show bfd sessions"), re.MULTILINE)
        return [BfdSession(peer, state.lower(), peer in several) for peer, state in rows]

    def announce(self, route: Route) -> None:
        """Announce one route more, or one differently."""
        self._announced[route.prefix] = route
        self._save()
        self._birdc("configure")

    def withdraw(self, prefix: str) -> None:
        """Announce `prefix` no longer."""
        del self._announced[prefix]
        self._save()
        self._birdc("configure")

    def refresh(self, peer: str) -> None:
        """Have it ask `peer` for all routes again (RFC 2918)."""
        self._birdc(f"reload in {self._name(peer)}")

    def shut(self, peer: str, reason: str) -> None:
        """End the session with `peer` for good, and tell it the reason (RFC 9003)."""
        self._birdc(f'disable {self._name(peer)} "{reason}"')


def _configuration(router: Bird, routes: Iterable[Route]) -> Iterator[str]:
    setup = router.setup
    yield from ("log stderr all;", f"router id {setup.router_id};", "timeformat protocol iso long;")
    yield from ("protocol device { scan time 1; }", FILTER)
    for kind in ("ipv4", "ipv6"):
        lines = [_static(each, setup.asn) for each in routes if each.family == kind]
        yield TABLE.format(kind, setup.multipath, " ".join(lines))
    if any(each.bfd for each in setup.neighbours):
        yield "protocol bfd { }"
    for number, each in enumerate(setup.neighbours):
        if each.interface:
            # Peers without an address are found by the advertisements of routers.
            yield f'protocol radv {{ interface "{each.interface}" {{ max ra interval 4; }}; }}'
        yield f"protocol bgp p{number} {{\n{_neighbour(router, each)}}}"


def _static(route: Route, asn: int) -> str:
    """A route of its own, and what is said of it."""
    said = [f"bgp_path.prepend({asn});"] * route.prepend
    said += [f"bgp_community.add(({high}, {low}));" for high, low in route.communities]
    said += [f"bgp_large_community.add(({', '.join(map(str, each))}));" for each in route.large]
    if route.med is not None:
        said.append(f"bgp_med = {route.med};")
    if route.local_pref is not None:
        said.append(f"bgp_local_pref = {route.local_pref};")
    return f"route {route.prefix} blackhole {{ {' '.join(said)} }};"


def _neighbour(router: Bird, peer: Neighbour) -> str:
    # A peer known by its interface alone comes to us: BIRD finds out nobody's link-local address.
    whom = f"neighbor range fe80::/10 as {peer.asn}" if peer.interface else f"neighbor {peer.address} as {peer.asn}"
    own = router.host.ipv6 if ":" in peer.address else router.host.ipv4
    local = "" if peer.interface else peer.local or own
    lines = [f"local {local} port {router.setup.port} as {router.setup.asn}", whom]
    lines += ["connect retry time 1", "connect delay time 1", "error wait time 1, 1"]
    lines += [f"hold time {peer.hold_time}", f"keepalive time {peer.hold_time // 3}"]
    options: Mapping[str, object] = {
        f'interface "{peer.interface}"': peer.interface,
        'dynamic name "link"': peer.interface,
        f"neighbor port {peer.port}": peer.port != 179,
        f"multihop {peer.hops}": peer.hops > 1,
        f'password "{peer.password}"': peer.password,
        "passive on": peer.passive,
        f"graceful restart on; graceful restart time {peer.restart}": peer.restart,
        _bfd(peer.bfd): peer.bfd,
        "bfd graceful": peer.bfd and peer.bfd.lenient,
    }
    lines += [option for option, wanted in options.items() if wanted]
    lines += [_channel(kind, peer) for kind in peer.families]
    return "".join(f" {line};\n" for line in lines)


def _bfd(profile: Bfd | None) -> str:
    said = profile or Bfd()
    times = f"min rx interval {said.receive} ms; min tx interval {said.transmit} ms; multiplier {said.multiplier}"
    return f"bfd {{ {times}; passive {'on' if said.passive else 'off'}; }}"


def _channel(kind: str, peer: Neighbour) -> str:
    """Routes of one family; IPv4 by way of IPv6 where the peer is one on the link."""
    by_six = " extended next hop on;" if kind == "ipv4" and (peer.interface or ":" in peer.address) else ""
    return f"{kind} {{ import all; export filter say;{by_six} }}"


def _seen(prefix: str, peer: str, text: str) -> Seen:
    said = dict(SAID.findall(text))
    large = (tuple(map(int, each.split(","))) for each in GROUP.findall(said.get("large_community", "")))
    communities = (tuple(map(int, each.split(","))) for each in GROUP.findall(said.get("community", "")))
    return Seen(
        prefix,
        peer,
        said["next_hop"].split()[0],
        tuple(map(int, re.sub(r"\{.*?\}", "", said.get("as_path", "")).split())),
        frozenset((each[0], each[1]) for each in communities),
        frozenset((each[0], each[1], each[2]) for each in large),
        int(said["med"]) if "med" in said else None,
        int(said["local_pref"]) if "local_pref" in said else None,
    )
