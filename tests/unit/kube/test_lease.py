"""One allocator at a time, judged by what this node sees and by its own clock only."""

from speakerd.config.resources import Metadata
from speakerd.kube.lease import DURATION, NAME, RENEW, SURE, Election, Write, spec
from speakerd.kube.objects import Lease, LeaseSpec


def lease(holder: str, version: int, renewed: str = "") -> Lease:
    return Lease(Metadata(name=NAME, resource_version=str(version)), LeaseSpec(holder, 15, 0, renewed))


def election(me: str = "a", *, willing: bool = True) -> Election:
    return Election(me, willing=willing, random=lambda: 0.5)


def winner(me: str = "a") -> Election:
    core = election(me)
    core.seen(None, 0.0)
    now = core.deadline() or 0.0
    assert core.step(now) == Write("", me, 0)
    core.seen(lease(me, 1), now, written=True)
    return core


def test_nobody_writes_before_the_lease_was_seen() -> None:
    core = election()
    assert core.deadline() is None
    assert core.step(1000.0) is None


def test_a_missing_lease_is_created_at_once() -> None:
    assert winner().held(1.0)


def test_a_holder_renews_at_half_its_certainty() -> None:
    core = winner()
    due = core.deadline() or 0.0
    assert core.step(due - 0.01) is None
    assert core.step(due) == Write("1", "a", 0)
    assert RENEW <= SURE / 2


def test_a_holder_that_could_not_renew_stops_writing_before_another_may_take_over() -> None:
    core = winner()
    core.failed(RENEW)
    assert core.held(SURE - 0.1)
    assert not core.held(SURE + 0.1)
    assert SURE < DURATION


def test_certainty_counts_from_the_sending_of_a_renewal_not_from_its_answer() -> None:
    core = winner()
    sent = core.deadline() or 0.0
    core.step(sent)
    core.seen(lease("a", 2), sent + 8.0, written=True)
    assert core.held(sent + SURE - 0.1)
    assert not core.held(sent + SURE + 0.1)


def test_another_holder_is_left_alone_while_its_record_changes() -> None:
    core = election()
    for version in range(10):
        core.seen(lease("b", version, renewed=f"t{version}"), version * 5.0)
        assert core.step(version * 5.0 + 4.9) is None
        assert not core.held(version * 5.0)


def test_a_silent_holder_is_replaced_after_the_duration_as_seen_here() -> None:
    core = election()
    core.seen(lease("b", 7, renewed="2001-01-01T00:00:00.000000Z"), 100.0)
    assert core.step(100.0 + DURATION - 0.1) is None
    assert core.step(100.0 + DURATION + 1.0) == Write("7", "a", 1)


def test_seeing_the_same_record_again_does_not_prolong_the_holders_time() -> None:
    core = election()
    core.seen(lease("b", 7), 100.0)
    core.seen(lease("b", 7), 110.0)
    assert core.step(100.0 + DURATION + 1.0) is not None


def test_a_holder_that_renews_while_a_takeover_is_under_way_keeps_its_lease() -> None:
    core = election()
    core.seen(lease("b", 7), 0.0)
    assert core.step(DURATION + 1.0) is not None
    core.seen(lease("b", 8), DURATION + 1.1)
    core.failed(DURATION + 1.2)
    assert core.step(2 * DURATION + 1.0) is None


def test_a_lease_given_up_is_taken_at_once() -> None:
    core = election()
    core.seen(lease("b", 7), 100.0)
    core.seen(lease("", 8), 101.0)
    assert core.step(101.2) == Write("8", "a", 1)


def test_who_was_replaced_knows_it_the_moment_it_sees_it() -> None:
    core = winner()
    core.seen(lease("b", 2), 1.0)
    assert not core.held(1.0)
    assert core.farewell() is None


def test_a_watch_that_lags_behind_our_own_write_changes_nothing() -> None:
    core = election()
    core.seen(lease("b", 7), 0.0)
    core.step(DURATION + 1.0)
    core.seen(lease("a", 9), DURATION + 1.0, written=True)
    core.seen(lease("b", 8), DURATION + 1.1)
    assert core.held(DURATION + 1.1)
    core.seen(lease("b", 10), DURATION + 1.2)
    assert not core.held(DURATION + 1.2)


