"""Peers that misbehave, all at once: each is told of in its own words, and none keeps others from anything."""

import time
from collections.abc import Iterator, Sequence
from functools import partial

import pytest

from tests.lab import net, scrape
from tests.lab.agents import Agent, fleet
from tests.lab.badpeers import ADDRESSES, BAD, MILLION, peers, speakers
from tests.lab.bgp import bgp, forget, peer, routed
from tests.lab.cluster import Cluster
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.objects import METALLB
from tests.lab.scripted import Good
from tests.lab.steps import given, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

FEW = 1000
"""Prefixes that the first node takes from a peer; the second takes any number."""
ROUNDS = 40
GROWTH = 8.0
"""MiB that an announcer may grow by: a million prefixes as objects would take 100."""
IN_VAIN = {"Connect", "Active", "OpenSent"}
STATES = dict.fromkeys(BAD, IN_VAIN) | {"flood": {"Idle"}, "flapping": {"Connect", "Active", "Established"}}
ERRORS = {
    "silent": "connected, but its OPEN does not come",
    "rubbish": "sent Message Header Error/Connection Not Synchronized",
    "flapping": "Connection re",
    "flood": "sent Cease/Maximum Number of Prefixes Reached",
    "wrong-asn": "sent OPEN Message Error/Bad Peer AS: it is AS 64999, not AS 64513",
    "wrong-password": "connection timed out (so does a wrong password)",
    "unreachable": "No route to host",
}
"""How the last error begins; of the flapping one we are reset, and refused where we call."""
EVENTS = {name: ("bgp.failed", ERRORS[name]) for name in BAD} | {
    "flapping": ("bgp.flaps", "3 in a row did not last 5 s"),
    "flood": ("bgp.down", ERRORS["flood"]),
}
NOTIFIED = {"rubbish", "flood", "wrong-asn"}
"""Who was told why its session ends."""


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    if lacking := net.missing():
        pytest.skip(lacking)
    with Lan(2, routers=1) as made:
        yield made


@pytest.fixture(scope="module")
def plane(lan: Lan) -> Iterator[Embedded]:
    with routed(lan) as made:
        yield made


@pytest.fixture(scope="module")
def agents(lan: Lan, plane: Embedded) -> Iterator[list[Agent]]:
    first, second = lan.nodes
    own = {first.name: {"bgp": {"maximumPrefixes": FEW}}, second.name: {"bgp": {"maximumPrefixes": 0}}}
    with fleet(lan, plane, own=own) as running:
        yield running


@pytest.fixture(scope="module")
def good(lan: Lan, plane: Embedded, agents: list[Agent]) -> Iterator[Good]:
    """The peer that behaves; all nodes have sessions with it, and the others are at work, but nobody knows of them."""
    with speakers(lan) as made:
        plane.cluster.create(bgp("BGPAdvertisement", "all"))
        plane.cluster.apply(peers(["good"]))
        eventually(lambda: len(made.up) == len(agents), "all nodes have sessions with the good peer")
        yield made
        forget(plane.cluster, agents)


@pytest.fixture(scope="module")
def before(agents: list[Agent], good: Good) -> list[float]:
    """MiB of each announcer while there are no bad peers."""
    assert good.up
    return [agent.memory()["announcer"].pss for agent in agents]


@pytest.fixture(scope="module")
def trouble(plane: Embedded, agents: list[Agent], before: list[float]) -> Iterator[Cluster]:
    """The cluster whose nodes know of them all."""
    assert before
    plane.cluster.apply(peers(BAD))
    yield plane.cluster
    for agent in agents:
        print(f"--- {agent.host.name}\n{agent.tail()}\n{agent.status().get('peers')}\n{agent.events()}")


def heard(lan: Lan, good: Good, address: str, since: float, *, come: bool) -> None:
    """Wait until all nodes have told of an address, or taken it back."""
    what = f"{address} is {'told' if come else 'withdrawn'} by all nodes"
    eventually(partial(good.heard, lan.nodes, address, since, come=come), what)


def test_every_change_comes_to_the_good_peer_from_all_nodes(lan: Lan, trouble: Cluster, good: Good) -> None:
    for number in range(ROUNDS):
        begun = time.monotonic()
        publish(trouble, f"web-{number}", lan.nodes)
        (address,) = given(trouble, f"web-{number}")
        heard(lan, good, address, begun, come=True)
        begun = time.monotonic()
        trouble.delete("Service", f"web-{number}")
        heard(lan, good, address, begun, come=False)
    assert (good.downs, len(good.up)) == (0, len(lan.nodes))


