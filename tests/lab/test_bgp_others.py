"""GoBGP, ExaBGP and OpenBGPD as peers of a whole agent: what each has of it, how they part, and who says why."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from msgspec import Struct

from tests.lab import net
from tests.lab.agents import Agent, fleet
from tests.lab.bgp import OURS, bgp, forget, peer, routed
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan, tool
from tests.lab.routers.exabgp import ExaBgp
from tests.lab.routers.gobgp import GoBgp
from tests.lab.routers.openbgpd import OpenBgpd
from tests.lab.routers.router import PATIENCE, Neighbour, Router, Seen, Setup, missing
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually, throughout

pytestmark = pytest.mark.lab

KINDS: tuple[type[Router], ...] = (GoBgp, ExaBgp, OpenBgpd)
KEEPING: tuple[type[Router], ...] = (GoBgp, OpenBgpd)
"""Those that keep routes of a peer that restarts."""
ASKING: tuple[type[Router], ...] = (ExaBgp, OpenBgpd)
"""Those that can ask for all routes again."""
NOBODY = 64999
"""An AS number that no router has."""
STRANGE = "10.99.0.111"
"""Another address of the node."""
REFUSED: dict[type[Router], str] = {ExaBgp: "Bad Peer AS", OpenBgpd: "AS unacceptable"}
"""How each says that its peer did not like its AS number; GoBGP only counts such words."""
WHY = "maintenance at noon"
SAID = {"communities": ["64512:7", "large:64512:8:9"]}


class World(Struct, frozen=True):
    """A node, its routers, and a Service with an address of each family."""

    node: Host
    agent: Agent
    cluster: Cluster
    routers: dict[type[Router], Router]
    addresses: list[str]

    @property
    def prefixes(self) -> list[str]:
        """What routers are to be told."""
        return [f"{each}/{128 if ':' in each else 32}" for each in self.addresses]


def number(kind: type[Router]) -> int:
    """The AS number of a router."""
    return 64601 + KINDS.index(kind)


def name(kind: type[Router]) -> str:
    """What the cluster calls it."""
    return kind.__name__.lower()


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if lacking := net.missing() or missing(KINDS):
        pytest.skip(f"needed: {lacking}")
    with Lan(1, routers=len(KINDS)) as made:
        yield made


@pytest.fixture(scope="module")
def routers(lan: Lan) -> Iterator[dict[type[Router], Router]]:
    """Each knows the node by three addresses, and mistakes the AS number that it has at the last."""
    node = lan.nodes[0]
    tool("ip", "-n", node.namespace, "addr", "add", f"{STRANGE}/16", "dev", "eth0")
    known = ((node.ipv4, OURS), (node.ipv6, OURS), (STRANGE, NOBODY))
    ours = tuple(Neighbour(address=address, asn=asn) for address, asn in known)
    with ExitStack() as stack:
        found = {}
        for kind, host in zip(KINDS, lan.routers, strict=True):
            setup = Setup(asn=number(kind), router_id=host.ipv4, neighbours=ours)
            found[kind] = stack.enter_context(kind(lan, host, setup))
        yield found


@pytest.fixture(scope="module")
def plane(lan: Lan) -> Iterator[Embedded]:
    with routed(lan) as made:
        yield made


@pytest.fixture(scope="module")
def agents(lan: Lan, plane: Embedded, routers: dict[type[Router], Router]) -> Iterator[list[Agent]]:
    """Each router is a peer, and twice more: where the cluster mistakes its AS number, and where it mistakes ours."""
    for kind, router in routers.items():
        where = {"peerAddress": router.host.ipv4, "enableGracefulRestart": True, "dualStackAddressFamily": True}
        six = {"peerASN": NOBODY, "peerAddress": router.host.ipv6}
        strange = {"peerASN": number(kind), "peerAddress": router.host.ipv4, "sourceAddress": STRANGE}
        plane.cluster.create(bgp("BGPPeer", name(kind), myASN=OURS, peerASN=number(kind), **where))
        plane.cluster.create(bgp("BGPPeer", f"wrong-{name(kind)}", myASN=OURS, **six))
        plane.cluster.create(bgp("BGPPeer", f"strange-{name(kind)}", myASN=OURS, **strange))
    with fleet(lan, plane) as running:
        yield running


@pytest.fixture(scope="module")
def served(lan: Lan, plane: Embedded, agents: list[Agent], routers: dict[type[Router], Router]) -> Iterator[World]:
    """All sessions up, and a Service that all routers are told of."""
    plane.cluster.create(bgp("BGPAdvertisement", "all", **SAID))
    publish(plane.cluster, "web", lan.nodes, families=("IPv4", "IPv6"))
    addresses = eventually(partial(both, plane.cluster), "web has two addresses")
    yield World(lan.nodes[0], agents[0], plane.cluster, routers, addresses)
    forget(plane.cluster, agents)


@pytest.fixture
def world(served: World) -> Iterator[World]:
    yield served
    for each in served.routers.values():
        print(f"--- {each.host.name} {each.sessions()}\n{each.tail(25)}")
    print(f"{served.agent.tail()}\n{served.agent.status().get('peers')}")


def both(cluster: Cluster) -> list[str]:
    found = given(cluster, "web")
    return found if len(found) == 2 else []


def told(world: World, kind: type[Router]) -> list[Seen]:
    """What a router has of the Service, once it has both routes."""
    router = world.routers[kind]
    router.wait_up(world.node.ipv4)
    return [seen for prefix in world.prefixes for seen in router.wait_route(prefix)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_router_has_both_families_by_one_session_with_all_that_is_said_of_them(
    world: World, kind: type[Router]
) -> None:
    seen = told(world, kind)
    assert [(each.prefix, each.next_hop) for each in seen] == list(
        zip(world.prefixes, (world.node.ipv4, world.node.ipv6), strict=True)
    )
    for each in seen:
        assert (each.peer, each.path) == (world.node.ipv4, (OURS,))
        assert each.communities == {(64512, 7)}
        assert each.large == {(64512, 8, 9)}
    assert peer(world.agent, name(kind))["families"] == ["ipv4", "ipv6"]


@pytest.mark.parametrize("kind", ASKING)
def test_a_router_that_asks_is_told_all_again(world: World, kind: type[Router]) -> None:
    told(world, kind)
    before = peer(world.agent, name(kind))
    world.routers[kind].refresh(world.node.ipv4)
    eventually(partial(more, world, kind, "heard", "route-refresh", before["heard"]), "it has asked")
    eventually(partial(more, world, kind, "sent", "update", before["sent"]), "it is told")
    assert sorted(each.prefix for each in told(world, kind)) == sorted(world.prefixes)
    assert peer(world.agent, name(kind))["ups"] == before["ups"]


def more(world: World, kind: type[Router], way: str, message: str, before: dict[str, int]) -> bool:
    """Whether more such messages went that way than there were, one for each family."""
    now: dict[str, int] = peer(world.agent, name(kind))[way]
    return now.get(message, 0) >= before.get(message, 0) + 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_as_number_is_told_at_both_ends(world: World, kind: type[Router]) -> None:
    router = world.routers[kind]
    eventually(partial(fails, world, f"wrong-{name(kind)}", "sent OPEN Message Error/Bad Peer AS"), "the node says so")
    eventually(partial(refused, router, world.node.ipv6), "the router says so")
    never(world, router, f"wrong-{name(kind)}", world.node.ipv6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_router_that_takes_us_for_another_as_says_so_and_the_node_tells(world: World, kind: type[Router]) -> None:
    mistaken = f"strange-{name(kind)}"
    eventually(partial(fails, world, mistaken, "received OPEN Message Error/Bad Peer AS"), "the node says so")
    never(world, world.routers[kind], mistaken, STRANGE)


def fails(world: World, whom: str, why: str) -> bool:
    """Whether the node tells of a peer that it has no session with, for that reason."""
    found = peer(world.agent, whom)
    return found["state"] != "Established" and why in found["error"]


def never(world: World, router: Router, whom: str, address: str) -> None:
    """There has been no session between them there."""
    assert peer(world.agent, whom)["ups"] == 0
    assert not router.session(address).up
    assert not any(each.peer == address for each in router.routes())


def refused(router: Router, node: str) -> bool:
    """Whether a router knows that its OPEN was refused."""
    if isinstance(router, GoBgp):
        return router.notifications(node) > 0
    return REFUSED[type(router)] in router.session(node).error


def test_routers_that_can_keep_their_routes_while_a_killed_announcer_starts_again(world: World) -> None:
    for kind in KEEPING:
        told(world, kind)
    killed = world.agent.kill("announcer")

    def kept() -> bool:
        assert all(map(partial(whole, world), KEEPING)), "a route was lost"
        again = world.agent.pids().get("announcer", killed) != killed
        return again and all(map(partial(back, world), KEEPING))

    eventually(kept, "the sessions are back", 60)
    for kind in KEEPING:
        eventually(lambda: not any(each.stale for each in told(world, kind)), "all is told anew")  # noqa: B023 - waited for here
    throughout(lambda: all(map(partial(whole, world), KEEPING)), "and nothing is forgotten", 1.0)


def whole(world: World, kind: type[Router]) -> bool:
    """Whether a router has both routes."""
    return set(world.prefixes) <= world.routers[kind].prefixes()


def back(world: World, kind: type[Router]) -> bool:
    """Whether both ends have a session."""
    ours = peer(world.agent, name(kind)).get("state") == "Established"
    return ours and world.routers[kind].session(world.node.ipv4).up


@pytest.mark.parametrize("kind", KINDS)
def test_why_a_router_ends_the_session_is_told_and_not_hidden_by_calls_that_fail(
    world: World, kind: type[Router]
) -> None:
    """The last of all: but for ExaBGP's, which tells no reason in words, these sessions do not come back."""
    told(world, kind)
    world.routers[kind].shut(world.node.ipv4, WHY)
    said = "received Cease/Administrative Shutdown" + (f": {WHY}" if kind is not ExaBgp else "")
    eventually(lambda: said in peer(world.agent, name(kind))["error"], "the node says so")
    if kind is not ExaBgp:
        again = f"before that: {said}"
        eventually(lambda: again in peer(world.agent, name(kind))["error"], "and goes on saying so", PATIENCE)
