"""A difference turns one mapping into the other and says nothing more; what was published stays as it is."""

from hypothesis import given
from hypothesis import strategies as st

from speakerd.difference import Draft, difference

VALUES = [object() for _ in range(3)]
mappings = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(VALUES))


@given(mappings, mappings)
def test_applied_it_makes_the_one_the_other(before: dict[str, object], after: dict[str, object]) -> None:
    found = difference(before, after)
    patched = {key: value for key, value in before.items() if key not in found.gone} | dict(found.put)
    assert patched == after
    assert all(before.get(key) is not value for key, value in found.put.items())
    assert set(found) == set(found.put) | set(found.gone)


@given(mappings)
def test_nothing_differs_from_itself(mapping: dict[str, object]) -> None:
    assert not difference(mapping, mapping)
    assert not difference(mapping, dict(mapping))


def test_what_was_published_stays_while_the_next_is_written() -> None:
    draft: Draft[str, int] = Draft()
    draft.put("a", 1)
    first = draft.publish()
    draft.put("b", 2)
    draft.drop("a")
    assert (first, draft.publish()) == ({"a": 1}, {"b": 2})


def test_a_draft_in_which_nothing_changed_is_the_same_object() -> None:
    draft: Draft[str, list[int]] = Draft()
    value = [1, 2]
    draft.put("a", value)
    first = draft.publish()
    draft.put("a", [1, 2])
    draft.drop("b")
    assert draft.publish() is first
    assert draft.get("a") is value
