"""Hosts are upgraded one after the other: a later version of speakerd beside this one, and this one again after it."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.lab.agents import ROOT, Agent, command_output, program, ready
from tests.lab.claims import claim, others, settled
from tests.lab.embedded import Embedded
from tests.lab.net import Lan
from tests.lab.scrape import named, samples
from tests.lab.steps import clear, given, owner, publish
from tests.lab.waiting import eventually

pytestmark = pytest.mark.lab

VERSION = "99.0"
CHANGES: Mapping[str, Mapping[str, str]] = {
    "__init__.py": {'__version__ = "': f'__version__ = "{VERSION}"  # "'},
    "membership/message.py": {'b"\\x5a", 1, 1': 'b"\\x5a", 2, 1'},
    "membership/heartbeat.py": {
        "MOST_CONFIGURATION)]\n\n": 'MOST_CONFIGURATION)]\n    mood: tuple[str, ...] = ("better", "than before")\n\n'
    },
    "ownership/message.py": {
        "    lost: bool = False\n": "    lost: bool = False\n    reason: int = 7\n",
        'f"{OTHER}".split()': 'f"{OTHER} maintenance".split()',
    },
    "ownership/handover.py": {'return "drain"': 'return "maintenance"'},
    "events.py": {
        "    detail: str = ": "    reason: str | None = None\n    detail: str = ",
        ", omit_defaults=True": "",
    },
    "kube/body.py": {
        "        VERSION_ANNOTATION: ": '        "speakerd.io/mood": "better",\n        VERSION_ANNOTATION: '
    },
}
"""What a later version may do, by file: text there, and what is in its place; by the rules of membership/message.py."""
PATIENCE = 10.0


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree as a later version of itself."""
    tree = tmp_path_factory.mktemp("later")
    shutil.copytree(ROOT / "speakerd", tree / "speakerd", ignore=shutil.ignore_patterns("__pycache__"))
    for name, changes in CHANGES.items():
        path = tree / "speakerd" / name
        text = path.read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, f"{name} says {old!r} once"
            text = text.replace(old, new)
        path.write_text(text)
    tree.chmod(0o755)
    return tree


@pytest.fixture
def mixed(lan: Lan, plane: Embedded, later: Path) -> Iterator[list[Agent]]:
    """The first node is upgraded, the others are not yet."""
    upgraded = Agent(lan, lan.nodes[0], plane, (sys.executable, "-P", "-m", "speakerd"))
    found = [upgraded, *(Agent(lan, node, plane, program()) for node in lan.nodes[1:])]
    upgraded.start({"PYTHONPATH": str(later)})
    for agent in found[1:]:
        agent.start()
    try:
        all_ready(found)
        yield found
        clear(plane.cluster)
    finally:
        for agent in found:
            print(f"--- {agent.host.name}\n{agent.tail()}")
            agent.stop()


def all_ready(agents: Sequence[Agent]) -> None:
    names = [each.host.name for each in agents]
    for agent in agents:
        eventually(partial(ready, agent, names), f"{agent.host.name} is ready", 20)


def drained(agent: Agent) -> None:
    """Have it hand over all it has, and be fit again."""
    command_output("drain", "--wait", "--run", str(agent.run))
    command_output("undrain", "--run", str(agent.run))


def test_members_of_two_versions_hand_over_die_and_take_over_as_those_of_one_do(
    lan: Lan, plane: Embedded, mixed: list[Agent]
) -> None:
    upgraded, *old = mixed
    publish(plane.cluster, "web", lan.nodes)
    (address,) = given(plane.cluster, "web")
    assert upgraded.status()["node"]["version"] == VERSION

    while (agent := settled(lan, mixed, address)) is not upgraded:
        for each in others(old, agent):
            command_output("drain", "--run", str(each.run))
        drained(agent)
        for each in others(old, agent):
            command_output("undrain", "--run", str(each.run))
    assert {claim(each, address)["epoch"] for each in mixed} == {claim(upgraded, address)["epoch"]}
    drained(upgraded)
    after = settled(lan, mixed, address)
    assert after is not upgraded
    assert {claim(each, address)["cause"] for each in old} == {"other"}

    for pid in after.pids().values():
        os.kill(pid, signal.SIGKILL)
    left = others(mixed, after)
    eventually(lambda: owner(lan, address) in {each.host.name for each in left}, "another answers", PATIENCE)
    after.start()
    all_ready(mixed)
    settled(lan, mixed, address)
    for node in lan.nodes:
        counted = samples(node)
        for word in ("other-version", "malformed", "unknown-kind"):
            assert counted.get(named("speakerd_mesh_messages_total", what=word), 0) == 0, (node.name, word)


def test_after_a_downgrade_what_the_later_version_wrote_down_is_read(
    lan: Lan, plane: Embedded, mixed: list[Agent]
) -> None:
    upgraded, *old = mixed
    publish(plane.cluster, "web", lan.nodes)
    (address,) = given(plane.cluster, "web")
    settled(lan, mixed, address)
    command_output("drain", "--wait", "--run", str(upgraded.run))
    before = upgraded.events()
    assert '"reason"' in (upgraded.state / "events").read_text()
    upgraded.stop()
    back = Agent(lan, upgraded.host, plane, program())
    back.start()
    try:
        all_ready([back, *old])
        assert back.status()["node"]["drained"]
        known = {(each["number"], each["event"]) for each in back.events()}
        assert {(each["number"], each["event"]) for each in before} <= known
        command_output("undrain", "--run", str(back.run))
        settled(lan, [back, *old], address)
        clear(plane.cluster)
    finally:
        back.stop()
