"""The files of conf/examples, loaded as they are, bring routes from nodes into the kernels of routers."""

from collections.abc import Iterable, Iterator
from functools import partial

import msgspec
import pytest
import yaml

from speakerd.control import Request, ask
from speakerd.explain import Explanation
from tests.examples import EXAMPLES, filled, variables
from tests.lab import net
from tests.lab.agents import Agent, fleet
from tests.lab.bgp import forget
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Host, Lan, tool
from tests.lab.objects import METALLB
from tests.lab.routers.bird import Bird
from tests.lab.routers.frr import Frr
from tests.lab.routers.router import Neighbour, Route, Router, Setup, missing
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

NETWORK, POOL = "10.99.0.0/24", "203.0.113.0/24"
NODES = 64512
"""The AS of nodes in the examples."""
SECOND = "10.99.0.111"
"""Another address of the first node."""


class FrrFile(Frr):
    """FRR with nothing but what a file says."""

    text = ""

    def _files(self) -> Iterable[tuple[str, Iterable[str]]]:
        return ("zebra", ()), ("bfdd", ()), ("bgpd", ())

    def _run(self) -> None:
        super()._run()
        said = self._vtysh_file(self._write("example.conf", self.text))
        assert "%" not in said, said

    def _vtysh_file(self, path: str) -> str:
        return self._ask("vtysh", "--vty_socket", str(self.folder), "--config_dir", str(self.folder), "-f", path)


class BirdFile(Bird):
    """BIRD with nothing but what a file says."""

    text = ""

    def _save(self) -> None:
        self._write("bird.conf", self.text)


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if lacking := net.missing() or missing((Frr, Bird)):
        pytest.skip(f"needed: {lacking}")
    with Lan(2, routers=2) as made:
        yield made


@pytest.fixture(scope="module")
def plane(lan: Lan) -> Iterator[Embedded]:
    with Embedded(lan) as made:
        yield made


@pytest.fixture(scope="module", params=[""], ids=["defaults"])
def agents(request: pytest.FixtureRequest, lan: Lan, plane: Embedded) -> Iterator[list[Agent]]:
    """With the settings of an example, where a test names one."""
    settings = yaml.safe_load((EXAMPLES / request.param / "settings.yaml").read_text()) if request.param else {}
    with fleet(lan, plane, settings=settings) as running:
        yield running


@pytest.fixture
def cluster(plane: Embedded, agents: list[Agent]) -> Iterator[Cluster]:
    yield plane.cluster
    for agent in agents:
        print(f"--- {agent.host.name}\n{agent.tail()}\n{agent.status().get('peers')}")
    forget(plane.cluster, agents)
    plane.cluster.delete("IPAddressPool", "routed", METALLB)


def loaded(lan: Lan, kind: type[FrrFile | BirdFile], folder: str, **values: str) -> Router:
    """The first router of the LAN, not started yet, as the example has it."""
    path = EXAMPLES / folder / ("frr.conf" if issubclass(kind, FrrFile) else "bird.conf")
    router = kind(lan, lan.routers[0], Setup(asn=NODES, router_id="192.0.2.1"))
    router.text = filled(path, **values)
    return router


def applied(cluster: Cluster, folder: str, **values: str) -> None:
    """As kubectl does."""
    for each in yaml.safe_load_all(filled(EXAMPLES / folder / "kubernetes.yaml", **values)):
        cluster.create(each)


def published(cluster: Cluster, lan: Lan) -> str:
    """The prefix of a new Service."""
    publish(cluster, "web", lan.nodes)
    (address,) = given(cluster, "web")
    return f"{address}/32"


def leads_to(router: Router, prefix: str, nodes: Iterable[str]) -> bool:
    """Whether the router's kernel spreads what goes to `prefix` over exactly these."""
    return router.kernel(prefix) == frozenset(nodes)


def addresses(nodes: Iterable[Host]) -> list[str]:
    return [node.ipv4 for node in nodes]


