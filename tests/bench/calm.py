"""All cores are busy and nothing else happens: does a member suspect another that lives?"""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.contenders import Speakers, speakerd
from tests.bench.faults import load
from tests.bench.figures import Outcome, at_most
from tests.lab.net import Lan

MINUTE = 60.0
LOOK = 0.5
"""Seconds between two looks at what members think of each other; its times are whole seconds."""


def run(program: Sequence[str], runs: int, name: str, outcome: Outcome) -> None:
    """A minute for each run."""
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as where, Lan() as lan:
        folder = Path(where)
        with speakerd(lan, "IPv4", folder, program) as running, load(lan, folder, os.cpu_count() or 1):
            before = states = states_of(running)
            until = time.monotonic() + runs * MINUTE
            while time.monotonic() < until:
                time.sleep(LOOK)
                states = states | states_of(running)
    false = len(states - before)
    outcome["figures"][f"{name}.minutes"] = runs
    outcome["figures"][f"{name}.suspicions"] = false
    outcome["goals"].append(at_most(f"{name}: false suspicions in {runs} minutes of load", false, 0, ""))


def states_of(running: Speakers) -> set[tuple[str, str, str]]:
    """Who has thought of whom since when, as often as that changed: a suspicion that was refuted leaves a new time."""
    return {
        (agent.host.name, each["name"], each["since"])
        for agent in running.agents
        for each in agent.status().get("members", ())
        if each["name"] != agent.host.name
    }
