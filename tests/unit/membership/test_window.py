"""No message counts twice, and few bytes are kept of them."""

from hypothesis import given
from hypothesis import strategies as st

from speakerd.membership.window import MOST, OVERTAKEN, Window

START = 10**9


def taken(window: Window, *sequences: int) -> list[int]:
    """Those that count."""
    found = []
    for each in sequences:
        if window.is_new(each):
            window.add(each)
            found.append(each)
    return found


def test_what_was_overtaken_counts_once() -> None:
    assert taken(Window(), START, START + 9, START + 3, START + 3, START) == [START, START + 9, START + 3]


def test_what_is_too_old_does_not_count() -> None:
    window = Window()
    assert taken(window, START, START - OVERTAKEN, START - OVERTAKEN + 1) == [START, START - OVERTAKEN + 1]
    later = START + 10 * OVERTAKEN
    assert taken(window, later, START + 1, later - OVERTAKEN) == [later]


def test_of_very_many_at_once_those_that_were_overtaken_are_lost() -> None:
    window = Window()
    many = range(START, START + 4 * MOST, 2)
    assert taken(window, *many) == list(many)
    assert taken(window, START + 1) == []


@given(st.lists(st.integers(START, START + 3 * OVERTAKEN), max_size=300))
def test_none_counts_twice_and_the_newest_always_counts(sequences: list[int]) -> None:
    window, newest, found = Window(), 0, []
    for each in sequences:
        before = newest
        newest = max(newest, each)
        counted = taken(window, each)
        found += counted
        assert counted or each <= before
    assert len(found) == len(set(found))
