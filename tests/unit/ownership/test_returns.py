"""A VIP that loses the node it prefers again and again waits longer and longer, up to half an hour."""

import pytest

from speakerd.exchange import Claim
from speakerd.ownership.returns import Returns

IP = bytes((10, 0, 0, 1))


def went_back(returns: Returns, now: float) -> None:
    returns.see(Claim(IP, 1, "preferred", now, "preference"), now)


def left(returns: Returns, now: float, cause: str = "owner-dead", owner: str = "other") -> None:
    returns.see(Claim(IP, 1, owner, now, cause), now)


def relapse(returns: Returns, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        went_back(returns, now)
        left(returns, now + 1)


def test_a_first_loss_is_no_relapse() -> None:
    returns = Returns()
    returns.see(Claim(IP, 1, "preferred", 0.0, "first"), 0.0)
    left(returns, 1.0)
    assert returns.patience(IP) == 30


@pytest.mark.parametrize(("times", "seconds"), [(0, 30), (1, 60), (2, 120), (5, 960), (6, 1800), (10_000, 1800)])
def test_each_relapse_doubles_the_wait_up_to_half_an_hour(times: int, seconds: float) -> None:
    returns = Returns()
    relapse(returns, times)
    assert returns.patience(IP) == seconds


@pytest.mark.parametrize("cause", ["owner-dead", "owner-left", "not-candidate", "interface-lost", "contest-lost"])
def test_whatever_takes_the_vip_away_again_is_a_relapse(cause: str) -> None:
    returns = Returns()
    went_back(returns, 0.0)
    left(returns, 1.0, cause)
    assert returns.patience(IP) == 60


def test_a_vip_that_nobody_answers_for_meanwhile_has_relapsed_once() -> None:
    returns = Returns()
    went_back(returns, 0.0)
    left(returns, 1.0, "not-candidate", owner="")
    left(returns, 2.0, "not-candidate")
    assert returns.patience(IP) == 60


@pytest.mark.parametrize("cause", ["drain", "preference"])
def test_what_somebody_wants_is_no_relapse(cause: str) -> None:
    returns = Returns()
    went_back(returns, 0.0)
    left(returns, 1.0, cause)
    assert returns.patience(IP) == 30


def test_a_new_heir_or_a_contest_won_is_no_other_owner() -> None:
    returns = Returns()
    went_back(returns, 0.0)
    left(returns, 1.0, "contest-lost", owner="preferred")
    went_back(returns, 2.0)
    assert returns.patience(IP) == 30
    left(returns, 3.0)
    assert returns.patience(IP) == 60


def test_half_an_hour_where_it_prefers_to_be_makes_up_for_all_relapses() -> None:
    returns = Returns()
    relapse(returns, 3)
    went_back(returns, 100.0)
    left(returns, 1900.0)
    assert returns.patience(IP) == 30


def test_a_vip_that_is_wanted_anew_begins_anew() -> None:
    returns = Returns()
    relapse(returns, 3)
    went_back(returns, 100.0)
    returns.forget(IP)
    left(returns, 101.0)
    assert returns.patience(IP) == 30


def test_one_vip_does_not_wait_for_the_relapses_of_another() -> None:
    returns = Returns()
    relapse(returns, 2)
    assert returns.patience(bytes((10, 0, 0, 2))) == 30
