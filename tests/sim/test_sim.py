"""The simulation itself: it repeats exactly, and tells what it saw. And what runs here alone: an upgrade under way."""

import pytest
from msgspec.structs import replace

from tests.sim.run import play, play_seed, shrunk
from tests.sim.scenario import draw
from tests.sim.trace import trace


def test_a_seed_replays_exactly() -> None:
    assert play_seed(5) == play_seed(5)


def test_seeds_differ() -> None:
    assert draw(1) != draw(2)


def test_a_scenario_that_keeps_its_promises_is_not_made_smaller() -> None:
    scenario = draw(3)
    assert shrunk(scenario) == scenario


def test_a_trace_tells_who_answers_and_how_it_ended() -> None:
    lines = list(trace(draw(3)))
    assert any("answers for" in line for line in lines)
    assert lines[-1] == "all promises kept"


@pytest.mark.parametrize("seed", range(1, 13))
def test_promises_are_kept_while_every_other_node_speaks_a_later_version(seed: int) -> None:
    result = play_seed(seed, upgrading=True)
    assert result.broken is None


def test_what_a_later_version_adds_changes_nothing() -> None:
    scenario = draw(4)
    assert play(replace(scenario, later=tuple(range(scenario.nodes)))) == play(scenario)
