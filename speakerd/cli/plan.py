"""`speakerd plan`: what a cluster of the objects given comes to, or, without files, the one that the agent sees."""

import argparse
import sys

import msgspec
from msgspec.structs import replace

from speakerd import settings as settings_
from speakerd import snapshot
from speakerd.cli import FINE, NOT_VALID, WRONG_USAGE, asking, inputs
from speakerd.cli.check import line
from speakerd.cli.terminal import Colour, coloured, paint, table
from speakerd.cli.world import world
from speakerd.config import document
from speakerd.control import Request
from speakerd.outlook import Outlook, ServiceForetold, outlook, speaker

SHADES = {"refused": Colour.RED, "lost": Colour.RED, "released": Colour.YELLOW, "assigned": Colour.GREEN}


def configure(parser: argparse.ArgumentParser) -> None:
    """Options."""
    inputs.configure(parser, "what the running agent sees")
    parser.add_argument("--node", default="", metavar="NAME", help="tell only what this node announces")
    parser.add_argument(
        "--down", action="append", default=[], metavar="NODE", help="a node that is dead; may be given again"
    )
    asking.configure(parser)
    parser.epilog = (
        f"Example: kubectl get services,endpointslices,nodes,namespaces,leases,{inputs.KINDS} -A -o yaml"
        " | speakerd plan -f - --down worker-1"
    )


def run(args: argparse.Namespace) -> int:
    """Foretell and print."""
    found = _of_files(args) if args.file else _of_agent(args)
    if args.output == "json":
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        print(rendered(found, colour=coloured(sys.stdout)))
    for problem in found.problems:
        sys.stderr.write(line(problem, colour=coloured(sys.stderr)) + "\n")
    if any(each.reason == document.UNREADABLE for each in found.problems):
        return WRONG_USAGE
    return FINE if found.valid else NOT_VALID


def _of_files(args: argparse.Namespace) -> Outlook:
    given = inputs.read(args.file)
    known = world(given)
    settings = given.loaded.settings or settings_.Settings()
    if args.node:
        settings = replace(settings, node=replace(settings.node, name=args.node))
    seen, _ = snapshot.build(known.stores, settings, snapshot.Memo(settings))
    problems = (*given.loaded.problems, *known.problems)
    return outlook(seen, known.stores.services, problems, down=args.down, node=args.node)


def _of_agent(args: argparse.Namespace) -> Outlook:
    request = Request("plan", what=args.node, down=tuple(args.down))
    return msgspec.json.decode(asking.told(asking.socket(args), request), type=Outlook)


def rendered(found: Outlook, *, colour: bool) -> str:
    """For people: Services, pools, moves."""
    head = paint("valid", Colour.GREEN, on=colour) if found.valid else paint("not valid", Colour.RED, on=colour)
    parts = [head]
    if found.services:
        rows = [_service(each, colour=colour) for each in found.services]
        parts.append(table(["SERVICE", "RESULT", "ADDRESSES", "POOL", "ANSWERED BY", "WHY"], rows, colour=colour))
    if found.pools:
        counts = [[each.name, f"{each.in_use} of {each.total}"] for each in found.pools]
        parts.append(table(["POOL", "IN USE"], counts, colour=colour))
    if found.moves:
        moves = [[each.ip, each.origin, each.target or "nobody", each.cause] for each in found.moves]
        parts.append(table(["ADDRESS", "FROM", "TO", "CAUSE"], moves, colour=colour))
    return "\n\n".join(parts)


def _service(told: ServiceForetold, *, colour: bool) -> list[str]:
    result = paint(told.result, SHADES[told.result], on=colour) if told.result in SHADES else told.result
    owners = dict.fromkeys(speaker(each) for each in told.announce if not each.reason)
    whys = dict.fromkeys(filter(None, (told.reason, *(each.reason for each in told.announce))))
    return [
        f"{told.namespace}/{told.name}",
        result,
        ", ".join(told.ips),
        told.pool,
        ", ".join(owners),
        ", ".join(whys),
    ]
