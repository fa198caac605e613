"""Who observes whom: the few nearest on the ring, and asked from either end the answer is the same."""

import pytest

from speakerd.membership.ring import OBSERVERS, Ring

NAMES = [f"n{number}" for number in range(40)]


@pytest.mark.parametrize("living", range(1, 2 * OBSERVERS))
def test_whom_a_member_observes_are_those_that_have_it_among_their_observers(living: int) -> None:
    for start in range(len(NAMES)):
        turned = NAMES[start:] + NAMES[:start]
        ring, me = Ring(turned[:living]), turned[0]
        others = frozenset(NAMES) - {me}
        assert ring.observed(me, others) == {name for name in others if me in ring.observers(name)}


@pytest.mark.parametrize("living", range(1, 2 * OBSERVERS))
def test_each_has_as_many_observers_as_there_are_others_up_to_the_most(living: int) -> None:
    ring = Ring(NAMES[:living])
    assert all(len(ring.observers(name)) == min(OBSERVERS, living - 1) for name in NAMES[:living])
    assert not any(name in ring.observers(name) for name in NAMES)


@pytest.mark.parametrize("living", range(2, 2 * OBSERVERS))
def test_whom_a_living_member_observes_observes_it(living: int) -> None:
    ring = Ring(NAMES[:living])
    assert all(name in ring.observers(other) for name in NAMES[:living] for other in ring.observers(name))
