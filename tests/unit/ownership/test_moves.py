"""An offer stands for a while, goes to one at a time, and whoever was asked may still take it."""

from speakerd.ownership.moves import VOID, Moves

IP, OTHER = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))


def test_an_offer_stands_until_it_is_void() -> None:
    moves = Moves()
    assert moves.offer(IP, "b", "drain", 1.0) == 1.0 + VOID
    assert moves.stands(IP, 1.0 + VOID / 2) == 1.0 + VOID
    assert moves.stands(IP, 1.0 + VOID) is None


def test_offers_to_one_for_one_cause_go_out_together_under_one_number() -> None:
    moves = Moves()
    moves.offer(IP, "b", "drain", 0.0)
    moves.offer(OTHER, "b", "drain", 0.0)
    assert moves.take() == [(1, "b", "drain", [IP, OTHER])]
    assert moves.take() == []


def test_who_was_asked_is_remembered_for_the_same_cause_alone() -> None:
    moves = Moves()
    moves.offer(IP, "b", "drain", 0.0)
    moves.offer(IP, "c", "drain", 1.0)
    assert moves.tried(IP, "drain") == {"b", "c"}
    assert moves.tried(IP, "owner-left") == frozenset()


def test_a_refusal_of_that_very_offer_voids_it() -> None:
    moves = Moves()
    moves.offer(IP, "b", "drain", 0.0)
    ((number, *_),) = moves.take()
    assert moves.refused(number + 1, [IP]) == []
    assert moves.refused(number, [IP, OTHER]) == [IP]
    assert moves.stands(IP, 0.0) is None


def test_a_late_taker_has_been_given_it_and_a_stranger_has_not() -> None:
    moves = Moves()
    moves.offer(IP, "b", "drain", 0.0)
    moves.offer(IP, "c", "drain", 1.0)
    assert moves.given(IP, "b")
    assert not moves.given(IP, "d")
    moves.drop(IP)
    assert not moves.given(IP, "b")
