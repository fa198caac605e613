"""`speakerd explain`: an answer that reads well, the whole of it as JSON, and a code for who answers."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from speakerd.cli import main
from speakerd.cli.explain import rendered
from speakerd.events import Event
from speakerd.explain import AddressReport, CandidateReport, Explanation, OtherReport
from speakerd.hearers import HearerReport, RoutersReport
from speakerd.prospects import Change
from tests.unit.cli.answering import agent

TOLD = AddressReport(
    "10.0.0.1",
    ["default/web"],
    "is answered by b",
    because="c died, and b took over 0.163 s after it was last heard",
    owner="b",
    heir="a",
    epoch=4,
    since="2026-01-01T00:00:00.000Z",
    lasted=7265.0,
    cause="owner-dead",
    previous="c",
    gap=0.163,
    candidates=[
        CandidateReport("b", "alive", "owner", 30),
        CandidateReport("a", "alive", "heir", drained=True),
        CandidateReport("c", "dead", ending=True),
    ],
    others=[OtherReport("d", "node-excluded", "remove the label")],
    changes=[Change("b dies", "a", "owner-dead", "a at once")],
    findings=["alone: hears nobody: others may answer (look at the network)"],
    events=[
        Event(3, "2026-01-01T00:00:00.000Z", "vip.moved", "10.0.0.1", owner="b", previous="c", cause="drain", epoch=4)
    ],
)
FOUND = Explanation("a", "default/web", [TOLD])
HEARD = HearerReport("tor", "192.0.2.1", "10.0.0.1/32", told=True, communities=["64512:1"], large=["1:2:3"], med=0)
DEAF = HearerReport("rr", "192.0.2.2", "10.0.0.1/32", reason="session-down", message="the session is Active: refused")
ROUTED = replace(TOLD, owner="", reason="by-bgp-alone", routers=RoutersReport(peers=[DEAF, HEARD]))

TEXT = """\
10.0.0.1 of default/web is answered by b
  because    c died, and b took over 0.163 s after it was last heard (owner-dead, epoch 4)
  since      2026-01-01T00:00:00.000Z, 2 h 1 min ago, as a sees it
  heir       a
  finding    alone: hears nobody: others may answer (look at the network)

CANDIDATE  STATE           ROLE   PREFERENCE  BUT
b          alive           owner  30          -
a          alive, drained  heir   -           -
c          dead            -      -           its endpoints are ending

NO CANDIDATE  REASON         MEANING
d             node-excluded  remove the label

WHAT WOULD CHANGE IT
if b dies             a at once

LAST EVENTS
2026-01-01T00:00:00.000Z  vip.moved  b, before c: drain (epoch 4)"""


def test_people_read_who_why_since_when_and_what_next() -> None:
    assert rendered(FOUND, colour=False) == TEXT


def test_an_address_answered_here_tells_what_this_node_does() -> None:
    here = replace(TOLD, owner="a", interfaces=["eth0"], mac="02:00:00:00:00:01", requests=7, responses=6, gratuitous=5)
    text = rendered(Explanation("a", "default/web", [here]), colour=False)
    assert "  here       eth0 at 02:00:00:00:00:01; questions 7, answers 6, announcements 5\n" in text


def test_without_an_heir_it_says_what_that_means() -> None:
    text = rendered(Explanation("a", "default/web", [replace(TOLD, heir="")]), colour=False)
    assert "  heir       none: nobody else could take over\n" in text


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (FOUND, 0),
        (Explanation("a", "default/web", [replace(TOLD, owner="", reason="no-endpoints")]), 1),
        (Explanation("a", "default/web", [ROUTED]), 0),
        (Explanation("a", "default/web", [replace(ROUTED, routers=RoutersReport(peers=[DEAF]))]), 1),
        (Explanation("a", "default/web", [], "no-free-address", "pool lan is full"), 1),
    ],
)
def test_json_is_all_of_it_and_the_code_says_whether_somebody_answers(
    found: Explanation, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with agent(tmp_path, lambda _: found) as requests:
        assert main(["explain", "default/web", "-o", "json", "--run", str(tmp_path)]) == code
    assert (requests[0].verb, requests[0].what) == ("explain", "default/web")
    told = json.loads(capsys.readouterr().out)
    assert [each["owner"] for each in told["addresses"]] == [each.owner for each in found.addresses]


def test_a_service_without_address_is_one_sentence() -> None:
    text = rendered(Explanation("a", "default/web", [], "no-free-address", "pool lan is full"), colour=False)
    assert text == "Service default/web has no address\nno-free-address: pool lan is full"


def test_a_hundred_nodes_that_are_no_candidates_do_not_fill_the_screen() -> None:
    many = replace(TOLD, others=[OtherReport(f"n{i}", "node-excluded", "label") for i in range(100)])
    text = rendered(Explanation("a", "default/web", [many]), colour=False)
    assert "n19 " in text
    assert "n20 " not in text
    assert "and 80 more nodes" in text


def test_each_router_has_a_line_with_the_words_it_hears_or_the_reason() -> None:
    text = rendered(Explanation("a", "default/web", [ROUTED]), colour=False)
    table = text.split("\n\n")[1].splitlines()
    assert table == [
        "ROUTER  AT         PREFIX       TOLD  HOW, OR WHY NOT",
        "rr      192.0.2.2  10.0.0.1/32  no    the session is Active: refused (session-down)",
        "tor     192.0.2.1  10.0.0.1/32  yes   MED 0; communities 64512:1; large communities 1:2:3",
    ]


def test_where_no_router_is_told_it_says_why_once() -> None:
    nobody = replace(TOLD, routers=RoutersReport("no-peer", "no BGPPeer selects this node"))
    text = rendered(Explanation("a", "default/web", [nobody]), colour=False)
    assert "  BGP        a tells no router of it: no BGPPeer selects this node (no-peer)\n" in text
