"""Who has what; and a ledger is compared with the last one without looking up its addresses."""

from hypothesis import given
from hypothesis import strategies as st

from speakerd.occupancy import SCATTERED, unlike

OBJECTS = [object() for _ in range(200)]
indexes = st.lists(st.integers(0, 199), unique=True)


def objects(chosen: list[int]) -> list[object]:
    return [OBJECTS[index] for index in chosen]


@given(indexes, indexes)
def test_what_is_unlike_makes_the_one_list_the_other(before: list[int], after: list[int]) -> None:
    gone, new = unlike(objects(before), objects(after))
    left = [each for each in objects(before) if not any(each is other for other in gone)]
    assert set(map(id, left + new)) == set(map(id, objects(after)))
    assert len(left + new) == len(after)


@given(st.sets(st.integers(0, 149), max_size=SCATTERED - 1), st.integers(0, 50))
def test_what_stayed_in_place_is_not_named(left_out: set[int], appended: int) -> None:
    before = list(range(150))
    after = [index for index in before if index not in left_out] + list(range(150, 150 + appended))
    gone, new = unlike(objects(before), objects(after))
    assert gone == objects(sorted(left_out))
    assert new == objects(list(range(150, 150 + appended)))
