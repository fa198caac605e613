"""`speakerd explain`: why an address is answered where it is, or by nobody, and what would change that."""

import argparse
import sys
from itertools import pairwise

import msgspec

from speakerd import events
from speakerd.cli import FINE, NOT_VALID, asking
from speakerd.cli.terminal import Colour, coloured, paint, table
from speakerd.control import Request
from speakerd.explain import AddressReport, CandidateReport, Explanation
from speakerd.hearers import HearerReport, RoutersReport

MARGIN = 11
OTHERS = 20
"""Nodes that are no candidates, told as text; -o json has them all."""
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    asking.configure(parser)
    parser.add_argument("what", metavar="IP|SERVICE", help="an address, or a Service as NAMESPACE/NAME or NAME")
    parser.epilog = (
        "Example: speakerd explain 192.168.1.240, or speakerd explain default/web."
        " Exit code 1: nobody answers for it, and this node tells no router of it; 2: it is not known;"
        " 3: no agent runs here."
    )


def run(args: argparse.Namespace) -> int:
    """Ask and print."""
    answer = asking.told(asking.socket(args), Request("explain", what=args.what))
    found = msgspec.json.decode(answer, type=Explanation)
    print(answer.decode().rstrip("\n") if args.output == "json" else rendered(found, colour=coloured(sys.stdout)))
    return FINE if found.addresses and all(map(_reached, found.addresses)) else NOT_VALID


def rendered(found: Explanation, *, colour: bool) -> str:
    """For people: a paragraph on each address."""
    parts = [_address(each, found.me, colour=colour) for each in found.addresses]
    if found.reason or not parts:
        what = "has no address" if not parts else "did not get what it asked for"
        why = f"{found.reason}: {found.message}" if found.message else found.reason or "it is not decided yet"
        parts.insert(0, paint(f"Service {found.service} {what}", Colour.BOLD, on=colour) + f"\n{why}")
    return "\n\n".join(parts)


def _reached(told: AddressReport) -> bool:
    """Whether somebody answers, or a router is told."""
    return bool(told.owner or (told.routers and any(each.told for each in told.routers.peers)))


def _address(told: AddressReport, me: str, *, colour: bool) -> str:
    shade = Colour.GREEN if _reached(told) else Colour.RED
    head = f"{told.ip} of {', '.join(told.services)} {told.answer}"
    lines = [paint(head, shade, on=colour), *(_row(name, text) for name, text in _facts(told, me) if text)]
    lines += [_row("finding", each) for each in told.findings]
    parts = ["\n".join(lines)]
    if told.routers and told.routers.peers:
        peers = [_hearer(each) for each in told.routers.peers]
        parts.append(table(["ROUTER", "AT", "PREFIX", "TOLD", "HOW, OR WHY NOT"], peers, colour=colour))
    if told.candidates:
        rows = [_candidate(each) for each in told.candidates]
        parts.append(table(["CANDIDATE", "STATE", "ROLE", "PREFERENCE", "BUT"], rows, colour=colour))
    if told.others:
        shown = [[each.node, each.reason, each.message] for each in told.others[:OTHERS]]
        more = f"\nand {len(told.others) - OTHERS} more nodes" if len(told.others) > OTHERS else ""
        parts.append(table(["NO CANDIDATE", "REASON", "MEANING"], shown, colour=colour) + more)
    if told.changes:
        rows = [[f"if {each.when}", each.text] for each in told.changes]
        parts.append(table(["WHAT WOULD CHANGE IT", ""], rows, colour=colour))
    if told.events:
        rows = [[each.time, each.event, events.sentence(each)] for each in told.events]
        parts.append(table(["LAST EVENTS", "", ""], rows, colour=colour))
    return "\n\n".join(parts)


def _facts(told: AddressReport, me: str) -> list[tuple[str, str]]:
    """Name and text of each line; those without text are left out."""
    since = f"{told.since}, {_span(told.lasted)} ago, as {me} sees it" if told.since else ""
    cause = f" ({told.cause}, epoch {told.epoch})" if told.epoch else f" ({told.reason})" if told.reason else ""
    here = ""
    if told.owner == me:
        where = f"{', '.join(told.interfaces)} at {told.mac}" if told.interfaces else "no usable interface"
        here = f"{where}; questions {told.requests}, answers {told.responses}, announcements {told.gratuitous}"
    heir = told.heir or ("none: nobody else could take over" if told.owner else "")
    routers = _nobody(told.routers, me) if told.routers else ""
    return [("because", f"{told.because}{cause}"), ("since", since), ("heir", heir), ("here", here), ("BGP", routers)]


def _nobody(told: RoutersReport, me: str) -> str:
    return f"{me} tells no router of it: {told.message} ({told.reason})" if told.reason else ""


def _hearer(told: HearerReport) -> list[str]:
    how = told.message and f"{told.message} ({told.reason})"
    if told.told:
        said = [("localPref", told.local_pref), ("MED", told.med), ("prepend", told.prepend or None)]
        words = [f"{name} {value}" for name, value in said if value is not None]
        words += [f"{name} {', '.join(values)}" for name, values in _communities(told) if values]
        how = "; ".join(words)
    return [told.peer, told.address, told.prefix, "yes" if told.told else "no", how]


def _communities(told: HearerReport) -> list[tuple[str, list[str]]]:
    return [("communities", told.communities), ("large communities", told.large)]


def _row(name: str, text: str) -> str:
    return f"  {name:<{MARGIN}}{text}"


def _candidate(told: CandidateReport) -> list[str]:
    state = f"{told.state}, drained" if told.drained else told.state
    but = told.reason or ("its endpoints are ending" if told.ending else "")
    return [told.node, state, told.role, str(told.preference or ""), but]


def _span(seconds: float) -> str:
    """Two units at most, as people say it."""
    for (unit, name), (smaller, next_name) in pairwise(UNITS):
        if seconds >= unit:
            whole, rest = divmod(seconds, unit)
            return f"{whole:.0f} {name}" + (f" {rest // smaller:.0f} {next_name}" if rest >= smaller else "")
    return f"{seconds:.1f} s"