@pytest.mark.usefixtures("trouble")
@pytest.mark.parametrize("name", BAD)
def test_each_has_its_state_and_error_its_event_and_its_finding(agents: Sequence[Agent], name: str) -> None:
    agent = agents[0]
    eventually(lambda: peer(agent, name).get("error", "").startswith(ERRORS[name]), f"{name} has its error", 30)
    assert peer(agent, name)["state"] in STATES[name]
    eventually(partial(event, agent, name), f"{name} has its event", 60)
    found = eventually(partial(finding, agent, name), f"{name} has its finding", 60)
    assert found["finding"] == "bgp-session-down"
    assert found["object"] == f"BGPPeer/{name} {ADDRESSES[name]}"
    assert ERRORS[name] in found["message"]


def event(agent: Agent, name: str) -> bool:
    word, detail = EVENTS[name]
    mine = [each for each in agent.events() if each.get("subject") == name and each["event"] == word]
    return any(each.get("detail", "").startswith(detail) for each in mine)


def finding(agent: Agent, name: str) -> dict[str, str]:
    found: list[dict[str, str]] = agent.status()["findings"]
    return next((each for each in found if each["object"].startswith(f"BGPPeer/{name} ")), {})


@pytest.mark.usefixtures("trouble")
def test_each_has_its_metrics(agents: Sequence[Agent]) -> None:
    eventually(lambda: peer(agents[0], "flapping").get("ups", 0) > 2, "it has come up a few times")
    told = scrape.samples(agents[0].host)
    for name in BAD:
        where = {"peer": f"{ADDRESSES[name]}:179", "vrf": ""}
        up = told[scrape.named("metallb_bgp_session_up", **where)]
        opens = told[scrape.named("metallb_bgp_opens_received", **where)]
        notified = told[scrape.named("metallb_bgp_notifications_sent", **where)]
        assert up == 0 or name == "flapping"
        assert (opens > 2) if name == "flapping" else (opens > 0) == (name in {"flood", "wrong-asn"})
        assert (notified > 0) == (name in NOTIFIED)
    good = scrape.named("metallb_bgp_session_up", peer=f"{ADDRESSES['good']}:179", vrf="")
    assert told[good] == 1


@pytest.mark.usefixtures("trouble")
def test_of_a_flapping_peer_no_more_is_told_than_that_it_flaps(agents: Sequence[Agent]) -> None:
    eventually(lambda: peer(agents[0], "flapping").get("ups", 0) > 6, "it has flapped on", 60)
    words = [each["event"] for each in agents[0].events() if each.get("subject") == "flapping"]
    assert [words.count(word) for word in ("bgp.up", "bgp.down", "bgp.flaps")] == [3, 3, 1]


@pytest.mark.usefixtures("trouble")
def test_a_million_prefixes_are_counted_and_none_is_kept(agents: Sequence[Agent], before: Sequence[float]) -> None:
    taking = agents[1]
    eventually(lambda: peer(taking, "flood").get("received", 0) > 0.995 * MILLION, "it has told of all", 40)
    assert peer(taking, "flood")["received"] < 1.005 * MILLION
    assert peer(taking, "flood")["state"] == "Established"
    told = scrape.samples(taking.host)
    counted = told[scrape.named("speakerd_bgp_received_prefixes", peer=f"{ADDRESSES['flood']}:179", vrf="")]
    assert counted == pytest.approx(MILLION, rel=0.005)
    for agent, pss in zip(agents, before, strict=True):
        assert agent.memory()["announcer"].pss < pss + GROWTH


@pytest.mark.usefixtures("trouble")
def test_no_member_takes_another_for_dead_meanwhile(agents: Sequence[Agent]) -> None:
    for agent in agents:
        words = {each["event"] for each in agent.events()}
        assert not words & {"member.suspect", "member.dead", "announcer.restarted"}
        assert {each["state"] for each in agent.status()["members"]} == {"alive"}


def test_a_node_that_has_none_but_bad_peers_says_that_no_router_learns_anything(
    trouble: Cluster, agents: Sequence[Agent]
) -> None:
    trouble.delete("BGPPeer", "good", METALLB)
    agent = agents[0]
    eventually(lambda: finding(agent, "unreachable")["finding"] == "bgp-no-session", "it says so")
    assert {finding(agent, name)["severity"] for name in BAD} == {"error"}
