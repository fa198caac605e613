"""Exactly one of the nodes that see the same candidates answers, and only its own VIPs move when one goes."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from speakerd.model import Candidate, Stake, Vip
from speakerd.ownership.claims import Claims
from speakerd.ownership.ranking import first, ranking


def packed(text: str) -> bytes:
    return ip_address(text).packed


def named(*names: str) -> tuple[Candidate, ...]:
    return tuple(Candidate(name) for name in names)


def stake(text: str, *names: str, rank_by: str = "") -> Stake:
    return Stake(Vip(packed(text), "default/web", packed(rank_by or text), 0), named(*names))


def claims(me: str, *stakes: Stake) -> Claims:
    held = Claims()
    held.rename(me, 0.0)
    held.apply({each.vip.ip: each for each in stakes}, 1.0)
    return held


def test_the_ranking_is_the_one_metallb_computes() -> None:
    assert ranking(packed("10.0.0.1"), named("node-a", "node-b", "node-c")) == (
        "node-b",
        "node-a",
        "node-c",
    )
    assert ranking(packed("192.168.1.240"), named("node-1", "node-2", "node-3")) == (
        "node-3",
        "node-2",
        "node-1",
    )
    assert ranking(packed("fd00:1::10"), named("node-1", "node-2", "node-3")) == (
        "node-2",
        "node-3",
        "node-1",
    )


def test_preference_ranks_before_the_hash() -> None:
    candidates = (*named("node-a", "node-b"), Candidate("node-c", score=10))
    assert ranking(packed("10.0.0.1"), candidates) == ("node-c", "node-b", "node-a")


def test_without_candidates_nobody_is_first() -> None:
    assert first(packed("10.0.0.1"), ()) == ""


@given(st.sets(st.sampled_from("abcdefgh"), min_size=2), st.integers(0, 2**32 - 1))
def test_exactly_one_of_those_who_see_the_same_answers(names: set[str], number: int) -> None:
    ip = str(ip_address(number))
    answering = [me for me in names if claims(me, stake(ip, *names)).mine]
    assert len(answering) == 1


@given(st.sets(st.sampled_from("abcdefgh"), min_size=2), st.integers(0, 2**32 - 1))
def test_only_the_vips_of_a_node_that_goes_move(names: set[str], number: int) -> None:
    ip = number.to_bytes(4, "big")
    owner = first(ip, named(*names))
    for gone in names - {owner}:
        assert first(ip, named(*(names - {gone}))) == owner


def test_both_families_of_a_service_are_owned_together() -> None:
    names = ("a", "b", "c", "d")
    held = claims("a", stake("10.0.0.1", *names), stake("fd00::7", *names, rank_by="10.0.0.1"))
    assert len({claim.owner for claim in held.known.values()}) == 1


def test_a_vip_that_is_wanted_no_more_is_dropped_at_once() -> None:
    held = claims("a", stake("10.0.0.1", "a"))
    assert held.apply({packed("10.0.0.1"): None}, 2.0)
    assert not held.mine


def test_a_claim_that_stays_keeps_its_epoch_and_time() -> None:
    held = claims("a", stake("10.0.0.1", "a", "b"))
    before = dict(held.known)
    assert not held.apply({packed("10.0.0.1"): stake("10.0.0.1", "a", "b")}, 9.0)
    assert held.known == before


def test_a_new_owner_has_the_next_epoch_and_a_cause() -> None:
    held = claims("a", stake("10.0.0.1", "a"))
    assert held.apply({packed("10.0.0.1"): stake("10.0.0.1", "b")}, 5.0)
    (claim,) = held.known.values()
    assert (claim.owner, claim.epoch, claim.since, claim.cause) == (
        "b",
        2,
        5.0,
        "not-candidate",
    )


def test_a_restarted_announcer_goes_on_with_the_claims_it_had() -> None:
    before = claims("a", stake("10.0.0.1", "a"))
    after = Claims(before.known)
    after.rename("a", 9.0)
    after.apply({packed("10.0.0.1"): stake("10.0.0.1", "a")}, 9.0)
    assert after.known == before.known


def test_every_candidate_stands_by_and_nobody_else() -> None:
    v6 = stake("fd00::7", "a", "b")
    assert list(claims("a", v6).standby) == list(claims("b", v6).standby) == [packed("fd00::7")]
    assert not claims("c", v6).standby
