"""`snap set` changes one value of a settings file, and nothing else that people wrote there."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from speakerd.config.edit import Unsure, edited

LEVEL, RANGE = ("log", "level"), ("iprange",)
COMMENTED = "# ours\nnode: {name: a}  # here\nlog:\n  # why\n  level: info  # enough\n  # form\n  format: text\n"


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("", LEVEL, "debug", "log:\n  level: debug\n"),
        ("# nothing\n", RANGE, "10.0.0.0/28", '# nothing\niprange: "10.0.0.0/28"\n'),
        ("log:\n  level: info # x", LEVEL, "debug", "log:\n  level: debug # x"),
        ("log: {format: text}\n", LEVEL, "debug", "log: {level: debug, format: text}\n"),
        ("log: {}\n", LEVEL, "debug", "log: {level: debug}\n"),
        ("log:\nnode:\n  name: a\n", LEVEL, "debug", "log: {level: debug}\nnode:\n  name: a\n"),
        ("log:\n    format: text\nnode: {}\n", LEVEL, "debug", "log:\n    format: text\n    level: debug\nnode: {}\n"),
        ("{iprange: a, log: {level: info}}\n", LEVEL, "debug", "{iprange: a, log: {level: debug}}\n"),
        ("{iprange: a}\n", LEVEL, "debug", "{log: {level: debug}, iprange: a}\n"),
        ("---\nlog:\n  level: info\n...\n", RANGE, "a", "---\niprange: a\nlog:\n  level: info\n...\n"),
        ("iprange: >-\n  a,\n  b\nlog: {}\n", RANGE, "c", "iprange: c\nlog: {}\n"),
        ("node:\n  name: 'ü'\nlog: {level: ü}\n", LEVEL, "debug", "node:\n  name: 'ü'\nlog: {level: debug}\n"),
        ("node:\n  name:\n", ("node", "name"), "a", "node:\n  name: a\n"),
    ],
)
def test_a_value_comes_where_it_belongs(before: str, path: tuple[str, ...], value: str, after: str) -> None:
    assert edited(before, path, value) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("log:\n  level: info\n  format: text\n", "log:\n  format: text\n"),
        ("log:\n  level: info\n", "log:\n"),
        ("log: {level: info}\n", "log: {level: null}\n"),
        ("iprange: a\n", "iprange: a\n"),
        ("", ""),
    ],
)
def test_a_key_taken_out_counts_no_more(before: str, after: str) -> None:
    assert edited(before, LEVEL, None) == after


def test_comments_and_the_form_of_all_else_stay() -> None:
    assert edited(COMMENTED, LEVEL, "debug") == COMMENTED.replace("info", "debug")
    assert edited(COMMENTED, RANGE, "a").startswith(COMMENTED)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x info\nlog:\n  level: *x\n",
        "log: [\n",
        "- a\n",
        "log: text\n",
        "log: {level: info}\n---\nlog: {}\n",
    ],
)
def test_what_an_edit_could_spoil_is_left_alone(text: str) -> None:
    with pytest.raises(Unsure):
        edited(text, LEVEL, "debug")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff\ufffe\uffff")))
def test_any_text_is_read_back_as_it_was_given(value: str) -> None:
    assert yaml.safe_load(edited("log: {format: text}\n", LEVEL, value))["log"]["level"] == value
