"""`speakerd drain`: hand over what this host answers for, without a question left open."""

import argparse
import os
import time
from pathlib import Path

import msgspec

from speakerd import commands
from speakerd.cli import FINE, NOT_VALID, asking
from speakerd.control import Request
from speakerd.prospects import Progress

LOOK = 0.05
"""Seconds between two looks whether all is handed over."""
PATIENCE = 30.0
STUCK = 1.2
"""Seconds for which nothing has moved and nothing can: the agent asks the others again each second."""


class Drained(msgspec.Struct):
    """What came of it: `moved` addresses -> who answers now, `kept` ones -> why nobody took them; `done`: none left."""

    drained: bool
    done: bool
    moved: dict[str, str] = {}
    kept: dict[str, str] = {}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    asking.configure(parser)
    parser.add_argument("--wait", action="store_true", help="return when nothing is answered here any more")
    parser.add_argument(
        "--timeout", type=float, default=PATIENCE, metavar="SECONDS", help="with --wait: at most so long (default 30)"
    )
    here = commands.known(os.environ)
    parser.epilog = (
        f"Example: {here.speakerd} drain --wait && {here.stop}. It stays drained over restarts, until undrain."
        " Exit code 1: with --wait, something is still answered here; 3: no agent runs here."
    )


def run(args: argparse.Namespace) -> int:
    """Ask for it; wait, if wanted; tell what moved where, and what did not and why."""
    path = asking.socket(args)
    before = _progress(path, "drain")
    after = _awaited(path, before, args.timeout) if args.wait else before
    done = Drained(after.drained, not after.here, kept=after.here if args.wait else {})
    if args.wait:
        owners = {vip.ip: vip.owner for vip in asking.status(path).vips}
        done.moved = {ip: owners[ip] for ip in before.here if ip in owners and ip not in after.here}
    print(msgspec.json.encode(done).decode() if args.output == "json" else _text(done, before, waited=args.wait))
    return NOT_VALID if args.wait and done.kept else FINE


def _progress(path: Path, verb: str = "progress") -> Progress:
    """How far it is."""
    return msgspec.json.decode(asking.told(path, Request(verb)), type=Progress)


def _awaited(path: Path, seen: Progress, timeout: float) -> Progress:
    """How it stands once nothing is answered here, nothing that is can move, or time is up."""
    now = time.monotonic()
    until, stuck_since = now + timeout, now
    while seen.drained and seen.here and now < until and now - stuck_since <= STUCK:
        time.sleep(LOOK)
        now, before, seen = time.monotonic(), seen, _progress(path)
        if seen.here != before.here or not all(seen.here.values()):
            stuck_since = now
    return seen


def _text(done: Drained, before: Progress, *, waited: bool) -> str:
    if before.here and not waited:
        see = f"{commands.known(os.environ).speakerd} status"
        return f"draining: {len(before.here)} still to be handed over; {see} tells how far it is"
    lines = [f"{ip} is answered by {owner or 'nobody'}" for ip, owner in done.moved.items()]
    lines += [f"{ip} is still answered here: {why or 'its move is not over'}" for ip, why in done.kept.items()]
    lines.append(_end(done))
    return "\n".join(lines)


def _end(done: Drained) -> str:
    if not done.drained:
        return "undrained meanwhile"
    return "drained as far as others could take over" if done.kept else "drained: nothing is answered here"
