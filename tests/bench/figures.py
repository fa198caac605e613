"""What a bench hands over: figures, and goals with whether they were met."""

import math
from collections.abc import Sequence
from typing import TypedDict

from msgspec import Struct


class Goal(TypedDict):
    """A figure that was promised: `value` is at most `goal`, both in `unit`."""

    name: str
    value: float
    goal: float
    unit: str
    met: bool


class Outcome(TypedDict):
    """All of a bench."""

    figures: dict[str, float]
    goals: list[Goal]


class Options(Struct, frozen=True):
    """How to run: `programs` by name (cpython, binary), each the command that starts speakerd.

    Where a bench has cases: which of them, all without any; and how often each.
    """

    programs: dict[str, Sequence[str]]
    cases: Sequence[str] = ()
    runs: int = 10


def at_most(name: str, value: float, goal: float, unit: str) -> Goal:
    """A goal that is met by `value` at or under it."""
    return Goal(name=name, value=round(value, 3), goal=round(goal, 3), unit=unit, met=value <= goal)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
