"""What one death costs the other nodes of a large cluster, and what a new wish for every VIP does: the core alone."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from speakerd.exchange import Candidate, Claim, Stake, Vip
from speakerd.ownership import heirs
from speakerd.ownership.holdings import Place
from speakerd.ownership.owner import Owner
from speakerd.ownership.ranking import ranking, weight
from tests.bench.figures import Options, Outcome, at_most, quantile

VIPS, NODES = 2000, 200
ROUNDS = 5
DECIDED, TURN = 50.0, 5.0
"""Milliseconds: for all that a death changes, and for one turn of the loop (what may delay an answer)."""
SECTION = 8
"""VIPs whose wishes arrive together: the link has 256 sections."""
BOOT = 1
ME, DEAD = "n000", "n001"


class Everybody:
    """The other members, all well but the dead one."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self.dead = ""

    def here(self, name: str) -> bool:
        """All but one."""
        return name in self._names and name != self.dead

    ready = recorded = hears = here

    def starting(self, _name: str) -> bool:
        """Nobody."""
        return False

    def boot(self, _name: str) -> int:
        """All in the same life."""
        return BOOT

    def side(self) -> int:
        """All of them."""
        return len(self._names)

    def age(self) -> float:
        """For long."""
        return 1000.0

    def unheard(self) -> bool:
        """Not at all."""
        return False

    def listed(self, name: str) -> bool:
        """Whoever lives is heard by all."""
        return name != self.dead

    def living(self) -> Collection[str]:
        """All others."""
        return self._names - {ME, self.dead}

    def segments(self, _name: str) -> tuple[int, ...]:
        """One."""
        return (1,)

    def meets(self, _name: str, _indexes: Collection[int], _since: float) -> bool:
        """Nobody: no checks here."""
        return False

    def macs(self, _name: str) -> tuple[bytes, ...]:
        """Not asked for here."""
        return ()

    def who(self, _mac: bytes) -> str:
        """Nobody's."""
        return ""


def run(_options: Options) -> Outcome:
    """With this Python."""
    outcome = Outcome(figures={}, goals=[])
    names = [f"n{number:03}" for number in range(NODES)]
    candidates = tuple(Candidate(name) for name in names)
    rounds = [_round(names, candidates) for _ in range(ROUNDS)]
    for number, word in enumerate(("death", "death without an heir", "every VIP wished anew, nothing changes")):
        totals, turns = ([each[number][part] for each in rounds] for part in (0, 1))
        outcome["figures"][f"{word}.p50.ms"] = round(quantile(totals, 0.5), 2)
        outcome["figures"][f"{word}.longest.turn.ms"] = round(quantile(turns, 0.5), 2)
        outcome["goals"].append(at_most(f"{word}: {VIPS} VIPs, {NODES} nodes", quantile(totals, 0.5), DECIDED, "ms"))
        outcome["goals"].append(at_most(f"{word}: longest turn", quantile(turns, 0.5), TURN, "ms"))
    return outcome


Cost = tuple[float, float]
"""Milliseconds of processor time in all, and of the longest turn."""


def _round(names: list[str], candidates: tuple[Candidate, ...]) -> list[Cost]:
    costs = []
    for heir in (True, False):
        with _cluster(names, candidates, heir=heir) as (owner, everybody, stakes):
            everybody.dead = DEAD
            costs.append(_cost(owner, [partial(owner.takeover.died, DEAD, 0.0, silent=0.2, proven=True)]))
            assert not heir or not any(claim.owner == DEAD and claim.heir == ME for claim in owner.holdings.table)
    parts = [dict(list(stakes.items())[at : at + SECTION]) for at in range(0, VIPS, SECTION)]
    costs.append(_cost(owner, [partial(owner.want, part, 1.0) for part in parts]))
    return costs


def _cost(owner: Owner, begin: Iterable[Callable[[], None]]) -> Cost:
    """Of what happens, and of all that is due at once then."""
    turns = [_timed(each) for each in begin]
    while (due := owner.deadline()) is not None and due <= 1.0:
        turns.append(_timed(partial(owner.wake, 1.0)))
    return sum(turns) * 1000, max(turns) * 1000


def _timed(turn: Callable[[], object]) -> float:
    start = time.process_time()
    turn()
    return time.process_time() - start


@contextmanager
def _cluster(
    names: list[str], candidates: tuple[Candidate, ...], *, heir: bool
) -> Iterator[tuple[Owner, Everybody, dict[bytes, Stake]]]:
    """One node's view of a cluster in calm, all VIPs owned; `heir`: each has one."""
    everybody = Everybody(names)
    owner = Owner(BOOT, everybody, lambda: 0.5, {})
    owner.configure(ME, 0.075, 3, 0.012)
    owner.stand(Place({"eth0": 1}), 0.0)
    owner.may_claim = True
    ips = [(10 << 24 | number).to_bytes(4) for number in range(VIPS)]
    stakes = {ip: Stake(Vip(ip, f"default/{number}", ip, 0), candidates) for number, ip in enumerate(ips)}
    owner.want(stakes, 0.0)
    for number, ip in enumerate(ips):
        name = names[number % NODES]
        others = [each for each in candidates if each.node != name]
        following = heirs.choose(ip, others, {}, VIPS) if heir else ""
        claim = Claim(ip, 1, name, 0.0, "first", boot=BOOT, heir=ME if heir and name == DEAD else following)
        owner.holdings.follow(claim, 0.0)
        if name == ME:
            owner.holdings.serve(claim)
    while owner.holdings.agenda.deadline() is not None:
        owner.wake(0.0)
    weight.cache_clear()
    assert ranking(ips[0], candidates)
    yield owner, everybody, stakes
