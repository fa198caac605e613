"""Run the simulation.

python -m tests.sim                        what CI runs: 300 fixed seeds, 100 drawn from the commit
python -m tests.sim --seed N [--trace]     one
python -m tests.sim --seeds A-B            some
                    --nodes N              of up to N nodes: 12, and 50 by night; a seed replays with its number alone
python -m tests.sim --nightly              20,000, up to 50 nodes
python -m tests.sim --mutants              break the cores, one way at a time: each must be noticed
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from random import Random

from tests.sim.mutants import MUTANTS, hunt
from tests.sim.run import Result, play_seed, shrunk
from tests.sim.scenario import draw
from tests.sim.trace import trace

FIXED, FRESH, NIGHTLY = range(300), 100, range(20_000)
MOST, MOST_NIGHTLY = 12, 50
HUNTED = 200
"""Scenarios in which a mutant must be noticed."""
TOLD = 500
"""Scenarios from one line of progress to the next."""
FINE, BROKEN = 0, 1


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="sim", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, help="run this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: tell what happens")
    parser.add_argument("--seeds", metavar="A-B", help="run these")
    parser.add_argument("--nodes", type=int, help="of up to so many nodes")
    parser.add_argument("--nightly", action="store_true", help="run very many, up to 50 nodes")
    parser.add_argument("--mutants", action="store_true", help="show that broken cores are noticed")
    args = parser.parse_args()
    if args.mutants:
        return _mutants()
    most = args.nodes or (MOST_NIGHTLY if args.nightly else MOST)
    if args.trace:
        for line in trace(draw(args.seed, most)):
            print(line)
        return FINE
    return _report(_seeds(args), most)


def _seeds(args: argparse.Namespace) -> Sequence[int]:
    if args.seed is not None:
        return [args.seed]
    if args.seeds:
        first, _, last = args.seeds.partition("-")
        return range(int(first), int(last) + 1)
    return NIGHTLY if args.nightly else [*FIXED, *_fresh()]


def _fresh() -> list[int]:
    """Seeds that no run has seen before this commit; printed, so that they can be run again."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    random = Random(commit)
    found = [random.randrange(10**6, 10**9) for _ in range(FRESH)]
    print(f"fresh seeds of commit {commit[:12] or 'none'}: {found[0]}, {found[1]}, ... {found[-1]}")
    return found


def _report(seeds: Sequence[int], most: int) -> int:
    """Run them on all processors; tell what was run, and the first that broke a promise, as short as it gets."""
    began = time.monotonic()
    with multiprocessing.Pool(os.cpu_count()) as pool:
        results = list(_followed(pool.imap_unordered(partial(play_seed, most=most), seeds, chunksize=2), len(seeds)))
    faults: Counter[str] = Counter()
    for result in results:
        faults.update(result.faults)
    seconds, messages = sum(each.seconds for each in results), sum(each.messages for each in results)
    print(f"{len(results)} scenarios, {seconds:.0f} simulated seconds, {messages} messages")
    print("faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items())))
    print(f"{time.monotonic() - began:.0f} s")
    broken = sorted((each for each in results if each.broken), key=lambda each: each.seed)
    if broken:
        _explain(broken[0], most)
    return BROKEN if broken else FINE


def _followed(results: Iterable[Result], of: int) -> Iterator[Result]:
    """The same, and a line for each broken one and for each few hundred, as they come."""
    for count, result in enumerate(results, 1):
        if result.broken:
            print(f"seed {result.seed}: {result.broken}", file=sys.stderr, flush=True)
        if count % TOLD == 0 and count < of:
            print(f"{count} of {of}", file=sys.stderr, flush=True)
        yield result


def _explain(result: Result, most: int) -> None:
    for line in trace(shrunk(draw(result.seed, most))):
        print(line, file=sys.stderr)
    nodes = f" --nodes {most}" if most != MOST else ""
    print(f"again: python -m tests.sim --seed {result.seed}{nodes} --trace", file=sys.stderr)


def _mutants() -> int:
    """Each in a process of its own, since it stays broken."""
    survivors = 0
    with multiprocessing.Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        for name, result in zip(MUTANTS, pool.imap(partial(hunt, seeds=HUNTED), MUTANTS), strict=True):
            survivors += result is None
            print(f"{name}: " + (f"seed {result.seed}: {result.broken}" if result else "NOT NOTICED"))
    print(f"{len(MUTANTS)} mutants, {survivors} not noticed")
    return BROKEN if survivors else FINE


if __name__ == "__main__":
    # Sets are walked in an order that Python draws for each process: a seed must replay exactly.
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]])  # noqa: S606  this very program
    raise SystemExit(main())
