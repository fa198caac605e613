"""Inputs that are bred find what chance alone would not, the same ones for the same seed, and what takes too long."""

from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from speakerd.wire import DecodeError
from tests.fuzz import guided
from tests.fuzz.__main__ import TARGETS
from tests.fuzz.guided import Breeder, Find, Outcome, Target

INPUTS = 40
"""Beside the seeds, of each decoder: the long run does that for minutes."""
NESTED = """
def read(data):
    if data[:1] == b"B":
        if data[1:2] == b"G":
            if data[2:3] == b"P":
                raise KeyError("three octets right")
"""
"""By chance that is one input in 16 millions."""
WORDS = (b"B", b"G", b"P", b"\7")
SLOW = """
def read(data):
    for octet in data:
        if octet == 7:
            for _ in data:
                pass
"""


def planted(source: str, *refusals: type[Exception]) -> Target:
    """Code as if it were ours."""
    made: dict[str, Any] = {}
    code: CodeType = compile(source, str(Path(guided.OURS) / "planted.py"), "exec")
    exec(code, made)  # noqa: S102  so that its file is one of ours
    read: Callable[[bytes], object] = made["read"]
    return Target("planted", lambda: read, (b"hello",), refusals, words=WORDS, lines=(20, 5))


def bred(target: Target, seed: int, most: int) -> Outcome:
    return Breeder(target, seed).run(lambda inputs: inputs < most)


def found(target: Target, seed: int, most: int) -> Find:
    find = bred(target, seed, most).find
    assert find
    return find


def test_octets_that_must_all_be_right_are_found_one_after_the_other_and_nothing_else_is_left() -> None:
    find = found(planted(NESTED), 1, 30_000)
    assert find.what.startswith("KeyError at planted.py:6")
    assert find.data == b"BGP"


def test_the_documented_error_is_no_find() -> None:
    assert bred(planted(NESTED, KeyError), 1, 2_000).find is None


def test_the_same_seed_breeds_the_same() -> None:
    assert bred(planted(NESTED, KeyError), 5, 1_000) == bred(planted(NESTED, KeyError), 5, 1_000)
    assert found(planted(NESTED), 5, 30_000) == found(planted(NESTED), 5, 30_000)


def test_what_takes_more_lines_than_its_octets_allow_is_stopped() -> None:
    assert found(planted(SLOW), 1, 5_000).what.startswith("TooLong")


def test_a_value_that_makes_no_sense_is_a_find() -> None:
    def judge(value: object) -> None:
        assert value is None, "no sense"

    target = Target("judged", lambda: lambda _data: 1, (b"x",), (DecodeError,), judge)
    assert "no sense" in found(target, 1, 10).what


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_inputs_bred_for_each_decoder_break_no_promise(name: str) -> None:
    outcome = bred(TARGETS[name], 1, len(TARGETS[name].seeds) + INPUTS)
    assert outcome.find is None
    assert outcome.inputs >= INPUTS
