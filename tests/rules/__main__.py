"""Take MetalLB's rules out of the code, one at a time: the case of each must notice.

python -m tests.rules            every rule
python -m tests.rules ID ...     some
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence

from msgspec import Struct

from tests.rules import RULES
from tests.rules.removals import REMOVALS
from tests.rules.removing import Removal, misplaced, take_out

FINE, BROKEN = 0, 1
MOST = len(RULES) // 2 - 1
"""Cases of other rules that may fail with one: a removal after which little works says nothing about its rule."""


class Finding(Struct, frozen=True):
    """What the cases come to: those whose outcome is another, and those that end in an exception, by id.

    An exception proves nothing: a rule that is missed shows in what becomes of Services and addresses.
    """

    missed: frozenset[str]
    crashed: dict[str, str]

    def verdict(self, rule: str) -> str:
        """Whether the case of the rule taken out noticed, and if not, why."""
        others = len((self.missed | self.crashed.keys()) - {rule})
        if rule in self.crashed:
            return f"NOT NOTICED: the case ends in {self.crashed[rule]}"
        if rule not in self.missed:
            return "NOT NOTICED"
        if others > MOST:
            return f"NOT NOTICED: others that fail, too: {others}"
        return f"noticed (others that fail: {others})"


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="rules", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ids", nargs="*", metavar="ID", help="take out this rule")
    ids = parser.parse_args().ids or [*RULES]
    unknown = [each for each in ids if each not in REMOVALS]
    if unknown:
        parser.error(f"there is no removal of {', '.join(unknown)}")
    faults = [f"{each}: {fault}" for each in ids for fault in misplaced(REMOVALS[each])]
    if faults:
        print(*faults, sep="\n")
        return BROKEN
    return _report(ids)


def _report(ids: Sequence[str]) -> int:
    """Each in a process of its own, since a module is imported once; first nothing is taken out, and all must hold."""
    began, survivors = time.monotonic(), 0
    with multiprocessing.Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        whole = pool.apply(play, [()])
        if whole.missed or whole.crashed:
            print(f"with all rules in place these fail: {', '.join(sorted(whole.missed | whole.crashed.keys()))}")
            return BROKEN
        for each, found in zip(ids, pool.imap(play, map(REMOVALS.__getitem__, ids)), strict=True):
            verdict = found.verdict(each)
            survivors += verdict.startswith("NOT")
            print(f"{each}: {RULES[each].says}: {verdict}", flush=True)
    print(f"{len(ids)} rules taken out, {survivors} not noticed, {time.monotonic() - began:.0f} s")
    return BROKEN if survivors else FINE


def play(removal: Removal) -> Finding:
    """Every case without the rule, in a process that has not imported the product yet."""
    take_out(removal)
    try:
        from tests.rules import playing  # noqa: PLC0415  with it the product, as it is without the rule
    except Exception as fault:  # noqa: BLE001  what is left may be no Python
        return Finding(frozenset(), dict.fromkeys(RULES, repr(fault)))
    missed, crashed = set[str](), dict[str, str]()
    for each, rule in RULES.items():
        try:
            if playing.told(rule) != playing.wanted(rule):
                missed.add(each)
        except Exception as fault:  # noqa: BLE001  whatever a broken product may raise
            crashed[each] = repr(fault)
    return Finding(frozenset(missed), crashed)


if __name__ == "__main__":
    raise SystemExit(main())
