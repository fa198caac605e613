"""What happened in a scenario, a line each: who answers for what, who is thought to live, what was noted."""

from collections.abc import Iterator

from speakerd.model import unpacked
from tests.sim.actions import Actions
from tests.sim.promises import Promises
from tests.sim.run import LOOK
from tests.sim.scenario import Scenario
from tests.sim.world import Node, World


class Telling(Promises):
    """Looks on, and keeps a line for each change of who answers."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def answers_changed(self, node: Node, before: dict[bytes, tuple[str, ...]]) -> None:
        """Tell it, too."""
        for ip in sorted(before.keys() ^ node.answers.keys()):
            word = "answers for" if ip in node.answers else "is silent for"
            claim = node.mesh.known.get(ip) if node.mesh else None
            why = f" (epoch {claim.epoch}, {claim.cause})" if claim else ""
            self.lines.append(f"{self.world.now:9.4f} {node.name} {word} {unpacked(ip)}{why}")
        super().answers_changed(node, before)


def trace(scenario: Scenario) -> Iterator[str]:
    """The lines of a scenario, to its end or its first broken promise."""
    telling = Telling()
    world = World(scenario, telling)
    actions = Actions(world)
    telling.attach(world, actions)
    actions.plan()
    told = dict.fromkeys((node.name for node in world.nodes), 0)
    yield f"seed {scenario.seed}: {scenario.nodes} nodes, interval {scenario.preset[0]} s"
    yield from (f"{fault.at:9.4f} {fault}" for fault in scenario.faults)
    while world.now < scenario.seconds and telling.broken is None:
        world.run(world.now + LOOK)
        telling.look()
        yield from telling.lines
        telling.lines.clear()
        for node in world.nodes:
            for each in node.mesh.chronicle.happenings if node.mesh else ():
                if each.number > told[node.name]:
                    yield f"{world.now:9.4f} {node.name} {each.word} {each.subject} {each.detail}".rstrip()
            happenings = node.mesh.chronicle.happenings if node.mesh else ()
            told[node.name] = happenings[-1].number if happenings else 0
    if telling.broken is None:
        telling.last()
    yield f"broken: {telling.broken}" if telling.broken else "all promises kept"
