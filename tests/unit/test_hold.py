"""Silence ends when enough others have told what they claim, or its time is over; never later, and not before."""

import pytest

from speakerd.hold import COMPARE, SILENT_LINK, START, Hold

ALL = ("a", "b", "c")
FAST, WIDE = 0.075, 1.0


def started(*, restarted: bool = False, resume: bool = False) -> Hold:
    """A node of four that knows what is wanted since 10.0."""
    hold = Hold(restarted=restarted, resume=resume)
    hold.wanted(10.0, FAST, in_company=True)
    return hold


def running() -> Hold:
    hold = Hold(restarted=False, resume=False)
    hold.wanted(0.0, FAST, in_company=False)
    assert hold.over(0.0)
    return hold


@pytest.mark.parametrize(
    ("hold", "seconds"), [(started(), START), (started(restarted=True), COMPARE), (started(resume=True), 0.0)]
)
def test_a_start_is_silent_for_as_long_as_its_kind_needs(hold: Hold, seconds: float) -> None:
    assert (hold.active, hold.deadlines()) == (True, [10.0 + seconds])
    assert seconds == 0.0 or not hold.over(10.0 + seconds - 0.001)
    assert hold.over(10.0 + seconds)
    assert (hold.active, hold.deadlines()) == (False, [])


def test_where_heartbeats_are_rare_a_start_waits_for_three_of_them() -> None:
    hold = Hold(restarted=False, resume=False)
    hold.wanted(10.0, WIDE, in_company=True)
    assert hold.deadlines() == [13.0]


def test_before_anything_is_wanted_silence_has_no_end() -> None:
    hold = Hold(restarted=False, resume=True)
    assert hold.deadlines() == []
    assert not hold.over(1000.0)


def test_alone_in_the_records_a_node_waits_for_nobody() -> None:
    hold = Hold(restarted=False, resume=False)
    hold.wanted(10.0, FAST, in_company=False)
    assert hold.over(10.0)


def test_a_start_ends_once_every_recorded_member_has_told_and_not_before() -> None:
    hold = started()
    for name in ("a", "b"):
        hold.compared(name, 3, ALL, 10.1)
        assert not hold.over(10.1)
    hold.compared("c", 3, ALL, 10.2)
    assert hold.over(10.2)


def test_after_a_pause_two_suffice() -> None:
    hold = running()
    hold.paused(50.0)
    hold.compared("a", 3, ALL, 50.01)
    assert not hold.over(50.01)
    hold.compared("b", 3, ALL, 50.02)
    assert hold.over(50.02)


def test_after_a_pause_with_one_other_that_one_suffices() -> None:
    hold = running()
    hold.paused(50.0)
    hold.compared("a", 1, ["a"], 50.01)
    assert hold.over(50.01)


def test_what_a_member_told_before_it_died_does_not_count() -> None:
    hold = running()
    hold.paused(50.0)
    hold.compared("a", 3, ALL, 50.01)
    hold.lost("a")
    hold.compared("b", 3, ALL, 50.02)
    assert not hold.over(50.02)


def test_an_interface_whose_carrier_is_back_waits_for_claims_after_the_first_frame() -> None:
    hold = running()
    hold.came([2, 3], 60.0)
    assert hold.closed == {2, 3}
    assert not hold.active
    hold.frame_came(2, 60.3)
    assert hold.opened(60.3 + COMPARE) == [2]
    assert hold.opened(60.0 + SILENT_LINK) == [3]
    assert not hold.deadlines()


def test_an_interface_that_is_lost_again_is_waited_for_no_more() -> None:
    hold = running()
    hold.came([2, 3], 60.0)
    hold.went([2])
    hold.compared("a", 1, ["a"], 60.1)
    assert hold.opened(60.1) == [3]
