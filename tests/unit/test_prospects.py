"""What would become of a VIP is what ownership would do: heir first, never a node that is not ready."""

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from speakerd import prospects
from speakerd.decision import Plan
from speakerd.exchange import READY, Candidate, Claim, Facts, MemberSeen, Observed, Vip, Wanted
from speakerd.ownership.ranking import ranking
from speakerd.prospects import Change, Progress, Standing

IP = ip_address("10.0.0.1").packed
VIP = Vip(IP, "d/s", IP, 0)
ABC = tuple(map(Candidate, "abc"))
ALIVE, DEAD, DRAINED = Standing("alive"), Standing("dead"), Standing("alive", drained=True)


def claim(owner: str, heir: str = "") -> Claim:
    return Claim(IP, 2, owner, 10.0, "first", heir=heir)


def found(
    owner: str, heir: str, known: Mapping[str, Standing], candidates: tuple[Candidate, ...] = ABC
) -> list[Change]:
    return prospects.changes(VIP, candidates, claim(owner, heir), known)


def test_the_heir_comes_first_and_the_rest_in_ranking_order() -> None:
    order = ranking(IP, ABC)
    assert prospects.line(VIP, ABC, claim(order[0], order[2])) == [order[2], order[1]]
    assert prospects.line(VIP, ABC, None) == list(order)


def test_a_death_and_a_drain_give_it_to_the_heir() -> None:
    death, drain = found("a", "c", {"a": ALIVE, "b": ALIVE, "c": ALIVE})
    assert (death.when, death.to, death.text) == ("a dies", "c", "c at once")
    assert (drain.when, drain.to, drain.text) == ("a is drained", "c", "c, without a question left open")


@pytest.mark.parametrize("state", [DEAD, DRAINED, Standing("starting"), Standing("leaving"), Standing("unheard")])
def test_an_heir_that_is_not_ready_is_passed_over(state: Standing) -> None:
    death, *_ = found("a", "c", {"a": ALIVE, "b": ALIVE, "c": state})
    assert death.to == "b"


def test_without_another_node_a_death_is_the_end_and_a_drain_keeps_it() -> None:
    death, drain, back = found("a", "", {"a": ALIVE, "b": DEAD, "c": DRAINED})
    assert (death.to, death.text) == ("", "nobody could take it over")
    assert (drain.to, drain.text) == ("a", "it stays at a: nobody else can take it")
    assert (back.to, back.text) == ("a", "it stays at a")
    assert set(back.when.replace(" is ready again", "").split(" or ")) == {"b", "c"}


def test_a_preferred_node_takes_it_in_calm_and_one_that_is_away_once_it_is_back() -> None:
    prefers_b = (Candidate("a"), Candidate("b", 50), Candidate("c"))
    *_, calm = found("a", "b", {"a": ALIVE, "b": ALIVE, "c": ALIVE}, prefers_b)
    text = "b is preferred and takes it after 30 s of calm (up to 30 min where it was lost again soon)"
    assert (calm.to, calm.cause, calm.text) == ("b", "preference", text)
    *_, back = found("a", "c", {"a": ALIVE, "b": DEAD, "c": ALIVE}, prefers_b)
    assert (back.when, back.to, back.cause) == ("b is ready again", "b", "preference")


def test_a_drained_owner_is_not_told_what_a_drain_would_do() -> None:
    assert [each.cause for each in found("a", "b", {"a": DRAINED, "b": ALIVE, "c": ALIVE})] == ["owner-dead"]


def test_the_weight_is_told_without_what_ready_endpoints_add() -> None:
    assert prospects.weight(Candidate("a", READY + 40)) == 40


def test_this_node_stands_as_its_announcer_does() -> None:
    members = (MemberSeen("b", "dead"), MemberSeen("c", "alive", drained=True))
    known = prospects.standings(Observed(facts=Facts(pid=3), members=members), "a", drained=False)
    assert known == {"a": ALIVE, "b": DEAD, "c": DRAINED}
    assert prospects.standings(Observed(), "a", drained=True)["a"] == Standing("down", drained=True)


def progress(members: tuple[MemberSeen, ...], candidates: tuple[Candidate, ...] = ABC) -> Progress:
    mine, foreign = claim("a"), Claim(ip_address("10.0.0.2").packed, 2, "b", 10.0, "first")
    plan = Plan({}, Wanted("a", {IP: VIP}, (candidates,)))
    seen = Observed(claims={each.ip: each for each in (mine, foreign)}, facts=Facts(pid=3), members=members)
    return prospects.progress(plan, seen, drained=True)


def test_a_drain_tells_what_is_still_answered_here() -> None:
    assert progress((MemberSeen("b", "alive"), MemberSeen("c", "dead"))).here == {"10.0.0.1": ""}


def test_a_drain_tells_why_an_address_cannot_move() -> None:
    stuck = progress((MemberSeen("b", "dead"), MemberSeen("c", "alive", drained=True)))
    assert stuck.here == {"10.0.0.1": "b is dead, c is alive, drained"}
    assert progress((MemberSeen("b", "alive"),), (Candidate("a"),)).here == {"10.0.0.1": prospects.NOBODY_ELSE}


def test_a_vip_that_is_wanted_no_more_is_on_its_way() -> None:
    plan = Plan({}, Wanted("a", {}, ()))
    seen = Observed(claims={IP: claim("a")}, facts=Facts(pid=3))
    assert prospects.progress(plan, seen, drained=True).here == {"10.0.0.1": ""}
