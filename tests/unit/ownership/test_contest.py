"""Of two claimants exactly one wins, and both know which."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from speakerd.exchange import Claim
from speakerd.ownership.contest import Standing, wins

IP = bytes((10, 0, 0, 1))
STANDINGS = st.builds(
    lambda owner, boot, cause, side, yields: Standing(Claim(IP, 1, owner, 0.0, cause, boot=boot), side, yields=yields),
    st.sampled_from("abc"),
    st.integers(1, 3),
    st.sampled_from(["first", "owner-dead", "drain"]),
    st.integers(1, 3),
    st.booleans(),
)


def standing(owner: str = "a", cause: str = "first", side: int = 2, *, yields: bool = False) -> Standing:
    return Standing(Claim(IP, 1, owner, 0.0, cause, boot=1), side, yields=yields)


@given(STANDINGS, STANDINGS)
def test_one_wins_and_the_other_loses(one: Standing, other: Standing) -> None:
    if (one.claim.owner, one.claim.boot) != (other.claim.owner, other.claim.boot):
        assert wins(one, other, IP) != wins(other, one, IP)


def test_who_yields_loses_even_on_the_larger_side() -> None:
    assert not wins(standing(side=9, yields=True), standing("b", side=1), IP)


def test_the_larger_side_wins_over_who_served_unbroken() -> None:
    assert wins(standing(cause="owner-dead", side=3), standing("b", side=2), IP)


def test_on_equal_sides_who_served_unbroken_wins_over_who_took_over_by_silence() -> None:
    assert wins(standing(cause="first"), standing("b", cause="owner-dead"), IP)
    assert not wins(standing(cause="restored"), standing("b", cause="drain"), IP)


@given(STANDINGS, STANDINGS)
def test_all_addresses_of_a_service_go_to_the_same_node(one: Standing, other: Standing) -> None:
    first, second = (replace(each, claim=replace(each.claim, ip=bytes(16))) for each in (one, other))
    assert wins(one, other, IP) == wins(first, second, IP)
