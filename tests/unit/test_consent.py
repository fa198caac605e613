"""Where the pools in the settings of hosts differ, those of most hosts count."""

import pytest

from speakerd.consent import dissenters, outvoted, prevailing
from speakerd.exchange import Member


def members(**pools: str) -> list[Member]:
    return [Member(name, pools=each) for name, each in pools.items()]


@pytest.mark.parametrize(
    ("told", "most", "others"),
    [
        ({"a": "x", "b": "x", "c": "x"}, "x", []),
        ({"a": "x", "b": "x", "c": "y"}, "x", ["c"]),
        ({"a": "x", "b": "y", "c": "z"}, "", ["a", "b", "c"]),
        ({"a": "x", "b": "x", "c": "y", "d": "y"}, "", ["a", "b", "c", "d"]),
        ({"a": "x", "b": "", "c": ""}, "x", []),
        ({"a": "", "b": ""}, "", []),
        ({}, "", []),
    ],
)
def test_the_pools_of_more_than_half_of_those_that_may_allocate_prevail(
    told: dict[str, str], most: str, others: list[str]
) -> None:
    assert prevailing(members(**told)) == most
    assert dissenters(members(**told)) == others
    assert [each.name for each in members(**told) if outvoted(each, members(**told))] == (others if most else [])


def test_what_a_host_has_now_counts_and_not_what_its_record_says_still() -> None:
    recorded = members(a="x", b="x", c="y")
    assert outvoted(Member("a", pools="y"), recorded) is False
    assert outvoted(Member("b", pools="z"), members(a="x", b="x", c="x"))
    assert outvoted(Member("new", pools="y"), members(a="x", b="x"))