def test_a_lease_made_anew_counts_whatever_its_version() -> None:
    core = winner()
    core.seen(None, 1.0)
    assert not core.held(1.0)
    core.seen(lease("b", 0), 1.1)
    assert core.holder == "b"


def test_a_renewal_keeps_the_time_since_when_the_lease_is_held() -> None:
    core = election()
    held = LeaseSpec("a", 15, 3, "t2", "t1")
    core.seen(Lease(Metadata(name=NAME, resource_version="1"), held), 0.0)
    write = core.step(0.0)
    assert write == Write("1", "a", 3, acquired="t1")
    assert write is not None
    assert spec(write, 0.0)["acquireTime"] == "t1"
    assert spec(write, 0.0)["renewTime"] == "1970-01-01T00:00:00.000000Z"


def test_failed_writes_come_further_apart_but_never_rarer_than_twice_a_renewal() -> None:
    core = winner()
    now, gaps = 100.0, []
    for _ in range(6):
        core.failed(now)
        gaps.append((core.deadline() or 0.0) - now)
        now = core.deadline() or 0.0
    assert gaps == sorted(gaps)
    assert gaps[0] < 2.0
    assert gaps[-1] <= 2 * RENEW


def test_who_is_not_willing_only_watches() -> None:
    core = election(willing=False)
    core.seen(None, 0.0)
    assert core.deadline() is None
    core.seen(lease("b", 7), 100.0)
    assert core.holder == "b"
    assert core.step(1000.0) is None


def test_a_clean_stop_gives_the_lease_up() -> None:
    assert winner().farewell() == Write("1", "", 0)


def test_a_holder_that_defers_writes_nothing_more_and_gives_the_lease_up_at_once() -> None:
    core = winner()
    assert core.defer(1.0, wanted=True)
    assert not core.held(1.0)
    assert core.step(1.0) == Write("1", "", 0)
    core.failed(1.0)
    assert not core.held(1.0)
    assert core.step(5.0) == Write("1", "", 0)
    core.seen(lease("", 2), 5.0, written=True)
    assert core.step(5.0 + DURATION - 0.1) is None


def test_who_defers_takes_the_lease_when_nobody_else_has_for_its_duration_and_keeps_it() -> None:
    core = winner()
    core.defer(1.0, wanted=True)
    core.step(1.0)
    core.seen(lease("", 2), 1.0, written=True)
    assert core.step(1.0 + DURATION + 0.1) == Write("2", "a", 1)
    core.seen(lease("a", 3), 1.0 + DURATION + 0.1, written=True)
    assert not core.defer(20.0, wanted=True)
    assert core.held(20.0)
    assert core.step(30.0) == Write("3", "a", 0)


def test_who_defers_lets_others_replace_a_silent_holder_first() -> None:
    core = election()
    core.defer(0.0, wanted=True)
    core.seen(lease("b", 7), 100.0)
    assert core.step(100.0 + 2 * DURATION - 0.1) is None
    assert core.step(100.0 + 2 * DURATION + 0.5) == Write("7", "a", 1)


def test_who_defers_no_longer_takes_part_like_everybody() -> None:
    core = election()
    core.defer(0.0, wanted=True)
    core.seen(lease("", 7), 100.0)
    assert core.defer(101.0, wanted=False)
    assert core.step(101.1) == Write("7", "a", 1)


def test_a_holder_that_need_not_defer_after_all_goes_on() -> None:
    core = winner()
    core.defer(1.0, wanted=True)
    core.defer(1.1, wanted=False)
    assert core.held(1.1)
    assert core.step(1.1 + RENEW) == Write("1", "a", 0)


def test_one_that_takes_no_part_takes_none_by_deferring() -> None:
    core = election(willing=False)
    core.seen(None, 0.0)
    core.defer(1.0, wanted=True)
    core.defer(2.0, wanted=False)
    assert core.deadline() is None
