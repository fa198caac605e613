"""What must hold at every step of a simulation (ownership, section 1), and what is said where it does not."""

from collections import defaultdict
from itertools import combinations

from msgspec import Struct

from speakerd.ownership.message import CAUSES
from tests.sim import faults
from tests.sim.actions import Actions
from tests.sim.excess import Excess
from tests.sim.heals import Heals
from tests.sim.world import Node, Watcher, World

OVERLAP = 0.5
"""Seconds two nodes that hear each other may both answer, at an interval of 75 ms."""
LOOSE = 4.0
"""Seconds without an answer, with faults about, at that interval: a VIP must not be forgotten."""
SEGMENT = 2.0
"""Seconds more where a segment has to be found dead that has carrier."""
HASTE, HASTE_WITHIN = 0.03, 0.2
"""Seconds a node back from a pause may answer beside another that it has heard since, looked at so long after it."""
LOOK = 0.05
"""Seconds at most between two looks."""
MOVES_A_FAULT = 4
"""Moves of a VIP that one fault may explain: away, back by a contest, and the like at its end."""


class Broken(Struct, frozen=True):
    """A promise that did not hold."""

    promise: str
    at: float
    text: str


class Promises(Watcher):
    """Looks on. `broken`: the first promise that did not hold, if any."""

    def __init__(self) -> None:
        self.broken: Broken | None = None
        self._answering: dict[bytes, set[Node]] = defaultdict(set)
        self._together: dict[tuple[bytes, int, int], float] = {}
        self._shared: dict[bytes, float] = {}
        self._silent: dict[bytes, float] = {}
        self._moves: dict[bytes, list[tuple[float, str]]] = defaultdict(list)
        self._owner: dict[bytes, str] = {}
        self._life: dict[bytes, int] = {}
        self._neighbour: dict[tuple[int, bytes], Node] = {}
        self._overheard: dict[tuple[int, bytes], bool] = {}
        self._hasty: dict[tuple[bytes, int], float] = {}
        self._lost: dict[bytes, tuple[float, Node]] = {}
        self._ways: dict[tuple[int, int], float] = {}
        self._seen: tuple[object, ...] = ()
        self._failing: set[tuple[str, bytes]] = set()
        self._unwell_at = 0.0

    def attach(self, world: World, actions: Actions) -> None:
        """Look on at this world."""
        self.world, self.actions = world, actions
        self.scale = world.scenario.preset[0] / 0.075
        self.excess = Excess(world)
        self.heals, self._looked_at = Heals(world, self.answering), 0.0

    def fail(self, promise: str, text: str) -> None:
        """Note the first broken promise."""
        if self.broken is None:
            self.broken = Broken(promise, round(self.world.now, 4), text)

    def answers_changed(self, node: Node, before: dict[bytes, tuple[str, ...]]) -> None:
        """A node answers for more or fewer VIPs."""
        now = self.world.now
        self._shared |= {ip: now for ip in before.keys() | node.answers.keys() if self._answering[ip] - {node}}
        for ip in before.keys() - node.answers.keys():
            self._answering[ip].discard(node)
            others = self.answering(ip)
            if others and self._owner.get(ip) == node.name:
                self._owner[ip], self._life[ip] = others[0].name, others[0].boot
            if node.runs and not self.answering(ip) and self._planned(ip, node):
                self.fail("P3", f"{node.name} fell silent for {ip.hex()} before another answered")
            self._both_lost(ip, node)
        for ip in node.answers.keys() - before.keys():
            self._answering[ip].add(node)
            claim = node.mesh.known.get(ip) if node.mesh else None
            if claim and self._owner.get(ip, node.name) != node.name:
                self._moves[ip].append((now, f"{self._owner[ip]}->{node.name} {claim.cause}"))
                if claim.cause == "owner-dead" and claim.previous == self._owner[ip]:
                    self._robbed(ip, self._owner[ip], node)
                if claim.cause in ("first", "restored"):
                    self._usurped(ip, node)
                if claim.cause not in CAUSES:
                    self.fail("P4", f"{claim.cause} is no cause")
            self._owner[ip], self._life[ip] = node.name, node.boot
            if claim:
                self.actions.note(ip, node, claim.epoch)

    def returned(self, node: Node) -> None:
        """Who stood still is silent before it hears what others claim, unless it has no others."""
        if node.answers and node.mesh and node.mesh.detector.peers:
            self.fail("restraint", f"{node.name}, back from a pause, answers before others have told what they claim")

    def plugged(self, node: Node, segment: int) -> None:
        """Who was cut off answers nothing there before claims are compared, unless it has no others."""
        there = [ip for ip, names in node.answers.items() if not names or f"eth{segment}" in names]
        if there and node.mesh and node.mesh.detector.peers:
            self.fail("restraint", f"{node.name}, back on a segment, answers before others have told what they claim")

    def announced(self, node: Node, segment: int, ip: bytes) -> None:
        """A host that only heeds gratuitous frames believes the last one."""
        self._neighbour[segment, ip] = node
        others = [each for each in self.answering(ip) if each is not node]
        self._overheard[segment, ip] = not others or any(self.hear(node, each) for each in others)

    def look(self) -> None:
        """Check all that can be seen at one instant."""
        self._see_ways()
        self._fails_a_check()
        for promise, wrong in self.excess.look():
            self.fail(promise, wrong)
        for wrong in self.heals.look(self._vips(), self._looked_at):
            self.fail("P6", wrong)
        self._looked_at = self.world.now
        for ip in self._vips():
            self._in_haste(ip)
            self._together_too_long(ip)
            self._nobody(ip)

    def _vips(self) -> list[bytes]:
        found: set[bytes] = set(self._answering)
        for node in self.world.nodes:
            found |= {ip for ip, stake in node.stakes.items() if stake}
        return sorted(found)

    def answering(self, ip: bytes) -> list[Node]:
        """Who answers for `ip` right now."""
        return [node for node in self._answering[ip] if node.runs and self._reached(node)]

    def _reached(self, node: Node) -> bool:
        """Whether anybody on some segment can reach the node."""
        return any(self.world.on(node, segment) for segment in range(self.world.scenario.segments))

    def hear(self, one: Node, other: Node) -> bool:
        """Whether two nodes hear each other by some carrier, as promise P1 means it: each has the other's record."""
        if not (one.runs and other.runs and one.number in other.knows and other.number in one.knows):
            return False
        for carrier in (0, 1):
            for segment in range(self.world.scenario.segments):
                if self.world.passes(one, other, carrier, segment) and self.world.passes(other, one, carrier, segment):
                    return self.world.loss < 0.1 and self.world.delay < 0.05
        return False

    def _see_ways(self) -> None:
        """Since when each pair of nodes hears each other; looked at again where something has changed."""
        nodes = [(node.runs, len(node.knows), *node.carrier) for node in self.world.nodes]
        seen = (self.actions.changed, self.world.blocked.total(), *nodes)
        if seen == self._seen:
            return
        self._seen = seen
        for one, other in combinations(self.world.nodes, 2):
            key = (one.number, other.number)
            if not self.hear(one, other):
                self._ways.pop(key, None)
            else:
                self._ways.setdefault(key, self.world.now)

    def _heard_for(self, one: Node, other: Node) -> float:
        key = (min(one.number, other.number), max(one.number, other.number))
        return self.world.now - self._ways.get(key, self.world.now)

    def _fails_a_check(self) -> None:
        """No node finds that it is not heard, or that another answers, too, where neither is so."""
        checks = [(node.name, node.mesh.owner.selfcheck) for node in self.world.nodes if node.mesh]
        failing = {(name, ip) for name, check in checks for ip in (*check.unheard, *check.foreign)}
        fresh = {each for each in failing - self._failing if not self._lately_shared(each[1])}
        self._failing = failing
        if not self._wire_is_well():
            self._unwell_at = self.world.now
        if fresh and self.world.now - self._unwell_at > self.scale:
            self.fail("self-check", ", ".join(f"{name} finds that {ip.hex()} is not heard" for name, ip in fresh))

    def _lately_shared(self, ip: bytes) -> bool:
        """Whether two answer for it, or did a moment ago."""
        return len(self.answering(ip)) > 1 or self.world.now - self._shared.get(ip, 0) <= self.scale

    def _wire_is_well(self) -> bool:
        """Whether all that is said arrives, and nobody says what is not so."""
        world = self.world
        lossy = world.loss or world.delay or +world.blocked or +world.misplaced or world.mute
        cut_off = any(not node.keyed or not all(node.carrier) for node in world.nodes)
        return not (lossy or cut_off or world.strangers or world.kernels)

    def _in_haste(self, ip: bytes) -> None:
        """Who stood still answers for nothing that another answers for, not even for a moment."""
        now = self.world.now
        here = self.answering(ip)
        for node in here:
            key = (ip, node.number)
            back = now - node.back_at
            others = (each for each in here if each is not node and self._heard_for(node, each) > max(0.0, back - LOOK))
            late = back < HASTE_WITHIN * self.scale and any(others)
            if not late:
                self._hasty.pop(key, None)
            elif now - self._hasty.setdefault(key, now) > HASTE:
                self.fail("restraint", f"{node.name}, back from a pause, answers for {ip.hex()} beside another")

    def _usurped(self, ip: bytes, node: Node) -> None:
        """Who has just booted takes nothing as nobody's that another answers for, whom it could hear ever since."""
        age = self.world.now - node.booted
        if age > HASTE_WITHIN * self.scale:
            return
        for other in self.answering(ip):
            settled = other.started < node.booted - 2 * self.scale
            if other is not node and settled and self._heard_for(node, other) > max(0.0, age - LOOK):
                self.fail("P4", f"{node.name} took {ip.hex()} when it booted, though {other.name} answers for it")

    def _robbed(self, ip: bytes, before: str, node: Node) -> None:
        """A death needs two votes: an owner that somebody heard all the time, who also heard the new one, lives."""
        old = self.world.by_name[before]
        lately = [
            f for f in self.world.scenario.faults if f.at <= self.world.now and f.end > self.world.now - 2 * self.scale
        ]
        weather = any(isinstance(f, faults.Bad | faults.Unkeyed | faults.Pause | faults.Suspend) for f in lately)
        if weather or old.mesh is None or old.boot != self._life[ip] or old.started > self.world.now - 2 * self.scale:
            return
        if not old.runs or node.back_at > self.world.now - 2 * self.scale:
            return
        if sum(each.runs and each is not old and not self.hear(each, old) for each in self.world.nodes) > 1:
            return
        if not all(self.world.on(node, segment) for segment in range(self.world.scenario.segments)):
            return  # it has no wire to ask
        for third in self.world.nodes:
            if third not in (old, node) and min(self._heard_for(third, old), self._heard_for(third, node)) > self.scale:
                self.fail("P4", f"{node.name} took {ip.hex()} from {before}, which {third.name} hears")

    def _together_too_long(self, ip: bytes) -> None:
        now = self.world.now
        here = sorted(self.answering(ip), key=lambda node: node.number)
        if len(here) < 2 and not self._together:
            return
        pairs = {(ip, a.number, b.number) for a, b in combinations(here, 2) if self.hear(a, b)}
        for key in [key for key in self._together if key[0] == ip and key not in pairs]:
            del self._together[key]
        for key in pairs:
            since = self._together.setdefault(key, now)
            if now - since > OVERLAP * self.scale + 0.02:
                self.fail("P1", f"n{key[1] + 1} and n{key[2] + 1} both answer for {ip.hex()} since {since:.3f}")

    def _both_lost(self, ip: bytes, node: Node) -> None:
        """Of two that claim a VIP, one goes on answering."""
        claim = node.mesh.known.get(ip) if node.mesh else None
        if claim is None or claim.owner or claim.cause != "contest-lost":
            return
        at, other = self._lost.get(ip, (-10.0, node))
        self._lost[ip] = (self.world.now, node)
        if other is not node and self.world.now - at < self.world.scenario.preset[0] and not self.answering(ip):
            self.fail("contest", f"{other.name} and {node.name} both gave {ip.hex()} up")

    def _planned(self, ip: bytes, node: Node) -> bool:
        """Whether only a drain or a stop in order explains that `node` gives `ip` away, and another could take it."""
        now = self.world.now
        lately = [f for f in self.world.scenario.faults if f.at <= now and f.end > now - 3 * self.scale]
        if len(lately) != 1 or not isinstance(lately[0], faults.Drain | faults.Leave) or lately[0].at < now - 1:
            return False
        calm = now > 4 * max(1.0, self.scale) + max(self.world.scenario.starts)
        return calm and bool(node.stakes.get(ip)) and any(other is not node for other in self.able(ip))

    def able(self, ip: bytes) -> list[Node]:
        """The nodes that could answer for `ip`."""
        settled = 1.2 * max(1.0, self.scale)
        found = []
        for node in self.world.nodes:
            stake = node.stakes.get(ip)
            named = stake is not None and any(each.node == node.name for each in stake.candidates)
            ready = node.runs and not node.leaving and not node.drained and self._reached(node)
            if named and ready and self.world.now - node.started > settled:
                found.append(node)
        return found

    def _nobody(self, ip: bytes) -> None:
        now = self.world.now
        excused = self.answering(ip) or ip in self.world.strangers or self._nobody_can_tell()
        able = [] if excused else self.able(ip)
        if not able:
            self._silent.pop(ip, None)
            return
        since = self._silent.setdefault(ip, now)
        bound = self._bound(since)
        if now - since > bound:
            names = ", ".join(node.name for node in able)
            self.fail("P2", f"nobody answers for {ip.hex()} since {since:.3f}, {names} could (at most {bound:.2f} s)")

    def _nobody_can_tell(self) -> bool:
        """Whether a segment is dead with carrier up, and too few members, or other faults, let nobody find out."""
        now, nodes = self.world.now, self.world.nodes
        lost = [node for node in nodes for s, up in enumerate(node.carrier) if up and not self.world.on(node, s)]
        if not lost:
            return False
        lately = [f for f in self.world.scenario.faults if f.at <= now and f.end > now - 3 * self.scale]
        moved = {f.node: f.at for f in lately if isinstance(f, faults.Misplaced)}
        well = [node for node in nodes if node.runs and node not in lost and all(node.carrier)]
        unmet = any(node.started > moved.get(node.number, now) - 3 * self.scale for node in lost)
        return unmet or len(well) < 2 or len(lately) > len(moved)

    def _bound(self, since: float) -> float:
        """How long a VIP may be silent from `since` on: D after a death in calm, longer with other faults about."""
        begun = [fault for fault in self.world.scenario.faults if fault.at <= self.world.now]
        lately = [f for f in begun if f.end > since - 3 * self.scale or f.at > since - 3 * self.scale]
        settled = since > 3.0 * max(1.0, self.scale) + max(self.world.scenario.starts)
        if settled and len(lately) == 1 and isinstance(lately[0], faults.Kill) and since - lately[0].at < 0.05:
            killed = {f.node for f in begun if isinstance(f, faults.Kill) and f.end > since}
            left = sum(node.mesh is not None for node in self.world.nodes)
            interval, misses, _ = self.world.scenario.preset
            if self._everybody(killed) and not self._watched_slower(killed):
                votes = misses if left >= 2 else misses + 1
                return (votes + 0.2) * interval + 0.06 * max(1.0, self.scale) + 0.8 * interval * (left >= 3)
        if settled and len(lately) == 1 and self._left_to_others(lately[0]):
            return 0.02
        segment = any(isinstance(each, faults.Misplaced) for each in lately)
        return LOOSE * max(1.0, self.scale) + SEGMENT * segment + 11.0 * self._awaited(since)

    def _left_to_others(self, fault: faults.Fault) -> bool:
        """Whether a node gives away what it has, and another is there."""
        if not isinstance(fault, faults.Drain | faults.Leave):
            return False
        return any(node.runs and node.number != fault.node for node in self.world.nodes)

    def _everybody(self, killed: set[int]) -> bool:
        return all(node.runs for node in self.world.nodes if node.number not in killed)

    def _watched_slower(self, killed: set[int]) -> bool:
        """Whether somebody judges one of these by a slower pace, since they were parted twice."""
        names = [self.world.nodes[number].name for number in killed]
        watchers = [(node, node.mesh.detector.peers) for node in self.world.nodes if node.mesh]
        return any(peers[name].slowed(node.clock()) for node, peers in watchers for name in names if name in peers)

    def _awaited(self, since: float) -> bool:
        """Whether a remembered owner may still be waited for: 10 s after all have started anew."""
        return any(node.mesh is None or since - node.started < 12 for node in self.world.nodes)

    def last(self) -> None:
        """In calm, at the end: one owner for each VIP, and everybody knows it."""
        for ip in self._vips():
            able = self.able(ip)
            here = self.answering(ip)
            running = [node for node in self.world.nodes if node.mesh is not None and node.runs]
            wanted = any(node.stakes.get(ip) for node in running)
            if len(here) > 1 and not self._apart(here):
                self.fail("agreement", f"{', '.join(n.name for n in here)} answer for {ip.hex()}")
            if wanted and able and not here and ip not in self.world.strangers and not self._awaited(self.world.now):
                self.fail("agreement", f"nobody answers for {ip.hex()}")
            owners = {claim.owner for n in running if n.mesh and (claim := n.mesh.known.get(ip)) and claim.owner}
            if len(here) == 1 and owners - {here[0].name}:
                self.fail("agreement", f"{here[0].name} answers for {ip.hex()}, others think {owners}")
            self._neighbours(ip, here)
            moves = self._moves[ip]
            if len(moves) > MOVES_A_FAULT * (len(self.world.scenario.faults) + 1):
                self.fail("flapping", f"{ip.hex()} moved {len(moves)} times: {moves[-6:]}")

    def _neighbours(self, ip: bytes, here: list[Node]) -> None:
        """Hosts that heed gratuitous frames alone find the owner."""
        for segment in range(self.world.scenario.segments if len(here) == 1 and here[0].mesh else 0):
            found = self._neighbour.get((segment, ip))
            quiet = here[0].mesh is not None and here[0].mesh.quiet
            if found is here[0] or quiet or self._left_to_refresh(here[0], segment):
                continue
            if found and found.mesh is None and not self._overheard[segment, ip]:
                continue  # it died before any owner could hear it: the refresh mends that, too
            if self.world.on(here[0], segment):
                self.fail("neighbours", f"{here[0].name} has {ip.hex()}, hosts think {found.name if found else None}")

    def _left_to_refresh(self, node: Node, segment: int) -> bool:
        """Whether its segment was dead with carrier up, and no member is left whose frames would show that it lives.

        Then layer 2's refresh tells the hosts, which this world does without.
        """
        misplaced = (each for each in self.world.scenario.faults if isinstance(each, faults.Misplaced))
        was_dead = any((each.node, each.segment) == (node.number, segment) for each in misplaced)
        return was_dead and all(other.mesh is None for other in self.world.nodes if other is not node)

    def _apart(self, here: list[Node]) -> bool:
        return not all(self.hear(a, b) for a, b in combinations(here, 2))
