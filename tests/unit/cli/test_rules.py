"""MetalLB's rules, each by its id, through the public JSON of `speakerd plan`; and that each can be taken out."""

import pytest

from tests.rules import RULES
from tests.rules.clusters import Rule
from tests.rules.playing import told, wanted
from tests.rules.removals import REMOVALS
from tests.rules.removing import misplaced


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_rule_holds(rule: Rule) -> None:
    assert rule.services or rule.announced or rule.pools
    assert told(rule) == wanted(rule), rule.says


def test_every_rule_can_be_taken_out_of_the_code() -> None:
    assert REMOVALS.keys() == RULES.keys()
    assert all(REMOVALS.values())


def test_what_a_rule_is_taken_out_by_stands_in_its_file_once() -> None:
    assert not [f"{rule}: {fault}" for rule, removal in REMOVALS.items() for fault in misplaced(removal)]
