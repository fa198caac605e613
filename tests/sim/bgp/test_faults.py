"""Whatever happens between two BGP speakers, once it is over both are up, by one connection, and know all routes."""

import pytest

from tests.sim.bgp.faults import played

SEEDS = 300
BATCH = 50


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_after_the_last_fault_both_are_up_and_know_what_the_other_wants(first: int) -> None:
    for seed in range(first, first + BATCH):
        broken, lines = played(seed)
        told = "\n".join(lines[-40:])
        assert not broken, f"seed {seed}: {broken}; all of it: python -m tests.sim.bgp.faults {seed}\n{told}"


def test_a_seed_replays_exactly() -> None:
    assert played(7) == played(7)
    assert played(7) != played(8)
