"""Who keeps a VIP when a cut network is whole again: the larger part's owner, of equal parts who served unbroken."""

from collections.abc import Callable, Collection

from speakerd.membership.voice import SIDE_WITHIN
from speakerd.ownership.contest import BY_SILENCE
from tests.sim import faults
from tests.sim.world import Node, World

LASTS = 1.0
"""Seconds of a cut, at an interval of 75 ms, in which each part has found its owners."""
BEFORE = 0.05
"""Seconds before the heal at which the parts are looked at."""
CALM = 3.0
"""Seconds without another fault before a cut, and after it, at that interval; a part is as large as it was lately."""
SETTLED = 0.6
"""Seconds after which a contest is over, at that interval."""


class Heals:
    """Looks at the cuts that no other fault disturbs (ownership, P6). `answering`: who answers for a VIP."""

    def __init__(self, world: World, answering: Callable[[bytes], list[Node]]) -> None:
        self._world, self._answering = world, answering
        self._scale = world.scenario.preset[0] / 0.075
        self._cuts = [each for each in world.scenario.faults if isinstance(each, faults.Cut) and self._clean(each)]
        self._keepers: dict[bytes, Node] = {}

    def _clean(self, cut: faults.Cut) -> bool:
        calm = CALM * self._scale
        since = min(cut.at - calm, cut.end - SIDE_WITHIN - 1)
        others = (each for each in self._world.scenario.faults if each is not cut)
        started = max(self._world.scenario.starts) < since
        alone = started and all(each.end < since or each.at > cut.end + calm for each in others)
        return alone and cut.carriers == (0, 1) and not cut.one_way and cut.span >= LASTS * self._scale

    def look(self, vips: Collection[bytes], since: float) -> list[str]:
        """What is wrong, of what was due after `since` and until now."""
        now, found = self._world.now, []
        for cut in self._cuts:
            if since < cut.end - BEFORE <= now:
                keepers = {ip: self._keeper(cut, ip) for ip in vips}
                self._keepers = {ip: keeper for ip, keeper in keepers.items() if keeper}
            if since < cut.end + SETTLED * self._scale <= now:
                found += [self._wrong(ip, keeper) for ip, keeper in self._keepers.items()]
        return [each for each in found if each]

    def _keeper(self, cut: faults.Cut, ip: bytes) -> Node | None:
        """Of two that answer, one in each part; None where the rules leave it to a hash."""
        here = self._answering(ip)
        parts = {each.number in cut.sources: each for each in here}
        if len(here) != 2 or len(parts) != 2:
            return None
        sizes = {side: sum(n.runs and (n.number in cut.sources) is side for n in self._world.nodes) for side in parts}
        if sizes[True] != sizes[False]:
            return parts[sizes[True] > sizes[False]]
        served = [each for each in here if each.mesh and each.mesh.known[ip].cause not in BY_SILENCE]
        return served[0] if len(served) == 1 else None

    def _wrong(self, ip: bytes, keeper: Node) -> str:
        here = self._answering(ip)
        has = ", ".join(each.name for each in here) or "nobody"
        return "" if here == [keeper] else f"{keeper.name} had to keep {ip.hex()}, and {has} has it"
