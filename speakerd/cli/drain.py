"""`speakerd drain`: hand over what this host answers for, without a question left open."""

import argparse
import time
from pathlib import Path

import msgspec

from speakerd.cli import FINE, NO_AGENT, NOT_VALID, asking
from speakerd.report import Report, VipReport

LOOK = 0.05
"""Seconds between two looks whether all is handed over."""
PATIENCE = 30.0


class Drained(msgspec.Struct):
    """What came of it: addresses that others answer for now, and those that nobody could take."""

    drained: bool
    moved: dict[str, str] = {}
    kept: list[str] = []


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    asking.configure(parser)
    parser.add_argument("--wait", action="store_true", help="return when nothing is answered here any more")
    parser.add_argument(
        "--timeout", type=float, default=PATIENCE, metavar="SECONDS", help="with --wait: at most so long (default 30)"
    )
    parser.epilog = (
        "Example: speakerd drain --wait && systemctl stop speakerd. It stays drained over restarts, until undrain."
        " Exit code 1: with --wait, something is still answered here."
    )


def run(args: argparse.Namespace) -> int:
    """Ask for it; wait, if wanted; tell what moved where."""
    path = asking.socket(args)
    before = asking.status(path)
    if before is None or asking.told(path, "drain") is None:
        return NO_AGENT
    mine = [vip.ip for vip in before.vips if vip.owner == before.node.name]
    after = _awaited(path, before, args.timeout) if args.wait else before
    if after is None:
        return NO_AGENT
    owners = {vip.ip: vip for vip in after.vips}
    done = Drained(drained=True, kept=[ip for ip in mine if _here(after, owners.get(ip))])
    done.moved = {ip: owners[ip].owner for ip in mine if ip in owners and ip not in done.kept}
    print(msgspec.json.encode(done).decode() if args.output == "json" else _text(done, waited=args.wait))
    return NOT_VALID if args.wait and done.kept else FINE


def _here(report: Report, vip: VipReport | None) -> bool:
    return vip is not None and vip.owner == report.node.name


def _awaited(path: Path, report: Report | None, timeout: float) -> Report | None:
    """The report once nothing is answered here, or when time is up."""
    until = time.monotonic() + timeout
    while report is not None and any(_here(report, vip) for vip in report.vips) and time.monotonic() < until:
        time.sleep(LOOK)
        report = asking.status(path)
    return report


def _text(done: Drained, *, waited: bool) -> str:
    lines = [f"{ip} is answered by {owner or 'nobody'}" for ip, owner in done.moved.items()]
    if waited:
        lines += [f"{ip} is still answered here: no other node can take it" for ip in done.kept]
        lines.append("drained" if not done.kept else "drained as far as others could take over")
    else:
        lines.append("draining; speakerd status tells how far it is")
    return "\n".join(lines)
