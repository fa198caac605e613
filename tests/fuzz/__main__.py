"""Breed inputs for every decoder until one breaks a promise, or time is up.

python -m tests.fuzz                             10 minutes, on all processors
python -m tests.fuzz --minutes 60 --seed N       longer; the same seed breeds the same inputs in the same order
                     --only "bgp session"        targets whose names begin so
                     --replay HEX                with --only: one input, and what it does
"""

import argparse
import multiprocessing
import os
import secrets
import sys
import time
from functools import partial

from tests.fuzz.guided import Breeder, Outcome, Walk, broken
from tests.fuzz.of_hosts import API, KERNEL, LINK
from tests.fuzz.of_members import LAYER2, MESH
from tests.fuzz.of_sessions import BFD, BGP

TARGETS = {each.name: each for each in (*BGP, *BFD, *MESH, *LAYER2, *KERNEL, *LINK, *API)}
FINE, BROKEN = 0, 1


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="drawn and printed where none is given")
    parser.add_argument("--only", default="", help="targets whose names begin so")
    parser.add_argument("--replay", metavar="HEX", help="one input, and what it does")
    args = parser.parse_args()
    names = [name for name in TARGETS if name.startswith(args.only)]
    if not names:
        parser.error(f"no target begins with {args.only!r}: {', '.join(TARGETS)}")
    if args.replay is not None:
        return _replay(names, bytes.fromhex(args.replay))
    seed = secrets.randbelow(10**6) if args.seed is None else args.seed
    return _breed(names, seed, args.minutes)


def _replay(names: list[str], data: bytes) -> int:
    code = FINE
    for name in names:
        first, each = TARGETS[name].lines
        what = broken(TARGETS[name], data, Walk({}, first + each * len(data)))
        print(f"{name}: {what or 'fine'}")
        code = BROKEN if what else code
    return code


def _breed(names: list[str], seed: int, minutes: float) -> int:
    workers = min(len(names), os.cpu_count() or 1)
    seconds = minutes * 60 * workers / len(names)
    print(f"seed {seed}: {len(names)} targets, {seconds:.0f} s each", flush=True)
    with multiprocessing.Pool(workers) as pool:
        outcomes = [_shown(each) for each in pool.imap_unordered(partial(_bred, seed=seed, seconds=seconds), names)]
    print(f"{sum(each.inputs for each in outcomes)} inputs, {sum(each.kept for each in outcomes)} of them new ways")
    return BROKEN if any(each.find for each in outcomes) else FINE


def _bred(name: str, seed: int, seconds: float) -> Outcome:
    end = time.monotonic() + seconds
    return Breeder(TARGETS[name], seed).run(lambda _inputs: time.monotonic() < end)


def _shown(outcome: Outcome) -> Outcome:
    print(
        f"{outcome.target:32} {outcome.inputs:8} inputs, {outcome.kept:5} kept, {outcome.arcs:5} arcs, "
        f"at most {outcome.most_lines} lines",
        flush=True,
    )
    if outcome.find:
        print(f"{outcome.target}: {outcome.find.what}", file=sys.stderr)
        print(
            f"again: python -m tests.fuzz --only '{outcome.target}' --replay {outcome.find.data.hex()}", file=sys.stderr
        )
    return outcome


if __name__ == "__main__":
    # Sets are walked in an order that Python draws for each process: a seed must breed the same inputs again.
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.fuzz", *sys.argv[1:]])  # noqa: S606  this very program
    raise SystemExit(main())