@pytest.mark.parametrize("kind", [FrrFile, BirdFile])
def test_the_router_of_a_rack_spreads_over_all_nodes(
    lan: Lan, cluster: Cluster, agents: list[Agent], kind: type[FrrFile | BirdFile]
) -> None:
    here = lan.routers[0].ipv4
    with loaded(lan, kind, "top-of-rack", ROUTER=here, NODES=NETWORK, POOL=POOL) as router:
        applied(cluster, "top-of-rack", ROUTER=here, POOL=POOL)
        prefix = published(cluster, lan)
        eventually(partial(leads_to, router, prefix, addresses(lan.nodes)), "both nodes are next hops", 60)
        for agent in agents:
            eventually(partial(watched, agent), f"BFD with {agent.host.name} is up")
            eventually(partial(explained, agent, prefix), f"explain on {agent.host.name} says what the router is told")


def explained(agent: Agent, prefix: str) -> bool:
    answer = ask(agent.run / "control.sock", Request("explain", what=prefix.partition("/")[0])) or b""
    (told,) = msgspec.json.decode(answer, type=Explanation).addresses
    assert told.routers
    rows = [(each.peer, each.prefix, each.told, each.communities) for each in told.routers.peers]
    return rows == [("tor", prefix, True, ["64512:100"])]


def watched(agent: Agent) -> bool:
    return all(each["bfd"] and each["bfd"]["state"] == "Up" for each in agent.status().get("peers", []))


@pytest.mark.parametrize("kind", [FrrFile, BirdFile])
def test_a_router_behind_a_reflector_spreads_over_all_nodes(
    lan: Lan, cluster: Cluster, kind: type[FrrFile | BirdFile]
) -> None:
    here, behind = lan.routers
    asks = Setup(asn=NODES, router_id="192.0.2.2", neighbours=(Neighbour(address=here.ipv4, asn=NODES),))
    with (
        loaded(lan, kind, "route-reflectors", REFLECTOR=here.ipv4, CLIENTS=NETWORK),
        Frr(lan, behind, asks) as client,
    ):
        applied(cluster, "route-reflectors", FIRST=here.ipv4, SECOND=behind.ipv4, POOL=POOL)
        prefix = published(cluster, lan)
        eventually(partial(leads_to, client, prefix, addresses(lan.nodes)), "both nodes are next hops", 60)
        assert {each.local_pref for each in client.route(prefix)} == {200}


@pytest.mark.parametrize("agents", ["beside-calico"], indirect=True)
def test_speakerd_and_calicos_bird_tell_one_router_from_two_addresses(lan: Lan, cluster: Cluster) -> None:
    node, here = lan.nodes[0], lan.routers[0].ipv4
    cluster.patch("Node", node.name, {"metadata": {"labels": {"kubernetes.io/hostname": node.name}}})
    tool("ip", "-n", node.namespace, "address", "add", f"{SECOND}/24", "dev", "eth0")
    pods = Route(prefix="10.244.1.0/24")
    calico = Setup(asn=NODES, router_id="192.0.2.11", neighbours=(Neighbour(address=here, asn=64513),), routes=(pods,))
    with (
        loaded(lan, FrrFile, "beside-calico", ROUTER=here, FIRST=node.ipv4, SECOND=SECOND, POOL=POOL) as router,
        Bird(lan, node, calico),
    ):
        applied(cluster, "beside-calico", ROUTER=here, SECOND=SECOND, NODE=node.name, POOL=POOL)
        prefix = published(cluster, lan)
        eventually(partial(leads_to, router, prefix, [SECOND]), "the Service is behind the second address", 60)
        eventually(partial(leads_to, router, pods.prefix, [node.ipv4]), "the pods are behind the first")


@pytest.mark.parametrize("agents", ["calico-announces"], indirect=True)
def test_where_calico_announces_speakerd_gives_addresses_and_speaks_to_no_router(
    lan: Lan, cluster: Cluster, agents: list[Agent]
) -> None:
    applied(cluster, "calico-announces", POOL=POOL)
    # A cluster that had MetalLB announce before has these still.
    rack = {name: POOL if name == "POOL" else lan.routers[0].ipv4 for name in variables(RACK)}
    for each in yaml.safe_load_all(filled(RACK, **rack)):
        if each["kind"] != "IPAddressPool":
            cluster.create(each)
    assert published(cluster, lan)
    assert [agent.status()["peers"] for agent in agents] == [[], []]


RACK = EXAMPLES / "top-of-rack" / "kubernetes.yaml"
