"""What somebody deletes is gone in a moment; what goes with its kind counts on for ten minutes."""

from speakerd.kube.remembered import MOMENT, WITH_KIND, Remembered

P, Q = {"p": 1}, {"q": 2}


def test_one_that_is_deleted_counts_for_a_moment() -> None:
    kept = Remembered[int]()
    assert kept.see(P | Q, 0.0, kind=True) == P | Q
    assert kept.see(P, 10.0, kind=True) == P | Q
    assert kept.see(P, 10.0 + MOMENT, kind=True) == P
    assert not kept.holding


def test_those_that_go_one_after_the_other_with_their_kind_count_on_for_ten_minutes() -> None:
    kept = Remembered[int]()
    kept.see(P | Q, 0.0, kind=True)
    kept.see(Q, 10.0, kind=True)
    kept.see({}, 11.0, kind=True)
    assert kept.see({}, 12.0, kind=False) == P | Q
    assert kept.see({}, 11.0 + WITH_KIND, kind=False) == P | Q
    assert kept.see({}, 12.0 + WITH_KIND, kind=False) == {}


def test_all_at_once_with_their_kind_as_well_and_also_when_it_is_back_before_them() -> None:
    kept = Remembered[int]()
    kept.see(P, 0.0, kind=True)
    assert kept.see({}, 5.0, kind=False) == P
    assert kept.see({}, 65.0, kind=True) == P
    assert kept.see({}, 4.0 + WITH_KIND, kind=True) == P
    assert kept.see({}, 5.0 + WITH_KIND, kind=True) == {}


def test_one_that_comes_back_counts_as_it_is_then() -> None:
    kept = Remembered[int]()
    kept.see(P, 0.0, kind=True)
    kept.see({}, 1.0, kind=False)
    assert kept.see({"p": 7}, 2.0, kind=True) == {"p": 7}
    assert not kept.holding


def test_as_long_as_nothing_is_gone_the_value_is_the_one_that_was_seen() -> None:
    kept = Remembered[int]()
    assert kept.see(P, 0.0, kind=True) is P
