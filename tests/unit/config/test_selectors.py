"""Label selectors match as Kubernetes' do."""

import pytest

from speakerd.config.resources import Expression, LabelSelector
from speakerd.config.selectors import any_matches, faults, keys, matches

LABELS = {"zone": "a", "disk": "ssd"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (LabelSelector(), True),
        (LabelSelector({"zone": "a"}), True),
        (LabelSelector({"zone": "a", "disk": "hdd"}), False),
        (LabelSelector({"rack": ""}), False),
        (LabelSelector({}, (Expression("zone", "In", ("a", "b")),)), True),
        (LabelSelector({}, (Expression("rack", "In", ("a",)),)), False),
        (LabelSelector({}, (Expression("zone", "NotIn", ("a",)),)), False),
        (LabelSelector({}, (Expression("rack", "NotIn", ("a",)),)), True),
        (LabelSelector({}, (Expression("zone", "Exists"),)), True),
        (LabelSelector({}, (Expression("rack", "Exists"),)), False),
        (LabelSelector({}, (Expression("rack", "DoesNotExist"),)), True),
        (LabelSelector({}, (Expression("zone", "DoesNotExist"),)), False),
        (LabelSelector({"zone": "a"}, (Expression("zone", "DoesNotExist"),)), False),
        (LabelSelector({}, (Expression("zone", "Is", ("a",)),)), False),
    ],
)
def test_all_of_a_selector_must_hold(selector: LabelSelector, expected: bool) -> None:
    assert matches(selector, LABELS) is expected


def test_a_list_of_selectors_means_or_and_an_empty_one_nothing() -> None:
    assert any_matches([LabelSelector({"zone": "b"}), LabelSelector({"disk": "ssd"})], LABELS)
    assert not any_matches([], LABELS)


def test_what_the_api_server_would_refuse_is_told() -> None:
    wrong = (Expression("a", "Is"), Expression("a", "In"), Expression("a", "Exists", ("x",)), Expression("a", "Exists"))
    assert faults(LabelSelector({}, wrong)) == [
        "operator 'Is' is not one of In, NotIn, Exists, DoesNotExist",
        "a In needs values",
        "a Exists takes no values",
    ]


def test_the_labels_it_depends_on_are_known() -> None:
    assert keys([LabelSelector({"a": "1"}, (Expression("b", "Exists"),)), LabelSelector({"c": "2"})]) == set("abc")
